"""Room: what a load needs of disk and memory, before it begins and while it goes on.

A load that would fill the disk is refused before it lands a byte; one that meets a full disk is stopped, and what it
was writing is removed, so that room for the store's own records stays. What is published is whole all the while.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from integrated_data.model.errors import Refusal, RoomRefusal, is_disk_full, is_memory_gone

#: Bytes of disk that are left free for the records of what happens.
RESERVE = 64 << 20
#: A load's bytes on disk beside a byte delivered: sealed as it came, checked, published, a rest for packed files.
GROWTH = 4


def needed(sizes: Sequence[int]) -> int:
    """Bytes that files of these sizes need on disk until they are published."""
    return RESERVE + GROWTH * sum(sizes)


def sizes(files: Sequence[Any]) -> list[int]:
    """Bytes of files that are to be landed; 0 of one that says nothing."""
    return [_size(file) for file in files]


def _size(file: Any) -> int:
    if not isinstance(file, Path):
        return int(getattr(file, "size", 0))
    return file.stat().st_size if file.is_file() else 0


def has_disk(place: Path, sizes: Sequence[int]) -> bool:
    """Whether the disk below a folder holds files of these sizes, and what is to stay free."""
    return shutil.disk_usage(place).free >= needed(sizes)


def check_disk(place: Path, sizes: Sequence[int]) -> None:
    """Refuse files that the disk below a folder has no room for."""
    free = shutil.disk_usage(place).free
    if free < needed(sizes):
        raise RoomRefusal(
            "The disk has no room for this delivery",
            why=f"It needs about {_told(needed(sizes))}, and {_told(free)} are free",
            next_step="Make room, and give the same command again",
        )


def against(place: Path) -> Refusal | None:
    """What the disk below a folder says against going on, or None."""
    return _full() if shutil.disk_usage(place).free < RESERVE // 4 else None


def lacking(error: BaseException) -> RoomRefusal | None:
    """What an error that arose for want of disk or memory means to people; None for any other."""
    if is_disk_full(error):
        return _full()
    if is_memory_gone(error):
        return RoomRefusal(
            "There is not enough memory for this load",
            why="What was published before is whole, and finished steps are kept",
            next_step="Load fewer at a time or give more by IDS_MEMORY, then give the same command again",
        )
    return None


def _full() -> RoomRefusal:
    return RoomRefusal(
        "The disk is full, so the load stopped",
        why="What was published before is whole, finished steps are kept, and nothing half-done is",
        next_step="Make room, and give the same command again: it goes on where it stood",
    )


def _told(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
