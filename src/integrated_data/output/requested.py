"""The folder of one request: what was asked for, the evidence, and the package that would leave.

    requests/<id>/asked-1.arrow    the result of each query, as it was when it was asked for
                  asked.json       the queries' text and which of them are proven
                  evidence.json    what is behind each cell: never leaves
                  package/         the files that would leave, byte for byte, by their paths in it

All of it is for the service and the reviewers: folders 0700, files 0600.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.model.errors import OutputRefusal
from integrated_data.model.estimate import Estimate, of_told
from integrated_data.model.proposal import Form

#: Files that are brought to the disk at once.
AT_ONCE = 8

_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Asked:
    """One query of a request with its result. `query`: its id in the log; `estimate`: the model fitted over it;
    `form`: what its author accepted instead of what was asked for.
    """

    query: str
    sql: str
    result: pa.Table
    estimate: Estimate | None = None
    form: Form = field(default_factory=Form)


def place(folder: Path, request: str) -> Path:
    """The folder of a request under the outputs folder."""
    return folder / "requests" / request


def keep(folder: Path, asked: tuple[Asked, ...]) -> str:
    """Write down what is asked for; returns the hash over all of it."""
    files = {f"asked-{n}.arrow": _arrow(one.result) for n, one in enumerate(asked, start=1)}
    named = [
        {
            "query": one.query, "sql": one.sql, "estimate": one.estimate.told() if one.estimate else None,
            "form": asdict(replace(one.form, sql={})),
        }
        for one in asked
    ]  # fmt: skip
    files["asked.json"] = as_json(named)
    write(folder, files)
    return digest(files)


def asked(folder: Path, sha256: str) -> tuple[Asked, ...]:
    """What was asked for; refuses when it is not what the hash says."""
    try:
        named = json.loads((folder / "asked.json").read_bytes())
        files = {f"asked-{n}.arrow": (folder / f"asked-{n}.arrow").read_bytes() for n in range(1, len(named) + 1)}
    except FileNotFoundError:
        raise _gone(folder) from None
    files["asked.json"] = as_json(named)
    if digest(files) != sha256:
        raise _changed(folder)
    results = [pa.ipc.open_file(files[f"asked-{n}.arrow"]).read_all() for n in range(1, len(named) + 1)]
    return tuple(_asked(one, result) for one, result in zip(named, results, strict=True))


def _asked(named: Mapping[str, Any], result: pa.Table) -> Asked:
    told, form = named.get("estimate"), Form(**named.get("form", {}))
    return Asked(named["query"], named["sql"], result, of_told(told) if told else None, form)


def package(folder: Path, sha256: str) -> dict[str, bytes]:
    """The files that would leave; refuses when they are not what the hash says."""
    inside = folder / "package"
    if not inside.is_dir():
        raise _gone(folder)
    files = contents(inside)
    if files is None or digest(files) != sha256:
        raise _changed(folder)
    return files


def put_package(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files that would leave, instead of those that were there; `settle` sees to it that they last."""
    inside = folder / "package"
    shutil.rmtree(inside, ignore_errors=True)
    put_all(inside, files, lasting=False)


def contents(folder: Path) -> dict[str, bytes] | None:
    """The files of a folder by their paths in it, in order; None where something else than a file is among them."""
    inside = [place for place in sorted(folder.rglob("*")) if place.is_symlink() or not place.is_dir()]
    if any(place.is_symlink() or not place.is_file() for place in inside):
        return None
    return {place.relative_to(folder).as_posix(): place.read_bytes() for place in inside}


def digest(files: Mapping[str, bytes]) -> str:
    """One hash over files: SHA-256 of their names and their own hashes, in order of name."""
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_hash(typed: str, *, shown_by: str) -> None:
    """Refuse what is no hash at all, which says nothing of whether files changed. `shown_by`: what prints the hash."""
    if not _HASH.fullmatch(typed):
        raise OutputRefusal(
            "What was given is not the hash of any files",
            why="A hash is 64 digits of 0 to 9 and a to f",
            next_step=f"Copy the one that is shown by: {shown_by}",
        )


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files that only the service may read; a folder that is there loses its other files."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in folder.iterdir():
        if file.is_file():
            file.unlink()
    put_all(folder, files)


def put_all(folder: Path, files: Mapping[str, bytes], *, lasting: bool = True) -> None:
    """Write files by their paths in a folder that only the service may read."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(mode=0o700, exist_ok=True)
        put(folder / name, content, lasting=lasting)


def put(file: Path, content: bytes, *, lasting: bool = True) -> None:
    """Write one file with mode 0600; `lasting`: to disk before it returns."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        if lasting:
            os.fsync(opened.fileno())


def settle(folder: Path) -> None:
    """See to it that every file under a folder is on the disk: at once, since each alone waits for the disk."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(_settle, [place for place in folder.rglob("*") if place.is_file()]))


def _settle(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def as_json(value: Any) -> bytes:
    """JSON with sorted keys: the same value, the same bytes."""
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _arrow(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue().to_pybytes())


def _gone(folder: Path) -> OutputRefusal:
    return OutputRefusal(f"The files of request {folder.name} are not there", next_step="Ask for it again")


def _changed(folder: Path) -> OutputRefusal:
    return OutputRefusal(
        f"The files of request {folder.name} are not those that were checked",
        why="They changed after the check, which nobody may do",
        next_step="Ask for it again, and tell whoever runs the service",
    )
