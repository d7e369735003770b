"""A table of PostgreSQL as a source: described, checked, loaded, fed; broken connections and types that are traps."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from integrated_data.acquire import contracts
from integrated_data.acquire.carried import carried
from integrated_data.acquire.database import Address, address_of
from integrated_data.acquire.feeds.definition import read
from integrated_data.acquire.land import land
from integrated_data.acquire.postgres import Table
from integrated_data.control import feeds
from integrated_data.engines.sealed import FileSealer
from integrated_data.journey import Handed
from integrated_data.model.contract import Contract
from integrated_data.model.errors import DeliveryRefusal, StoreRefusal, UsageRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site import loads
from integrated_data.site.feeding.looking import Feeder
from integrated_data.site.kit import infer_contract, open_kit
from tests.databases import PASSWORD, Served, postgres
from tests.journeys.installation import ids
from tests.service import SETTINGS, Service
from tests.stores import cutting, keep_secret

SEALER = FileSealer(b"s" * 32)
TABLES = (
    "CREATE TYPE grade AS ENUM ('low', 'high')",
    "CREATE TABLE staff (ref bigint PRIMARY KEY, name text, born date, pay numeric(10,2), grade grade, code char(4))",
    "COMMENT ON COLUMN staff.pay IS 'Gross pay a month'",
    "INSERT INTO staff SELECT i, 'Ann Marked', date '1980-01-01' + i, 1000 + i, "
    "(ARRAY['low', 'high'])[1 + i % 2]::grade, 'A' || i % 3 FROM generate_series(1, 120) i",
    "CREATE TABLE traps (long numeric(38), free numeric, at timestamptz, at_day timestamp, tags text[], "
    "span daterange, body jsonb, raw bytea, day date, truth boolean, cost money, who uuid, pad char(5))",
    "INSERT INTO traps VALUES (12345678901234567890123456789012345678, 'NaN', '2024-03-31 03:04:05.5+02', "
    "'2024-03-31 03:04', '{a,\"b,c\"}', '[2024-01-01,2024-02-01)', '{\"a\": 1}', '\\x00ff', 'infinity', true, 12.5, "
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'x')",
    "CREATE TABLE many AS SELECT i, repeat(md5(i::text), 30) AS filler FROM generate_series(1, 40000) i",
    "CREATE TABLE hidden (a text)", "ALTER TABLE hidden ENABLE ROW LEVEL SECURITY",
    "CREATE ROLE other LOGIN PASSWORD 'other'", "GRANT SELECT ON hidden TO other",
    'CREATE TABLE twice (a text, "A" text)',
)  # fmt: skip


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with postgres(TABLES) as found:
        yield found


def taken(served: Served, table: str, folder: Path, **more: str) -> pa.Table:
    """A table landed, sealed, and read back."""
    (landed,) = land([Table(served.address(table), password=PASSWORD, **more)], folder, sealer=SEALER)
    assert landed.suffix == ".parquet"
    with SEALER.read(folder / landed.place) as source:
        return pq.read_table(source)


def test_values_come_as_they_are_written_and_types_go_along(served: Served, tmp_path: Path) -> None:
    found = taken(served, "traps", tmp_path)
    assert found.to_pylist() == [
        {"long": "12345678901234567890123456789012345678", "free": "NaN", "at": "2024-03-31 01:04:05.5",
         "at_day": "2024-03-31 03:04:00", "tags": '{a,"b,c"}', "span": "[2024-01-01,2024-02-01)", "body": '{"a": 1}',
         "raw": "\\x00ff", "day": "infinity", "truth": "true", "cost": "12.50",
         "who": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "pad": "x"}
    ]  # fmt: skip
    labels = carried(found.schema)
    assert {name: label.kind for name, label in labels.items() if label.kind} == {
        "long": Kind.STRING, "free": Kind.NUMBER, "at": Kind.TIMESTAMP, "at_day": Kind.TIMESTAMP,
        "body": Kind.STRING, "raw": Kind.STRING, "day": Kind.DATE, "truth": Kind.BOOLEAN, "cost": Kind.NUMBER,
    }  # fmt: skip
    assert [labels[name].title for name in ("long", "at", "tags", "raw")] == [
        "a number of up to 38 digits, as text", "moments in UTC", "an array of the database, as text",
        "bytea of the database, as text",
    ]  # fmt: skip


def inferred(served: Served, table: str) -> Contract:
    with open_kit(SETTINGS) as kit:
        return infer_contract(kit, [Table(served.address(table), password=PASSWORD)], dataset=table, owner="Office")


def test_a_contract_is_inferred_from_a_table_with_its_comments(served: Served) -> None:
    contract = inferred(served, "staff")
    pay, grade = contract.column("pay"), contract.column("grade")
    assert (pay.title, pay.kind, contract.column("born").kind) == ("Gross pay a month", Kind.NUMBER, Kind.DATE)
    assert (grade.meaning, grade.handling, grade.codes) == (
        Meaning.CODE, Handling.PAYLOAD, (("low", "low"), ("high", "high")),
    )  # fmt: skip
    assert contract.column("name").handling is Handling.IDENTIFIER
    assert inferred(served, "traps").column("long").kind is Kind.STRING


@pytest.mark.long
def test_the_same_table_is_the_same_delivery(served: Served, tmp_path: Path) -> None:
    service = Service(tmp_path)
    given = replace(inferred(served, "staff"), inferred=False)
    with service.open() as site:
        first, again = (
            loads.deliver_and_refresh(
                site, "staff", files=[Table(served.address("staff"), password=PASSWORD)], handed=Handed(given)
            )
            for _ in range(2)
        )
    assert (first["state"], first["read"], again["repeated"]) == ("published", 120, True)


def test_a_connection_that_drops_half_way_leaves_nothing(served: Served, tmp_path: Path) -> None:
    assert taken(served, "many", tmp_path).num_rows == 40_000
    for place in tmp_path.iterdir():
        place.unlink()
    with cutting(served.port, after=9 << 20) as port:
        cut = Table(replace(served.address("many"), port=port), password=PASSWORD)
        with pytest.raises(StoreRefusal, match="read to the end") as refusal:
            land([cut], tmp_path, sealer=SEALER)
    assert list(tmp_path.iterdir()) == []
    assert PASSWORD not in str(refusal.value)


@pytest.mark.parametrize(
    ("table", "user", "password", "said"),
    [
        ("nowhere", "tester", PASSWORD, "no such table"), ("staff", "tester", "wrong", "did not accept the user"),
        ("staff", "other", "other", "may not be read"), ("hidden", "other", "other", "may not be read"),
        ("twice", "tester", PASSWORD, "differ in their case"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence(
    served: Served, tmp_path: Path, table: str, user: str, password: str, said: str
) -> None:
    source = Table(replace(served.address(table), user=user), password=password)
    with pytest.raises((StoreRefusal, DeliveryRefusal), match=said) as refusal:
        land([source], tmp_path, sealer=SEALER)
    assert "Marked" not in str(refusal.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("postgresql://me:secret@db/pay/staff", "holds a password"),
        ("postgresql://me@db.example/pay/staff?sslmode=disable", "without encryption"),
        ("postgresql://me@db/pay", "names no database and table"),
        ("postgresql://me@db/pay/staff?options=-c", "nothing else"),
    ],
)
def test_addresses_that_are_refused(uri: str, said: str) -> None:
    with pytest.raises(UsageRefusal, match=said) as refusal:
        address_of(uri)
    assert "secret" not in str(refusal.value)


def test_a_server_elsewhere_must_show_its_certificate() -> None:
    found = address_of("postgresql://me@db.example/pay/hr.Staff")
    assert (found.sslmode, found.schema, found.table, found.port) == ("verify-full", "hr", "Staff", 5432)


@contextmanager
def surroundings(**variables: str) -> Iterator[None]:
    """What libpq finds in the environment of this process."""
    os.environ.update(variables)
    try:
        yield
    finally:
        for variable in variables:
            del os.environ[variable]


def rows(address: Address, folder: Path) -> int:
    (landed,) = land([Table(address, password=PASSWORD)], folder, sealer=SEALER)
    with SEALER.read(folder / landed.place) as source:
        return pq.read_table(source).num_rows


def test_without_a_host_a_socket_is_asked_or_a_server_that_shows_its_certificate(
    served: Served, tmp_path: Path
) -> None:
    unnamed = address_of(f"postgresql://tester@:{served.port}/postgres/staff")
    assert (unnamed.host, unnamed.sslmode) == ("", "verify-full")
    with surroundings(PGHOST=served.folder):
        assert rows(unnamed, tmp_path) == 120, "on a socket, which nobody else can read"
    for elsewhere in ({"PGHOST": "127.0.0.1"}, {"PGHOST": served.folder, "PGHOSTADDR": "127.0.0.1"}):
        with surroundings(**elsewhere), pytest.raises(StoreRefusal, match="write localhost"):
            rows(unnamed, tmp_path)
    with pytest.raises(UsageRefusal, match="without encryption"):
        address_of("postgresql:///postgres/staff?sslmode=prefer")


def test_what_names_this_machine_is_asked_there_whatever_else_is_around(served: Served, tmp_path: Path) -> None:
    socket = quote(served.folder, safe="")
    for number, host in enumerate(("127.0.0.1", socket)):
        here = address_of(f"postgresql://tester@{host}:{served.port}/postgres/staff")
        assert (here.local, here.sslmode) == (True, "")
        with surroundings(PGHOSTADDR="192.0.2.1", PGHOST="db.example"):
            assert rows(here, tmp_path / str(number)) == 120


@pytest.mark.long
def test_a_feed_reads_the_table_once_a_day(served: Served, tmp_path: Path) -> None:
    service, now = Service(tmp_path), datetime.now(UTC)
    keep_secret(service.places, {"password": PASSWORD})
    text = f"""
id: staff
dataset: staff
drop: {{kind: postgres, place: postgres/public.staff, host: 127.0.0.1, port: {served.port}, user: tester,
        secret: store, quiet: 0}}
files: "public.staff_{{period:%Y%m%d}}.parquet"
schedule: {{every: day, first: {now:%Y-%m-%d}}}
"""
    given = replace(inferred(served, "staff"), inferred=False)
    with service.open() as site:
        store = site.store
        feeds.put(store, replace(read(text), contract=contracts.dump(given)), by="tester")
    feeder = Feeder(service.places, store, service.open, "tester")
    with store.read() as connection:
        (feed,) = feeds.every(connection)
    first, again = feeder.look(feed), feeder.look(feed)
    assert ([f["state"] for f in first["files"]], again["files"]) == (["loaded"], [])
    assert now - timedelta(days=1) < store.now()


@pytest.mark.long
def test_the_commands_take_a_table(served: Served, tmp_path: Path) -> None:
    home, out = Service(tmp_path).places.home, tmp_path / "staff.yaml"
    os.environ["PGPASSWORD"] = PASSWORD
    try:
        described = ids(home, "contract", "infer", served.uri("staff"), "--out", out, "--json")
        assert (described.code, described.json["dataset"]) == (0, "staff"), described.err
        assert ids(home, "contract", "check", out, served.uri("staff")).code == 0
        told = ids(home, "deliver", "staff", served.uri("staff"), "--contract", out, "--json")
        assert (told.code, told.json["state"], told.json["read"]) == (0, "published", 120)
        assert PASSWORD not in told.out + told.err
    finally:
        del os.environ["PGPASSWORD"]
