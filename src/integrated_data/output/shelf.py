"""The editions of every definition as static pages: what is current, what it superseded, what was withdrawn.

statistics/index.html                       every definition
statistics/<name>/index.html                its editions, newest first
statistics/<name>/edition-<n>/index.html    one edition, with its files
"""

import shutil
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from integrated_data.control import editions, outputs
from integrated_data.control.store import Store
from integrated_data.model.dissemination import Definition, EditionState
from integrated_data.model.errors import OutputRefusal
from integrated_data.output import requested
from integrated_data.output.editions import rows

#: What is told outside; what was refused or waits is not.
TOLD = {
    EditionState.CURRENT.value: "Current",
    EditionState.SUPERSEDED.value: "Superseded by a later edition",
    EditionState.REVOKED.value: "Withdrawn",
}

_HEAD = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 Arial, sans-serif; color: #0b0c0c; background: #ffffff; max-width: 60rem; margin: 2rem auto; }}
body {{ padding: 0 1rem; }}
a {{ color: #1a3e70; }}
table {{ border-collapse: collapse; }}
caption {{ text-align: left; font-weight: bold; }}
th, td {{ text-align: left; vertical-align: top; border-bottom: 1px solid #505a5f; padding: 0.5rem; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
"""

_FOOT = "</main>\n</body>\n</html>\n"


def export(store: Store, folder: Path, *, target: Path) -> int:
    """Write the pages under `target`; returns how many editions they tell of. `folder`: the outputs folder.

    An edition that was withdrawn is taken away. Refuses files that are not those that were released.
    """
    with store.read() as connection:
        known = editions.definitions(connection)
    shelves = [(d, [r for r in reversed(rows(store, d.name)) if r["state"] in TOLD]) for d in known]
    shown = [(d, told) for d, told in shelves if told]
    if not shown:
        return 0
    _put(target / "index.html", _all(shown))
    for definition, told in shown:
        _put(target / definition.name / "index.html", _one(store, definition, told=told))
        for row in told:
            place = target / definition.name / f"edition-{row['edition']}"
            if row["state"] == EditionState.REVOKED.value:
                shutil.rmtree(place, ignore_errors=True)
            else:
                for name, content in _files(store, folder, request=row["request"]).items():
                    _put(place / name, content)
    return sum(len(told) for _, told in shown)


def _files(store: Store, folder: Path, *, request: str) -> Mapping[str, bytes]:
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    files = requested.contents(folder / "released" / request)
    if files is None or requested.digest(files) != known.sha256:
        raise OutputRefusal(
            f"The files of release {request} are not those that left",
            why="They changed afterwards, which nobody may do",
            next_step="Tell whoever runs the service",
        )
    return files


def _all(shown: Sequence[tuple[Definition, Sequence[Mapping[str, Any]]]]) -> bytes:
    items = "".join(
        f'<li><a href="{escape(d.name)}/index.html">{escape(d.words.title)}</a>, {len(told)} '
        f"{'edition' if len(told) == 1 else 'editions'}</li>\n"
        for d, told in shown
    )
    return f"{_HEAD.format(title='Statistics published anew from each release')}<ul>\n{items}</ul>\n{_FOOT}".encode()


def _one(store: Store, definition: Definition, *, told: Sequence[Mapping[str, Any]]) -> bytes:
    heads = "".join(f'<th scope="col">{h}</th>' for h in ("Edition", "Made on", "Where it stands"))
    body = "\n".join(_row(store, row) for row in told)
    summary = f"<p>{escape(definition.words.summary)}</p>\n" if definition.words.summary else ""
    head = _HEAD.format(title=escape(definition.words.title))
    return (
        f"{head}{summary}<table>\n<caption>Editions, newest first</caption>\n"
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
        f'<p><a href="../index.html">All statistics</a></p>\n{_FOOT}'
    ).encode()


def _row(store: Store, row: Mapping[str, Any]) -> str:
    number, state = row["edition"], TOLD[row["state"]]
    name = f"Edition {number}"
    if row["state"] == EditionState.REVOKED.value:
        with store.read() as connection:
            reason = next(r.reason for r in outputs.releases(connection) if r.request == row["request"])
        state = f"{state}: {escape(reason)}"
    else:
        name = f'<a href="edition-{number}/index.html">{name}</a>'
    return f'<tr><th scope="row">{name}</th><td>{row["at"][:10]}</td><td>{state}</td></tr>'


def _put(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
