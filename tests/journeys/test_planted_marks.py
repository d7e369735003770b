"""Marked names, birth dates and numbers, planted in deliveries, are found nowhere but in sealed files."""

from pathlib import Path

import pytest

from tests.marked_deliveries import MORE, population
from tests.marked_run import Run, in_a_process_of_its_own, spill, training_spill, unsealed
from tests.marks import found, searched

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The whole run: deliver, review, project, query, doors, release, exports, spill."""
    made = Run(tmp_path_factory.mktemp("marks"), 330)
    in_a_process_of_its_own(made)
    return made


def test_no_mark_is_found_in_any_file_log_answer_or_export(run: Run) -> None:
    hits, size = searched(run.home, run.temporary, run.working, run.kept)
    assert hits == {}
    assert size > 2_000_000
    assert list(run.working.iterdir()) == [], "nothing is written where a command happens to be called"
    kept = " ".join(p.name for p in run.kept.iterdir())
    wanted = ("duckdb_temp_storage", "http", "flight", "serve.err", "deliver.out", "crate.zip", "wal")
    assert [name for name in wanted if name not in kept] == []


def test_the_same_search_finds_them_in_what_was_delivered_and_in_sealed_files_once_opened(run: Run) -> None:
    everything = {"name", "birth date", "number"}
    given, _ = searched(run.folder / "given")
    assert given["given/register.csv"] == {"name", "birth date"}
    opened = unsealed(run)
    print(opened)
    assert opened["0.sealed"] == opened["checked.parquet"] == everything
    assert {"name", "birth date"} <= opened["attributes.parquet"]


def test_none_is_found_in_what_training_writes_for_lack_of_memory(run: Run, tmp_path: Path) -> None:
    assert training_spill(run, folder=tmp_path / "spill") == set()


def test_the_same_search_finds_them_in_a_spill_that_is_not_encrypted(run: Run, tmp_path: Path) -> None:
    assert "name" in spill(run, encrypted=False, folder=tmp_path / "spill")


@pytest.mark.parametrize(
    "name", ["upper Zolquixham.tsv", "workbook.xlsx", "zipped.zip", "lines.jsonl.gz", "cut.csv.gz"]
)
def test_it_finds_them_in_every_form(name: str) -> None:
    made = next(make for file, make in MORE.values() if file == name)
    assert found(made(population(120))) == {"name", "birth date", "number"}
