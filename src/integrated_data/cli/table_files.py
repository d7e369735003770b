"""Results as files, by the ending of their name."""

from pathlib import Path
from typing import Any

from integrated_data.model.errors import UsageRefusal


def write_table(table: Any, out: Path) -> None:
    """Write an Arrow table as .parquet, .csv or .arrow, for its owner alone."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    match out.suffix:
        case ".parquet":
            pa.parquet.write_table(table, out)
        case ".csv":
            pa.csv.write_csv(table, out)
        case ".arrow":
            with pa.ipc.new_file(out, table.schema) as writer:
                writer.write_table(table)
        case _:
            raise UsageRefusal(
                "The ending of the file is not one of a known format", next_step="Use .parquet, .csv or .arrow"
            )
    out.chmod(0o600)
