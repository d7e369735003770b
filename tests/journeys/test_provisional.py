"""People whom no register knows: one id in every delivery, and the same when a register brings them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from integrated_data.control import indexes
from integrated_data.control.store import Store
from integrated_data.engine import Stored
from integrated_data.index.registry import SEATS
from integrated_data.journey.linking import version_folder
from integrated_data.journey.provisional import chain_of
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import EntityStatus
from integrated_data.model.meanings import Meaning
from integrated_data.site import identity
from integrated_data.site.loading import LoadingSite
from tests.people import Row
from tests.service import FIRMS, LISTED, PERSON, UNLISTED, Service, contract, named

pytestmark = pytest.mark.long


def links(site: LoadingSite, delivery: str, index: str = "demographic") -> dict[int, dict[str, Any]]:
    site.engine.load("seen", Stored((site.places.deliveries / delivery / f"links-{index}.parquet",)))
    return {r["record_id"]: r for r in site.engine.rows("SELECT * FROM seen ORDER BY record_id").to_pylist()}


def members(site: LoadingSite, index: str = "demographic") -> dict[str, tuple[int, str]]:
    """Entity and status by record id, of the newest index version."""
    with site.store.read() as connection:
        version = indexes.get(connection, index).version
    folder = version_folder(site.places.indexes, index, version=version)
    SEATS.of(index).members(site.engine, folder=folder, relation="them")
    site.engine.load("entities", Stored((folder / "entities.parquet",)))
    rows = site.engine.rows("SELECT t.record_id, e.entity_id, e.status FROM them t JOIN entities e USING (entity_id)")
    return {r["record_id"]: (r["entity_id"], r["status"]) for r in rows.to_pylist()}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


CENSUS, SURVEY = (contract(name, PERSON, "demographic") for name in ("census", "survey"))


def test_an_unknown_person_has_one_id_in_every_delivery_and_keeps_it_when_a_register_comes(service: Service) -> None:
    nameless: Row = dict.fromkeys(UNLISTED[0]) | {"record_id": "N", "given_name": "Ann", "postcode": "AB1 1AB"}
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        first = service.deliver(site, CENSUS, named([*LISTED[:200], *UNLISTED[:20], nameless], "C"))
        report = first["links"]["demographic"]
        assert (report["accepted"], report["provisional"], report["provisional_entities"]) == (200, 20, 20)
        once = links(site, first["delivery"])
        assert {once[i]["method"] for i in range(200, 220)} == {"provisional: new"}
        assert {once[i]["probability"] for i in range(200, 220)} == {1.0}
        assert (once[220]["entity_id"], once[220]["band"]) == (None, "none")

        second = service.deliver(site, SURVEY, named([*LISTED[100:300], *UNLISTED[10:30]], "S"))
        again = links(site, second["delivery"])
        assert [again[200 + i]["entity_id"] for i in range(10)] == [once[210 + i]["entity_id"] for i in range(10)]
        assert all(again[200 + i]["method"].startswith("provisional: exact") for i in range(10))
        assert second["links"]["demographic"]["provisional_entities"] == 10

        told = identity.history(site, once[200]["entity_id"])
        assert (told["index"], told["status"]) == ("demographic.provisional", EntityStatus.PROVISIONAL)

        service.feed(site, "demographic", source="tax", rows=named(UNLISTED[:15], "T"), meanings=PERSON)
        told = identity.history(site, once[200]["entity_id"])
        assert (told["index"], told["status"]) == ("demographic", EntityStatus.CURRENT)
        now = members(site)
        kept = {row["record_id"]: now[f"T{row['record_id']}"] for row in UNLISTED[:15]}
        assert [entity for entity, _ in kept.values()] == [once[200 + i]["entity_id"] for i in range(15)]
        assert {status for _, status in kept.values()} == {EntityStatus.CURRENT}

        third = service.deliver(site, SURVEY, named(UNLISTED, "Z"))
        last = links(site, third["delivery"])
        before = [once[200 + i]["entity_id"] for i in range(20)] + [again[200 + i]["entity_id"] for i in range(10, 20)]
        assert [last[i]["entity_id"] for i in range(30)] == before
        assert [last[i]["method"].startswith("provisional") for i in range(30)] == [False] * 15 + [True] * 15


def test_the_past_of_an_entity_is_told_as_it_was_known_then(service: Service) -> None:
    with service.open() as site:

        def on(day: int) -> LoadingSite:
            return replace(site, store=Store(site.store.engine, clock=lambda: datetime(2024, 5, day, 12, tzinfo=UTC)))

        service.feed(on(1), "demographic", source="register", rows=LISTED, meanings=PERSON)
        made = service.deliver(on(2), CENSUS, named([*LISTED[:200], *UNLISTED[:5]], "C"))
        entity = links(site, made["delivery"])[200]["entity_id"]
        service.feed(on(4), "demographic", source="tax", rows=named(UNLISTED[:5], "T"), meanings=PERSON)
        told = [identity.history(on(9), entity, as_at=date(2024, 5, day)) for day in (2, 3, 4, 5)]
        assert [t["index"] for t in told] == ["demographic.provisional"] * 2 + ["demographic"] * 2
        with pytest.raises(IndexRefusal, match="did not know this entity"):
            identity.history(on(9), entity, as_at=date(2024, 5, 1))
        with pytest.raises(IndexRefusal, match="It began on 2024-05-01"):
            identity.history(on(9), entity, as_at=date(2024, 4, 30))
        with pytest.raises(IndexRefusal, match="has not come"):
            identity.history(on(9), entity, as_at=date(2024, 5, 10))


def test_a_provisional_person_who_turns_out_to_be_known_is_absorbed(service: Service) -> None:
    """Somebody whom the register had under other names and place: only a later source knows both."""
    old = LISTED[0]
    new = old | {
        "given_name": "Zelda",
        "family_name": "Quillfeather",
        "address": "9 Farther Lane",
        "postcode": "ZZ9 9ZZ",
    }
    meanings = PERSON | {"nhs_number": Meaning.NHS_NUMBER}
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=_numbered(LISTED), meanings=meanings)
        first = service.deliver(site, CENSUS, named([*LISTED[1:200], new], "C"))
        stranger = links(site, first["delivery"])[199]
        assert stranger["method"] == "provisional: new"
        both = new | {"record_id": "T0", "given_name": f"{old['given_name']} Zelda"}
        tax = _numbered([both, *named(LISTED[1:], "T")])
        service.feed(site, "demographic", source="tax", rows=tax, meanings=meanings)
        now = members(site)
        assert now["T0"] == now[str(old["record_id"])]
        site.engine.load(
            "happened", Stored((version_folder(site.places.indexes, "demographic", version=2) / "events.parquet",))
        )
        events = site.engine.rows("SELECT entity_id, event, other_id FROM happened").to_pylist()
        assert {"entity_id": stranger["entity_id"], "event": "absorbed", "other_id": now["T0"][0]} in events


def _numbered(rows: list[Row]) -> list[Row]:
    return [row | {"nhs_number": str(4_000_000_000 + 7 * i)} for i, row in enumerate(rows)]


EMPLOYED = PERSON | {
    "employer": Meaning.ORGANISATION_NAME,
    "paye": Meaning.ORGANISATION_REFERENCE,
    "kind": Meaning.CODE,
}
FIRM = {
    "record_id": Meaning.RECORD_ID, "organisation_name": Meaning.ORGANISATION_NAME,
    "organisation_reference": Meaning.ORGANISATION_REFERENCE,
}  # fmt: skip


def _employed(rows: list[Row], *firms: Row) -> list[Row]:
    told = [(f["organisation_name"], f["organisation_reference"]) for f in firms]
    return [
        row | {"employer": told[i % len(told)][0], "paye": told[i % len(told)][1], "kind": "1"}
        for i, row in enumerate(rows)
    ]


def test_an_unknown_employer_keeps_its_id_too(service: Service) -> None:
    pay, benefits = (contract(name, EMPLOYED, "business") for name in ("pay", "benefits"))
    unknown: Row = {"record_id": "X", "organisation_name": "Zebra Logistics Ltd", "organisation_reference": "999/ZZ9"}
    with service.open() as site:
        service.feed(site, "business", source="firms", rows=FIRMS[:3], meanings=FIRM)
        first = service.deliver(site, pay, _employed(LISTED[:40], *FIRMS[:3], unknown))
        report = first["links"]["business"]
        assert (report["accepted"], report["provisional"], report["provisional_entities"]) == (30, 10, 1)
        second = service.deliver(site, benefits, _employed(LISTED[:20], unknown))
        assert second["links"]["business"]["provisional_entities"] == 0
        provisional = {r["entity_id"] for d in (first, second) for r in links(site, d["delivery"], "business").values()
                       if r["method"].startswith("provisional")}  # fmt: skip
        service.feed(site, "business", source="companies", rows=[unknown, FIRMS[3]], meanings=FIRM)
        assert {members(site, "business")["X"]} == {(entity, EntityStatus.CURRENT) for entity in provisional}
        third = service.deliver(site, pay, _employed(LISTED[:50], unknown))
        assert (third["links"]["business"]["accepted"], third["links"]["business"]["provisional"]) == (50, 0)


def test_a_load_that_stops_before_it_is_written_down_leaves_no_provisional_version(service: Service) -> None:
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        service.deliver(site, CENSUS, named(UNLISTED[:20], "C"))
        folder = site.places.indexes / "demographic" / "provisional"
        (folder / "v0002").mkdir()  # what a kill between the rename and the commit leaves
        (folder / "arriving-0123").mkdir()
        again = service.deliver(site, SURVEY, named(UNLISTED[:25], "S"))
        assert again["links"]["demographic"]["provisional_entities"] == 5
        with site.store.read() as connection:
            assert [v.version for v in indexes.versions(connection, chain_of("demographic"))] == [1, 2]
