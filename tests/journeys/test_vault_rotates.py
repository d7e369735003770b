"""The vault key changes on a real installation: everything opens under the new one, nothing under the old."""

from pathlib import Path

import pytest

from integrated_data.control import decisions
from integrated_data.control.decisions import Side
from integrated_data.engines.sealed import FileSealer
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.linkage import LinkDecision
from integrated_data.model.rights import Right
from integrated_data.site import auditing, rotating
from integrated_data.site.loading import open_engine
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places
from integrated_data.site.rights import asking
from integrated_data.site.rulings import rulings, seal
from integrated_data.site.settings import Settings
from integrated_data.vault import Vault
from tests.journeys.test_keys_follow import write
from tests.rights_house import CROWD, SAYS, house


class CutError(Exception):
    """A change that is cut short."""


def settings(places: Places) -> Settings:
    return Settings(places.home, 2, "2GB", production=False, actor="tester")


def test_everything_opens_under_the_new_key_alone_and_no_projects_key_changes(whole: Path) -> None:
    folder = whole
    with house(folder) as h:
        sides = Side("register", seal(h.site.vault, "her1")), Side("tax", seal(h.site.vault, "t1"))
        decisions.decide(h.site.store, "demographic", kind=LinkDecision.CANNOT, sides=sides, by="ann", reason="seen")
        places, keyed = h.site.places, h.keys("P-keyed")
        ruled = rulings(h.site.vault, h.site.store, index="demographic").to_pylist()
    old = Vault(places.keyring)
    seen: list[str] = []

    def cut(step: str) -> None:
        seen.append(step)
        if len(seen) == 9:
            raise CutError

    with pytest.raises(CutError):
        rotating.rotate(places, settings(places), by="operator", progress=cut)
    with pytest.raises(InstallationRefusal, match=r"being changed.*ids vault rotate"), house(folder):
        pass
    told = rotating.rotate(places, settings(places), by="operator")
    assert told["old"] != told["new"]
    assert 10 < told["files"] < len([p for p in places.identified.rglob("*") if p.is_file()])
    assert not list(places.keyring.glob("vault-*.key"))
    with house(folder) as h:
        assert h.found(), "she is still there, and opens"
        assert h.keys("P-keyed") == keyed
        assert rulings(h.site.vault, h.site.store, index="demographic").to_pylist() == ruled
        assert asking.ask(h.site, asking.Wish(Right.ACCESS, SAYS, "case 1"), by="ann")["found"]
        paid = [row | {"record_id": f"E{i:04d}"} for i, row in enumerate(CROWD[:20], 2)]
        deliver_and_refresh(h.site, "pay", files=[write(folder / "again.csv", paid, incomes=True)])
        now = {income + 2: key for income, key in h.keys("P-keyed").items()}
        assert now == {income: key for income, key in keyed.items() if income > 1001}, "the same keys in new copies"
        assert auditing.verify(places, h.site.store)["records"] > 0
    _nothing_opens(places, old)


def _nothing_opens(places: Places, old: Vault) -> None:
    sealer, files = FileSealer(old.derive("landed")), list(places.identified.rglob("*"))
    engine = open_engine(settings(places), places, sealer=sealer, parquet_key=old.parquet_key())
    try:
        assert not [p for p in files if p.suffix in (".sealed", ".npz") and sealer.opens(p)]
        assert not [p for p in files if p.suffix == ".parquet" and engine.opens(p)]
    finally:
        engine.close()
