"""Match quality of the demo against the country's truth, which no stage has read.

Precision: accepted links that are right. Recall: records whose entity is in the index that got it.
Links to provisional entities count as not linked. Wilson intervals at 95 %.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, indexes
from integrated_data.engine import Stored
from integrated_data.index.quality.intervals import wilson
from integrated_data.journey.linking import version_folder
from integrated_data.model.linkage import PROVISIONAL
from integrated_data.model.meanings import Meaning
from integrated_data.site.loading import LoadingSite
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW

#: Index, dataset, the truth's column, the reference source whose truth says what an entity is.
BY_ENTITY = (
    ("demographic", "census", "person_id", "health_register"),
    ("demographic", "gp_diagnoses", "person_id", "health_register"),
    ("demographic", "hospital_episodes", "person_id", "health_register"),
    ("demographic", "pay", "person_id", "health_register"),
    ("demographic", "benefits", "person_id", "health_register"),
    ("demographic", "labour_force_survey", "person_id", "health_register"),
    ("business", "pay", "business_id", "business_register"),
    ("address", "census", "address_id", "address_register"),
)

#: Groups of people by which the census links are shown.
GROUPS = ("sex", "ethnic_group", "region_code", "tradition", "young_man", "mover")


@dataclass(frozen=True)
class Judged:
    """One set of links against the truth: `right` of `accepted` links, of `present` records."""

    accepted: int
    right: int
    present: int

    def row(self, index: str, dataset: str, *, records: int) -> dict[str, Any]:
        """A row for people."""
        return {
            "index": index, "dataset": dataset, "records": records, "linked": self.accepted,
            "precision": rate(self.right, self.accepted), "recall": rate(self.right, self.present),
        }  # fmt: skip


def rate(part: int, whole: int) -> str:
    """A share with its 95 % interval (Wilson, 1927)."""
    if not whole:
        return "none"
    low, high = wilson(part / whole, whole)
    return f"{part / whole:.4f} ({low:.4f}–{high:.4f})"


def measure(site: LoadingSite, truth: Path) -> list[dict[str, Any]]:
    """A row for each index and dataset, and the worst groups of the census."""
    rows = []
    for index, dataset, column, source in BY_ENTITY:
        records = _links(site, index, dataset=dataset, truth=truth)
        _members(site, index, source=source, truth=truth, column=column)
        rows.append(_judge_entities(site, column).row(index, dataset, records=records))
        if dataset == "census" and index == "demographic":
            rows += _worst_groups(site, column, truth=truth)
    rows += [_geography(site, truth), _classification(site, truth)]
    return rows


def _links(site: LoadingSite, index: str, *, dataset: str, truth: Path) -> int:
    """Make relation `judged`: the truth's columns and entity_id of every record of a dataset; returns its rows."""
    with site.store.read() as connection:
        delivery = deliveries.of_dataset(connection, dataset)[0]["id"]
        contract = contracts.parse(deliveries.contract_body(connection, dataset) or "")
    folder = site.places.deliveries / delivery
    site.engine.load("of_links", Stored((folder / f"links-{index}.parquet",)))
    site.engine.load("of_rows", Stored((folder / "checked.parquet",), row_column=ROW))
    site.engine.load("of_truth", Stored((truth / f"{dataset}.parquet",), sealed=False))
    key = sql.name(contract.meaning(Meaning.RECORD_ID)[0].name)
    site.engine.create(
        "judged",
        f"SELECT t.*, CASE WHEN NOT starts_with(l.method, {sql.text(PROVISIONAL)}) THEN l.entity_id END AS entity_id, "
        "l.candidate_id, l.probability FROM of_links l "
        f"JOIN of_rows r ON r.{ROW} = l.record_id JOIN of_truth t ON t.record_id = r.{key}::VARCHAR",
    )
    return _count(site, "SELECT count(*) AS n FROM judged")


def _members(site: LoadingSite, index: str, *, source: str, truth: Path, column: str) -> None:
    """Make relation `members`: entity_id and what the truth says it is."""
    site.seats.of(index).members(site.engine, folder=_version(site, index), relation="of_members")
    site.engine.load("of_source", Stored((truth / f"{source}.parquet",), sealed=False))
    site.engine.create(
        "members",
        f"SELECT DISTINCT m.entity_id, t.{column} AS truly FROM of_members m JOIN of_source t "
        f"ON t.record_id = m.record_id WHERE m.source = {sql.text(source)}",
    )


def _judge_entities(site: LoadingSite, column: str, *, where: str = "TRUE") -> Judged:
    row = site.engine.rows(
        f"SELECT count(entity_id) AS accepted, count(*) FILTER ((entity_id, {column}) IN (FROM members)) AS right_, "
        f"count(*) FILTER ({column} IN (SELECT truly FROM members)) AS present FROM judged WHERE {where}"
    ).to_pylist()[0]
    return Judged(row["accepted"], row["right_"], row["present"])


def _worst_groups(site: LoadingSite, column: str, *, truth: Path) -> list[dict[str, Any]]:
    """The group with the least recall in each way of grouping people."""
    site.engine.load("of_people", Stored((truth / "people.parquet",), sealed=False))
    rows = []
    for group in GROUPS:
        found = site.engine.rows(
            f"SELECT p.{group}::VARCHAR AS g, count(j.entity_id) AS accepted, "
            f"count(*) FILTER ((j.entity_id, j.{column}) IN (FROM members)) AS right_, "
            f"count(*) FILTER (j.{column} IN (SELECT truly FROM members)) AS present, count(*) AS n "
            f"FROM judged j JOIN of_people p USING (person_id) GROUP BY 1 HAVING count(*) >= 200"
        ).to_pylist()
        worst = min(found, key=lambda r: r["right_"] / max(1, r["present"]))
        judged = Judged(worst["accepted"], worst["right_"], worst["present"])
        rows.append(judged.row("demographic", f"census, worst {group}: {worst['g']}", records=worst["n"]))
    return rows


def _geography(site: LoadingSite, truth: Path) -> dict[str, Any]:
    """Small areas of census records against the true area of their address."""
    records = _links(site, "geography", dataset="census", truth=truth)
    site.seats.of("geography").published(site.engine, folder=_version(site, "geography"), relation="of_areas")
    site.engine.load("of_addresses", Stored((truth / "addresses.parquet",), sealed=False))
    site.engine.load("of_outputs", Stored((truth / "areas.parquet",), sealed=False))
    row = site.engine.rows(
        "SELECT count(a.lsoa_2021) AS accepted, count(*) FILTER (a.lsoa_2021 = o.lsoa_code) AS right_, "
        "count(*) AS present "
        "FROM judged j JOIN of_addresses d USING (address_id) JOIN of_outputs o USING (oa_code) "
        "LEFT JOIN of_areas a ON a.entity_id = j.entity_id"
    ).to_pylist()[0]
    return Judged(row["accepted"], row["right_"], row["present"]).row(
        "geography", "census, small area", records=records
    )


def _classification(site: LoadingSite, truth: Path) -> dict[str, Any]:
    """Industry codes of survey respondents' words against their true industry."""
    records = _links(site, "classification", dataset="labour_force_survey", truth=truth)
    relation = "of_codes"
    site.seats.of("classification").published(site.engine, folder=_version(site, "classification"), relation=relation)
    row = site.engine.rows(
        "SELECT count(j.entity_id) AS accepted, count(*) FILTER (c.classification_code = j.sic_code) AS right_, "
        f"count(j.sic_code) AS present FROM judged j LEFT JOIN {relation} c ON c.entity_id = j.entity_id "
        "WHERE j.sic_code IS NOT NULL"
    ).to_pylist()[0]
    return Judged(row["accepted"], row["right_"], row["present"]).row(
        "classification", "labour_force_survey", records=records
    )


def _version(site: LoadingSite, index: str) -> Path:
    with site.store.read() as connection:
        version = indexes.get(connection, index).version
    return version_folder(site.places.indexes, index, version=version)


def _count(site: LoadingSite, statement: str) -> int:
    return int(site.engine.rows(statement).column("n")[0].as_py())
