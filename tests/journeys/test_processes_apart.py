"""Loading and analysis are processes of their own: the analyst's side works where the kernel hides the identified side.

What the operators' page tells systemd to do (`InaccessiblePaths`) is done here with a mount namespace of bubblewrap.
"""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from integrated_data.approve import accredit
from integrated_data.control import projects
from integrated_data.site.places import Places, open_store
from tests.journeys.installation import COMMAND, environment
from tests.journeys.test_keys_follow import PERSON

BWRAP = shutil.which("bwrap")


def hidden(places: Places) -> list[Path]:
    """What only the loading process needs."""
    return [places.keyring, places.identified, places.lake]


def apart(places: Places, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command in a process that finds those folders empty."""
    empty = [part for place in hidden(places) for part in ("--tmpfs", str(place))]
    return subprocess.run(
        [str(BWRAP), "--dev-bind", "/", "/", *empty, "--", *COMMAND, *words],
        env=environment(places.home), capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def can_hide() -> bool:
    tried = [str(BWRAP), "--dev-bind", "/", "/", "--tmpfs", "/mnt", "true"]
    return BWRAP is not None and subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_hide(), reason="bubblewrap cannot hide folders here")
def test_analysis_needs_neither_keys_nor_the_identified_zone_nor_the_lake_and_loading_stops_without(
    whole: Path,
) -> None:
    places = Places(whole / "home")
    projects.add_person(open_store(places), accredit.read_person(f"{PERSON}roles: [analyst]\n"), by="desk")
    asked = "SELECT count(*) AS n, count(DISTINCT person_key) AS people FROM pay"
    ran = apart(places, "query", "--project", "P-keyed", "--as", "ada", "--json", asked)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["rows"] == [{"n": 22, "people": 21}]
    refused = apart(places, "reference", "history", "1", "--reason", "none")
    assert refused.returncode == 1
    assert "The vault key is missing" in refused.stderr
