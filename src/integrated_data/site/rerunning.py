"""Editions after a delivery, made by a process of its own: the loading side opens nothing of the analyst's.

The process is called with the installation's folder and writes the rows of the editions as one JSON document.
"""

import json
import subprocess
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from integrated_data.control import editions
from integrated_data.control.store import Store
from integrated_data.model.dissemination import DefinitionState
from integrated_data.site import signing_heads
from integrated_data.site.places import Places
from integrated_data.site.settings import from_environment

#: Who reruns definitions when their data have another release.
SERVICE = "system:editions"


def after_delivery(places: Places, store: Store, *, projects: Collection[str]) -> list[dict[str, Any]]:
    """Rerun what is due where some of these projects, whose copies were renewed, publish something again and again.

    Returns the row of each edition. What fails stays due: its row says what to do.
    """
    with store.read() as connection:
        known = [d for d in editions.definitions(connection) if d.state is DefinitionState.APPROVED]
    touched = [d for d in known if d.project in projects]
    if not touched:
        return []
    command = [sys.executable, "-m", "integrated_data.site.rerunning", str(places.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found
    return [{"definition": d.name, "state": "due", "why": f"Rerun it: ids output rerun {d.name}"} for d in touched]


def main(home: Path) -> None:
    """Rerun what is due in the installation at `home`."""
    from integrated_data.site.analysis import open_analysis
    from integrated_data.site.disseminating import rerun_due

    places = Places(home)
    with open_analysis(places, replace(from_environment(), actor=SERVICE)) as site:
        made = rerun_due(site, by=SERVICE)
        signing_heads.sign_head(places, site.store)
    sys.stdout.write(json.dumps(made))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
