"""The Flight SQL door with TLS, as ADBC and Flight clients see it: questions, listings, ends, and who may not."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import pyarrow as pa
import pyarrow.flight as fl
import pytest
from adbc_driver_flightsql import DatabaseOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrated_data.control import queries
from integrated_data.control.store import Store, records
from integrated_data.engines.duckdb import DuckDB
from integrated_data.serving import wire
from integrated_data.serving.listings import LISTINGS
from tests.journeys.test_gateway import new_place
from tests.served import JOINED, SLOW, House, furnish, house, open_flight

Door = tuple[str, Path]
HEADER = f"{DatabaseOptions.RPC_CALL_HEADER_PREFIX.value}x-ids-project"


@pytest.fixture
def made(store: Store, engine: DuckDB, tmp_path: Path) -> Iterator[House]:
    place = new_place(store, engine, folder=tmp_path)
    furnish(place)
    with house(place) as it:
        yield it


@pytest.fixture
def door(made: House) -> Iterator[Door]:
    with open_flight(made) as it:
        yield it


def connect(door: Door, token: str, *, project: str = "P-1", **more: str) -> Any:
    options = {
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
        DatabaseOptions.TLS_ROOT_CERTS.value: door[1].read_text(),
        HEADER: project,
        **more,
    }
    return adbc.connect(door[0], db_kwargs=options, autocommit=True)


def flight(door: Door) -> fl.FlightClient:
    return fl.FlightClient(door[0], tls_root_certs=door[1].read_bytes())


def called(token: str | None, project: str | None = "P-1") -> fl.FlightCallOptions:
    headers = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    return fl.FlightCallOptions(headers=headers + ([(b"x-ids-project", project.encode())] if project else []))


def statement(sql: str) -> fl.FlightDescriptor:
    return fl.FlightDescriptor.for_command(wire.pack("CommandStatementQuery", {1: sql}))


def test_an_adbc_client_asks_over_tls(made: House, door: Door) -> None:
    with connect(door, made.token("ada")) as connection, connection.cursor() as cursor:
        cursor.execute(JOINED)
        table = cursor.fetch_arrow_table()
        assert table["people"].to_pylist() == [25, 25, 25, 25]
        cursor.execute("SELECT range AS n FROM range(300000)")
        assert cursor.fetch_arrow_table().num_rows == 300_000
        cursor.execute("SELECT sex, count(*) AS n FROM census WHERE false GROUP BY sex")
        assert cursor.fetchall() == []
    with made.place.store.read() as connection:
        started = [r for r in records(connection) if r.action == "query.started"]
    assert len(started) == 3, "preparing and running it is one question"


def test_a_name_and_a_token_as_password(made: House, door: Door) -> None:
    words = {
        "username": "ada",
        "password": made.token("ada"),
        DatabaseOptions.TLS_ROOT_CERTS.value: door[1].read_text(),
    }
    named = {**words, HEADER: "P-1"}
    with adbc.connect(door[0], db_kwargs=named, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pay")
        assert cursor.fetchone() == (100,)
    words["username"] = "ben"
    with pytest.raises(adbc.Error), adbc.connect(door[0], db_kwargs=words) as connection:
        connection.cursor().execute("SELECT 1")


def test_a_project_need_not_be_named_where_there_is_one(made: House, door: Door) -> None:
    info = flight(door).get_flight_info(statement("SELECT count(*) AS n FROM pay"), called(made.token("ada"), None))
    assert info.total_records == 1


def test_a_question_as_at_a_day_is_asked_by_a_header(made: House, door: Door) -> None:
    headers = [(b"authorization", f"Bearer {made.token('ada')}".encode()), (b"x-ids-as-at", b"2000-01-31")]
    with pytest.raises(fl.FlightUnauthorizedError, match="Nothing of dataset pay was published by 2000-01-31"):
        flight(door).get_flight_info(statement("SELECT count(*) AS n FROM pay"), fl.FlightCallOptions(headers=headers))


def test_what_there_is(made: House, door: Door) -> None:
    with connect(door, made.token("ada")) as connection:
        found = connection.adbc_get_objects(depth="columns").read_all().to_pylist()
        assert [c["catalog_name"] for c in found] == ["P-1"]
        tables = found[0]["catalog_db_schemas"][0]["db_schema_tables"]
        assert [t["table_name"] for t in tables] == ["census", "pay"]
        assert "income" in [c["column_name"] for c in tables[1]["table_columns"]]
        assert connection.adbc_get_table_types() == ["TABLE"]
        assert connection.adbc_get_info()["vendor_name"] == "Integrated Data Service"
        assert connection.adbc_get_table_schema("census").names[0] == "person_key"


def test_refusals_say_why(made: House, door: Door) -> None:
    with connect(door, made.token("ada")) as connection, connection.cursor() as cursor:
        with pytest.raises(adbc.Error, match="table function read_csv is not allowed"):
            cursor.execute("SELECT * FROM read_csv('/etc/passwd')")
        with pytest.raises(adbc.Error, match="TRY_CAST") as told:
            cursor.execute("SELECT region::INT FROM census")
        assert "North" not in str(told.value)
        with pytest.raises(adbc.Error):
            cursor.execute("SELECT ?", parameters=[1])
        with pytest.raises(adbc.Error):
            cursor.execute("CREATE TABLE t AS SELECT 1")
    outside = pytest.raises(adbc.Error, match="not on the team of project P-1")
    with connect(door, made.token("ben")) as connection, connection.cursor() as cursor, outside:
        cursor.execute("SELECT 1")


@pytest.mark.parametrize("header", [None, "Bearer nonsense", "Basic bm9uZQ==", "Bearer ", "Negotiate x"])
def test_nobody_comes_in_without_a_token(door: Door, header: str | None) -> None:
    options = fl.FlightCallOptions(headers=[(b"authorization", header.encode())] if header else [])
    for call in (
        lambda: flight(door).get_flight_info(statement("SELECT 1"), options),
        lambda: list(flight(door).do_get(fl.Ticket(b"x"), options)),
        lambda: list(flight(door).do_action(("CreatePreparedStatement", b""), options)),
        lambda: list(flight(door).list_actions(options)),
    ):
        with pytest.raises(fl.FlightUnauthenticatedError):
            call()


def test_a_ticket_is_good_for_one_person_in_one_project(made: House, door: Door) -> None:
    client, mine = flight(door), called(made.token("ada"))
    info = client.get_flight_info(statement(JOINED), mine)
    ticket = info.endpoints[0].ticket
    assert client.do_get(ticket, mine).read_all().num_rows == 4
    assert b"SELECT" not in ticket.ticket
    for other in (called(made.token("ben"), "P-2"), called(made.token("ben")), called(made.token("ada"), "P-2")):
        with pytest.raises((pa.ArrowInvalid, fl.FlightError)):
            client.do_get(ticket, other).read_all()
    changed = bytearray(ticket.ticket)
    changed[-1] ^= 1
    with pytest.raises(pa.ArrowInvalid, match="handle of a result"):
        client.do_get(fl.Ticket(bytes(changed)), mine).read_all()
    prepared = wire.pack("CommandPreparedStatementQuery", {1: wire.raw(wire.unpack(ticket.ticket).fields, 1) or b""})
    with pytest.raises(pa.ArrowInvalid, match="handle of a result"):
        client.get_flight_info(fl.FlightDescriptor.for_command(prepared), mine)


def test_a_prepared_statement_can_be_run_again_and_let_go_of(made: House, door: Door) -> None:
    client, mine = flight(door), called(made.token("ada"))
    asked = wire.pack("ActionCreatePreparedStatementRequest", {1: "SELECT count(*) AS n FROM pay"})
    done = next(iter(client.do_action(("CreatePreparedStatement", asked), mine)))
    result = wire.unpack(done.body.to_pybytes())
    assert result.kind == "ActionCreatePreparedStatementResult"
    message = result.fields
    assert pa.ipc.read_schema(pa.py_buffer(wire.raw(message, 2) or b"")).names == ["n"]
    handle = wire.raw(message, 1) or b""
    run = fl.FlightDescriptor.for_command(wire.pack("CommandPreparedStatementQuery", {1: handle}))
    for _ in range(2):
        info = client.get_flight_info(run, mine)
        assert client.do_get(info.endpoints[0].ticket, mine).read_all()["n"].to_pylist() == [100]
    list(client.do_action(("ClosePreparedStatement", wire.pack("X", {1: handle})), mine))
    with pytest.raises(pa.ArrowInvalid, match="no such query"):
        client.get_flight_info(run, mine)


def test_a_question_is_stopped_when_nobody_waits_or_by_its_flight(made: House, door: Door) -> None:
    client, token = flight(door), made.token("ada")
    short = fl.FlightCallOptions(timeout=2, headers=[(b"authorization", f"Bearer {token}".encode())])
    with pytest.raises((fl.FlightTimedOutError, fl.FlightError)):
        client.get_flight_info(statement(SLOW), short)
    until = time.monotonic() + 10
    while any((made.place.folder / "scratch").iterdir()):
        assert time.monotonic() < until, "its worker was left running"
        time.sleep(0.1)
    info = client.get_flight_info(statement("SELECT 1"), called(token))
    body = wire.write({1: info.serialize()})
    answer = next(iter(client.do_action(("CancelFlightInfo", body), called(token))))
    assert wire.read(answer.body.to_pybytes()) == {1: [3]}, "it was done already, and its rows are let go of"
    with pytest.raises(pa.ArrowInvalid):
        client.do_get(info.endpoints[0].ticket, called(token)).read_all()


def test_an_adbc_client_cancels(made: House, door: Door) -> None:
    with connect(door, made.token("ada")) as connection, connection.cursor() as cursor:
        threading.Timer(1.5, cursor.adbc_cancel).start()
        begun = time.monotonic()
        with pytest.raises(adbc.Error):
            cursor.execute(SLOW)
        assert time.monotonic() - begun < 15
    until = time.monotonic() + 10
    while (rule := last_rule(made)) is None:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert rule == "cancelled"
    assert list((made.place.folder / "scratch").iterdir()) == []


def last_rule(made: House) -> str | None:
    """By which rule the newest query ended; None while it has not."""
    with made.place.store.read() as connection:
        last = [r for r in records(connection) if r.action.startswith("query.")][-1]
        rule: str | None = queries.get(connection, last.facts["query"])["body"].get("rule")
        return rule


ODD = st.binary(max_size=200) | st.sampled_from(
    [*LISTINGS, "CommandStatementQuery", "TicketStatementQuery", "X"]
).flatmap(
    lambda kind: st.dictionaries(st.integers(1, 7), st.binary(max_size=40) | st.integers(0, 2**64 - 1), max_size=4).map(
        lambda fields: wire.pack(kind, fields)
    )
)


def test_messages_that_are_none_break_nothing(made: House, door: Door) -> None:
    client, mine = flight(door), called(made.token("ada"))
    ways = ("CreatePreparedStatement", "ClosePreparedStatement", "CancelFlightInfo", "CancelQuery", "Unknown", "")

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(ODD, st.integers(0, 8))
    def send(data: bytes, way: int) -> None:
        try:
            match way:
                case 0:
                    client.get_flight_info(fl.FlightDescriptor.for_command(data), mine)
                case 1:
                    client.do_get(fl.Ticket(data), mine).read_all()
                case 2:
                    client.get_schema(fl.FlightDescriptor.for_command(data), mine)
                case _:
                    list(client.do_action((ways[way - 3], data), mine))
        except (fl.FlightInternalError, fl.FlightServerError) as error:
            raise AssertionError("a failure of the server's") from error
        except (pa.ArrowInvalid, fl.FlightError):
            pass

    send()
    for kind in LISTINGS:
        info = client.get_flight_info(fl.FlightDescriptor.for_command(wire.pack(kind, {})), mine)
        table = client.do_get(info.endpoints[0].ticket, mine).read_all()
        assert table.schema == info.schema, kind
    with pytest.raises(pa.ArrowInvalid, match="Only SELECT"):
        writer, _ = client.do_put(statement("DELETE FROM pay"), pa.schema([]), mine)
        writer.close()
