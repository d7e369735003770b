"""Tables of the lanes of outputs: the automatic lane's settings, the sample of what it released, comments."""

from sqlalchemy import JSON, Column, Float, Integer, String, Table, Text

from integrated_data.control.metadata import METADATA

lane_setting = Table(
    "lane_setting", METADATA,  # never changed: the newest of a subject is in force
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("subject", String(64), nullable=False, index=True),  # a dataset, or * for the lane itself
    Column("body", JSON, nullable=False),  # model.lane.LaneRule, or whether the dataset is open
    Column("by", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip

output_sample = Table(
    "output_sample", METADATA,  # an automatic release that people check afterwards, as the request `twin`
    Column("twin", String(32), primary_key=True),
    Column("request", String(32), nullable=False, unique=True),
    Column("share", Float, nullable=False),  # of the lane's releases that were drawn then
    Column("at", String(32), nullable=False),
)  # fmt: skip

output_comment = Table(
    "output_comment", METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request", String(32), nullable=False, index=True),
    Column("person", String(64), nullable=False),
    Column("side", String(16), nullable=False),  # author, reviewer
    Column("sha256", String(64), nullable=False),  # of the files that it is about
    Column("text", Text, nullable=False),
    Column("at", String(32), nullable=False),
)  # fmt: skip
