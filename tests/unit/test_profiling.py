"""What a catalogue entry tells of a table of many deliveries: all of it, or what is of the newest one and says so."""

from datetime import date, timedelta
from pathlib import Path

from integrated_data.engine import Stored
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.journey.profiling import MOST_FILES, Table, profiles
from integrated_data.model.contract import Column, Contract, Format, Layout
from integrated_data.model.meanings import Handling, Kind, Meaning

DAYS = Contract("flows", "Office", Layout(Format.CSV), (
    Column("day", "day", Kind.DATE, Meaning.EVENT_DATE, Handling.PAYLOAD),
    Column("trips", "trips", Kind.INTEGER, Meaning.COUNT, Handling.PAYLOAD),
    Column("origin", "origin", Kind.STRING, Meaning.CODE, Handling.PAYLOAD),
))  # fmt: skip


def told(folder: Path, days: int, **more: list[str]) -> dict[str, object]:
    """The profile of a table of so many days: of each two rows, with its number of trips; the last lacks origins."""
    engine, files = DuckDB(Limits()), list[Path]()
    for n in range(days):
        day = date(2024, 1, 1) + timedelta(n)
        origin = ", 'A' AS origin" if n < days - 1 else ""
        files.append(folder / f"{n:03}.parquet")
        engine.save(f"SELECT DATE '{day}' AS day, {n} AS trips{origin} FROM range(2)", files[-1], sealed=False)
    engine.load("t", Stored(tuple(files), sealed=False))
    return dict(profiles(engine, DAYS, table=Table("t", 2 * days, files, files[-1:]), **more))


def test_a_table_of_some_deliveries_is_told_whole(tmp_path: Path) -> None:
    assert told(tmp_path, 3) == {
        "day": {"rows": 6, "missing": 0, "distinct": 3, "low": "2024-01-01", "high": "2024-01-03"},
        "trips": {"rows": 6, "missing": 0, "distinct": 3, "low": "0", "high": "2"},
        "origin": {"rows": 6, "missing": 2, "distinct": 1},
    }


def test_of_a_table_of_many_the_ends_are_told_whole_and_the_rest_of_the_newest(tmp_path: Path) -> None:
    assert told(tmp_path, MOST_FILES + 1) == {
        "day": {
            "rows": 2,
            "missing": 0,
            "distinct": 1,
            "low": "2024-01-01",
            "high": "2024-03-05",
            "of": "newest delivery",
        },
        "trips": {"rows": 2, "missing": 0, "distinct": 1, "low": "0", "high": "64", "of": "newest delivery"},
        "origin": {"of": "newest delivery"},
    }


def test_of_what_is_withheld_now_there_are_counts_alone(tmp_path: Path) -> None:
    assert told(tmp_path, 3, withheld=["day"])["day"] == {"rows": 6, "missing": 0, "distinct": 3}
