"""A bag in an archive: BagIt 1.0 (RFC 8493) in a ZIP of one folder, the same files giving the same bytes.

Nothing is compressed and every entry is dated 1980-01-01, so that an archive can be written again from its
files and compared byte for byte: what was hidden or changed between the files shows.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping

from integrated_data.model.errors import OutputRefusal

PAYLOAD, INFO, BAGIT = "data/", "bag-info.txt", "bagit.txt"
MANIFEST, TAGS = "manifest-sha512.txt", "tagmanifest-sha512.txt"

#: Files in one bag, and bytes of one archive, beyond which it is not read.
MOST_FILES, MOST_BYTES = 10_000, 1 << 30


def bagged(payload: Mapping[str, bytes], *, info: Mapping[str, str]) -> dict[str, bytes]:
    """The files of a bag by their paths: the payload under `data/`, its manifests, `info` in bag-info.txt."""
    inside = {PAYLOAD + name: content for name, content in payload.items()}
    size = sum(len(content) for content in payload.values())
    lines = dict(info) | {"Payload-Oxum": f"{size}.{len(payload)}"}
    tags = {
        BAGIT: b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        INFO: "".join(f"{name}: {value}\n" for name, value in lines.items()).encode(),
        MANIFEST: _manifest(inside),
    }
    return inside | tags | {TAGS: _manifest(tags)}


def archived(root: str, files: Mapping[str, bytes]) -> bytes:
    """The archive of a bag: one folder, its files in order of their paths."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(f"{root}/{name}")
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return sink.getvalue()


def opened(data: bytes) -> tuple[str, dict[str, bytes]]:
    """The folder's name and the files of an archive by their paths; refuses one that was not written so.

    That the manifests hold is another question, see `broken`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_entries(entries, size=len(data))
            read = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError, RuntimeError):
        raise _no_bag("It is not a whole ZIP archive") from None
    roots = {name.split("/", 1)[0] for name in read}
    if len(roots) != 1 or any("/" not in name for name in read):
        raise _no_bag("It does not hold one folder")
    (root,) = roots
    files = {name.split("/", 1)[1]: content for name, content in read.items()}
    if archived(root, files) != data:
        raise _no_bag("The archive was packed again or changed around its files")
    return root, files


def broken(files: Mapping[str, bytes]) -> str:
    """What about a bag's manifests does not hold, in words; nothing where they hold for every file there is.

    The tag manifest itself, and what signs it, are named in no manifest.
    """
    inside = {name: content for name, content in files.items() if name.startswith(PAYLOAD)}
    tags = {name: files[name] for name in (BAGIT, INFO, MANIFEST) if name in files}
    missing = [name for name in (BAGIT, INFO, MANIFEST, TAGS) if name not in files]
    if missing:
        return f"{missing[0]} is missing"
    if files[TAGS] != _manifest(tags):
        return f"{TAGS} is not that of the bag's own files"
    listed = _listed(files[MANIFEST])
    told = {line.split("  ", 1)[1]: line.split("  ", 1)[0] for line in listed}
    changed = [name for name in sorted(set(told) | set(inside)) if told.get(name) != _digest(inside.get(name))]
    if changed:
        return f"{changed[0]} is not the file that was packed"
    return "" if files[MANIFEST] == _manifest(inside) else f"{MANIFEST} was changed"


def _check_entries(entries: list[zipfile.ZipInfo], *, size: int) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names) or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise _no_bag("The archive was packed again")
    if len(names) > MOST_FILES or sum(entry.file_size for entry in entries) > size:
        raise _no_bag("It holds more than it can")
    if any(part in ("", ".", "..") for name in names for part in name.split("/")):
        raise _no_bag("It holds a path that leads out of it")


def _manifest(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{_digest(files[name])}  {name}\n" for name in sorted(files)).encode()


def _listed(manifest: bytes) -> list[str]:
    lines = manifest.decode("utf-8", "replace").splitlines()
    return [line for line in lines if "  " in line]


def _digest(content: bytes | None) -> str:
    return "" if content is None else hashlib.sha512(content).hexdigest()


def _no_bag(why: str) -> OutputRefusal:
    return OutputRefusal(
        "This file is not a release of the service as it was written", why=why,
        next_step="Ask for the original file: ids output crate",
    )  # fmt: skip
