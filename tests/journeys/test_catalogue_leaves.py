"""The public catalogue of an installation leaves by command, in each format."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

from integrated_data.control import projects, releases
from integrated_data.control.store import Store
from integrated_data.model.event import Event
from integrated_data.site.installation import create
from integrated_data.site.places import open_store
from tests.calling import ids
from tests.house.tree import ROOT
from tests.unit.test_catalogue_exports import AGREED, ENTRY, SCHEMA

ABOUT = str(ROOT / "examples" / "catalogue.yaml")


def published(store: Store, number: int, entry: dict[str, object]) -> None:
    with store.change(Event("release.named", "tester", "release", {})) as change:
        name = str(entry["dataset"])
        releases.name_snapshot(change, dataset=name, delivery=f"D{number}", snapshot=number, entry=entry)


def test_the_catalogue_leaves_in_every_format(tmp_path: Path) -> None:
    """Two releases of a survey and what was derived from it, which stands under the survey's agreement too."""
    home = create(tmp_path / "home", actor="tester")
    store = open_store(home)
    derived = ENTRY | {"dataset": "association_person_work", "title": "", "derived_from": [ENTRY["dataset"]]}
    for number, entry in enumerate((ENTRY, ENTRY, derived), 1):
        published(store, number, entry)
    agreed = replace(AGREED, starts=date(2020, 1, 1), ends=date(2099, 1, 1))
    projects.add_agreement(store, agreed, by="tester")
    projects.add_agreement(store, replace(agreed, id="A-2", dataset=derived["dataset"]), by="tester")

    def export(out: str, *words: str) -> tuple[int, str]:
        called = ids(home.home, "catalogue", "export", str(tmp_path / out), *words, "--json", "--as", "tester")
        return called.returncode, called.stdout + called.stderr

    assert export("dcat.json", "--format", "dcat", "--about", ABOUT)[0] == 0
    graph = {r["@id"]: r for r in json.loads((tmp_path / "dcat.json").read_text())["@graph"]}
    survey, made = (graph[f"https://data.example.gov.uk/dataset/{d['dataset']}"] for d in (ENTRY, derived))
    assert (survey["dcat:version"], made["dcat:version"]) == ("1.2.0+2", "1.2.0+3")
    assert (len(survey["dct:rights"]), len(made["dct:rights"])) == (1, 2)
    assert "Digital Economy Act 2017" in survey["dct:rights"][0]["rdfs:label"]
    assert made["prov:wasDerivedFrom"] == [survey["@id"]]

    assert export("uk.json", "--format", "ukgov", "--about", ABOUT)[0] == 0
    assert [r["title"] for r in json.loads((tmp_path / "uk.json").read_text())[1:]] == [
        "association_person_work", "Labour Force Survey",
    ]  # fmt: skip
    code, said = export("folder", "--format", "croissant", "--about", ABOUT)
    assert code == 2
    assert "licence of dataset association_person_work" in " ".join(said.split())
    code, said = export("more.json", "--format", "dcat")
    assert code == 2
    assert "--about" in said


def test_metadata_of_others_is_checked_by_command(tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text(SCHEMA)
    for name, code in (("Rex", 0), ("rex", 1)):
        (tmp_path / "dog.yaml").write_text(f"type: pets:Dog\nname: {name}\nborn: 2020-02-03\n")
        called = ids(tmp_path, "catalogue", "check", str(tmp_path / "dog.yaml"), str(tmp_path / "pets.yaml"))
        assert called.returncode == code, called.stderr
        assert ("whether identifiers are unique" in " ".join(called.stdout.split())) is (code == 0)
