"""What the machine lets this process have of memory: its own, or less where a control group bounds it."""

import os
from pathlib import Path

from integrated_data.model.errors import InstallationRefusal

GROUPS, PROCESSES = Path("/sys/fs/cgroup"), Path("/proc")


def memory(groups: Path = GROUPS, processes: Path = PROCESSES) -> int:
    """Bytes of memory that this process may have at most; refuses where nothing tells."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        raise InstallationRefusal(
            "The machine's memory cannot be read", next_step="Set IDS_MEMORY, for instance to 4GB"
        ) from None
    return min([total, *(most for most, _ in _bounds(groups, processes))])


def free_memory(groups: Path = GROUPS, processes: Path = PROCESSES) -> int | None:
    """Bytes of memory that are left to this process now; None where nothing tells."""
    left = [most - used for most, used in _bounds(groups, processes)]
    try:
        lines = (processes / "meminfo").read_text("ascii").splitlines()
        left += [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")]
    except (OSError, ValueError):
        pass
    return max(0, min(left)) if left else None


def _bounds(groups: Path, processes: Path) -> list[tuple[int, int]]:
    """The bound of each control group of this process, and what of it is used and cannot be given up at once."""
    try:
        told = (processes / "self/cgroup").read_text("ascii").splitlines()
    except OSError:
        return []
    own = next((line.removeprefix("0::/") for line in told if line.startswith("0::/")), None)
    if own is None:  # version 1: the group of memory is mounted apart
        return _bound(groups / "memory", "memory.limit_in_bytes", used="memory.usage_in_bytes")
    place, found = groups / own, list[tuple[int, int]]()
    while place.is_relative_to(groups):
        found += _bound(place, "memory.max", used="memory.current")
        place = place.parent
    return found


def _bound(place: Path, most: str, *, used: str) -> list[tuple[int, int]]:
    try:
        bound = (place / most).read_text("ascii").strip()
        kept = (place / "memory.stat").read_text("ascii").split()
        given_up = next((int(n) for name, n in zip(kept[::2], kept[1::2], strict=False) if name == "inactive_file"), 0)
        return [(int(bound), int((place / used).read_text("ascii")) - given_up)] if bound.isdigit() else []
    except (OSError, ValueError):
        return []
