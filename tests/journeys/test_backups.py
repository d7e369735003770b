"""Backups and objections on a real installation: a backup alone says nothing, and a restored one forgets nobody."""

import json
import re
import shutil
from pathlib import Path

import pytest

from integrated_data.control import releases
from integrated_data.control.store import records
from integrated_data.model.access import Purpose
from integrated_data.model.errors import InstallationRefusal, UsageRefusal
from integrated_data.model.rights import Right, Scope
from integrated_data.site import auditing, backing, restoring, signing_heads
from integrated_data.site.loading import open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import RESTORING, Places
from integrated_data.site.rights import asking, doing, objecting, replaying
from integrated_data.site.settings import Settings
from tests.journeys.test_keys_follow import write
from tests.marks import searched
from tests.rights_house import CROWD, MAIDEN, House, erased, house


@pytest.fixture
def h(opened: House) -> House:
    return opened


@pytest.fixture(scope="module")
def backed_up(house_of_rights: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A backup of the data of the house, and of its keys."""
    folder = tmp_path_factory.mktemp("backup")
    with house(house_of_rights) as h:
        backing.back_up(h.site, folder / "data", by="operator")
        backing.back_up_keys(h.site.places, folder / "keys")
    return folder / "data", folder / "keys"


def objected(h: House, scope: Scope) -> None:
    request = h.ask(Right.OBJECT, scope=scope)
    doing.do(
        h.site, request, right=Right.OBJECT, by="bob",
        work=lambda s, asked: objecting.object_to(h.site, s, asked=asked),
    )  # fmt: skip


def settings(home: Path) -> Settings:
    return Settings(home, 2, "2GB", production=False, actor="tester")


def test_an_objection_leaves_every_view_and_holds_for_what_is_delivered_later(h: House) -> None:
    keyed = h.keys("P-keyed")
    objected(h, Scope("pay", Purpose.STATISTICS.value))
    assert h.keys("P-keyed") == keyed, "another purpose than the projects'"
    objected(h, Scope("pay", Purpose.RESEARCH.value))
    others = {income: key for income, key in keyed.items() if income > 1001}
    assert h.keys("P-keyed") == others
    assert set(h.keys("P-plain")) == set(others)
    again = [row | {"record_id": f"E{i:04d}"} for i, row in enumerate([MAIDEN, *CROWD[:20]])]
    deliver_and_refresh(h.site, "pay", files=[write(h.folder / "again.csv", again, incomes=True)])
    assert set(h.keys("P-keyed")) == set(h.keys("P-plain")) == {1000 + n for n in range(1, 21)}
    assert h.found(), "nothing is erased"


def test_a_backup_alone_says_nothing_and_a_restored_one_erases_again(h: House, tmp_path: Path) -> None:
    data, keys, later = tmp_path / "data", tmp_path / "keys", tmp_path / "later"
    keyed = h.keys("P-keyed")
    backing.back_up(h.site, data, by="operator")
    backing.back_up_keys(h.site.places, keys)
    assert not [place for place in data.rglob("*") if place.suffix in (".key", ".salt", ".pem")]
    names = {place.read_bytes()[:8] for place in (data / "files").rglob("*") if place.is_file()}
    assert names == {b"IDSEAL01"}
    assert not searched(data)[0]
    erased(h, h.ask(Right.ERASE))
    signing_heads.sign_head(h.site.places, h.site.store)
    backing.back_up_keys(h.site.places, later)
    back = Places(tmp_path / "back")
    told = restoring.restore(settings(back.home), data, home=back.home, keys=keys, rights=later)
    assert [each["right"] for each in told["replayed"]] == ["erase"]
    assert told["replayed"][0]["rows_or_copies"] == 4
    assert told["audit_records_lost_at_least"] > 10
    assert "as old as the newer keys" in told["list_of_rights"]
    with open_loading(back, settings(back.home)) as site:
        there = House(site, tmp_path)
        assert there.found() == set()
        assert there.keys("P-keyed") == {income: key for income, key in keyed.items() if income > 1001}
        assert auditing.verify(back, site.store)["records"] > 0
        with site.store.read() as connection:
            release = releases.get(connection, "pay")
        (file,) = site.lake.files("pay", release.snapshot)
        assert file.is_relative_to(back.lake)
        replaying.check_replayed(site)
        wish = asking.Wish(Right.ACCESS, {"family_name": "Nobody"}, "case 9")
        assert re.fullmatch(r"R-\d{6}001", asking.ask(site, wish, by="ann")["request"]), "of the restore's day"


@pytest.mark.parametrize("harm", ["changed", "gone", "added", "manifest", "cut short", "other keys", "no keys"])
def test_a_backup_that_was_harmed_or_whose_keys_are_not_there_is_refused(
    backed_up: tuple[Path, Path], tmp_path: Path, harm: str
) -> None:
    data, keys = backed_up
    copy, home = tmp_path / "data", tmp_path / "home"
    shutil.copytree(data, copy)
    place = copy / "files" / "control.sqlite"
    said = "not what was made"
    match harm:
        case "changed":
            place.write_bytes(place.read_bytes()[:-1] + b"?")
        case "gone":
            place.unlink()
        case "added":
            (copy / "files" / "more").touch()
        case "manifest":
            told = json.loads((copy / "manifest.json").read_text())
            told["manifest"]["record"] = [1, "0" * 64]
            (copy / "manifest.json").write_text(json.dumps(told))
            said = "manifest of the backup does not hold"
        case "cut short":
            (copy / "manifest.json").unlink()
            said = "no whole backup"
        case "other keys":
            other = tmp_path / "other"
            shutil.copytree(keys, other)
            (other / "keyring" / "vault.key").write_bytes(bytes(32))
            keys, said = other, "sealed file does not open"
        case "no keys":
            keys, said = tmp_path, "keys of the backup are not here"
    with pytest.raises(InstallationRefusal, match=said):
        restoring.restore(settings(home), copy, home=home, keys=keys)
    if home.exists():  # it was begun: nobody opens what is half restored
        assert (home / RESTORING).exists()
        with pytest.raises(InstallationRefusal, match="being restored"):
            Places(home).check()


def test_a_copy_put_back_by_hand_opens_for_no_load_until_it_is_brought_up(whole: Path, tmp_path: Path) -> None:
    before = whole
    home, older, keyring = before / "home", tmp_path / "older", tmp_path / "keyring"
    shutil.copytree(home, older)
    with house(before) as h:
        erased(h, h.ask(Right.ERASE))
    shutil.copytree(home / "keyring", keyring)
    shutil.rmtree(home)
    shutil.copytree(older, home)
    shutil.rmtree(home / "keyring")
    shutil.copytree(keyring, home / "keyring")
    with house(before) as h:
        assert h.found()
        with pytest.raises(InstallationRefusal, match=r"older than 1 request.*ids right replay"):
            replaying.check_replayed(h.site)
        assert [told["right"] for told in replaying.replay(h.site, by="operator")] == ["erase"]
        replaying.check_replayed(h.site)
        assert h.found() == set()
        stranger = {"given_name": "Nobody", "family_name": "Atall", "date_of_birth": "1900-01-01"}
        asked = asking.ask(h.site, asking.Wish(Right.ACCESS, stranger, "case 2"), by="ann")
        assert asked["request"] == "R-2", "a number is never given again"


def test_a_lost_vault_key_is_a_clear_stop_and_the_key_put_back_goes_on(h: House) -> None:
    key = h.site.places.keyring / "vault.key"
    kept = key.read_bytes()
    key.unlink()
    with (
        pytest.raises(InstallationRefusal, match=r"vault key is missing.*Put vault.key back"),
        open_loading(h.site.places, settings(h.site.places.home)),
    ):
        pass
    key.write_bytes(kept)
    with open_loading(h.site.places, settings(h.site.places.home)) as site, site.store.read() as connection:
        assert len(list(records(connection))) > 10


def test_a_restore_tells_how_old_its_list_of_rights_is(backed_up: tuple[Path, Path], tmp_path: Path) -> None:
    data, keys = backed_up
    home = tmp_path / "home"
    with pytest.raises(InstallationRefusal, match="newer backup of the keys is not here"):
        restoring.restore(settings(home), data, home=home, keys=keys, rights=tmp_path)
    told = restoring.restore(settings(home), data, home=home, keys=keys)
    assert "as old as the keys (no newer list was given with --rights)" in told["list_of_rights"]
    assert "not known here" in told["list_of_rights"]


def test_nothing_is_restored_over_an_installation(h: House, tmp_path: Path) -> None:
    with pytest.raises(UsageRefusal, match="not empty"):
        restoring.restore(settings(h.site.places.home), tmp_path, home=h.site.places.home, keys=tmp_path)


def test_a_full_disk_is_told_as_one() -> None:
    with (
        pytest.raises(InstallationRefusal, match="disk is full"),
        backing.roomy(),
        Path("/dev/full").open("wb") as file,
    ):
        file.write(bytes(1 << 20))
