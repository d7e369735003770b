"""An application drafted from the catalogue is one that can be added and decided as it is."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from integrated_data.approve import apply
from integrated_data.control import projects
from integrated_data.control.store import Store
from integrated_data.model.access import DatasetRequest
from integrated_data.model.agreement import Purpose
from integrated_data.model.errors import AgreementRefusal, UsageRefusal
from integrated_data.site.agreeing import law_of
from integrated_data.site.places import Places
from integrated_data.site.requesting import application
from tests.unit.test_catalogue_search import entry, publish, variable
from tests.worlds import ADA, AGREEMENT, FULL

HELD = replace(
    AGREEMENT, gateway="dea-2017-research", purposes=(Purpose.RESEARCH,), starts=date(2020, 1, 1),
    ends=date(2099, 1, 1),
)  # fmt: skip
KEY = variable("person_entity", "entity")


@pytest.fixture
def full(store: Store) -> Store:
    for number, name in enumerate(("census", "pay", "firms")):
        keys = () if name == "firms" else (KEY, variable("person_link_probability", "link probability"))
        publish(store, entry(name, name.title(), "Ministry", variable("sex"), variable("region"), *keys), delivery=name)
        held = replace(HELD, id=f"A-{number}", dataset=name, columns=("sex",) if name == "pay" else ("*",))
        projects.add_agreement(store, held, by="tester")
    long = replace(ADA, accreditation=replace(FULL, ends=date(2099, 1, 1)), trained_until=date(2099, 1, 1))
    projects.add_person(store, long, by="tester")
    return store


def test_two_datasets_are_asked_for_by_the_key_that_joins_them(full: Store, tmp_path: Path) -> None:
    text = application(Places(tmp_path), full, datasets=["census", "pay"], by="ada", columns=["census.sex"])
    made = apply.read_project(text)
    assert made.datasets == (DatasetRequest("census", ("sex",), ("person",)), DatasetRequest("pay", (), ("person",)))
    assert (made.purpose, made.organisation, made.lead, made.team) == (Purpose.RESEARCH, "University", "ada", ("ada",))
    assert "pay, of Ministry" in text
    assert "agreement A-1 of Ministry on pay until 2099-01-01: research" in text
    assert "gateway dea-2017-research (Digital Economy Act 2017" in text
    assert "permitted too: region" in text
    assert "permitted too: sex, region" not in text.split("# pay")[1]
    assert "public benefit" in text.split("this is against it")[1]
    apply.propose(full, made, law=law_of(Places(tmp_path)), by="ada")
    assert "id: P-2026-ada-1" in text or "-ada-1\n" in text
    assert "-ada-2\n" in application(Places(tmp_path), full, datasets=["pay"], by="ada", columns=["pay.sex"])


def test_what_no_agreement_permits_is_not_drafted(full: Store, tmp_path: Path) -> None:
    def drafted(*datasets: str, purpose: Purpose | None = None, columns: tuple[str, ...] = ()) -> str:
        return application(Places(tmp_path), full, datasets=datasets, by="ada", columns=columns, purpose=purpose)

    with pytest.raises(AgreementRefusal, match="do not all permit operational"):
        drafted("census", "pay", purpose=Purpose.OPERATIONAL)
    with pytest.raises(AgreementRefusal, match="Nothing would be asked of dataset firms"):
        drafted("census", "firms", columns=("census.sex",))
    with pytest.raises(AgreementRefusal, match="no variable region that its agreements permit"):
        drafted("pay", columns=("pay.region",))
    with pytest.raises(UsageRefusal, match=r"not known who applies.*system:desk is no person"):
        application(Places(tmp_path), full, datasets=["pay"], by="system:desk")
    with pytest.raises(UsageRefusal, match=r"DATASET\.VARIABLE"):
        drafted("pay", columns=("sex",))
    projects.add_agreement(full, replace(HELD, id="A-1", dataset="pay", suspended=True), by="tester")
    with pytest.raises(AgreementRefusal, match="one purpose"):
        drafted("census", "pay")
