"""Ten million rows of four columns to an ADBC client, through sign-in, gate, worker and TLS, against in-process Arrow.

Both sides run the same SELECT over the same Parquet file: the anchor in DuckDB inside this process, to one
Arrow table; ours from `cursor.execute` to the last batch at an ADBC client of the Flight SQL door.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import adbc_driver_flightsql.dbapi as adbc
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from adbc_driver_flightsql import DatabaseOptions
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.report import marks, table
from integrated_data.access.gateway import Gateway
from integrated_data.approve import accredit, agree, apply
from integrated_data.approve.decide import decide
from integrated_data.control import grants, projects, tables
from integrated_data.control.store import Store, sqlite
from integrated_data.model.access import Grant
from integrated_data.serving.desk import Desk
from integrated_data.serving.run import flight_door
from integrated_data.serving.turns import Turns
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.certificates import certificate
from integrated_data.site.parser import DuckDBParser
from integrated_data.site.places import Places
from integrated_data.site.running import ProcessWorker
from integrated_data.site.sandbox import choose
from integrated_data.site.settings import from_environment
from integrated_data.site.signing_in import SignIn, Wish

ROWS, RUNS = 10_000_000, 5
MARK, BARE = 0.25, 0.40
SQL = "SELECT person_key, age, income, day FROM census"

PERSON = """
id: {person}
name: Somebody
organisation: University
accreditation: {{level: full, starts: {past}, ends: {future}}}
trained_until: {future}
roles: [analyst]
"""
AGREEMENT = """
id: A-1
dataset: census
owner: Department
gateway: dea-2017-research
purposes: [research]
columns: ["*"]
onward_to: [University]
starts: {past}
ends: {future}
index_by_default: true
"""
PROJECT = """
id: P-1
title: Rows
purpose: research
organisation: University
lead: {lead}
team: [{team}]
datasets: [{{dataset: census, columns: [age, income, day], keys: [person]}}]
starts: {today}
ends: {future}
public_benefit: Much
ethics: E-1
"""


def provisioned(folder: Path, *, rows: int = ROWS) -> Path:
    """A file as a grant's: a key and three columns."""
    dice = np.random.default_rng(1)
    made = pa.table(
        {
            "person_key": dice.integers(0, 2**62, rows), "age": dice.integers(0, 100, rows).astype(np.int32),
            "income": dice.gamma(2, 10_000, rows), "day": dice.integers(0, 20_000, rows),
        }
    )  # fmt: skip
    place = folder / "projects" / "P-1" / "census.parquet"
    place.parent.mkdir(parents=True)
    pq.write_table(made, place, compression="zstd", row_group_size=122_880)
    return place


def site(folder: Path, place: Path, *, people: tuple[str, ...] = ("ada",)) -> AnalysisSite:
    """An installation with one granted table and a team."""
    engine = sqlite(folder / "control.sqlite")
    tables.METADATA.create_all(engine)
    store, law, today = Store(engine), agree.united_kingdom(), datetime.now(UTC).date()
    days: dict[str, date] = {"past": today - timedelta(30), "today": today, "future": today + timedelta(300)}
    projects.add_agreement(store, agree.read_agreement(AGREEMENT.format(**days), law), by="owner")
    for person in people:
        projects.add_person(store, accredit.read_person(PERSON.format(person=person, **days)), by="desk")
    project = PROJECT.format(team=", ".join(people), lead=people[0], **days)
    projects.add_project(store, apply.read_project(project), by=people[0])
    decision = apply.decide(store, "P-1", law=law, by="panel")
    assert decision.allowed, decision.reasons_against
    columns = tuple(pq.read_schema(place).names)
    grant = Grant("P-1", "census", 1, "census", columns, ("person",), "P-1/census.parquet", ROWS, 0, 0.0)
    grants.activate(store, grant, by="loader")
    worker = ProcessWorker(choose(production=False), folder / "projects", folder / "scratch")
    gateway = Gateway(store, law, decide, DuckDBParser(), worker, Ed25519PrivateKey.generate())
    return AnalysisSite(Places(folder), store, gateway)


def timed(read: Callable[[], pa.Table]) -> float:
    """Seconds of one run, after a look at what came."""
    begun = time.perf_counter()
    got = read()
    seconds = time.perf_counter() - begun
    assert (got.num_rows, got.num_columns) == (ROWS, 4)
    return seconds


def run() -> bool:
    """Print both sides' rates; whether the mark is met."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        place = provisioned(folder)
        made = site(folder, place)
        door = SignIn(made.store, production=False)
        desk = Desk(made, door, turns=Turns(1))
        shown = certificate(made.places, from_environment({}))
        token = door.make_token("ada", Wish("bench", days=1), by="desk")[0]
        here = duckdb.connect(config={"threads": 2})
        direct = SQL.replace("FROM census", f"FROM read_parquet('{place}')")
        seconds: dict[str, list[float]] = {"in-process Arrow (DuckDB)": [], "Flight SQL to ADBC, TLS": []}
        with flight_door(desk, ("localhost", 0), shown=shown) as uri:
            options = {
                DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
                DatabaseOptions.TLS_ROOT_CERTS.value: shown.chain.read_text(),
            }
            with adbc.connect(uri, db_kwargs=options, autocommit=True) as connection, connection.cursor() as cursor:

                def served() -> pa.Table:
                    cursor.execute(SQL)
                    return cursor.fetch_arrow_table()

                for _ in range(RUNS):
                    seconds["in-process Arrow (DuckDB)"].append(timed(lambda: here.execute(direct).to_arrow_table()))
                    seconds["Flight SQL to ADBC, TLS"].append(timed(served))
        desk.close()
    ours = {side: statistics.median(found) for side, found in seconds.items()}
    anchor = ours["in-process Arrow (DuckDB)"]
    table(
        f"{ROWS:,} rows × 4 columns",
        [
            {"side": side, "seconds": s, "million rows a second": ROWS / s / 1e6, "share of the rate": anchor / s}
            for side, s in ours.items()
        ],
    )
    share = anchor / ours["Flight SQL to ADBC, TLS"]
    return marks({f"at least {MARK:.0%} of the in-process rate (a bare server: {BARE:.0%})": share >= MARK})


if __name__ == "__main__":
    sys.exit(not run())
