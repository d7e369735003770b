"""Decimals: which mark stands before the decimals, told by a file's columns, or not told at all.

`6,891` may be six thousand or nearly seven. A column tells which by values that have but one reading; the others of
its file tell for it. Where every value has three digits after its one mark and no other column tells, a delimiter
only guesses: semicolons stand where commas are decimal marks, commas where they are not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from integrated_data.acquire.evidence import Evidence
from integrated_data.model.contract import Format, Layout

#: Share of values with three digits after their one mark from which a column of numbers may be read both ways.
ALIKE = 0.9
#: Share of values with but one reading that is no slip.
TELLS = 0.02
#: Formats whose numbers are text; in the others a number is a number.
WRITTEN = (Format.CSV, Format.FIXED)

#: Why a column of numbers is asked about, by the mark that its values have.
UNTOLD = {
    mark: f"every number has three digits after its {word}: thousands and decimals look the same"
    for mark, word in ((",", "comma"), (".", "point"))
}


@dataclass(frozen=True)
class Mark:
    """How a column's numbers are read: whether with a decimal `comma`; `alike`: the mark of values that can be read in
    both ways, or none; `told`: whether something else in the file says which; `likely`: whether one is much likelier.
    """

    comma: bool = False
    alike: str = ""
    told: bool = True
    likely: bool = True

    @property
    def note(self) -> str:
        """Why the column is asked about; empty where it is not."""
        return "" if self.told else UNTOLD[self.alike]


def marks_of(columns: Sequence[Evidence], layout: Layout) -> tuple[Mark, ...]:
    """How each column's numbers are read."""
    whole = _comma_is_decimal(columns)
    alike = [_alike(c) if layout.format in WRITTEN else "" for c in columns]
    others = [c for c, mark in zip(columns, alike, strict=True) if not mark]
    commas, points = sum(map(_tells_comma, others)), sum(map(_tells_point, others))
    return tuple(_mark(mark, commas=commas, points=points, whole=whole, layout=layout) for mark in alike)


def _mark(alike: str, *, commas: int, points: int, whole: bool, layout: Layout) -> Mark:
    if not alike:
        return Mark(whole)
    if commas != points:
        return Mark(commas > points, alike)
    delimiter = layout.delimiter if layout.format is Format.CSV else ""
    if delimiter == ",":
        return Mark(False, alike, told=alike == ".")
    return Mark(delimiter == ";", alike, told=False, likely=False)


def _alike(column: Evidence) -> str:
    for mark, word in ((",", "comma"), (".", "point")):
        if column.share(f"{word}_three") >= ALIKE and not _tells_comma(column) and not _tells_point(column):
            return mark
    return ""


def _tells_comma(column: Evidence) -> bool:
    """Whether values say that the comma is the decimal mark: 6,89 or 0,891; 1.234,5 or 1.234.567."""
    return column.share("comma_tells") > TELLS or column.share("point_parts") > TELLS


def _tells_point(column: Evidence) -> bool:
    """Whether values say that the point is: 6.89 or 0.891; 1,234.5 or 1,234,567."""
    return column.share("point_tells") > TELLS or column.share("comma_parts") > TELLS


def _comma_is_decimal(columns: Sequence[Evidence]) -> bool:
    """Whether numbers of this file use a decimal comma: some column proves it and none uses a point."""
    commas = sum(
        c.share("comma_decimal") > max(0.05, 1.5 * c.share("comma_groups"))
        or c.share("comma_tells") > max(0.05, c.share("comma_parts"))
        for c in columns
    )
    points = sum(c.share("point") > c.share("point_groups") + 0.02 for c in columns)
    return commas > points
