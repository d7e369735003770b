"""The audit chain: any change, removal or reordering is found; no change without its event."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.audit import chain, heads
from integrated_data.control import tables
from integrated_data.control.store import Store, records
from integrated_data.model.errors import AuditRefusal
from integrated_data.model.event import Event
from integrated_data.site import auditing, signing_heads
from integrated_data.site.installation import create
from integrated_data.site.places import open_store


def _chain(length: int) -> list[chain.Record]:
    made: list[chain.Record] = []
    for number in range(1, length + 1):
        previous = made[-1].hash if made else chain.GENESIS
        bare = chain.Record(number, f"t{number}", "act", "who", "what", {"n": number}, previous, "")
        made.append(dataclasses.replace(bare, hash=chain.seal(bare)))
    return made


def test_a_whole_chain_holds() -> None:
    last = chain.verify(_chain(20))
    assert last is not None
    assert last.number == 20


@given(position=st.integers(0, 18), field=st.sampled_from(["at", "action", "actor", "subject", "previous", "hash"]))
def test_any_changed_field_is_found(position: int, field: str) -> None:
    made = _chain(20)
    made[position] = dataclasses.replace(made[position], **{field: "changed"})
    with pytest.raises(AuditRefusal, match=f"record {position + 1}|record {position + 2}"):
        chain.verify(made)


@given(position=st.integers(0, 18))
def test_a_removed_record_is_found(position: int) -> None:
    made = _chain(20)
    del made[position]
    with pytest.raises(AuditRefusal):
        chain.verify(made)


@given(first=st.integers(0, 19), second=st.integers(0, 19))
def test_reordered_records_are_found(first: int, second: int) -> None:
    made = _chain(20)
    made[first], made[second] = made[second], made[first]
    if first == second:
        assert chain.verify(made) is not None
    else:
        with pytest.raises(AuditRefusal):
            chain.verify(made)


def test_a_signed_head_catches_another_hash() -> None:
    key = Ed25519PrivateKey.generate()
    head = heads.sign(7, "a" * 64, key=key)
    heads.check(head, key.public_key())
    with pytest.raises(AuditRefusal):
        heads.check(dataclasses.replace(head, hash="b" * 64), key.public_key())


def test_a_change_that_fails_leaves_neither_row_nor_event(store: Store) -> None:
    with pytest.raises(RuntimeError), store.change(Event("person.added", "me", "person/x")) as change:
        change.connection.execute(sa.insert(tables.person).values(id="x", body={}, at=change.at))
        raise RuntimeError
    with store.read() as connection:
        assert connection.execute(sa.select(tables.person)).all() == []
        assert list(records(connection)) == []


def test_events_of_several_processes_make_one_chain(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.record(Event("act", "who", "what", {"n": n})), range(100)))
    with store.read() as connection:
        last = chain.verify(records(connection))
    assert last is not None
    assert last.number == 100


@pytest.mark.parametrize("behind", [0, 3])
def test_a_chain_cut_together_with_its_heads_is_found(tmp_path: Path, behind: int) -> None:
    places = create(tmp_path / "home", actor="tester")
    store = open_store(places)
    for number in range(6):
        store.record(Event("act", "who", "what", {"n": number}))
    signing_heads.sign_head(places, store)
    auditing.verify(places, store)
    with store.engine.connect() as connection:
        for table in (tables.audit_event, tables.audit_head):
            connection.execute(sa.delete(table).where(table.c.number > behind))
        connection.commit()
    with pytest.raises(AuditRefusal, match="does not reach"):
        auditing.verify(places, store)
    with pytest.raises(AuditRefusal, match="does not reach"):
        signing_heads.sign_head(places, store)


def test_an_older_installation_keeps_its_signing_key_when_it_moves(tmp_path: Path) -> None:
    places = create(tmp_path / "home", actor="tester")
    store = open_store(places)
    signing_heads.sign_head(places, store)
    for name in ("signing.key", "audit-head.json"):
        (places.service_keys / name).rename(places.keyring / name)
    assert auditing.verify(places, store)["signed_heads"] == 1
    assert {p.name for p in places.keyring.iterdir()} == {"vault.key"}
