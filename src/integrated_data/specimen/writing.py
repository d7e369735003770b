"""Files as departments write them: the same bytes each time for the same country."""

import gzip
import zipfile
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from integrated_data.specimen.delivery import Form, Sheet
from integrated_data.specimen.text import Text

_DELIMITERS: dict[Form, str] = {"comma": ",", "tab": "\t", "pipe": "|"}
_BATCH = 100_000


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Write one sheet in its form and packing; the folder must be there."""
    if sheet.form == "parquet":
        write_parquet(path, sheet.table)
    elif sheet.packing:
        plain = BytesIO()
        _write_text(plain, sheet)
        path.write_bytes(_packed(sheet, plain.getvalue()))
    else:
        with path.open("wb") as target:
            _write_text(target, sheet)


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a table as Parquet."""
    pyarrow.parquet.write_table(table, path, compression="zstd")


def _write_text(target: BinaryIO, sheet: Sheet) -> None:
    """Write a header and lines in batches; Arrow's own writer would put quotes about every text."""
    if sheet.form != "jsonl":
        target.write((_DELIMITERS[sheet.form].join(sheet.table.column_names) + "\n").encode())
    for start in range(0, len(sheet.table), _BATCH):
        batch = sheet.table.slice(start, _BATCH).combine_chunks()
        columns = {name: batch[name].combine_chunks() for name in batch.column_names}
        lines = _json_lines(columns) if sheet.form == "jsonl" else _delimited_lines(columns, _DELIMITERS[sheet.form])
        target.write(lines.buffers()[2])  # the characters of all lines, one after the other


def _delimited_lines(columns: dict[str, pa.Array], delimiter: str) -> Text:
    """Join columns to lines; quotes only where the delimiter or a quote is inside."""
    cells = [
        _quoted(values, delimiter) if pa.types.is_string(values.type) else values.cast(pa.string())
        for values in columns.values()
    ]
    cells[-1] = pc.binary_join_element_wise(pc.fill_null(cells[-1], ""), "\n", "")
    return pc.binary_join_element_wise(*cells, delimiter, null_handling="replace", null_replacement="")


def _quoted(values: Text, delimiter: str) -> Text:
    inside = pc.or_(pc.match_substring(values, delimiter), pc.match_substring(values, '"'))
    if not pc.any(inside).as_py():
        return values
    return pc.if_else(
        inside, pc.binary_join_element_wise('"', pc.replace_substring(values, '"', '""'), '"', ""), values
    )


def _json_lines(columns: dict[str, pa.Array]) -> Text:
    """Write one JSON object a line, `null` for what is missing."""
    parts: list[Text] = []
    for name, values in columns.items():
        written = _json_text(values) if pa.types.is_string(values.type) else values.cast(pa.string())
        key = f'{", " if parts else "{"}"{name}": '
        parts.append(pc.binary_join_element_wise(key, pc.fill_null(written, "null"), ""))
    return pc.binary_join_element_wise(*parts, "}\n", "")


def _json_text(values: Text) -> Text:
    escaped = pc.replace_substring(pc.replace_substring(values, "\\", "\\\\"), '"', '\\"')
    return pc.binary_join_element_wise('"', escaped, '"', "")


def _packed(sheet: Sheet, plain: bytes) -> bytes:
    """Pack bytes without time of day or folder, so that they are the same each time."""
    if sheet.packing == "gz":
        return gzip.compress(plain, compresslevel=6, mtime=0)
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo(f"{Path(sheet.file).stem}.csv", date_time=(2021, 6, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, plain)
    return packed.getvalue()
