"""Link sets of several index versions stand side by side: the version becomes part of what names one."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, Boolean, Integer, String, Text

revision = "0004"
down_revision = "0002"


def upgrade() -> None:
    """Make the table anew with its rows; every set so far is whole."""
    op.execute("CREATE TABLE link_set_before AS SELECT * FROM link_set")
    op.drop_table("link_set")
    op.create_table(
        "link_set",
        _column("delivery", String(32), primary_key=True),
        _column("index", String(32), primary_key=True),
        _column("index_version", Integer(), primary_key=True, autoincrement=False),
        _column("dataset", String(64), index=True),
        _column("whole", Boolean()),
        _column("place", Text()),
        _column("report", JSON()),
        _column("at", String(32)),
    )
    kept = 'delivery, "index", index_version, dataset, place, report, "at"'
    op.execute(f"INSERT INTO link_set ({kept}, whole) SELECT {kept}, TRUE FROM link_set_before")
    op.drop_table("link_set_before")


def _column(name: str, kind: sa.types.TypeEngine[Any], **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})
