"""Bringing files out: results of Python or R, with the queries that they were made from. Two people decide about each.

What the service did not compute it cannot check by the people behind it. It looks at what the files hold
(`output/brought/`): one that may not leave whatever its figures say is refused before anybody sees it.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path

from integrated_data import __version__
from integrated_data.control import outputs
from integrated_data.control.store import Store
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import (
    Ask,
    CheckReport,
    Finding,
    Lane,
    Outcome,
    OutputRequest,
    OutputState,
    Signature,
)
from integrated_data.output import earlier, request, requested, states, wording
from integrated_data.output.brought.look import Looked, look
from integrated_data.output.requested import as_json

#: Files of one request.
MOST = 20

#: Where the files lie under a request's folder, and names that the package needs itself.
FOLDER, OWN = "brought", ("readme.txt",)

UNPROVEN = Finding(
    "made outside", Outcome.REVIEW,
    "It was not computed by the service: people compare it with the results of the queries that it names",
)  # fmt: skip


def bring(store: Store, *, ask: Ask, folder: Path) -> OutputRequest:
    """Ask for the files of `ask.brought` to leave, which were made from the results of its queries.

    `folder` is the outputs folder. Refuses, with every reason, files that may not even be reviewed.
    """
    wording.check_ask(ask.title, ask.purpose)
    files = files_of(ask)
    if len(files) > MOST or not 1 <= len(ask.queries) <= request.MOST:
        raise OutputRefusal(
            f"A request is about 1 to {MOST} files and 1 to {request.MOST} queries that they were made from",
            next_step="Split it up, and name each query",
        )
    texts = request.texts(store, ask)
    with store.read() as connection:
        known = outputs.get_request(connection, ask.request) if ask.request else None
    if known is not None:
        request.check_author(known, ask)
        states.check_move(known.id, known.state, to=OutputState.REQUESTED)
    check_files(files)
    read = sorted({d for sql in texts.values() for d in request.datasets_of(sql, store, project=ask.project)})
    request.check_may_leave(store, tuple(read))
    number = known.id if known is not None else f"O-{secrets.token_hex(6)}"
    requested.write(requested.place(folder, number) / FOLDER, files)
    outputs.put_request(store, number, ask=ask, sha256=requested.digest(files), datasets=read)
    with store.read() as connection:
        return outputs.get_request(connection, number)


def check_files(files: Mapping[str, bytes]) -> None:
    """Refuse files of which one may not leave, with what was found in each."""
    if any(name.lower() in OWN for name in files):
        raise OutputRefusal("README.txt is written by the service", next_step="Give your file another name")
    bad = {name: looked for name, looked in _look(files).items() if looked.refused}
    if bad:
        whys = [
            f"{name}: {'; '.join(f.reason for f in looked.findings if f.outcome is Outcome.REFUSE)}"
            for name, looked in bad.items()
        ]
        raise OutputRefusal(
            f"{len(bad)} of {len(files)} files may not leave",
            why=". ".join(whys),
            next_step="Bring what is left of them as plain tables, pictures or text",
        )


def check(store: Store, *, request_id: str, actor: str, folder: Path) -> CheckReport:
    """Check a request for files: the same bytes, looked at again, compared in words with what has left; for people."""
    with store.read() as connection:
        known = outputs.get_request(connection, request_id)
        gone = tuple(outputs.releases(connection))
    states.check_move(request_id, known.state, to=OutputState.IN_REVIEW)
    place = requested.place(folder, request_id)
    files = kept_of(place, known)
    signature = Signature(known.datasets, "", (earlier.UNKNOWN,), (), known.sha256)
    similar = earlier.similar((signature,), known.project, request=request_id, releases=gone, remembered=frozenset())
    looked = _look(files)
    findings = (
        UNPROVEN, *(dict.fromkeys(f for one in looked.values() for f in one.findings)), *wording.of_title(known.title),
        *([found] if (found := earlier.finding(similar)) else []),
    )  # fmt: skip
    lane = Lane.REFUSED if any(one.refused for one in looked.values()) else Lane.REVIEW
    package = _package(known, files, findings=findings) if lane is Lane.REVIEW else {}
    if package:
        requested.write(place / "package", package)
    report = CheckReport(
        request_id, lane, findings, cells=0, withheld=0,
        sha256=requested.digest(package) if package else known.sha256, files=tuple(sorted(package)),
        signatures=(signature,), similar=similar, seen=tuple(sorted(r.request for r in gone)),
    )  # fmt: skip
    outputs.put_check(store, report, actor=actor, asked=known.sha256)
    return report


def files_of(ask: Ask) -> dict[str, bytes]:
    """The files of a request by name; refuses two of one name."""
    files = {brought.name: brought.content for brought in ask.brought}
    if len({name.lower() for name in files}) < len(ask.brought):
        raise OutputRefusal("Two files of this request have one name", next_step="Rename one of them")
    return files


def kept_of(place: Path, known: OutputRequest) -> dict[str, bytes]:
    """The files that were brought; refuses when they are not what the hash says."""
    inside = place / FOLDER
    files = {file.name: file.read_bytes() for file in sorted(inside.iterdir())} if inside.is_dir() else {}
    if requested.digest(files) != known.sha256:
        raise OutputRefusal(
            f"The files of request {known.id} are not those that were brought",
            why="They changed afterwards, which nobody may do",
            next_step="Bring them again, and tell whoever runs the service",
        )
    return files


def _look(files: Mapping[str, bytes]) -> dict[str, Looked]:
    return {name: look(name, content) for name, content in files.items()}


def _package(known: OutputRequest, files: Mapping[str, bytes], *, findings: tuple[Finding, ...]) -> dict[str, bytes]:
    """The files with what is said of them, for people and for machines."""
    told = [{"rule": f.rule, "outcome": f.outcome.value, "reason": f.reason} for f in findings]
    record = {
        "request": known.id, "asked": known.asked, "project": known.project, "title": known.title,
        "datasets": list(known.datasets), "tool": {"name": "Integrated Data Service", "version": __version__},
        "lane": Lane.REVIEW.value, "tables": [], "for_reviewers": told, "queries": list(known.queries),
        "files": {name: look(name, content).sha256 for name, content in sorted(files.items())},
        "note": "These files were made outside the service from the queries named: two reviewers decided",
    }  # fmt: skip
    readme = "\n".join([
        known.title, "=" * len(known.title), "",
        f"Output {known.id} of project {known.project}, from: {', '.join(known.datasets)}.",
        "Made outside the service from its data; two output checkers decided that it may leave.", "",
        f"Files: {', '.join(sorted(files))}. record.json states what was looked at and the hash of each file.", "",
    ])  # fmt: skip
    return {**files, "README.txt": readme.encode(), "record.json": as_json(record)}
