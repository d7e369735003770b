"""kill -9 at any moment of a load: readers see the old version or the new one, and the rerun completes."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from bench import kills

from integrated_data.control import releases
from integrated_data.control.store import Store, sqlite
from integrated_data.lake import Lake
from tests.journeys.installation import COMMAND, environment, ids, made

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
