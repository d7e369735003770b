"""Files named on the command line: read as text, or to be written; each is refused before anything is done."""

import os
from pathlib import Path

from integrated_data.model.errors import UsageRefusal


def text_of(file: Path) -> str:
    """The text of a file; refuses one that is not there, a folder, and what is no text in UTF-8."""
    try:
        return content_of(file).decode("utf-8")
    except UnicodeDecodeError:
        raise UsageRefusal(
            f"{file.name} is no text",
            why="It is not written in UTF-8",
            next_step="Save it as UTF-8, or name another file",
        ) from None


def content_of(file: Path) -> bytes:
    """The bytes of a file; refuses one that is not there, a folder, and one that may not be read."""
    if file.is_dir():
        raise UsageRefusal(f"{file.name} is a folder", next_step="Name a file")
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise UsageRefusal(f"There is no file {file.name}", next_step="Check its path") from None
    except OSError:
        raise UsageRefusal(
            f"{file.name} cannot be read", why="The system does not allow it", next_step="Check its permissions"
        ) from None


def to_write(out: Path) -> Path:
    """A file that can be written; refuses a folder, and a file in a folder that is not there or is not writable."""
    if out.is_dir():
        raise UsageRefusal(f"{out.name} is a folder", next_step="Name a file to write")
    folder = out.absolute().parent
    if not folder.is_dir():
        raise UsageRefusal(
            f"{out.name} cannot be written", why="The folder that it is to lie in is not there",
            next_step="Make that folder first, or name another file",
        )  # fmt: skip
    if not os.access(folder, os.W_OK) or (out.exists() and not os.access(out, os.W_OK)):
        raise UsageRefusal(
            f"{out.name} cannot be written", why="The system does not allow it", next_step="Name another file"
        )
    return out


def parquet_to_write(out: Path, *, what: str) -> Path:
    """A Parquet file that can be written; refuses another ending, and what `to_write` refuses. `what`: its content."""
    if out.suffix != ".parquet":
        raise UsageRefusal(f"{what} are written as Parquet", next_step="Let the file end in .parquet")
    return to_write(out)


def folder_to_write(out: Path) -> Path:
    """A folder that can be filled, there or not yet; refuses what is a file, or would lie in one."""
    nearest = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise UsageRefusal(f"{nearest.name} is a file", next_step="Name a folder to write into")
    if not os.access(nearest, os.W_OK):
        raise UsageRefusal(
            f"{out.name} cannot be written", why="The system does not allow it", next_step="Name another folder"
        )
    return out
