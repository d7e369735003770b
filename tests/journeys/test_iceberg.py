"""Published tables are Iceberg: engines that are not ours read the snapshot that a release names, and each that it had.

Spark with Iceberg's own jar: `make test-spark`.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.table import StaticTable
from pyspark.sql.connect.session import SparkSession

from integrated_data.model.contract import Column
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site.registering_tables import tables
from tests import sparks
from tests.people import Row, people
from tests.service import PERSON, Service, contract

#: A column of every kind; some of their values, and none.
KINDS: dict[str, tuple[Kind, list[str]]] = {
    "name": (Kind.STRING, ["North", "É\u00a0west", "𝒳 it's", ""]), "pay": (Kind.NUMBER, ["-0.1", "1e300", "2.5", ""]),
    "count": (Kind.INTEGER, ["9223372036854775807", "-3", "0", ""]), "here": (Kind.BOOLEAN, ["true", "false", ""]),
    "day": (Kind.DATE, ["1582-10-04", "2024-02-29", ""]), "at": (Kind.TIMESTAMP, ["2021-03-28T01:30:00", ""]),
}  # fmt: skip
COLUMNS = [Column(n, n, kind, Meaning.MEASURE, Handling.PAYLOAD) for n, (kind, _) in KINDS.items()]
CENSUS = contract("census", PERSON)
CENSUS = replace(CENSUS, columns=(*CENSUS.columns, *COLUMNS))


def drawn(count: int, *, seed: int) -> list[Row]:
    told = {name: values for name, (_, values) in KINDS.items()}
    return [
        row | {name: values[n % len(values)] for name, values in told.items()}
        for n, row in enumerate(people(count, seed=seed))
    ]


def rows(table: pa.Table) -> list[dict[str, Any]]:
    return table.sort_by("_row").to_pylist()


@dataclass(frozen=True)
class Published:
    """A table of two releases: as `ids lake tables` tells of it, with the rows of its snapshots, oldest first."""

    told: dict[str, Any]
    snapshots: dict[int, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    service = Service(tmp_path_factory.mktemp("service"))
    with service.open() as site:
        service.deliver(site, CENSUS, drawn(20, seed=4))
        service.deliver(site, CENSUS, drawn(30, seed=5))
        (told,) = tables(site)
        held = {}
        for snapshot in StaticTable.from_metadata(told["metadata"]).snapshots():
            if snapshot.summary and snapshot.summary.get("delivery"):
                (place,) = site.lake.files("census", snapshot.snapshot_id)
                held[snapshot.snapshot_id] = rows(pq.read_table(place))
    assert (told["dataset"], told["folder"]) == ("census", (service.places.lake / "census" / "records").as_uri())
    assert [len(found) for found in held.values()] == [20, 30]
    assert list(held)[-1] == told["snapshot"]
    columns = set(held[told["snapshot"]][0])
    assert set(KINDS) < columns
    assert not {"family_name", "postcode", "date_of_birth"} & columns
    return Published(told, held)


def test_pyiceberg(published: Published) -> None:
    table = StaticTable.from_metadata(published.told["metadata"])
    for snapshot, expected in published.snapshots.items():
        assert rows(table.scan(snapshot_id=snapshot).to_arrow()) == expected


def test_sail(published: Published) -> None:
    with sparks.sail() as url:
        spark = SparkSession.builder.remote(url).create()
        for snapshot, expected in published.snapshots.items():
            reader = spark.read.format("iceberg").option("snapshot-id", str(snapshot))
            assert rows(reader.load(published.told["folder"]).toArrow()) == expected
        spark.stop()


def test_another_duckdb_with_its_iceberg_extension(published: Published, extension: Callable[[str], Path]) -> None:
    other = duckdb.connect()
    for named in ("avro", "iceberg"):
        other.execute(f"LOAD '{extension(named)}'")
    for snapshot, expected in published.snapshots.items():
        scan = f"iceberg_scan('{published.told['metadata']}', snapshot_from_id = {snapshot})"
        assert rows(other.execute(f"SELECT * FROM {scan}").to_arrow_table()) == expected
    other.close()


@pytest.fixture
def extension() -> Callable[[str], Path]:
    """Where the wheel of an extension has its file."""

    def place(named: str) -> Path:
        folder = Path(duckdb.__file__).parents[1] / f"duckdb_extension_{named}"
        return next(folder.rglob("*.duckdb_extension"))

    return place


@pytest.mark.spark
def test_spark_with_the_jar_of_iceberg(published: Published, tmp_path: Path) -> None:
    home, jar = sparks.spark_with_iceberg()
    asked = []
    for n, snapshot in enumerate(published.snapshots):
        options = f"path '{published.told['metadata']}', 'snapshot-id' '{snapshot}'"
        asked.append(f"CREATE TEMPORARY VIEW held{n} USING iceberg OPTIONS ({options});")
        asked.append(f"INSERT OVERWRITE DIRECTORY '{tmp_path / str(n)}' USING parquet SELECT * FROM held{n};")
    (tmp_path / "asked.sql").write_text("\n".join(asked), encoding="utf-8")
    settings = ("spark.ui.enabled=false", "spark.sql.catalogImplementation=in-memory", "spark.driver.host=127.0.0.1",
                "spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS",
                "spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED")  # fmt: skip
    command = [str(home / "bin" / "spark-sql"), "--master", "local[1]", "--jars", str(jar), "-f", "asked.sql"]
    command += [part for setting in settings for part in ("--conf", setting)]
    ran = subprocess.run(
        command, env=sparks.environment(home, scala="2.12"), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    for n, expected in enumerate(published.snapshots.values()):
        assert rows(pq.read_table(tmp_path / str(n))) == expected
