"""`ids demo` on a small country: deliveries to a released table, by the real command."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.installation import ids

pytestmark = [pytest.mark.early, pytest.mark.long]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    home = tmp_path_factory.mktemp("demo") / "home"
    done = ids(home, "demo", "--people", "20000", "--home", home, "--json")
    assert done.code == 0, done.err
    return home / "service", done.json


def test_every_delivery_is_published_and_linked(ran: tuple[Path, dict[str, Any]]) -> None:
    _, report = ran
    assert {d["dataset"] for d in report["deliveries"]} == {
        "census", "gp_diagnoses", "hospital_episodes", "pay", "benefits", "labour_force_survey",
    }  # fmt: skip
    assert all("demographic" in d["linked"] for d in report["deliveries"])


def test_links_are_right(ran: tuple[Path, dict[str, Any]]) -> None:
    _, report = ran
    found = {(q["index"], q["dataset"]): q for q in report["quality"]}
    census = found["demographic", "census"]
    assert float(census["precision"].split()[0]) >= 0.995
    assert float(census["recall"].split()[0]) >= 0.97
    assert float(found["address", "census"]["precision"].split()[0]) >= 0.98
    assert float(found["business", "pay"]["precision"].split()[0]) >= 0.95
    assert float(found["geography", "census, small area"]["precision"].split()[0]) >= 0.99
    assert float(found["classification", "labour_force_survey"]["precision"].split()[0]) >= 0.95


def test_the_output_left_with_cells_held_back(ran: tuple[Path, dict[str, Any]]) -> None:
    home, report = ran
    assert report["output"]["lane"] == "automatic"
    assert 0 < report["output"]["withheld"] < report["output"]["cells"]
    (released,) = (home / "outputs" / "released").iterdir()
    assert {p.name for p in released.iterdir()} >= {"table.csv", "chart.svg", "record.json"}
    assert "[c]" in (released / "table.csv").read_text()


def test_what_left_is_verified_by_anybody(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, _ = ran
    (packed,) = (home / "outputs" / "crates").iterdir()
    assert ids(home, "register", "export", tmp_path).code == 0
    verified = ids(tmp_path / "nowhere", "output", "verify", packed, "--register", tmp_path / "register.json", "--json")
    assert verified.code == 0, verified.err
    assert (verified.json["verified"], verified.json["state"]) == (True, "in force")


def test_the_installation_answers_afterwards(ran: tuple[Path, dict[str, Any]]) -> None:
    home, _ = ran
    asked = "SELECT ilo_status, count(*) AS people FROM labour_force_survey GROUP BY ALL ORDER BY ALL"
    project = ("--project", "P-health-and-work")
    answer = ids(home, "query", asked, *project, "--as", "ada", "--json")
    assert answer.code == 0, answer.err
    assert sum(row["people"] for row in answer.json["rows"]) > 500
    other = ids(home, "query", "SELECT * FROM census", *project, "--as", "ada")
    assert other.code == 1
    assert other.err.startswith("Refused: ")
    stranger = ids(home, "query", asked, *project, "--as", "somebody")
    assert stranger.code == 1
    assert ids(home, "audit", "verify").code == 0
    assert ids(home, "catalogue", "search", "income", "--json").code == 0


def test_a_project_cannot_ask_what_its_agreements_refuse(ran: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    home, _ = ran
    agreement = tmp_path / "agreement.yaml"
    body = ids(home, "agreement", "show", "A-labour_force_survey", "--json").json
    body["ends"] = "2020-01-31"
    body["starts"] = "2020-01-01"
    agreement.write_text("\n".join(f"{k}: {_yaml(v)}" for k, v in body.items()))
    assert ids(home, "agreement", "add", agreement).code == 0
    refused = ids(
        home, "query", "SELECT count(*) FROM labour_force_survey", "--project", "P-health-and-work", "--as", "ada"
    )
    assert refused.code == 1
    assert "ended" in refused.err


def _yaml(value: Any) -> str:
    return json.dumps(value)
