"""Files named on the command line that cannot be read or written: one clear sentence, before anything is done."""

from pathlib import Path

import pytest

from integrated_data.cli import files
from integrated_data.model.errors import UsageRefusal
from integrated_data.site.installation import create
from tests.calling import ids
from tests.house.tree import ROOT

ABOUT = str(ROOT / "examples" / "catalogue.yaml")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    create(folder / "home", actor="tester")
    (folder / "latin.yaml").write_bytes("given_name: Zoë\n".encode("latin-1"))
    (folder / "day.yaml").write_text("date_of_birth: 2026-02-30\n")
    (folder / "dir").mkdir()
    return folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("right ask access LATIN --reason x", "latin.yaml is no text"),
        ("right ask access DIR --reason x", "dir is a folder"),
        ("right ask access GONE --reason x", "There is no file gone.yaml"),
        ("right ask access DAY --reason x", "a day that does not exist"),
        ("right access R-1 --out GONE/f", "folder that it is to lie in is not there"),
        ("right proof R-1 --out GONE/f", "folder that it is to lie in is not there"),
        ("query SELECT --project P --out GONE/f.csv", "folder that it is to lie in is not there"),
        ("query SELECT --project P --out OUT", "ending of the file is not one of a known format"),
        ("match demographic LATIN --out OUT", "Links are written as Parquet"),
        ("person add LATIN", "latin.yaml is no text"),
        ("concept map LATIN", "latin.yaml is no text"),
        ("federation add north https://north.example --key LATIN", "latin.yaml is no text"),
        ("catalogue export OUT --format dcat --about LATIN", "latin.yaml is no text"),
        ("catalogue export GONE/f", "folder that it is to lie in is not there"),
        (f"catalogue export LATIN --format croissant --about {ABOUT}", "latin.yaml is a file"),
        ("record impact --out GONE/f", "folder that it is to lie in is not there"),
        ("register export LATIN", "latin.yaml is a file"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_as_such(place: Path, words: str, said: str) -> None:
    names = {"LATIN": "latin.yaml", "DAY": "day.yaml", "DIR": "dir", "GONE": "gone.yaml", "OUT": "out.json"}
    for word, name in names.items():
        words = words.replace(word, str(place / name))
    called = ids(place / "home", *words.split(), "--as", "tester")
    assert called.returncode == 2, called
    assert said in " ".join(called.stderr.split())
    assert not (place / "out.json").exists()


def test_what_can_be_written_is_let_be(tmp_path: Path) -> None:
    assert files.to_write(tmp_path / "new") == tmp_path / "new"
    assert files.folder_to_write(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    (tmp_path / "file").touch()
    with pytest.raises(UsageRefusal, match="file is a file"):
        files.folder_to_write(tmp_path / "file" / "b")
