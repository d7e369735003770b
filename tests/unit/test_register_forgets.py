"""What a dataset said is taken out of an index that compares by likeness, and out of nothing else."""

from pathlib import Path

from integrated_data.engine import Held, Stored
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reference import forgetting
from integrated_data.index.reference.address import ADDRESS, ALIKE
from integrated_data.index.seat import Addition, Matching, Tools
from tests.drawn import NoTrainer, drawn

LISTED = """
    record_id | uprn | address_building | address_street | address_town | postcode
    1         | 1001 | 12               | High Street    | Otley        | LS21 1AA
    2         | 1002 | 21               | High Street    | Otley        | LS21 1AA
    3         | 1003 | The Old Rectory  | Church Lane    | Leeds        | LS9 3CC
"""
TOLD = """
    record_id | uprn | address_building | address_street | address_town | postcode
    a         | 1001 | Zolquix House    | High Street    | Otley        | LS21 1AA
    b         | 2001 | 7                | Zolquix Drove  | Otley        | LS21 9ZZ
"""
SAID = ("forms", "words", "frequencies", "records", "attributes")


def rows(engine: DuckDB, folder: Path, file: str, *, columns: str) -> list[tuple[object, ...]]:
    engine.load("seen", Stored((folder / f"{file}.parquet",)))
    return [tuple(row.values()) for row in engine.rows(f"SELECT {columns} FROM seen ORDER BY ALL").to_pylist()]


def test_what_a_dataset_said_goes_and_all_else_is_as_it_was(engine: DuckDB, tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    tools = Tools(engine, NoTrainer())
    engine.load("listed", Held(drawn(LISTED)))
    engine.load("told", Held(drawn(TOLD)))
    ADDRESS.add(tools, Addition("list", "listed", "2024-01-01T00:00:00Z"), previous=None, folder=first)
    ADDRESS.add(tools, Addition("claims/D1", "told", "2024-02-01T00:00:00Z"), previous=first, folder=second)
    assert forgetting.count(engine, second, sources=["claims"]) == {"records": 2, "attributes": 2}
    (orphan,) = forgetting.only_theirs(engine, second, sources=["claims"])
    assert forgetting.forget(engine, ALIKE, folder=second, sources=["claims"])
    assert forgetting.count(engine, second, sources=["claims"]) == {"records": 0, "attributes": 0}
    assert not any("ZOLQUIX" in str(rows(engine, second, f, columns="COLUMNS(*)::VARCHAR")).upper() for f in SAID)
    said = f"entity_id, {', '.join(ALIKE.fields)}"
    assert rows(engine, second, "forms", columns=said) == rows(engine, first, "forms", columns=said)
    statuses = dict(rows(engine, second, "entities", columns="entity_id, status"))
    assert statuses.pop(orphan) == "retired"
    assert set(statuses.values()) == {"current"}
    assert forgetting.forget(engine, ALIKE, folder=second, sources=["claims"]) == [], "twice done, nothing more"
    ADDRESS.match(tools, Matching("told", "links"), folder=second)
    bands = {row["record_id"]: row["band"] for row in engine.rows("SELECT record_id, band FROM links").to_pylist()}
    assert (bands["a"], bands["b"]) == ("accept", "none"), "by the number that the list has, too"
