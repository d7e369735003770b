"""Files of statistical packages: SPSS (.sav, .zsav), Stata (.dta), SAS (.sas7bdat, .xpt), as CSV with their labels.

They are read by pyreadstat through the sealed file, a block of rows at a time. Values that SPSS declares missing
are empty, as are those of Stata and SAS. Dates become ISO dates; a whole number is written without decimals.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyreadstat

from integrated_data.acquire.cells import cell_text, csv_lines
from integrated_data.acquire.labels import Label
from integrated_data.acquire.unpack import refused
from integrated_data.engine import Sealer
from integrated_data.model.contract import Format

BLOCK = 50_000


class Statistical:
    """One sealed file of a statistical package; `labels` are whole once `lines` has come to its end."""

    def __init__(self, sealer: Sealer, place: Path) -> None:
        self._sealer, self._place = sealer, place
        self._titles: Mapping[str, str | None] = {}
        self._codes: Mapping[str, Mapping[Any, str]] = {}
        self._bare: set[str] = set()

    def lines(self) -> Iterator[bytes]:
        """UTF-8 CSV with a header and LF line ends; refuses a damaged file."""
        offset = 0
        while True:
            names, block = self._block(offset)
            if offset == 0:
                yield csv_lines([names])
            rows = list(zip(*block, strict=True))
            if rows:
                yield csv_lines([list(row) for row in rows])
            offset += len(rows)
            if len(rows) < BLOCK:
                return

    def _block(self, offset: int) -> tuple[list[str], list[list[str]]]:
        """Column names, and for each column its values as text from row `offset` on."""
        with self._sealer.read(self._place) as source:
            read = _reader(source.read(32))
            source.seek(0)
            try:
                data, told = read(source, output_format="dict", row_offset=offset, row_limit=BLOCK)
            except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError, ValueError, OSError):
                raise refused("is a damaged SPSS, Stata or SAS file", "Save the table again and deliver it") from None
        self._titles, self._codes = told.column_names_to_labels, told.variable_value_labels
        columns = {name: [cell_text(value) for value in data[name]] for name in told.column_names}
        for name, codes in self._codes.items():
            known = {cell_text(code) for code in codes} | {""}
            if not known.issuperset(columns.get(name, ())):
                self._bare.add(name)
        return list(columns), list(columns.values())

    @property
    def format(self) -> Format:
        """Which package wrote it."""
        with self._sealer.read(self._place) as source:
            read = _reader(source.read(32))
        return {pyreadstat.read_sav: Format.SPSS, pyreadstat.read_dta: Format.STATA}.get(read, Format.SAS)

    @property
    def labels(self) -> dict[str, Label]:
        """By column, its title and the labels of its codes; columns without either are left out."""
        found = {}
        for name, title in self._titles.items():
            codes = tuple((cell_text(code), str(words)) for code, words in self._codes.get(name, {}).items())
            if title or codes:
                found[name] = Label(title or "", codes, bool(codes) and name not in self._bare)
        return found


def _reader(head: bytes) -> Any:
    if head.startswith(b"$FL"):
        return pyreadstat.read_sav
    if head.startswith(b"HEADER RECORD"):
        return pyreadstat.read_xport
    return pyreadstat.read_sas7bdat if head.startswith(bytes(12)) else pyreadstat.read_dta
