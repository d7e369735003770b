"""An index described by a file alone: defined, loaded, matched, delivered to, by the real commands."""

import csv
import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from integrated_data.index.matching.configured import definition_of
from integrated_data.model.errors import IndexRefusal
from tests.journeys.installation import ids, made

EXAMPLE = Path(__file__).parents[2] / "examples" / "vehicle_index.yaml"
HEAD = ("vehicle", "registration_mark", "make", "colour", "first_registered")
LETTERS = "ABCDEFGHJKLMNOPRSTUVWXY"
Row = dict[str, str]


def vehicles(number: int) -> list[Row]:
    dice = random.Random(3)
    rows = []
    for i in range(number):
        mark = "".join(dice.choices(LETTERS, k=2)) + f"{dice.randrange(2, 74):02}" + "".join(dice.choices(LETTERS, k=3))
        make = dice.choice(["Vauxhall", "Ford", "Peugeot", "Toyota", "Volkswagen", "Nissan"])
        colour = dice.choice(["blue", "black", "white", "red", "silver"])
        first = date(2004, 1, 1) + timedelta(days=dice.randrange(6000))
        rows.append(dict(zip(HEAD, (f"V{i}", mark, make, colour, first.isoformat()), strict=True)))
    return rows


def seen(rows: list[Row]) -> list[Row]:
    """As a camera reads them: a mark read wrongly, a make spelled otherwise, a colour missing, a mark spaced."""
    found = []
    for i, row in enumerate(rows):
        mark, make = row["registration_mark"], row["make"]
        change = (
            {"registration_mark": mark[:4] + " " + mark[4:]},
            {"registration_mark": mark[:5] + ("Q" if mark[5] != "Q" else "O") + mark[6:]},
            {"make": make[:3] + make[4:], "colour": ""},
            {"make": make.upper()},
        )[i % 4]
        found.append({**row, **change, "vehicle": f"S{row['vehicle'][1:]}"})
    return found


def written(place: Path, rows: list[Row]) -> Path:
    with place.open("w", newline="") as file:
        writer = csv.DictWriter(file, HEAD)
        writer.writeheader()
        writer.writerows(rows)
    return place


@pytest.mark.long
def test_a_vehicle_index_by_a_file_alone(tmp_path: Path) -> None:
    home = made(tmp_path)
    ran = ids(home, "reference", "load", "vehicle", EXAMPLE, "--source", "register")
    assert ran.code == 1
    assert "no index called vehicle" in ran.err
    ran = ids(home, "reference", "define", EXAMPLE, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["attributes"] == "registration_mark, make, colour, first_registered"

    known = vehicles(600)
    register = written(tmp_path / "register.csv", known[:500])
    ran = ids(home, "reference", "load", "vehicle", register, "--source", "register", "--id", "vehicle", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["records"], ran.json["entities"]) == (500, 500)

    links, own = tmp_path / "links.parquet", tmp_path / "own.parquet"
    camera = written(tmp_path / "camera.csv", seen(known[300:]))
    for file, out in ((camera, links), (register, own)):
        ran = ids(home, "match", "vehicle", file, "--id", "vehicle", "--out", out, "--json")
        assert ran.code == 0, ran.err
    entity = {r["record_id"]: r["entity_id"] for r in pq.read_table(own).to_pylist()}
    found = {r["record_id"]: r for r in pq.read_table(links).to_pylist()}
    accepted = {k: r["entity_id"] for k, r in found.items() if r["band"] == "accept"}
    assert all(entity.get(f"V{k[1:]}") == v for k, v in accepted.items())  # no link is false
    assert len(accepted) >= 190  # of 200 that the register knows
    assert {r["method"] for r in found.values()} >= {"exact registration mark and make"}

    contract = tmp_path / "contract.yaml"
    ran = ids(home, "contract", "infer", camera, "--out", contract)
    assert ran.code == 0, ran.err
    body = yaml.safe_load(contract.read_text())
    body["customProperties"] = [p for p in body.get("customProperties", []) if p["property"] != "indexes"]
    body["customProperties"].append({"property": "indexes", "value": [{"index": "vehicle", "oneToOne": True}]})
    contract.write_text(yaml.safe_dump(body))
    ran = ids(home, "deliver", "camera", camera, "--contract", contract, "--json")
    assert ran.code == 0, ran.err + ran.out
    ran = ids(home, "reference", "history", str(entity["V310"]), "--json")
    assert ran.code == 0, ran.err
    ran = ids(home, "reference", "show", "vehicle.provisional", "--json")
    assert ran.code == 0, ran.err
    assert len(ran.json) == 1  # what the register does not know has provisional entities

    other = tmp_path / "other.yaml"
    other.write_text(EXAMPLE.read_text().replace("values: 12", "values: 20"))
    ran = ids(home, "reference", "define", other)
    assert ran.code == 1
    assert "cannot be defined anew" in ran.err


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("index: vehicle", "index: [", "It is not YAML"),
        ("title: Vehicle Index", "titel: Vehicle Index", "There is no such field"),
        ("index: vehicle", "index: 'Vehicle; DROP'", "It must be one plain word"),
        ("make: letters", "make: leters", "Write letters"),
        ("  colour: letters", "  entity_id: letters", "one that every index has for itself"),
        ("{agree: [registration_mark]}", "{agree: [number_plate]}", "blocking[0].agree[0].of"),
        ("{of: make, first: 3}", "{of: first_registered, first: 3}", "has no first letters"),
        ("kind: date, values: 5000", "kind: spelling", "cannot be compared so"),
        ("degrees: [0.92]", "degrees: [0.8, 0.92]", "They must fall"),
        ("kind: exact, values: 12", "kind: exact, values: 0", "a number above 1"),
        ("{attribute: colour, kind: exact", "{attribute: make, kind: exact", "compared twice"),
        ("make: [same, one", "make: [identical, one", "a level that is not there"),
        ("tells_apart: [[registration_mark, make]]", "tells_apart: [[plate]]", "It names no attribute"),
        ("one_to_one: true", "one_to_one: perhaps", "true or false"),
        ("one_to_one: true", "policy: {accept: 0.99, sure: 0.9}", "do not follow one another"),
    ],
)
def test_a_description_that_is_wrong_says_where_and_what_to_write(old: str, new: str, says: str) -> None:
    text = EXAMPLE.read_text()
    assert old in text
    with pytest.raises(IndexRefusal) as refusal:
        definition_of(text.replace(old, new))
    assert says in str(refusal.value)
