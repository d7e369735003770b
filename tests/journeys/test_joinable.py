"""What datasets are joinable with, counted from accepted links when one of them is released."""

from pathlib import Path

import pytest

from integrated_data.model.meanings import Meaning
from integrated_data.site.joinable import joinable, kept
from tests.calling import ids
from tests.service import LISTED, PERSON, UNLISTED, Service, contract, named

pytestmark = pytest.mark.long

PAY = contract("pay", PERSON | {"pay": Meaning.MONEY}, "demographic")
GP = contract("gp", PERSON, "demographic")
FEW = contract("few", PERSON, "demographic")


def test_datasets_share_about_as_many_as_are_linked_in_both(tmp_path: Path) -> None:
    """Pay and GP hold all 300 on the register and 30 whom no register knows; a third dataset holds a few of them."""
    service = Service(tmp_path)
    with service.open() as site:
        service.feed(site, "demographic", source="register", rows=LISTED, meanings=PERSON)
        everybody = named([*LISTED, *UNLISTED], "R")
        service.deliver(site, PAY, [row | {"pay": "9"} for row in everybody])
        assert joinable(site.places, site.store, dataset="pay") == []
        service.deliver(site, GP, everybody)
        service.deliver(site, FEW, named(LISTED[:9], "F"))
        told = {
            name: {row["dataset"]: row["shared"] for row in joinable(site.places, site.store, dataset=name)}
            for name in ("pay", "gp", "few")
        }
        assert told["pay"]["gp"] == told["gp"]["pay"] == "about 300"
        assert told["few"]["pay"] == told["pay"]["few"] == "fewer than 100"
        before = kept(site.places, "pay")["gp"]
        service.deliver(site, FEW, named(LISTED[:8], "G"))
        assert kept(site.places, "pay")["gp"] == before
    shown = ids(service.places.home, "catalogue", "joinable", "few", "--json", "--as", "tester")
    assert shown.returncode == 0, shown.stderr
    assert '"fewer than 100"' in shown.stdout
