"""What household context adds: links of residual records, with and without it, on the same first pass.

The fictional country's census against its health register, as delivered and with the date of birth cut
to its year (a source that knows people less well), and ESSnet's census against its customers. The model
is trained once per delivery and shared, so that context is the only difference. Truth is read at the
end alone.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import essnet, linking, report
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.index import build, link
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version
from integrated_data.site.splink_training import SplinkTrainer
from integrated_data.specimen import write

PEOPLE, SEED = 100_000, 5
_REGISTER = (
    "register_id AS record_id, forename AS given_name, middle_names AS middle_name, surname AS family_name, "
    "previous_surname AS previous_family_name, date_of_birth::DATE AS date_of_birth, gender AS sex, nhs_number, "
    "concat_ws(', ', address_line_1, address_line_2, address_line_3, address_line_4) AS address, postcode"
)
_CENSUS = (
    "resident_id AS record_id, first_name AS given_name, last_name AS family_name, "
    "try_strptime(dob, '%d/%m/%Y')::DATE AS date_of_birth, sex, full_address AS address, postcode"
)
_YEAR = "* EXCLUDE (date_of_birth), year(date_of_birth)::INTEGER AS birth_year"


def run() -> bool:
    """Print the table; true when context finds no fewer and is wrong no more often."""
    with tempfile.TemporaryDirectory() as name:
        rows = _country(Path(name) / "country")
        if essnet.DATA.exists():
            rows += _essnet(Path(name) / "essnet")
    report.table("Household context: the same first pass, with and without", rows)
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    return report.marks(
        {
            "context finds no fewer": all(b["correct"] >= a["correct"] for a, b in pairs),
            "precision within .0002": all(b["precision"] >= a["precision"] - 0.0002 for a, b in pairs),
        }
    )


def _index(engine: DuckDB, records: str, folder: Path) -> Version:
    return build.add_source(
        engine, SplinkTrainer(Limits(linking.THREADS)), definition=DEFINITION, previous=None,
        source=build.Source("register", records, essnet.AT), folder=folder,
    )[0]  # fmt: skip


def _country(folder: Path) -> list[dict[str, Any]]:
    made = write(folder, people=PEOPLE, seed=SEED, departments=["health_register", "census"])
    register, census = made.of("health_register")[0], made.of("census")[0]
    engine = linking.engine(folder)
    engine.create("register", f"SELECT {_REGISTER} FROM read_csv('{register.path}', all_varchar = true)")
    engine.create("census", f"SELECT {_CENSUS} FROM read_csv('{census.path}', all_varchar = true)")
    engine.create("census_year", f"SELECT {_YEAR} FROM census")
    version = _index(engine, "register", folder / "v1")
    version.load(engine, "index")
    engine.create(
        "truth",
        f"SELECT c.record_id, list(e.entity_id) FILTER (e.entity_id IS NOT NULL) AS entities FROM '{census.truth}' c "
        f"LEFT JOIN '{register.truth}' h ON h.person_id = c.person_id LEFT JOIN index_records r "
        "ON r.record_id = h.record_id LEFT JOIN index_entities e ON e.entity = r.entity GROUP BY c.record_id",
    )
    rows = _both(engine, version, records="census", what="country")
    rows += _both(engine, version, records="census_year", what="country, year of birth alone")
    engine.close()
    return rows


def _essnet(folder: Path) -> list[dict[str, Any]]:
    folder.mkdir()
    engine = linking.engine(folder)
    for file, key in (("cis", "cis_id"), ("census", "census_id")):
        essnet.records(engine, file, key)
    version = _index(engine, "cis", folder / "v1")
    version.load(engine, "index")
    engine.create(
        "truth",
        f"SELECT a.census_id AS record_id, list(e.entity_id) FILTER (e.entity_id IS NOT NULL) AS entities "
        f"FROM '{essnet.DATA}/census_truth.parquet' a LEFT JOIN '{essnet.DATA}/cis_truth.parquet' b "
        "USING (true_person_id) LEFT JOIN index_records r ON r.record_id = b.cis_id "
        "LEFT JOIN index_entities e ON e.entity = r.entity GROUP BY a.census_id",
    )
    rows = _both(engine, version, records="census", what="ESSnet")
    engine.close()
    return rows


def _both(engine: DuckDB, version: Version, *, records: str, what: str) -> list[dict[str, Any]]:
    rows, model = [], None
    for context in (False, True):
        request = link.Request(records, "links", model=model, context=context)
        made = link.match(engine, SplinkTrainer(Limits(linking.THREADS)), version=version, request=request)
        model = made.model
        found = engine.rows(
            "SELECT count(l.entity_id) AS linked, count(*) FILTER (list_contains(t.entities, l.entity_id)) AS correct, "
            "count(t.entities) AS findable, count(*) FILTER (l.band = 'clerical') AS clerical "
            "FROM links l JOIN truth t ON t.record_id = l.record_id"
        ).to_pylist()[0]
        rows.append(
            {"delivery": what, "context": "with" if context else "without", **found,
             "precision": found["correct"] / found["linked"], "recall": found["correct"] / found["findable"],
             "seconds": made.seconds.get("context", 0.0)}
        )  # fmt: skip
    return rows


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
