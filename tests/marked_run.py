"""A whole run over deliveries in which marked people are planted: by the real commands and doors, all of it kept.

What is kept beside the installation: what every call printed, every answer of the doors with its headers, and
each file that was ever seen in the installation or among temporary files, also one that was removed again.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import adbc_driver_flightsql.dbapi as adbc
import httpx
from adbc_driver_flightsql import DatabaseOptions

from integrated_data.acquire import contracts
from integrated_data.cli.app import main
from integrated_data.engine import Held, Stored
from integrated_data.engines.duckdb import Limits
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings
from integrated_data.site.splink_training import SplinkTrainer
from tests import calling
from tests.journeys.installation import COMMAND
from tests.marked_deliveries import CONTRACT, MORE, REFUSED, SHORT, as_csv, population, wages_file
from tests.marks import MARKED, cells, found

SETTINGS = """
{id: A-wages, dataset: wages, owner: Department, gateway: dea-2017-research, purposes: [research], columns: ["*"],
 onward_to: [University], starts: 2020-01-01, ends: 2099-12-31, index_by_default: true}
---
{id: P-work, title: Work, purpose: research, organisation: University, lead: ada, team: [ada],
 datasets: [{dataset: wages, columns: [region, hours], keys: [person]}], starts: 2020-02-01, ends: 2099-11-30,
 public_benefit: Much, ethics: E-1}
---
{id: ada, name: Somebody, organisation: University, trained_until: 2099-01-01, roles: [analyst],
 accreditation: {level: full, starts: 2020-01-01, ends: 2099-12-31}}
---
{id: rita, name: Checker, organisation: Service, roles: [output checker]}
"""
SQL = "SELECT region, count(*) AS people, sum(hours) AS hours FROM wages WHERE person_key IS NOT NULL GROUP BY region"
#: Questions that fail, each in its own way, some of them about what is behind the views.
FAILING = (
    "SELECT family_name FROM wages",
    "SELECT region::INT FROM wages",
    "SELECT error(region) FROM wages",
    "SELECT * FROM read_parquet('identified/**/*.parquet')",
    "SELECT sql FROM duckdb_views()",
    "SELECT string_agg(region, region)::DATE FROM wages",
    "SELECT regexp_extract(region, '(') FROM wages",
)
#: Bytes of a file that an engine wrote for lack of memory in which the control looks for marks.
LOOKED_AT = 4_000_000


@dataclass
class Run:
    """A run in a folder: the installation (`home`), temporary files (`TMPDIR`), and what was kept of it.

    `everything`: every command in a process of its own and every kind of file; else a shorter run in this process.
    """

    folder: Path
    size: int
    everything: bool = False
    calls: int = 0

    @property
    def home(self) -> Path:
        """The installation."""
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        """Where temporary files go."""
        return self.folder / "temporary"

    @property
    def working(self) -> Path:
        """The folder that commands are called in: an engine of somebody else's may write there."""
        return self.folder / "working"

    @property
    def kept(self) -> Path:
        """What was printed and answered, and files that were removed again."""
        return self.folder / "kept"

    @property
    def environment(self) -> dict[str, str]:
        """What a call finds in its environment."""
        return {
            "IDS_HOME": str(self.home), "IDS_ACTOR": "tester", "IDS_MEMORY": "1GB", "IDS_THREADS": "2",
            "TMPDIR": str(self.temporary), "COLUMNS": "200", "IDS_HTTP": "127.0.0.1:0", "IDS_FLIGHT": "127.0.0.1:0",
        }  # fmt: skip

    def keep(self, name: str, told: str | bytes) -> None:
        """Keep what was printed or answered."""
        self.calls += 1
        (self.kept / f"{self.calls:03}-{name}").write_bytes(told if isinstance(told, bytes) else told.encode())

    def ids(self, *words: str | Path, fails: bool = False, door: bool = False) -> Any:
        """Call `ids`; its document. `door`: it shows records to a person by the named door, and is not kept."""
        told = [str(word) for word in words]
        ran = calling.ids(self.home, *told, **self.environment) if self.everything else called(self.home, *told)
        if (ran.returncode != 0) is not fails:
            raise AssertionError(f"ids {' '.join(told)} ended with {ran.returncode}: {ran.stderr or ran.stdout}")
        if not door:
            self.keep(f"{words[0]}.out", ran.stdout)
        self.keep(f"{words[0]}.err", ran.stderr)
        return json.loads(ran.stdout) if "--json" in words and not fails else ran.stdout

    def look(self) -> None:
        """Link every file that is new since the last look, so that it stays when it is removed."""
        for place, _, names in os.walk(self.folder):
            if place.startswith((str(self.kept), str(self.folder / "given"))):
                continue
            for file in map(Path(place).joinpath, names):
                with contextlib.suppress(OSError):
                    told = file.lstat()
                    if told.st_nlink == 1:
                        (self.kept / f"file-{time.monotonic_ns()}-{file.name}").hardlink_to(file)


def called(home: Path, *words: str) -> calling.Called:
    """Call `ids` in this process, as its environment is."""
    sys.argv, code = ["ids", *words, "--home", str(home)], 0
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            main()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
    return calling.Called(code, out.getvalue(), errors.getvalue())


def in_a_process_of_its_own(run: Run) -> None:
    """The whole run in one process that ends with it, and that finds the run's environment."""
    process = calling.SERVER.Process(target=_whole, args=(run,))
    process.start()
    process.join(600)
    process.kill()
    if process.exitcode:
        raise AssertionError(f"the run ended with {process.exitcode}")


def _whole(run: Run) -> None:
    os.environ.update(run.environment)
    run.working.mkdir()
    os.chdir(run.working)
    whole(run)


@contextlib.contextmanager
def watched(run: Run) -> Iterator[None]:
    """Look at what lies about, again and again, until the block is left."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            run.look()

    looker = threading.Thread(target=watch, daemon=True)
    looker.start()
    try:
        yield
    finally:
        done.set()
        looker.join()


def whole(run: Run) -> None:
    """The run: deliver, index, review, project, query, doors, outputs, exports, spill."""
    for folder in (run.temporary, run.kept, run.folder / "given"):
        folder.mkdir()
    with watched(run):
        run.ids("init", run.home, "--json")
        _deliver(run)
        _review(run)
        _project(run)
        _ask(run)
        with _served(run) as (doors, errors):
            _knock(run, doors)
        run.keep("serve.err", errors.read_bytes())
        _output(run)
        _export(run)
        if spill(run, encrypted=True, folder=run.home / "scratch"):
            raise AssertionError("what was written to disk is not encrypted")
        run.look()


def _given(run: Run, name: str, told: str | bytes) -> Path:
    place = run.folder / "given" / name
    place.write_bytes(told if isinstance(told, bytes) else told.encode())
    return place


def _deliver(run: Run) -> None:
    rows = population(run.size)
    register = _given(run, "register.csv", as_csv([list(r.values()) for r in rows], headings=list(rows[0])))
    run.ids("reference", "load", "demographic", register, "--source", "register", "--id", "record_id", "--json")
    wages, promised = _given(run, f"{MARKED[0].given}.csv", wages_file(rows)), run.folder / "given" / "wages.yaml"
    contracts.write(CONTRACT, promised)
    delivered = run.ids("deliver", "wages", wages, "--contract", promised, "--json")
    for name in MORE if run.everything else SHORT:
        file, made = MORE[name]
        place = _given(run, file, made(rows))
        contract = run.folder / "kept" / f"{name}.yaml"
        if run.everything and name not in REFUSED:
            run.ids("contract", "infer", place, "--dataset", name, "--out", contract)
            run.ids("contract", "check", contract, place)
        run.ids("deliver", name, place, "--json", fails=name in REFUSED)
    run.ids("quarantine", "list", "--json")
    shown = run.ids("quarantine", "show", delivered["delivery"], "--reason", "a trial", "--json", door=True)
    if not any(one.family in json.dumps(shown) for one in MARKED):
        raise AssertionError("no marked row is in quarantine")


def _review(run: Run) -> None:
    drawn = run.ids("review", "sample", "wages", "--size", str(2 * run.size), "--double", "0", "--json")
    case = run.ids("review", "next", "--reason", "a trial", "--set", drawn["set"], "--as", "cem", "--json", door=True)
    run.ids("review", "decide", case["case"], "unsure", "--as", "cem", "--json")
    run.ids("review", "export", drawn["set"], run.kept / "cases.parquet", "--json")
    run.ids("reference", "quality", "wages", "--json")
    if run.everything:
        links = ("--out", run.kept / "links.parquet", "--explain", "--id", "record_id")
        run.ids("match", "demographic", run.folder / "given" / "register.csv", *links)


def _project(run: Run) -> None:
    for n, (kind, text) in enumerate(
        zip(("agreement", "project", "person", "person"), SETTINGS.split("---\n"), strict=True)
    ):
        run.ids(kind, "add", _given(run, f"{n}.yaml", text), "--json")
    run.ids("project", "decide", "P-work", "--as", "panel", "--json")


def _ask(run: Run) -> None:
    asking = ("--project", "P-work", "--as", "ada")
    for sql in FAILING if run.everything else FAILING[:2]:
        run.ids("query", sql, *asking, fails=True)
    run.ids("query", SQL, *asking, "--out", run.kept / "asked.parquet")
    run.ids("catalogue", "search", "wages", "--json")
    run.ids("catalogue", "show", "wages", "--json")


@contextlib.contextmanager
def _served(run: Run) -> Iterator[tuple[dict[str, Any], Path]]:
    """The doors as served: where they are, and the file that what they write to standard error goes to."""
    errors = run.kept / "doors.err"
    with errors.open("wb") as out:
        process = subprocess.Popen(
            [*COMMAND, "serve", "--json"], env={**os.environ, **run.environment}, stdout=subprocess.PIPE, stderr=out
        )
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline()), errors
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _knock(run: Run, doors: dict[str, Any]) -> None:
    token = run.ids("person", "token", "add", "ada", "--as", "ada", "--json")["secret"]
    headers = {"authorization": f"Bearer {token}", "x-ids-project": "P-work"}

    def answered(method: str, path: str, **sent: Any) -> None:
        answer = http.request(method, path, **sent)
        run.keep("http", f"{answer.status_code}\n{answer.headers}\n".encode() + answer.content)

    with httpx.Client(base_url=doors["http"], headers=headers, verify=doors["certificate"], timeout=60) as http:
        for sql in (SQL, "SELECT * FROM wages", *FAILING):
            for accept in ("application/json", "application/vnd.apache.arrow.stream"):
                answered("POST", "/v1/queries", json={"sql": sql}, headers={"accept": accept})
        for path in ("/v1/me", "/v1/tables", "/v1/catalogue/wages", "/openapi.json", "/health", "/v1/queries/none"):
            answered("GET", path)
        answered("POST", "/v1/catalogue/search", json={"words": "wages"})
        answered("POST", "/v1/queries", content=b"{")
    options = {
        DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}",
        DatabaseOptions.TLS_ROOT_CERTS.value: Path(doors["certificate"]).read_text(),
        f"{DatabaseOptions.RPC_CALL_HEADER_PREFIX.value}x-ids-project": "P-work",
    }
    with adbc.connect(doors["flight"], db_kwargs=options, autocommit=True) as flight, flight.cursor() as cursor:
        run.keep("flight", repr(flight.adbc_get_objects(depth="columns").read_all().to_pylist()))
        for sql in (SQL, "SELECT * FROM wages", *FAILING):
            try:
                cursor.execute(sql)
                run.keep("flight", repr(cursor.fetch_arrow_table().to_pylist()))
            except adbc.Error as error:
                run.keep("flight", repr(error))


def _output(run: Run) -> None:
    as_ada, out = ("--as", "ada", "--json"), run.kept
    asked = run.ids("query", SQL, "--project", "P-work", *as_ada)["query"]
    request = run.ids("output", "request", asked, "--project", "P-work", "--title", "Hours by region", *as_ada)["id"]
    run.ids("output", "check", request, *as_ada)
    run.ids("output", "show", request, "--out", out / "shown", "--as", "rita", "--json")
    run.ids("output", "release", request, "--out", out / "released", *as_ada)
    run.ids("output", "crate", request, "--out", out / "crate.zip", *as_ada)
    if run.everything:
        run.ids("output", "list", *as_ada)
        run.ids("output", "rules", "--project", "P-work", *as_ada)


def _export(run: Run) -> None:
    run.ids("catalogue", "export", run.kept / "catalogue.json")
    run.ids("register", "export", run.kept / "register", "--json")
    for paper in ("processing", "impact"):
        run.ids("record", paper, "--out", run.kept / f"{paper}.md", "--json")
    run.ids("audit", "used", "wages", "--json")
    run.ids("audit", "left", "--json")
    run.ids("audit", "verify", "--json")


def spill(run: Run, *, encrypted: bool, folder: Path) -> set[str]:
    """Make the loading side's engine write identified rows to disk, because they do not fit its memory.

    Returns the kinds of mark in what it wrote. Not `encrypted`: with the setting turned off that encrypts it,
    to see that a search would find them.
    """
    with open_loading(Places(run.home), Settings(run.home, 2, "60MB", production=False, actor="tester")) as site:
        folder.mkdir(exist_ok=True)
        site.engine.connection.execute("SET temp_directory = ?", [str(folder)])
        if not encrypted:
            site.engine.connection.execute("SET temp_file_encryption = false")
        site.engine.load("checked_rows", Stored(_checked(site), row_column="_row"))
        site.engine.create(
            "spilt", "SELECT c.*, n.range AS again, md5(n.range::VARCHAR) AS more FROM checked_rows c, range(1500) n"
        )
        run.look()
        written = [p.read_bytes()[:LOOKED_AT] for p in folder.glob("*.tmp")]
        if not any(written):
            raise AssertionError("nothing was written to disk")
        return set().union(*map(found, written))


def training_spill(run: Run, *, folder: Path) -> set[str]:
    """The kinds of mark in what the engine that models are trained in writes to disk for lack of memory."""
    with open_loading(Places(run.home), Settings(run.home, 2, "1GB", production=False, actor="tester")) as site:
        site.engine.load("checked_rows", Stored(_checked(site), row_column="_row"))
        rows = site.engine.rows("SELECT forename, surname, date_of_birth::VARCHAR AS born FROM checked_rows")
        folder.mkdir(exist_ok=True)
        engine = SplinkTrainer(Limits(memory="60MB", scratch=folder)).engine()
        try:
            engine.load("records", Held(rows))
            engine.create("many", "SELECT r.*, md5(n.range::VARCHAR) AS more FROM records r, range(4000) n")
            written = [p.read_bytes()[:LOOKED_AT] for p in folder.glob("spill-*/*.tmp")]
        finally:
            engine.close()
    if not any(written):
        raise AssertionError("nothing was written to disk")
    return set().union(*map(found, written))


def _checked(site: LoadingSite) -> tuple[Path, ...]:
    return tuple(sorted(site.places.deliveries.glob("*/checked.parquet"))[:1])


def unsealed(run: Run) -> dict[str, set[str]]:
    """What a search finds in the sealed files of the identified zone once they are opened with the vault's keys.

    By the name of the file; kinds of mark over all files of that name. Every file there is sealed, or is searched
    as it is.
    """
    kinds_of: dict[str, set[str]] = {}
    with open_loading(Places(run.home), Settings(run.home, 2, "1GB", production=False, actor="tester")) as site:
        for place in sorted(p for p in site.places.identified.rglob("*") if p.is_file()):
            kinds_of.setdefault(place.name, set()).update(_opened(site, place))
    return kinds_of


def _opened(site: LoadingSite, place: Path) -> set[str]:
    if place.suffix == ".sealed":
        with site.sealer.read(place) as sealed:
            return found(sealed.read())
    if place.suffix == ".parquet":
        site.engine.load("opened", Stored((place,), sealed=place.read_bytes()[-4:] == b"PARE"))
        return found(cells(site.engine.rows("SELECT COLUMNS(*)::VARCHAR FROM opened")))
    return found(place.read_bytes())
