"""A small release that never was, for tests of its signed file alone: no store, no engine."""

from datetime import UTC, date, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from integrated_data.audit import chain
from integrated_data.model.access import Person, Project
from integrated_data.model.agreement import Purpose
from integrated_data.model.output import Lane, OutputRequest, OutputState
from integrated_data.output import requested, sealed
from integrated_data.output.crate import Story

FILES = {
    "table.csv": b"region,people\nN,20\nS,30\n", "queries.sql": b"SELECT ?;\n", "record.json": b"{}\n",
    "README.txt": b"A table\n",
}  # fmt: skip


def small(key: Ed25519PrivateKey) -> bytes:
    """Its archive, signed."""
    at, sha256 = datetime(2026, 6, 15, 12, tzinfo=UTC), requested.digest(FILES)
    request = OutputRequest(
        "O-1", "P-1", "ada", OutputState.RELEASED, sha256, "Pay by region", "", ("q1",), at, ("lfs",), Lane.AUTOMATIC
    )
    project = Project(
        "P-1", "Health and work", Purpose.RESEARCH, "University", "ada", ("ada",), (), date(2026, 1, 1),
        date(2027, 1, 1),
    )  # fmt: skip
    facts = {"project": "P-1", "sha256": sha256, "files": sorted(FILES)}
    record = chain.Record(7, at.isoformat(), "output.released", "ada", "output/O-1", facts, "0" * 64, "")
    told = chain.Record(**{**vars(record), "hash": chain.seal(record)})
    return sealed.seal(Story(request, project, Person("ada", "Ada", "University"), (told,)), FILES, key=key)
