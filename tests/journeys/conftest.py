"""A furnished house that several files of tests share: made once, and each test leaves it as it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rights_house import House, furnish, house


@pytest.fixture(scope="session")
def house_of_rights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the house, to be left as it was found."""
    folder = tmp_path_factory.mktemp("rights")
    with house(folder) as h:
        furnish(h)
    return folder


@pytest.fixture
def whole(house_of_rights: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of the house, put back after the test, at the same place: the lake names its files by path."""
    kept = tmp_path / "kept"
    shutil.copytree(house_of_rights, kept, symlinks=True)
    yield house_of_rights
    shutil.rmtree(house_of_rights)
    shutil.copytree(kept, house_of_rights, symlinks=True)


@pytest.fixture
def opened(whole: Path) -> Iterator[House]:
    """The house, open."""
    with house(whole) as found:
        yield found
