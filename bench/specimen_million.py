"""The fictional country at a million: its census to a Demographic Index of two sources.

The health register and the benefits awards are loaded as a service would load them (`ids reference
load`), then the census is matched (`ids match`). Truth is read at the end alone: precision and recall,
the share decided without a person, whether probabilities mean what they say, and the recall of every
group. An entity is the person whom most of its records are about.
"""

import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import linking, report
from integrated_data.acquire import contracts
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import open_version
from integrated_data.site.installation import create
from integrated_data.site.kit import infer_contract, open_kit
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import MatchOrder, SourceOrder, load_reference, match_file
from integrated_data.site.settings import Settings
from integrated_data.specimen import Manifest, write

PEOPLE, SEED = 1_000_000, 11
SOURCES = ("health_register", "benefits")
PRECISION, RECALL, AUTOMATIC, CALIBRATED, BEHIND = 0.998, 0.985, 0.95, 0.03, 0.02
MATCHED = 5  # times
FEWEST_PEOPLE = 200  # in a group, likewise
GROUPS = {
    "sex": "sex",
    "age": "least(floor(date_diff('year', birth_date, DATE '2021-03-21') / 10) * 10, 90)::INTEGER",
    "ethnic group": "ethnic_group",
    "region": "region_code",
}


def run(people: int = PEOPLE) -> bool:
    """Print the tables; true when the marks are met."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wrote = linking.repeated(_country, folder, people, runs=1)
        country = wrote.result
        places = create(folder / "home", actor="system:bench")
        steps = {
            "write the country": wrote,
            **{f"load {source}": linking.repeated(_load, places, country, source, runs=1) for source in SOURCES},
            "match the census": linking.repeated(_match, places, country, folder, runs=MATCHED),
        }
        found = _judged(places, country, folder)
    report.table(
        f"Each step in a process of its own; matching, training included, {MATCHED} times",
        [{"step": step, "seconds": done.seconds, "cpu": statistics.median(done.cpu), "MiB": done.memory}
         for step, done in steps.items()],
    )  # fmt: skip
    return _shown(found, people)


def _country(folder: Path, people: int) -> Manifest:
    return write(folder / "country", people=people, seed=SEED, departments=[*SOURCES, "census"])


def _settings() -> Settings:
    return Settings(home=None, threads=linking.THREADS, memory="6GB", production=False, actor="system:bench")


def _load(places: Places, country: Manifest, department: str) -> None:
    file = country.of(department)[0]
    with open_loading(places, _settings()) as site:
        load_reference(site, SourceOrder("demographic", (file.path,), department, file.record_id))


def _match(places: Places, country: Manifest, folder: Path) -> None:
    """From the delivered file to links on disk, with no model kept from an earlier run."""
    shutil.rmtree(places.indexes / "demographic" / "models", ignore_errors=True)
    file = country.of("census")[0]
    with open_kit(_settings()) as kit:
        contract = infer_contract(kit, [file.path], dataset="census", owner="ons")
    contracts.write(contract, folder / "census.yaml")
    order = MatchOrder("demographic", file.path, folder / "links.parquet", file.record_id, folder / "census.yaml")
    with open_loading(places, _settings()) as site:
        match_file(site, order)


def _judged(places: Places, country: Manifest, folder: Path) -> dict[str, Any]:
    """Links beside the truth: a table of facts for every question."""
    with open_loading(places, _settings()) as site:
        engine = site.engine
        open_version(DEFINITION, places.indexes / "demographic" / "v0002").load(engine, "index")
        told = " UNION ALL ".join(
            f"SELECT '{source}' AS source, record_id, person_id FROM '{country.of(source)[0].truth}'"
            for source in SOURCES
        )
        engine.create(
            "known",
            "SELECT e.entity_id, t.person_id FROM index_records r JOIN index_entities e ON e.entity = r.entity "
            f"JOIN ({told}) t ON t.source = r.source AND t.record_id = r.record_id",
        )
        engine.create(
            "whom",
            "SELECT entity_id, person_id FROM known GROUP BY entity_id, person_id "
            "QUALIFY row_number() OVER (PARTITION BY entity_id ORDER BY count(*) DESC, person_id) = 1",
        )
        groups = ", ".join(f"{sql} AS {_column(group)}" for group, sql in GROUPS.items())
        engine.create(
            "judged",
            "SELECT l.probability, l.band, l.entity_id, coalesce(l.entity_id, l.candidate_id) AS candidate, "
            f"coalesce(w.person_id = c.person_id, FALSE) AS right_one, k.person_id IS NOT NULL AS findable, {groups} "
            f"FROM '{folder / 'links.parquet'}' l "
            f"JOIN '{country.of('census')[0].truth}' c ON c.record_id = l.record_id "
            "LEFT JOIN whom w ON w.entity_id = coalesce(l.entity_id, l.candidate_id) "
            "LEFT JOIN (SELECT DISTINCT person_id FROM known) k ON k.person_id = c.person_id "
            f"JOIN '{country.truth['people']}' p ON p.person_id = c.person_id",
        )
        linked = "count(*) FILTER (right_one AND entity_id IS NOT NULL)"
        calibrated = (
            "SELECT {tenth} AS tenth, avg(probability) AS predicted, avg(right_one::INTEGER) AS seen, "
            "count(*) AS links FROM (SELECT *, ntile(10) OVER (ORDER BY probability, candidate) AS part FROM judged "
            "WHERE candidate IS NOT NULL) GROUP BY 1 ORDER BY 1"
        )
        return {
            "all": engine.rows(
                f"SELECT count(*) AS records, count(entity_id) AS linked, {linked} AS correct, "
                "count(*) FILTER (findable) AS findable, count(*) FILTER (band = 'clerical') AS clerical FROM judged"
            ).to_pylist()[0],
            "tenths": engine.rows(calibrated.format(tenth="part")).to_pylist(),
            "scale": engine.rows(
                calibrated.format(tenth="least(floor(probability * 10), 9)::INTEGER")
            ).to_pylist(),
            "index": engine.rows(
                "SELECT (SELECT count(*) FROM index_entities) AS entities, "
                "(SELECT count(DISTINCT person_id) FROM known) AS persons, (SELECT count(*) FROM (SELECT entity_id "
                "FROM known GROUP BY entity_id HAVING count(DISTINCT person_id) > 1)) AS mixed"
            ).to_pylist()[0],
            "groups": {group: engine.rows(
                f"SELECT {_column(group)}::VARCHAR AS part, {linked} / count(*) AS recall, count(*) AS people "
                f"FROM judged WHERE findable GROUP BY 1 HAVING count(*) >= {FEWEST_PEOPLE} ORDER BY recall"
            ).to_pylist() for group in GROUPS},
        }  # fmt: skip


def _sampling(row: dict[str, Any]) -> float:
    """Two standard errors of a share (with one link more on either side: Agresti and Coull)."""
    links, share = row["links"] + 4, (row["seen"] * row["links"] + 2) / (row["links"] + 4)
    return 2 * float((share * (1 - share) / links) ** 0.5)


def _expected_error(rows: list[dict[str, Any]]) -> float:
    """Expected calibration error (Naeini et al., 2015)."""
    links = sum(row["links"] for row in rows)
    return sum(abs(row["predicted"] - row["seen"]) * row["links"] for row in rows) / links


def _column(group: str) -> str:
    return f"by_{group.replace(' ', '_')}"


def _shown(found: dict[str, Any], people: int) -> bool:
    counts = found["all"]
    precision, recall = counts["correct"] / max(counts["linked"], 1), counts["correct"] / counts["findable"]
    automatic = 1 - counts["clerical"] / counts["records"]
    report.table("The index of two sources", [found["index"]])
    report.table(
        f"Census of {people:,} to it",
        [{**counts, "precision": precision, "recall": recall, "automatic": automatic}],
    )
    report.table("Predicted against true, by tenths of the links", found["tenths"])
    scale = [{**row, "within": _sampling(row), "of all": row["links"] / counts["records"]} for row in found["scale"]]
    report.table("The same by tenths of the probability; seen is known to within", scale)
    spread = []
    for group, rows in found["groups"].items():
        worst, best = rows[0], rows[-1]
        behind = best["recall"] - worst["recall"]
        spread.append({"group": group, "worst": worst["part"], "recall": worst["recall"], "people": worst["people"],
                       "best": best["part"], "its recall": best["recall"], "behind": behind})  # fmt: skip
    report.table("Recall of the worst group against the best", spread)
    off = max(abs(t["predicted"] - t["seen"]) for t in found["tenths"])
    print(f"sum over tenths of the probability of how far off, by links: {_expected_error(found['scale']):.5f}")
    return report.marks(
        {
            f"precision ≥ {PRECISION}": precision >= PRECISION,
            f"recall ≥ {RECALL}": recall >= RECALL,
            f"decided automatically ≥ {AUTOMATIC}": automatic >= AUTOMATIC,
            f"calibration of every tenth of the links within {CALIBRATED} ({off:.4f})": off <= CALIBRATED,
            f"worst group within {BEHIND} of the best": all(row["behind"] <= BEHIND for row in spread),
        }
    )


if __name__ == "__main__":
    sys.exit(0 if run(int(sys.argv[1]) if len(sys.argv) > 1 else PEOPLE) else 1)
