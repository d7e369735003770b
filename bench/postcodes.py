"""The Geography Index on real open data: 2.58 million postcodes loaded, a million records matched.

Agreement is with two councils' own lookups, which the index does not see: Lewisham's LSOAs of 2011 and
Trafford's LSOAs and district, by postcode, and Trafford's again by coordinates alone.
"""

import base64
import resource
import sys
import tempfile
import time
from pathlib import Path

from tests.real_data import FOLDER

from integrated_data.engine import Stored
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.sealed import FileSealer
from integrated_data.index.matching.train import Estimates, Task
from integrated_data.index.reference.geography import GEOGRAPHY
from integrated_data.index.seat import Addition, Matching, Tools

DATA = FOLDER / "geography"
AREAS = {"area_code": ("lad_code", "lsoa11_code_derived")}

#: File, SELECT of a record's evidence, the column of truth and the published column it is compared with.
TRUTHS = {
    "Lewisham, LSOA 2011, by postcode": (
        "lewisham_postcode_oa11_lsoa11_msoa11_wd22", "PostcodeNatural AS postcode", "LSOA11CD", "lsoa_2011",
    ),
    "Lewisham, district, by postcode": (
        "lewisham_postcode_oa11_lsoa11_msoa11_wd22", "PostcodeNatural AS postcode", "LAD19CD", "district",
    ),
    "Trafford, LSOA, by postcode": ("trafford_postcode_ward_msoa_lsoa", "postcode", "lsoa_code", "lsoa_2011"),
    "Trafford, district, by postcode": ("trafford_postcode_ward_msoa_lsoa", "postcode", "la_code", "district"),
    "Trafford, LSOA, by coordinates": (
        "trafford_postcode_ward_msoa_lsoa", "lat AS latitude, lon AS longitude", "lsoa_code", "lsoa_2011",
    ),
}  # fmt: skip


class Untrained:
    """This index has no model to train."""

    def train(self, task: Task) -> Estimates:
        raise AssertionError(f"nothing here is trained: {task}")


def agreement(engine: DuckDB, tools: Tools, folder: Path, label: str) -> str:
    """One line: records, linked, with a code, and the share of those that agree with the truth."""
    file, evidence, truth, published = TRUTHS[label]
    engine.load("truth", Stored((DATA / f"{file}.parquet",), sealed=False, row_column="record_id"))
    engine.create("records", f"SELECT record_id, {evidence} FROM truth")
    report = GEOGRAPHY.match(tools, Matching("records", "links"), folder=folder)
    GEOGRAPHY.published(engine, folder=folder, relation="areas")
    row = engine.rows(
        f"SELECT count(*) AS n, count(a.{published}) AS held, avg((a.{published} = t.{truth})::INTEGER) AS same "
        "FROM links AS l JOIN truth AS t ON t.record_id = l.record_id LEFT JOIN areas AS a ON a.entity_id = l.entity_id"
    ).to_pylist()[0]
    return f"{label:34}{row['n']:8,}{report['accepted']:10,}{row['held']:10,}{row['same']:11.4f}"


def run() -> None:
    """Print the figures."""
    out = sys.stdout.write
    directory = DATA / "uk_postcode_directory.parquet"
    if not directory.exists():
        out("skipped: the postcode directory is absent; set IDS_TEST_DATA to the folder of real open data\n")
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        key = base64.b64encode(b"k" * 32).decode()
        limits = Limits(threads=2, memory="2GB", scratch=folder / "scratch")
        engine = DuckDB(limits, sealer=FileSealer(b"s" * 32), parquet_key=key)
        tools = Tools(engine, Untrained())
        engine.load("directory", Stored((directory,), sealed=False, row_column="record_id"))
        addition = Addition("directory", "directory", "2026-01-01T00:00:00Z", AREAS)
        for version, previous in ((1, None), (2, folder / "1")):
            started = time.perf_counter()
            report = GEOGRAPHY.add(tools, addition, previous=previous, folder=folder / str(version))
            seconds = time.perf_counter() - started
            out(
                f"load {version}: {report['records']:,} records, {report['created']:,} new postcodes, {seconds:.1f} s\n"
            )
        samples = {
            "postcodes": "SELECT lower(postcode) AS postcode FROM directory",
            "coordinates": "SELECT latitude + random() / 1000 AS latitude, longitude + random() / 1000 AS longitude "
            "FROM directory WHERE latitude IS NOT NULL",
        }
        for kind, sql in samples.items():
            sample = f"SELECT * FROM ({sql}) USING SAMPLE 1000000 ROWS (reservoir, 1)"
            engine.create("sample", f"SELECT row_number() OVER () AS record_id, * FROM ({sample})")
            started = time.perf_counter()
            report = GEOGRAPHY.match(tools, Matching("sample", "matched"), folder=folder / "2")
            seconds = time.perf_counter() - started
            out(f"match by {kind}: {report['records']:,} records, {report['accepted']:,} accepted, {seconds:.2f} s\n")
        out(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB\n")
        out(f"{'':34}{'records':>8}{'accepted':>10}{'with code':>10}{'agreement':>11}\n")
        for label in TRUTHS:
            out(agreement(engine, tools, folder / "2", label) + "\n")
        engine.close()


if __name__ == "__main__":
    run()
