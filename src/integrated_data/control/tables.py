"""The control store's tables. Migrations live in `control/migrations`; a test compares the two.

Those of sign-in are written in `control/sign_in_tables.py`, those of the lanes in `control/lane_tables.py`, those
of the ledger in `control/ledger_tables.py`, those of the catalogue in `control/catalogue_tables.py`, those of feeds
in `control/feed_tables.py`.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from integrated_data.control import catalogue_tables, feed_tables, lane_tables, ledger_tables, sign_in_tables
from integrated_data.control.metadata import METADATA as ALL

METADATA = ALL

organisation, credential, token = sign_in_tables.organisation, sign_in_tables.credential, sign_in_tables.token
lane_setting, output_sample, output_comment = (
    lane_tables.lane_setting, lane_tables.output_sample, lane_tables.output_comment,
)  # fmt: skip
feed, feed_file, feed_alert = feed_tables.feed, feed_tables.feed_file, feed_tables.feed_alert
catalogue_item, catalogue_facet = catalogue_tables.catalogue_item, catalogue_tables.catalogue_facet
procedures, acceptance, attempt = sign_in_tables.procedures, sign_in_tables.acceptance, sign_in_tables.attempt
ledger_import, ledger_retention = ledger_tables.ledger_import, ledger_tables.ledger_retention
ledger_expiry = ledger_tables.ledger_expiry

audit_event = Table(
    "audit_event", METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("action", String(64), nullable=False, index=True),
    Column("actor", String(128), nullable=False, index=True),
    Column("subject", String(256), nullable=False, index=True),
    Column("facts", JSON, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)  # fmt: skip

audit_head = Table(
    "audit_head", METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)  # fmt: skip

dataset = Table(
    "dataset", METADATA,
    Column("id", String(64), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("title", Text, nullable=False),
    Column("contract_version", String(32), nullable=False),
)  # fmt: skip

contract = Table(
    "contract", METADATA,
    Column("dataset", String(64), primary_key=True),
    Column("version", String(32), primary_key=True),
    Column("body", Text, nullable=False),  # YAML, Open Data Contract Standard 3.1
    Column("inferred", Boolean, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

delivery = Table(
    "delivery", METADATA,
    Column("id", String(32), primary_key=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("files", JSON, nullable=False),
    Column("tally", JSON, nullable=True),
    Column("contract_version", String(32), nullable=True),
    Column("received_at", String(32), nullable=False),
)  # fmt: skip

column_release = Table(
    "column_release", METADATA,  # a steward's decision to publish a withheld column
    Column("dataset", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

job = Table(
    "job", METADATA,
    Column("id", String(64), primary_key=True),  # kind/subject, e.g. load/<delivery id>
    Column("kind", String(32), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("state", String(16), nullable=False),  # running, done, held, failed, cancelled, stopped
    Column("attempt", Integer, nullable=False),
    Column("lease_owner", String(64), nullable=True),
    Column("lease_until", Float, nullable=True),  # seconds since the epoch
    Column("taken_at", Float, nullable=True),  # when this attempt began, in seconds since the epoch
    Column("asked_to_stop", String(128), nullable=True),  # by whom
    Column("started_at", String(32), nullable=False),
    Column("finished_at", String(32), nullable=True),
    Column("reason", Text, nullable=True),
)  # fmt: skip

job_step = Table(
    "job_step", METADATA,
    Column("job", String(64), primary_key=True),
    Column("step", String(32), primary_key=True),
    Column("result", JSON, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

lineage = Table(
    "lineage", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job", String(64), nullable=False, index=True),
    Column("body", JSON, nullable=False),  # an OpenLineage run event
    Column("at", String(32), nullable=False),
)  # fmt: skip

release = Table(
    "release", METADATA,  # published versions: only snapshots named here exist for readers
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("delivery", String(32), nullable=False, unique=True),
    Column("snapshot", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("entry", JSON, nullable=False),  # catalogue entry: columns, profile, link quality
    Column("at", String(32), nullable=False),
    Column("base", Integer, nullable=True),  # the release it was built on; none said: the one before it
    Column("state", String(16), nullable=False, server_default="standing"),  # model.delivery.ReleaseState
)  # fmt: skip

index_version = Table(
    "index_version", METADATA,
    Column("index", String(32), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("source", String(64), nullable=False),
    Column("delivery", String(32), nullable=False),
    Column("report", JSON, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

link_set = Table(
    "link_set", METADATA,  # never changed: what a later index version decides anew is a set of its own
    Column("delivery", String(32), primary_key=True),
    Column("index", String(32), primary_key=True),
    Column("index_version", Integer, primary_key=True, autoincrement=False),
    Column("dataset", String(64), nullable=False, index=True),
    Column("whole", Boolean, nullable=False),  # else only the records that were matched again
    Column("place", Text, nullable=False),  # under the identified zone
    Column("report", JSON, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

link_decision = Table(
    "link_decision", METADATA,  # what a person decided about two records; binds every later version
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("index", String(32), nullable=False, index=True),
    Column("kind", String(16), nullable=False),  # must, cannot
    Column("left_source", String(64), nullable=False),  # source or dataset
    Column("left_record", Text, nullable=False),  # sealed record id; empty where only the entity is meant
    Column("left_entity", BigInteger, nullable=True),
    Column("right_source", String(64), nullable=False),
    Column("right_record", Text, nullable=False),
    Column("right_entity", BigInteger, nullable=True),
    Column("by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("withdrawn_by", String(128), nullable=True),
    Column("withdrawn_at", String(32), nullable=True),
)  # fmt: skip

person = Table(
    "person", METADATA,
    Column("id", String(64), primary_key=True),
    Column("body", JSON, nullable=False),  # model.access.Person
    Column("at", String(32), nullable=False),
)  # fmt: skip

agreement = Table(
    "agreement", METADATA,
    Column("id", String(64), primary_key=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("body", JSON, nullable=False),  # model.agreement.Agreement, or an Annex of a framework
    Column("at", String(32), nullable=False),
)  # fmt: skip

framework = Table(
    "framework", METADATA,
    Column("id", String(64), primary_key=True),
    Column("body", JSON, nullable=False),  # model.agreement.Framework
    Column("at", String(32), nullable=False),
)  # fmt: skip

project = Table(
    "project", METADATA,
    Column("id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # proposed, approved, refused, closed
    Column("body", JSON, nullable=False),  # model.access.Project
    Column("at", String(32), nullable=False),
)  # fmt: skip

decision = Table(
    "decision", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("project", String(64), nullable=False, index=True),
    Column("by", String(128), nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("body", JSON, nullable=False),  # reasons for and against, policy version
    Column("at", String(32), nullable=False),
)  # fmt: skip

approval = Table(
    "approval", METADATA,  # one that an application needs, each a decision of its own
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("project", String(64), nullable=False, index=True),
    Column("stage", String(32), nullable=False),  # model.approval.Stage
    Column("organisation", String(128), nullable=False),
    Column("scope", String(64), nullable=False),  # digest of the parts of the application that it is about
    Column("days", Integer, nullable=False),  # days it may take
    Column("why", Text, nullable=False),
    Column("asked_at", String(32), nullable=False),
    Column("state", String(16), nullable=False),  # open, given, refused, lapsed
    Column("by", String(128), nullable=True),
    Column("reason", Text, nullable=True),
    Column("decided_at", String(32), nullable=True),
    UniqueConstraint("project", "stage", "organisation", "scope", "asked_at"),
)  # fmt: skip

grant = Table(
    "project_grant", METADATA,  # what was provisioned for a project: files, keys, columns
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("project", String(64), nullable=False, index=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("release", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # active, superseded, revoked
    Column("body", JSON, nullable=False),  # view name, columns, files, cost in bytes and seconds
    Column("at", String(32), nullable=False),
)  # fmt: skip

query = Table(
    "query", METADATA,
    Column("id", String(32), primary_key=True),
    Column("project", String(64), nullable=False, index=True),
    Column("person", String(64), nullable=False, index=True),
    Column("state", String(16), nullable=False),  # running, done, refused, failed
    Column("body", JSON, nullable=False),  # SQL, tables, columns, rows, seconds, result hash, reason
    Column("at", String(32), nullable=False),
)  # fmt: skip

output_request = Table(
    "output_request", METADATA,
    Column("id", String(32), primary_key=True),
    Column("project", String(64), nullable=False, index=True),
    Column("person", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("body", JSON, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

output_review = Table(
    "output_review", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request", String(32), nullable=False, index=True),
    Column("reviewer", String(64), nullable=False),
    Column("vote", String(16), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
    UniqueConstraint("request", "reviewer", "sha256"),
)  # fmt: skip

output_release = Table(
    "output_release", METADATA,
    Column("request", String(32), primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # released, revoked
    Column("body", JSON, nullable=False),
    Column("at", String(32), nullable=False),
    Column("number", Integer, nullable=False, index=True),  # in the order of leaving, whatever the clock says
)  # fmt: skip

review_set = Table(
    "review_set", METADATA,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),  # links
    Column("index", String(32), nullable=False, index=True),
    Column("dataset", String(64), nullable=True, index=True),
    Column("delivery", String(32), nullable=True),
    Column("index_version", Integer, nullable=False),
    Column("place", Text, nullable=False),  # folder under the identified zone: cases and frame, sealed
    Column("body", JSON, nullable=False),  # seed, size, strata with their units and cases
    Column("by", String(128), nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

review_case = Table(
    "review_case", METADATA,
    Column("set", String(32), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("others", Integer, nullable=False),  # records beside the first one
    Column("twice", Boolean, nullable=False),  # coded by two people
    Column("state", String(16), nullable=False),  # open, disputed, decided, undecided
    Column("answer", String(32), nullable=True),
    Column("held_by", String(128), nullable=True),
    Column("held_until", String(32), nullable=True),
)  # fmt: skip

review_answer = Table(
    "review_answer", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("set", String(32), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("person", String(128), nullable=False),
    Column("answer", String(32), nullable=False),
    Column("at", String(32), nullable=False),
    UniqueConstraint("set", "number", "person"),
)  # fmt: skip

review_session = Table(
    "review_session", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("person", String(128), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("until", String(32), nullable=False),
)  # fmt: skip

output_definition = Table(
    "output_definition", METADATA,
    Column("name", String(64), primary_key=True),
    Column("project", String(64), nullable=False, index=True),
    Column("state", String(16), nullable=False),  # proposed, approved, ended
    Column("sha256", String(64), nullable=False),  # of what is approved
    Column("body", JSON, nullable=False),  # model.dissemination.Definition
    Column("at", String(32), nullable=False),
)  # fmt: skip

output_edition = Table(
    "output_edition", METADATA,
    Column("definition", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("request", String(32), nullable=True, unique=True),  # none: refused before there was one
    Column("body", JSON, nullable=False),  # releases it is about, reason, uncertainty
    Column("at", String(32), nullable=False),
)  # fmt: skip

freeze = Table(
    "freeze", METADATA,  # stands while nobody thawed it
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(16), nullable=False),  # dataset, person
    Column("subject", String(128), nullable=False, index=True),
    Column("by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("thawed_by", String(128), nullable=True),
    Column("thawed_at", String(32), nullable=True),
    Column("thaw_reason", Text, nullable=True),
)  # fmt: skip
