"""Review of links to indexes that are matched by likeness, not by a trained model: businesses and addresses."""

from pathlib import Path

import pytest

from integrated_data.control import reviews
from integrated_data.engine import Stored
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.meanings import Meaning
from integrated_data.model.review import Draw
from integrated_data.site import linked, measuring, reviewing
from integrated_data.site.loading import LoadingSite
from tests.people import Row
from tests.service import Service, contract

FIRM = {
    "record_id": Meaning.RECORD_ID, "organisation_name": Meaning.ORGANISATION_NAME, "postcode": Meaning.POSTCODE,
}  # fmt: skip
PLACE = {"record_id": Meaning.RECORD_ID, "address": Meaning.ADDRESS, "postcode": Meaning.POSTCODE}
FIRST = ("Acme", "Brightwater", "Copperfield", "Dovetail", "Elderflower", "Fernbank", "Greystone", "Hazelmere")
SECOND = ("Bolts", "Dairy", "Lamps", "Joinery", "Press", "Motors")
LISTED = [
    {"record_id": f"F{i}", "organisation_name": f"{a} {b} Ltd", "address": f"{i + 1} {a} {b} Road, Exton",
     "postcode": f"EX{i % 9 + 1} {i % 7 + 1}AB"}
    for i, (a, b) in enumerate((a, b) for a in FIRST for b in SECOND)
]  # fmt: skip


def only(rows: list[Row], meanings: dict[str, Meaning]) -> list[Row]:
    return [{c: row[c] for c in meanings} for row in rows]


def delivered() -> list[Row]:
    """All but the last six as another department writes them, and six that are on no list."""
    known = [
        row | {"record_id": f"D{i}", "organisation_name": str(row["organisation_name"]).replace(" Ltd", " Limited"),
               "address": str(row["address"]).replace(" Road, Exton", " Rd")}
        for i, row in enumerate(LISTED[:-6])
    ]  # fmt: skip
    new: list[Row] = [
        {"record_id": f"N{i}", "organisation_name": f"Zephyr Quarry {i} plc", "address": f"{i} Tidewater Quay",
         "postcode": "ZE9 9ZZ"}
        for i in range(6)
    ]  # fmt: skip
    return known + new


def answered(site: LoadingSite, index: str, *, truth: dict[str, int]) -> list[reviewing.ShownCase]:
    """Every case, answered by a reviewer who is always right: D7 is the entity that F7 made."""
    own = own_ids(site, index)
    seen = []
    case = reviewing.next_case(site, "ann", reason="quality of the links")
    while case is not None:
        seen.append(case)
        assert case.record is not None
        entity = truth.get(own[case.record].replace("D", "F"))
        answer = str(case.options.index(entity) + 1) if entity in case.options else "none"
        reviewing.decide(site, reviews.Reply(case.case, answer, "ann"))
        case = reviewing.next_case(site, "ann")
    return seen


def own_ids(site: LoadingSite, index: str) -> dict[int, str]:
    links = linked.link_set(site, "trade", index=index)
    place = site.places.deliveries / links.delivery / "checked.parquet"
    site.engine.load("own_rows", Stored((place,), row_column="_row"))
    return {r["_row"]: r["record_id"] for r in site.engine.rows("SELECT _row, record_id FROM own_rows").to_pylist()}


@pytest.mark.parametrize(
    ("index", "meanings", "field"), [("business", FIRM, "organisation_name"), ("address", PLACE, "address")]
)
def test_links_are_sampled_judged_and_measured(
    tmp_path: Path, index: str, meanings: dict[str, Meaning], field: str
) -> None:
    service = Service(tmp_path)
    with service.open() as site:
        service.feed(site, index, source="register", rows=only(LISTED, meanings), meanings=meanings)
        service.deliver(site, contract("trade", meanings, index), only(delivered(), meanings))
        links = linked.link_set(site, "trade", index=index)
        opened = linked.reviewed(site, index, version=links.index_version)
        opened.seat.members(site.engine, folder=opened.folder, relation="members")
        truth = {r["record_id"]: r["entity_id"] for r in site.engine.rows("SELECT * FROM members").to_pylist()}
        drawn = reviewing.sample(site, reviewing.SampleOrder("trade", index, Draw(30, 1, 0.0)))
        assert drawn["cases"] == 30
        seen = answered(site, index, truth=truth)
        assert all(any(line.field == field for line in case.lines) for case in seen)
        assert max(len(case.options) for case in seen) == 3, "others than the linked entity are shown beside it"
        told = measuring.details(site, "trade")[0]
    assert told["precision"]["value"] == 1.0
    assert told["precision"]["low"] < 1.0
    assert told["recall"]["value"] > 0.95


def test_links_to_codes_are_not_reviewed(tmp_path: Path) -> None:
    with Service(tmp_path).open() as site, pytest.raises(IndexRefusal, match="name themselves"):
        linked.reviewed(site, "classification", version=1)
