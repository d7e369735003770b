"""The first tables: audit, datasets and deliveries, jobs, indexes, projects, queries, outputs."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy import JSON, BigInteger, Boolean, Float, Integer, String, Text

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table. There is no way back: restore the store from its backup instead."""
    _audit()
    _deliveries()
    _jobs()
    _publication()
    _indexes()
    _projects()
    _outputs()


def _column(name: str, kind: sa.types.TypeEngine[Any], **options: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, **{"nullable": False, **options})


def _at() -> sa.Column[Any]:
    return _column("at", String(32))


def _audit() -> None:
    op.create_table(
        "audit_event",
        _column("number", Integer(), primary_key=True, autoincrement=False),
        _at(),
        _column("action", String(64), index=True),
        _column("actor", String(128), index=True),
        _column("subject", String(256), index=True),
        _column("facts", JSON()),
        _column("previous", String(64)),
        _column("hash", String(64)),
    )
    op.create_table(
        "audit_head",
        _column("number", Integer(), primary_key=True, autoincrement=False),
        _column("hash", String(64)),
        _column("signature", String(128)),
    )


def _deliveries() -> None:
    op.create_table(
        "dataset",
        _column("id", String(64), primary_key=True),
        _column("owner", String(128)),
        _column("title", Text()),
        _column("contract_version", String(32)),
    )
    op.create_table(
        "contract",
        _column("dataset", String(64), primary_key=True),
        _column("version", String(32), primary_key=True),
        _column("body", Text()),
        _column("inferred", Boolean()),
        _at(),
    )
    op.create_table(
        "delivery",
        _column("id", String(32), primary_key=True),
        _column("dataset", String(64), index=True),
        _column("state", String(16)),
        _column("files", JSON()),
        _column("tally", JSON(), nullable=True),
        _column("contract_version", String(32), nullable=True),
        _column("received_at", String(32)),
    )
    op.create_table(
        "column_release",
        _column("dataset", String(64), primary_key=True),
        _column("name", String(128), primary_key=True),
        _column("by", String(128)),
        _column("reason", Text()),
        _at(),
    )


def _jobs() -> None:
    op.create_table(
        "job",
        _column("id", String(64), primary_key=True),
        _column("kind", String(32)),
        _column("subject", String(128)),
        _column("state", String(16)),
        _column("attempt", Integer()),
        _column("lease_owner", String(64), nullable=True),
        _column("lease_until", Float(), nullable=True),
        _column("started_at", String(32)),
        _column("finished_at", String(32), nullable=True),
        _column("reason", Text(), nullable=True),
    )
    op.create_table(
        "job_step",
        _column("job", String(64), primary_key=True),
        _column("step", String(32), primary_key=True),
        _column("result", JSON()),
        _column("seconds", Float()),
        _at(),
    )


def _publication() -> None:
    op.create_table(
        "lineage",
        _column("id", Integer(), primary_key=True, autoincrement=True),
        _column("job", String(64), index=True),
        _column("body", JSON()),
        _at(),
    )
    op.create_table(
        "release",
        _column("id", Integer(), primary_key=True, autoincrement=True),
        _column("dataset", String(64), index=True),
        _column("delivery", String(32), unique=True),
        _column("snapshot", BigInteger()),
        _column("rows", BigInteger()),
        _column("entry", JSON()),
        _at(),
    )


def _indexes() -> None:
    op.create_table(
        "index_version",
        _column("index", String(32), primary_key=True),
        _column("version", Integer(), primary_key=True),
        _column("source", String(64)),
        _column("delivery", String(32)),
        _column("report", JSON()),
        _at(),
    )
    op.create_table(
        "link_set",
        _column("delivery", String(32), primary_key=True),
        _column("index", String(32), primary_key=True),
        _column("dataset", String(64), index=True),
        _column("index_version", Integer()),
        _column("place", Text()),
        _column("report", JSON()),
        _at(),
    )


def _projects() -> None:
    op.create_table(
        "person",
        _column("id", String(64), primary_key=True),
        _column("body", JSON()),
        _at(),
    )
    op.create_table(
        "agreement",
        _column("id", String(64), primary_key=True),
        _column("dataset", String(64), index=True),
        _column("body", JSON()),
        _at(),
    )
    op.create_table(
        "project",
        _column("id", String(64), primary_key=True),
        _column("state", String(16)),
        _column("body", JSON()),
        _at(),
    )
    op.create_table(
        "decision",
        _column("id", Integer(), primary_key=True, autoincrement=True),
        _column("project", String(64), index=True),
        _column("by", String(128)),
        _column("allowed", Boolean()),
        _column("body", JSON()),
        _at(),
    )
    op.create_table(
        "project_grant",
        _column("id", Integer(), primary_key=True, autoincrement=True),
        _column("project", String(64), index=True),
        _column("dataset", String(64), index=True),
        _column("release", Integer()),
        _column("state", String(16)),
        _column("body", JSON()),
        _at(),
    )


def _outputs() -> None:
    op.create_table(
        "query",
        _column("id", String(32), primary_key=True),
        _column("project", String(64), index=True),
        _column("person", String(64), index=True),
        _column("state", String(16)),
        _column("body", JSON()),
        _at(),
    )
    op.create_table(
        "output_request",
        _column("id", String(32), primary_key=True),
        _column("project", String(64), index=True),
        _column("person", String(64)),
        _column("state", String(16)),
        _column("sha256", String(64)),
        _column("body", JSON()),
        _at(),
    )
    op.create_table(
        "output_review",
        _column("id", Integer(), primary_key=True, autoincrement=True),
        _column("request", String(32), index=True),
        _column("reviewer", String(64)),
        _column("vote", String(16)),
        _column("sha256", String(64)),
        _column("reason", Text()),
        _at(),
        sa.UniqueConstraint("request", "reviewer", "sha256"),
    )
    op.create_table(
        "output_release",
        _column("request", String(32), primary_key=True),
        _column("sha256", String(64)),
        _column("state", String(16)),
        _column("body", JSON()),
        _at(),
    )
