"""Fixed-width text: where its columns begin, seen from the blanks that all its lines share."""

from collections.abc import Sequence
from itertools import pairwise

#: Lines needed before shared blanks say anything, and the share of lines that must be blank there.
FEWEST_LINES = 5
SHARED = 0.995


def widths_of(lines: Sequence[str]) -> tuple[int, ...]:
    """Characters of each column, or () when no ruler shows.

    A column runs from where text begins after a shared run of blanks to where the next one begins;
    a line that ends early counts as blank beyond its end. A gap of one blank that the first line
    leaves empty after it is a blank between words.
    """
    if len(lines) < FEWEST_LINES or any("\t" in line for line in lines):
        return ()
    longest = max(len(line) for line in lines)
    filled = [sum(line[i : i + 1] not in ("", " ") for line in lines) for i in range(longest)]
    blank = [count <= (1 - SHARED) * len(lines) for count in filled]
    starts = [i for i in range(1, longest) if blank[i - 1] and not blank[i]]
    starts = [i for i in starts if not _between_words(i, blank, first=lines[0])]
    edges = [0, *starts, longest]
    most = [max(filled[a:b]) for a, b in pairwise(edges)]
    if sum(count >= len(lines) / 2 for count in most) <= len(most) / 2 or min(most) < 2:
        return ()
    return tuple(b - a for a, b in pairwise(edges))


def _between_words(start: int, blank: Sequence[bool], *, first: str) -> bool:
    end = next((i for i in range(start, len(blank)) if blank[i]), len(blank))
    return (start < 2 or not blank[start - 2]) and not first[start:end].strip()


def cut(line: str, widths: Sequence[int]) -> list[str]:
    """The cells of one line, trimmed; the last takes the rest of the line."""
    cells, start = [], 0
    for i, width in enumerate(widths):
        end = None if i == len(widths) - 1 else start + width
        cells.append(line[start:end].strip())
        start += width
    return cells
