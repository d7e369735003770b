"""The decision: how many a second, and whether Cedar ever differs over 100,000 random worlds.

Worlds are those of the tests (`tests/worlds.py`): one in which a request is allowed, then facts changed by chance.
Cedar answers for each agreement by itself (`tests/cedar.py`). A second set of worlds is as large as a service's:
what the gateway reads for one project with ten datasets, four agreements each, and a team of twenty.
"""

import os
import random
import sys
import time
from dataclasses import replace

from tests import cedar
from tests.worlds import ADA, AGREEMENT, AT, BEN, COLUMNS, KEYS, PROJECT, REQUEST, WORLD, random_case

from bench.report import marks, table
from integrated_data.approve.decide import decide, decide_project
from integrated_data.model.access import AccessRequest, DatasetRequest, World

SEED, WORLDS, RUNS = 7, int(os.environ.get("IDS_BENCH_WORLDS", "100000")), 5
FASTEST = 10_000  # decisions a second, at least


def large() -> tuple[AccessRequest, World]:
    """A request in a world of ten datasets with four agreements each and a team of twenty."""
    datasets = tuple(f"dataset_{n}" for n in range(10))
    agreements = tuple(
        replace(AGREEMENT, id=f"A-{dataset}-{n}", dataset=dataset, columns=(*COLUMNS, *(f"c{i}" for i in range(40))))
        for dataset in datasets
        for n in range(4)
    )
    team = (ADA, BEN, *(replace(ADA, id=f"person-{n}") for n in range(18)))
    asked = tuple(DatasetRequest(dataset, COLUMNS, KEYS) for dataset in datasets)
    project = replace(PROJECT, team=tuple(p.id for p in team), datasets=asked)
    return replace(REQUEST, person="person-17", dataset="dataset_9"), replace(
        WORLD, agreements=agreements, people=team, projects=(project,)
    )


def rate(cases: list[tuple[AccessRequest, World]]) -> tuple[float, float]:
    """Decisions a second over some cases: by wall clock, median of five, and by processor time in all."""
    walls, begun_cpu = [], time.process_time()
    for _ in range(RUNS):
        begun = time.perf_counter()
        for request, world in cases:
            decide(request, world, at=AT)
        walls.append(time.perf_counter() - begun)
    cpu = (time.process_time() - begun_cpu) / RUNS
    return len(cases) / sorted(walls)[RUNS // 2], len(cases) / cpu


def against_cedar() -> tuple[int, float, float]:
    """Worlds in which Cedar's answer is another, the share allowed, and Cedar's worlds a second."""
    dice, differing, allowed, begun = random.Random(SEED), 0, 0, time.perf_counter()
    for _ in range(WORLDS):
        request, world = random_case(dice)
        ours = decide(request, world, at=AT).allowed
        allowed += ours
        differing += ours != cedar.allows(request, world)
    return differing, allowed / WORLDS, WORLDS / (time.perf_counter() - begun)


def run() -> bool:
    """Print decisions a second and disagreements with Cedar; true when both marks are met."""
    dice = random.Random(SEED)
    whole, cpu = rate([random_case(dice) for _ in range(5_000)])
    one, one_cpu = rate([large()] * 2_000)
    request, world = large()
    begun = time.perf_counter()
    assert decide(request, world, at=AT).allowed
    assert decide_project(world.projects[0], world, at=AT).allowed
    project_ms = (time.perf_counter() - begun) * 1000
    differing, allowed, cedars = against_cedar()
    rows: list[dict[str, object]] = [
        {"decisions": "random worlds", "a second": round(whole), "a processor second": round(cpu)},
        {"decisions": "large world", "a second": round(one), "a processor second": round(one_cpu)},
        {"decisions": "Cedar beside ours, worlds", "a second": round(cedars), "a processor second": ""},
    ]
    table("Decisions", rows)
    print(f"a whole project (10 datasets x 20 people): {project_ms:.0f} ms")
    print(f"{WORLDS:,} random worlds, {allowed:.1%} allowed: {differing} disagreements with Cedar")
    return marks({
        f"at least {FASTEST:,} decisions a second": whole >= FASTEST,
        f"0 disagreements over {WORLDS:,} worlds": differing == 0,
    })  # fmt: skip


if __name__ == "__main__":
    sys.exit(not run())
