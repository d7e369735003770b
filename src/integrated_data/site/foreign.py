"""Formats that need a heavy library (Excel, SPSS, Stata, SAS), which is imported when a file of one is delivered."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from integrated_data.engine import Sealer

if TYPE_CHECKING:
    from integrated_data.acquire.statistical import Statistical


def package(sealer: Sealer, place: Path) -> "Statistical":
    """The sealed SPSS, Stata or SAS file at `place`."""
    from integrated_data.acquire.statistical import Statistical

    return Statistical(sealer, place)


def sheet_lines(
    sealer: Sealer, place: Path, *, sheet: str | None, numbered: list[tuple[int, int]], told: list[str]
) -> Iterator[bytes]:
    """One sheet of the sealed workbook at `place`, as `acquire.workbook` reads it."""
    from integrated_data.acquire import workbook

    return workbook.sheet_lines(sealer, place, sheet=sheet, numbered=numbered, told=told)
