"""kill -9 at any moment of a load: readers see the old version or the new one, and the rerun completes."""

import multiprocessing
import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from bench import kills

from integrated_data.control import releases
from integrated_data.control.store import Store, sqlite
from integrated_data.journey import Handed
from integrated_data.journey.stages import COMPLETING_STAGES
from integrated_data.lake import Lake
from integrated_data.model.contract import Mode, Thresholds
from integrated_data.model.delivery import Completes
from integrated_data.site import loads
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.places import Places
from tests.journeys.installation import COMMAND, environment, ids, made
from tests.journeys.test_redelivery import drawn, promised
from tests.service import SETTINGS, Service

KILLS = 20
ROWS = 30_000


def _file(folder: Path, version: int) -> Path:
    place = folder / f"v{version}.csv"
    rows = (f"{i},{i % 9},{version},{i * 1.5:.2f},2020-01-{1 + i % 28:02d}" for i in range(ROWS + version))
    place.write_text("claim_number,code,version,amount,day\n" + "\n".join(rows) + "\n")
    return place


def _seen(home: Path) -> tuple[int, int] | None:
    """What a reader sees: the rows the release states, and the rows its files hold."""
    with Store(sqlite(home / "control.sqlite")).read() as connection:
        release = releases.current(connection, "claims")
    if release is None:
        return None
    files = Lake(home / "lake").files("claims", release.snapshot)
    return release.rows, sum(pq.read_metadata(f).num_rows for f in files)


@pytest.mark.kills
def test_every_kill_leaves_the_old_or_the_new_version(tmp_path: Path) -> None:
    chance = random.Random(20)
    home = made(tmp_path)
    begun = time.perf_counter()
    assert ids(home, "deliver", "claims", _file(tmp_path, 0)).code == 0
    usual = time.perf_counter() - begun
    killed = 0
    for version in range(1, KILLS + 1):
        file = _file(tmp_path, version)
        moment = chance.uniform(0.15, 1.0) * usual
        with subprocess.Popen(
            [*COMMAND, "deliver", "claims", str(file)], env=environment(home),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            time.sleep(moment)
            killed += process.poll() is None
            process.send_signal(signal.SIGKILL)
            process.wait()
        seen = _seen(home)
        assert seen in {(ROWS + version - 1,) * 2, (ROWS + version,) * 2}, f"after kill {version} at {moment:.2f} s"
        rerun = ids(home, "deliver", "claims", file)
        assert rerun.code == 0, rerun.err
        assert _seen(home) == (ROWS + version,) * 2
    audit = ids(home, "audit", "verify", "--json")
    assert audit.code == 0, audit.err
    assert killed >= KILLS // 2, "most kills must strike a running load"
    assert not list((home / "identified" / "landed").glob("arriving-*"))


@pytest.mark.kills
def test_kills_and_full_disks_while_several_tables_are_loaded_lose_no_row(tmp_path: Path) -> None:
    world, _ = kills.strike(tmp_path, kills=10, seed=7)
    assert world.wrong == []
    assert world.running.total() >= 5, "most must strike a running load"


def redeliver(home: Path, file: Path, *, dataset: str, first: str, at: str, after: float) -> None:
    """Complete a delivery in a process that kills itself in a step, so many seconds after it began."""

    def progress(told: str) -> None:
        if told.split(maxsplit=1)[0].strip(":,") != at:
            return
        if not after:
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Timer(after, os.kill, (os.getpid(), signal.SIGKILL)).start()

    with open_loading(Places(home), SETTINGS) as site:
        handed = Handed(completes=Completes(first))
        loads.deliver_and_refresh(site, dataset, files=[file], handed=handed, progress=progress)
    os._exit(0)


def _ages(home: Path, dataset: str) -> list[int]:
    """What a reader sees of a table."""
    with Store(sqlite(home / "control.sqlite")).read() as connection:
        release = releases.get(connection, dataset)
    files = Lake(home / "lake").files(dataset, release.snapshot)
    ages = sorted(age for file in files for age in pq.read_table(file, columns=["age"])["age"].to_pylist())
    assert release.rows == len(ages)
    return ages


@pytest.mark.kills
@pytest.mark.parametrize("waits", [True, False], ids=["held before", "published before"])
def test_a_redelivery_killed_in_any_of_its_steps_loses_doubles_and_half_publishes_nothing(
    tmp_path: Path, *, waits: bool
) -> None:
    chance, service = random.Random(9), Service(tmp_path)
    home, accept = service.places.home, 0.0 if waits else 0.5
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.journeys.test_kills"])
    usual, killed = dict[str, float](), 0
    steps = [stage.name for stage in COMPLETING_STAGES]
    for number, (at, share) in enumerate([("", 0.0), *((s, 0.0) for s in steps), *((s, 1.0) for s in steps)]):
        dataset = f"paid_{number}"
        good, bad = {f"g{n}": n for n in range(1, ROWS, 2)}, {f"b{n}": n for n in range(0, ROWS, 2000)}
        given = promised(dataset, thresholds=Thresholds(accept=accept, hold=0.99), mode=Mode.APPEND)
        with service.open() as site:
            before = service.deliver(site, given, drawn(z=-1))
            first = service.deliver(site, given, drawn(**good, **dict.fromkeys(bad, "none")))
            assert (before["state"], first["state"]) == ("published", "held" if waits else "published")
            mended, done = service.file(drawn(**bad)), {"dataset": dataset, **first}
            if not at:
                usual = completed(site, done, mended)["seconds"]
                continue
        old, new = _ages(home, dataset), [-1, *sorted([*good.values(), *bad.values()])]
        after = share * chance.uniform(0.1, 0.9) * usual[at]
        order = {"dataset": dataset, "first": first["delivery"], "at": at, "after": after}
        process = context.Process(target=redeliver, args=(home, mended), kwargs=order)
        process.start()
        process.join(120)
        killed += process.exitcode == -signal.SIGKILL
        seen = _ages(home, dataset)
        assert seen in (old, new), f"in {at}, after {after:.3f} s"
        with service.open() as site:
            assert completed(site, done, mended)["state"] == "published"
        assert _ages(home, dataset) == new, f"completed after a kill in {at}, after {after:.3f} s"
        assert not [p for left_over in kills.LEFT_OVER for p in home.glob(left_over)]
    assert killed > 1.5 * len(steps), "every one at its beginning, most of those within"
    assert ids(home, "audit", "verify", "--json").code == 0


def completed(site: LoadingSite, done: dict[str, Any], mended: Path) -> dict[str, Any]:
    handed = Handed(completes=Completes(done["delivery"]))
    return loads.deliver_and_refresh(site, done["dataset"], files=[mended], handed=handed)
