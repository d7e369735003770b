"""Real open data for tests and benchmarks; absent on most machines, and then skipped with a reason."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("IDS_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


def real_data(*parts: str) -> Path:
    """The path of a file of real open data; skips the test when it is not on this machine."""
    place = FOLDER.joinpath(*parts)
    if not place.exists():
        pytest.skip(f"real open data {'/'.join(parts)} is absent; set IDS_TEST_DATA to its folder")
    return place
