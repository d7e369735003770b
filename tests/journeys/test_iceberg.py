"""Published tables are Iceberg: an engine that is not ours reads the snapshot that a release names, and no other."""

from pathlib import Path

import pyarrow as pa
from pyiceberg.table import StaticTable
from pyspark.sql.connect.session import SparkSession

from integrated_data.site.registering_tables import tables
from tests import sparks
from tests.people import people
from tests.service import PERSON, Service, contract

CENSUS = contract("census", PERSON)


def rows(table: pa.Table) -> list[dict[str, object]]:
    return table.sort_by("_row").to_pylist()


def test_sail_and_pyiceberg_read_what_the_release_names(tmp_path: Path) -> None:
    service = Service(tmp_path)
    with service.open() as site:
        service.deliver(site, CENSUS, people(20, seed=4))
        service.deliver(site, CENSUS, people(30, seed=5))
        (told,) = tables(site)
    assert (told["dataset"], told["folder"]) == ("census", (service.places.lake / "census" / "records").as_uri())
    table = StaticTable.from_metadata(told["metadata"])
    first = table.snapshots()[0].snapshot_id
    assert first != told["snapshot"]
    with sparks.sail() as url:
        spark = SparkSession.builder.remote(url).create()
        reader = spark.read.format("iceberg")
        for snapshot, count in ((told["snapshot"], 30), (first, 20)):
            theirs = reader.option("snapshot-id", str(snapshot)).load(told["folder"]).toArrow()
            assert theirs.num_rows == count
            assert rows(theirs) == rows(table.scan(snapshot_id=snapshot).to_arrow())
            assert {"sex", "birth_year"} < set(theirs.column_names)
            assert not {"family_name", "postcode", "date_of_birth"} & set(theirs.column_names)
        spark.stop()
