"""A hundred random kills while several tables are loaded: SIGKILL of one load or all, and a disk that fills up.

Five tables are delivered again and again, each in its own way: two replaced, one added to, one changed by key, and one
held for its broken rows and completed by them, mended. Two processes load each version, in an order of their own, so
that they also meet; now and then `ids batch` does. At a
random moment something is killed or the disk filled; then it goes on, or is struck again. After every strike each table
must hold, value by value, exactly the version of before or exactly the new one; once a version went through, exactly
the new one, with nothing left behind.
"""

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import pyarrow.parquet as pq

from bench import report
from integrated_data.acquire import contracts
from integrated_data.control import jobs, releases
from integrated_data.control.store import Store, sqlite
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.journey import Handed
from integrated_data.lake import Lake
from integrated_data.model.contract import Changes, Column, Contract, Format, Layout, Mode, Thresholds
from integrated_data.model.delivery import Completes
from integrated_data.model.errors import BusyRefusal, RoomRefusal, is_disk_full
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.site.installation import create
from integrated_data.site.loading import open_loading
from integrated_data.site.loads import deliver_alone
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings

KILLS, ROWS, SEED = 100, 4_000, 1
DISK = 700  # MiB of the small disk
COMMAND = [sys.executable, "-c", "from integrated_data.cli import main; main()"]
MODES = {
    "rents": Mode.REPLACE, "wages": Mode.REPLACE, "claims": Mode.APPEND, "stock": Mode.CHANGES, "bills": Mode.REPLACE,
}  # fmt: skip
#: The table that waits for its mended rows, and of how many rows one is broken.
MENDED, BROKEN = "bills", 10
#: What no version that went through leaves behind.
LEFT_OVER = ("identified/landed/arriving-*", "lake/**/*.part", "identified/**/*.part", "scratch/spill-*")
#: What is struck: one load, all of them, the disk, the disk and all loads, or `ids batch` alone.
STRIKES = (*("load", "all", "disk", "disk and all") * 2, "load", "batch")
#: How a load ends that met a full disk.
FULL = 3

Row = tuple[int, int, int]
Content = Counter[Row]


@dataclass
class World:
    """An installation, what is delivered to it, and what its tables must hold before and after that."""

    home: Path
    folder: Path
    chance: random.Random
    rows: int
    before: dict[str, Content] = field(default_factory=lambda: {name: Counter() for name in MODES})
    after: dict[str, Content] = field(default_factory=dict)
    struck: Counter[str] = field(default_factory=Counter)
    running: Counter[str] = field(default_factory=Counter)
    full: int = 0
    versions: int = 0
    wrong: list[str] = field(default_factory=list)

    def write(self, version: int) -> None:
        """Write the next version of every table, and what they must hold once it is published."""
        self.before = self.after or self.before
        self.after = {name: self._written(name, version) for name in MODES}

    def _written(self, name: str, version: int) -> Content:
        every = [(i, version, self.chance.randrange(1_000_000)) for i in range(self.rows + version)]
        old = self.before[name]
        match MODES[name]:
            case Mode.REPLACE:
                told, content = [("I", *row) for row in every], Counter(every)
            case Mode.APPEND:
                every = [(version * 1_000_000 + i, v, x) for i, v, x in every[: self.rows // 4]]
                told, content = [("I", *row) for row in every], old + Counter(every)
            case _:
                chosen = every if not old else self.chance.sample(every, self.rows // 4)
                told = [("D" if old and self.chance.random() < 0.2 else "I", *row) for row in chosen]
                kept = {row[0]: row for row in old} | {row[1]: row[1:] for row in told}
                gone = {row[1] for row in told if row[0] == "D"}
                content = Counter(row for key, row in kept.items() if key not in gone)
        mended = told[::BROKEN] if name == MENDED else []
        broken = {row[1] for row in mended}
        _write(self.folder / f"{name}.csv", [(o, i, v, "none" if i in broken else x) for o, i, v, x in told])
        if mended:
            _write(mended_rows(self.folder), mended)
        (self.folder / f"{name}.contract.yaml").write_text(contracts.dump(_contract(name)))
        return content

    def held(self, name: str) -> Content:
        """What readers see of a table: every row of the release that is named."""
        with Store(sqlite(self.home / "control.sqlite")).read() as connection:
            release = releases.current(connection, name)
        if release is None:
            return Counter()
        found: Content = Counter()
        for file in Lake(self.home / "lake").files(name, release.snapshot):
            table = pq.read_table(file, columns=["id", "version", "amount"])
            found.update(zip(*(column.to_pylist() for column in table.columns), strict=True))
        if release.rows != found.total():
            self.wrong.append(f"{name}: its release tells {release.rows:,} rows and its files hold {found.total():,}")
        return found

    def look(self, when: str, *, whole: bool) -> None:
        """Compare every table with what it must hold; `whole`: the new version alone will do."""
        for name in MODES:
            content = self.held(name)
            if content != self.after[name] and (whole or content != self.before[name]):
                lost, doubled = self.after[name] - content, content - self.after[name]
                self.wrong.append(f"{when}, {name}: {lost.total():,} rows lacking, {doubled.total():,} too many")


def mended_rows(folder: Path) -> Path:
    """The file that completes a version; apart from the others, for a batch would take it for a table of its own."""
    return folder.parent / f"{MENDED}-mended.csv"


def _write(place: Path, rows: Sequence[tuple[str, int, int, int | str]]) -> None:
    part = place.with_suffix(".part")
    part.write_text("op,id,version,amount\n" + "".join(f"{o},{i},{v},{x}\n" for o, i, v, x in rows))
    part.replace(place)


def _contract(name: str) -> Contract:
    payload, hidden = Handling.PAYLOAD, Handling.IDENTIFIER
    changed = MODES[name] is Mode.CHANGES
    columns = (
        Column("op", "op", Kind.STRING, Meaning.CODE, payload if changed else hidden),
        Column("id", "id", Kind.INTEGER, Meaning.COUNT, payload, key=changed),
        Column("version", "version", Kind.INTEGER, Meaning.COUNT, payload),
        Column("amount", "amount", Kind.INTEGER, Meaning.COUNT, payload),
    )
    how = Changes("op", ("D",)) if changed else None
    waits = Thresholds(accept=0.01, hold=0.9) if name == MENDED else Thresholds()
    return Contract(name, "bench", Layout(Format.CSV), columns, mode=MODES[name], changes=how, thresholds=waits)


def load(home: Path, folder: Path, order: list[str]) -> None:
    """What a loading process does: each table in its turn; one that another process loads is waited for."""
    with open_loading(Places(home), Settings(None, 1, "512MB", False, "bench")) as site:
        for name in order:
            contract = contracts.read(folder / f"{name}.contract.yaml")
            while True:
                try:
                    done = deliver_alone(site, name, files=[folder / f"{name}.csv"], handed=Handed(contract))
                    if name == MENDED:
                        completes = Handed(completes=Completes(done["delivery"]))
                        deliver_alone(site, name, files=[mended_rows(folder)], handed=completes)
                except BusyRefusal:
                    time.sleep(0.3)
                except Exception as error:
                    if isinstance(error, RoomRefusal) or is_disk_full(error):
                        sys.exit(FULL)
                    raise
                else:
                    break


def _loads(world: World) -> list[Any]:
    """Two loading processes at work, forked from one that has imported what they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.kills"])
    made = []
    for _ in range(2):
        order = world.chance.sample(list(MODES), len(MODES))
        made.append(context.Process(target=load, args=(world.home, world.folder, order)))
        made[-1].start()
    return made


def _batch(world: World) -> "subprocess.Popen[bytes]":
    order = [*COMMAND, "batch", str(world.folder), "--home", str(world.home), "--workers", "2", "--json"]
    environment = {**os.environ, "IDS_MEMORY": "1GB", "IDS_ACTOR": "bench"}
    return subprocess.Popen(order, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _kill(*processes: int) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _strike(world: World, kind: str, *, usual: float) -> None:
    """Begin to load, strike at a random moment, and look at what readers see."""
    if kind == "batch":
        running = _strike_batch(world, usual=3 * usual)
        codes: list[int | None] = []
    else:
        running, codes = _strike_loads(world, kind, usual=usual)
    world.struck[kind] += 1
    world.running[kind] += running
    when = f"after strike {world.struck.total()} ({kind})"
    full = (FULL,) if "disk" in kind else ()
    if strange := [code for code in codes if code not in (0, -signal.SIGKILL, *full)]:
        world.wrong.append(f"{when}: a load ended with {strange}")
    world.full += codes.count(FULL)
    world.look(when, whole=False)


def _strike_batch(world: World, *, usual: float) -> bool:
    with _batch(world) as process:
        time.sleep(world.chance.uniform(0.3, 1.0) * usual)
        running = process.poll() is None
        _kill(process.pid)
    return running


def _strike_loads(world: World, kind: str, *, usual: float) -> tuple[bool, list[int | None]]:
    """Whether a load ran when it was struck, and how each ended."""
    ballast, processes = world.home.parent / "ballast", _loads(world)
    time.sleep(world.chance.uniform(0.02, 0.5) * usual)
    running = any(process.is_alive() for process in processes)
    if "disk" in kind:
        free = shutil.disk_usage(world.home).free
        with ballast.open("wb") as file, suppress(OSError):
            os.posix_fallocate(file.fileno(), 0, max(1, free - world.chance.randrange(1 << 22)))
    if kind == "disk and all":
        time.sleep(world.chance.uniform(0, 0.3) * usual)
    if kind != "disk":
        _kill(*(process.pid for process in (processes[:1] if kind == "load" else processes)))
    for process in processes:
        process.join(300)
    ballast.unlink(missing_ok=True)
    return running, [process.exitcode for process in processes]


def _finish(world: World, version: int) -> float:
    """Let a version go through; returns how long that took."""
    began = time.perf_counter()
    processes = _loads(world)
    for process in processes:
        process.join(600)
    took = time.perf_counter() - began
    if codes := [process.exitcode for process in processes if process.exitcode]:
        world.wrong.append(f"version {version} does not go through: {codes}")
    world.look(f"version {version}", whole=True)
    DuckDB(Limits(scratch=world.home / "scratch")).close()  # removes what processes that are gone now had spilled
    left = [p.name for left_over in LEFT_OVER for p in world.home.glob(left_over)]
    with Store(sqlite(world.home / "control.sqlite")).read() as connection:
        left += [job["id"] for job in jobs.every(connection) if job["kind"] == "load"]
    if left:
        world.wrong.append(f"version {version}: left behind: {', '.join(left[:5])}")
    return took


@contextmanager
def disk(place: Path, *, size: int) -> Iterator[str]:
    """A small disk of its own at a folder; yields why there is none, where the system allows none."""
    place.mkdir()
    order = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", str(place)]
    mounted = bool(shutil.which("mount")) and subprocess.run(order, capture_output=True, check=False).returncode == 0
    try:
        yield "" if mounted else "this system does not let a disk be mounted"
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)


def strike(folder: Path, *, kills: int, seed: int, rows: int = ROWS) -> tuple[World, str]:
    """Strike so often, by chance of a seed; returns what was found, and why the disk was never filled, if so."""
    chance = random.Random(seed)
    (folder / "deliveries").mkdir()
    with disk(folder / "disk", size=DISK) as none:
        home = create(folder / "disk" / "home", actor="bench").home
        world = World(home, folder / "deliveries", chance, rows)
        world.write(0)
        _finish(world, 0)
        world.write(1)
        usual, version = _finish(world, 1), 2
        kinds = [k for k in STRIKES if not (none and "disk" in k)]
        while world.struck.total() < kills and not world.wrong:
            world.write(version)
            for _ in range(min(chance.randint(2, 5), kills - world.struck.total())):
                _strike(world, kinds[world.struck.total() % len(kinds)], usual=usual)
            usual = min(usual, max(1.0, _finish(world, version)))
            world.versions, version = version + 1, version + 1
        verified = subprocess.run([*COMMAND, "audit", "verify", "--home", str(home)], capture_output=True, check=False)
        if verified.returncode:
            world.wrong.append("the audit chain does not verify")
    return world, none


def run() -> bool:
    """Print the table; true when no kill lost, doubled or half-published a row."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        world, none = strike(Path(name), kills=KILLS, seed=SEED)
    rows = [{"struck": k, "times": n, "while it ran": world.running[k]} for k, n in sorted(world.struck.items())]
    report.table(f"Kills while {len(MODES)} tables are loaded (seed {SEED})", rows)
    print(
        f"{world.versions} versions went through, {world.full} loads met a full disk; "
        f"{time.perf_counter() - began:,.0f} s" + (f"; the disk was never filled: {none}" if none else "")
    )
    for line in world.wrong:
        print(f"WRONG   {line}")
    return report.marks(
        {
            f"{KILLS} kills": world.struck.total() == KILLS,
            "most struck a running load": world.running.total() >= KILLS // 2,
            "no lost, doubled or half-published row, and nothing left behind": not world.wrong,
        }
    )


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
