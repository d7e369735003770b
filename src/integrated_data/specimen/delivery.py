"""What a department hands in: sheets with their form, and the truth about their records kept apart."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from integrated_data.specimen.text import Text

Form = Literal["comma", "tab", "pipe", "jsonl", "parquet"]
Packing = Literal["", "gz", "zip"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file of a delivery, before it is written.

    `record_id` names the column that the truth refers to ("" where there is no truth); `truth` has that
    column as `record_id` and true ids beside it, in an order of its own.
    """

    file: str
    form: Form
    table: pa.Table
    record_id: str = ""
    truth: pa.Table | None = None
    truth_name: str = ""
    packing: Packing = ""


def truth_of(record_ids: Text, **columns: object) -> pa.Table:
    """Return a truth table: record ids and the true values beside them."""
    return pa.table({"record_id": record_ids, **columns})
