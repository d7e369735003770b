"""The vault: one key, many purposes; a destroyed project key stays destroyed."""

from pathlib import Path

import pytest

from integrated_data.model.errors import InstallationRefusal
from integrated_data.vault import Vault


def test_purposes_have_different_keys_and_keep_them(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "keyring")
    again = Vault(tmp_path / "keyring")
    assert vault.derive("landed") == again.derive("landed")
    assert len({vault.derive("landed"), vault.derive("parquet"), vault.project_key("P1"), vault.project_key("P2")}) == 4


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    Vault.create(tmp_path / "keyring").project_key("P1")
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "keyring").rglob("*") if p.is_file()} == {0o600}


def test_a_destroyed_project_key_does_not_come_back(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "keyring")
    before = vault.project_key("P1")
    vault.destroy_project_key("P1")
    assert vault.project_key("P1") != before


def test_a_lost_vault_key_is_a_clear_stop(tmp_path: Path) -> None:
    with pytest.raises(InstallationRefusal, match="never make a new one over existing data"):
        Vault(tmp_path)


def test_a_second_vault_over_the_first_is_refused(tmp_path: Path) -> None:
    Vault.create(tmp_path)
    with pytest.raises(InstallationRefusal):
        Vault.create(tmp_path)


def test_a_projects_key_outlives_the_vault_key(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path)
    before = [vault.project_key("P1"), vault.project_key("P1", generation=2), vault.project_key("P.2")]
    coming = Vault.coming(tmp_path)
    with pytest.raises(InstallationRefusal, match="being changed"):
        vault.check_settled()
    for _ in range(2):  # a change that was cut short is begun again
        assert vault.hand_over(coming, projects=["P1", "P.2"]) == 3
    vault.give_way()
    now = Vault(tmp_path)
    now.check_settled()
    assert [now.project_key("P1"), now.project_key("P1", generation=2), now.project_key("P.2")] == before
    assert now.derive("landed") != vault.derive("landed")
    assert now.fingerprint() == coming.fingerprint()
    assert not list(tmp_path.glob("vault-*.key"))
    now.destroy_project_key("P1")
    assert now.project_key("P1") not in before


def test_a_change_that_was_cut_short_at_its_end_destroys_the_old_key_yet(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path)
    coming = Vault.coming(tmp_path)
    (tmp_path / "vault.key").rename(tmp_path / "vault-old.key")
    (tmp_path / "vault-next.key").rename(tmp_path / "vault.key")
    now = Vault(tmp_path)
    with pytest.raises(InstallationRefusal, match="being changed"):
        now.check_settled()
    assert now.gone_half()
    assert not vault.fingerprint() == now.fingerprint() == coming.fingerprint()
    now.give_way()
    now.check_settled()
