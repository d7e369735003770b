"""Results as files, by the ending of their name."""

import json
from pathlib import Path
from typing import Any

from integrated_data.cli.files import to_write
from integrated_data.model.errors import UsageRefusal

#: How a result can be written, by the ending of the file.
ENDINGS = (".parquet", ".csv", ".arrow")


def table_to_write(out: Path) -> Path:
    """A file that a result can be written to; refuses an ending that is none of `ENDINGS`, and what `to_write` does."""
    if out.suffix not in ENDINGS:
        raise UsageRefusal(
            "The ending of the file is not one of a known format", next_step="Use .parquet, .csv or .arrow"
        )
    return to_write(out)


def write_table(table: Any, out: Path) -> None:
    """Write an Arrow table as .parquet, .csv or .arrow, for its owner alone."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    match table_to_write(out).suffix:
        case ".parquet":
            pa.parquet.write_table(table, out)
        case ".csv":
            pa.csv.write_csv(table, out)
        case _:  # .arrow
            with pa.ipc.new_file(out, table.schema) as writer:
                writer.write_table(table)
    out.chmod(0o600)


def list_to_write(out: Path) -> Path:
    """A file that a list can be written to; refuses an ending other than .csv and .json, and what `to_write` does."""
    if out.suffix not in (".csv", ".json"):
        raise UsageRefusal("The ending of the file is not one of a known format", next_step="Use .csv or .json")
    return to_write(out)


def write_list(table: Any, out: Path) -> None:
    """Write an Arrow table as .csv or .json (an array of objects), for its owner alone."""
    import pyarrow.csv

    if list_to_write(out).suffix == ".csv":
        pyarrow.csv.write_csv(table, out)
    else:
        out.write_text(json.dumps(table.to_pylist(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    out.chmod(0o600)
