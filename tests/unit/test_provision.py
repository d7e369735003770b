"""Provisioning, drawn: a published table in, a project's copy out, with its own keys and nothing else."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.approve.provision import Order, provision, renewals, revoke, sweep
from integrated_data.control import grants, projects
from integrated_data.control.store import Store
from integrated_data.deidentify.keys import ProjectTokens
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.access import DatasetRequest, Decision, Grant
from integrated_data.model.errors import AgreementRefusal
from tests.worlds import PROJECT

TOKENS = ProjectTokens(b"k" * 32)

# Two people, one of them twice; one row without a link; one area each.
PUBLISHED = pa.table(
    {
        "sex": ["F", "M", "F", "M"],
        "income": [100, 200, 300, 400],
        "person_entity": pa.array([11, 12, 11, None], pa.int64()),
        "person_link_probability": pa.array([0.99, 0.95, 0.98, None], pa.float32()),
        "person_link_method": ["exact", "model", "exact", None],
        "area_entity": pa.array([7, 7, 8, 8], pa.int64()),
        "area_link_probability": pa.array([1.0, 1.0, 1.0, 1.0], pa.float32()),
        "area_link_method": ["postcode"] * 4,
        "_row": [0, 1, 2, 4],
    }
)


class Side:
    """The loading side in small: an engine, a store, a folder of releases and one of projects."""

    def __init__(self, engine: DuckDB, store: Store, folder: Path) -> None:
        self.engine, self.store, self.folder = engine, store, folder / "projects"
        self.lake = folder / "lake"
        self.lake.mkdir()

    def publish(self, release: int, table: pa.Table = PUBLISHED) -> tuple[Path, ...]:
        place = self.lake / f"{release}.parquet"
        pq.write_table(table, place)
        return (place,)

    def provision(
        self,
        *,
        project: str = "P-1",
        release: int = 1,
        columns: tuple[str, ...] = ("sex", "income"),
        keys: tuple[str, ...] = ("person",),
        tokens: Any = TOKENS,
    ) -> Grant:
        request = DatasetRequest("pay-2026", columns, keys)
        self.approve(project, request)
        order = Order(project, request, release, (self.lake / f"{release}.parquet",))
        return provision(self.engine, tokens, order=order, folder=self.folder, store=self.store, by="loader")

    def approve(self, project: str, request: DatasetRequest) -> None:
        projects.add_project(self.store, replace(PROJECT, id=project, datasets=(request,)), by="ada")
        decision = Decision(True, (), (), "1", self.store.now())
        projects.record_decision(self.store, project, decision=decision, by="panel")

    def rows(self, grant: Grant) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = pq.read_table(self.folder / grant.place).to_pylist()
        return rows

    def active(self) -> tuple[Grant, ...]:
        with self.store.read() as connection:
            return grants.active(connection)


@pytest.fixture
def side(engine: DuckDB, store: Store, tmp_path: Path) -> Side:
    made = Side(engine, store, tmp_path)
    made.publish(1)
    return made


def token(entity: int, index: str = "person") -> int:
    return int(TOKENS.of(index, np.array([entity]))[0])


def test_a_copy_has_the_columns_asked_for_and_the_projects_own_keys(side: Side) -> None:
    """Three linked rows are too few to tell methods apart: see `approve/linked.py`."""
    grant = side.provision()
    assert grant.view == "pay_2026"
    assert grant.columns == ("person_key", "person_link_probability", "person_link_method", "sex", "income")
    rows = side.rows(grant)
    assert {(r["person_key"], r["sex"], r["income"], r["person_link_method"]) for r in rows} == {
        (token(11), "F", 100, "other"), (token(12), "M", 200, "other"),
        (token(11), "F", 300, "other"), (None, "M", 400, None),
    }  # fmt: skip
    assert (grant.rows, grant.bytes) == (4, (side.folder / grant.place).stat().st_size)


def test_rows_come_in_the_order_of_the_projects_keys(side: Side) -> None:
    keys = [r["person_key"] for r in side.rows(side.provision())]
    assert keys == [*sorted(k for k in keys if k is not None), None]


def test_rows_without_a_key_do_not_keep_the_order_they_were_delivered_in(side: Side) -> None:
    side.publish(2, pa.table({"income": list(range(500))}))
    orders = [
        [r["income"] for r in side.rows(side.provision(project=p, release=2, columns=("income",), keys=()))]
        for p in ("P-1", "P-2")
    ]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1] != list(range(500))


def test_several_keys_and_none(side: Side) -> None:
    both = side.provision(keys=("person", "area"), columns=("sex",))
    assert {r["area_key"] for r in side.rows(both)} == {token(7, "area"), token(8, "area")}
    none = side.provision(keys=(), columns=("sex",))
    assert none.columns == ("sex",)


@pytest.mark.parametrize(
    ("columns", "keys"),
    [
        (("person_entity",), ()),
        (("sex",), ("business",)),
        (("name",), ()),
        (("sex", "area_link_probability"), ()),
        (("sex", "_row"), ()),
        (('sex" FROM x --',), ()),
    ],
)
def test_what_is_not_published_or_names_an_entity_is_refused(
    side: Side, columns: tuple[str, ...], keys: tuple[str, ...]
) -> None:
    with pytest.raises(AgreementRefusal, match="publishes no column"):
        side.provision(columns=columns, keys=keys)
    assert side.active() == ()
    assert not list(side.folder.rglob("*.parquet"))


def test_a_payload_column_called_like_a_key_is_refused(side: Side) -> None:
    side.publish(2, PUBLISHED.append_column("person_key", pa.array([1, 2, 3, 4])))
    with pytest.raises(AgreementRefusal, match="as a key would be"):
        side.provision(release=2, columns=("person_key",))


def test_no_entity_id_is_anywhere_in_the_copy(side: Side) -> None:
    ids = np.random.default_rng(5).integers(0, 2**63 - 1, 1000)
    many = {
        "person_entity": ids,
        "person_link_probability": [1.0] * 1000,
        "person_link_method": ["exact"] * 1000,
    }
    side.publish(2, pa.table({**many, "income": range(1000)}))
    grant = side.provision(release=2, columns=("income",))
    found = pq.read_table(side.folder / grant.place)
    assert not any(c.endswith("_entity") for c in found.column_names)
    assert not np.intersect1d(found.column("person_key").to_numpy(), ids).size
    data = (side.folder / grant.place).read_bytes()
    assert not any(int(i).to_bytes(8, "little") in data for i in ids)


def test_two_projects_copies_share_no_key(side: Side) -> None:
    one = side.rows(side.provision())
    two = side.rows(side.provision(project="P-2", tokens=ProjectTokens(b"q" * 32)))
    assert not {r["person_key"] for r in one if r["person_key"]} & {r["person_key"] for r in two}


def test_files_are_for_their_owner_alone(side: Side) -> None:
    place = side.folder / side.provision().place
    assert place.stat().st_mode & 0o777 == 0o600
    assert place.parent.stat().st_mode & 0o777 == 0o700


def test_the_same_order_again_is_the_same_grant(side: Side) -> None:
    grant = side.provision()
    before = (side.folder / grant.place).stat().st_mtime_ns
    assert side.provision() == grant
    assert (side.folder / grant.place).stat().st_mtime_ns == before


def test_a_new_release_replaces_the_copy_of_the_old(side: Side) -> None:
    old = side.provision()
    side.publish(2)
    new = side.provision(release=2)
    assert side.active() == (new,)
    assert (side.folder / new.place).exists()
    assert not (side.folder / old.place).exists()
    with side.store.read() as connection:
        assert grants.stale(connection, "pay-2026", release=3) == (new,)
        assert grants.stale(connection, "pay-2026", release=2) == ()
    asked = DatasetRequest("pay-2026", ("sex", "income"), ("person",))
    assert renewals(side.store, "pay-2026", release=3) == (("P-1", asked),)


def test_nothing_is_provisioned_that_no_decision_allows(side: Side) -> None:
    more = DatasetRequest("pay-2026", ("sex", "income"), ())
    order = Order("P-1", more, 1, (side.lake / "1.parquet",))
    old = side.provision(columns=("sex",), keys=())
    with pytest.raises(AgreementRefusal, match="did not apply for exactly this"):
        provision(side.engine, TOKENS, order=order, folder=side.folder, store=side.store, by="loader")
    projects.add_project(side.store, replace(PROJECT, id="P-1", datasets=(more,)), by="ada")
    with pytest.raises(AgreementRefusal, match="The project is proposed"):
        provision(side.engine, TOKENS, order=order, folder=side.folder, store=side.store, by="loader")
    assert renewals(side.store, "pay-2026", release=2) == ()
    assert side.active() == (old,), "the amended project keeps what it had until it is decided again"


def test_revoking_stops_the_grant_and_deletes_its_file(side: Side) -> None:
    grant = side.provision()
    assert revoke(side.store, "P-1", folder=side.folder, by="owner", reason="agreement ended") == 1
    assert side.active() == ()
    assert not (side.folder / grant.place).exists()


def test_what_a_crash_leaves_is_swept(side: Side) -> None:
    grant = side.provision()
    stray = side.folder / "P-1" / "pay-2026-2" / "half.parquet.part"
    stray.parent.mkdir()
    stray.write_bytes(b"half")
    assert sweep(side.store, side.folder) == 1
    assert not stray.parent.exists()
    assert (side.folder / grant.place).exists()


def test_the_crosswalk_is_forgotten(side: Side) -> None:
    side.provision()
    left = side.engine.rows("SELECT view_name AS name FROM duckdb_views() WHERE NOT internal")
    assert left.num_rows == 0
