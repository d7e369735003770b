"""The same million records to indexes of 1, 5 and 20 million people: wall time, memory, and how both grow.

A country of more than a few million does not fit a small machine's memory while it is written, so that
the index is made of countries of a million side by side, one for each seed: every one has postcodes,
record ids and NHS numbers of its own (a letter after the district, a letter before the id, a stretch of
the numbers), and all share how names, birthdays and errors are spread. The census is that of the first.
Every build and every match is a process of its own; matching includes training.

    ids bench growth                         indexes of 1 and 5 million
    python -m bench.growth 1,5,20 FOLDER     other sizes; FOLDER keeps what was written and built
"""

import itertools
import json
import math
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import linking, report
from integrated_data.acquire import contracts
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import open_version
from integrated_data.site.installation import create
from integrated_data.site.kit import infer_contract, open_kit
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import MatchOrder, SourceOrder, load_reference, match_file
from integrated_data.site.settings import Settings
from integrated_data.specimen import write

MILLIONS = (1, 5)
PART, FIRST_SEED = 1_000_000, 11
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # one country each
MEMORY, MOST = "8GB", 12 * 1024.0  # the engine's limit; MiB of the whole process
LINEAR = 1.0

#: Bodies of NHS numbers: each country has a stretch of a sequence that visits all of 900… to 998… once.
_STRETCH, _STEP, _FROM, _BODIES = 1_300_000, 61_803_407, 900_000_000, 99_000_000


def run(millions: Sequence[int] = MILLIONS, folder: Path | None = None) -> bool:
    """Print the tables; true when memory stays within the mark and nothing grows faster than the index."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        return _measured(millions, folder)
    with tempfile.TemporaryDirectory() as name:
        return _measured(millions, Path(name))


def _measured(millions: Sequence[int], folder: Path) -> bool:
    rows = []
    for size in millions:
        for number in range(size):
            if not _written(folder, number).exists():
                linking.repeated(_write, folder, number, runs=1)
        rows.append(_row(folder, size))
        report.table("So far", rows)
    grown = [_growth(before, after) for before, after in itertools.pairwise(rows)]
    report.table(f"{PART:,} records to an index of so many million people", rows)
    report.table("Growth: the power of the index's size that each follows", grown)
    most = max(max(row["build MiB"], row["MiB"]) for row in rows)
    return report.marks(
        {
            f"memory within {MOST:,.0f} MiB": most <= MOST,
            "matching grows no faster than the index": all(g["seconds"] <= LINEAR for g in grown),
            "building grows no faster than the index": all(g["build seconds"] <= LINEAR for g in grown),
        }
    )


def _row(folder: Path, size: int) -> dict[str, Any]:
    place = folder / f"home-{size}"
    kept = place / "built.json"
    if not kept.exists():
        shutil.rmtree(place, ignore_errors=True)
        built = linking.repeated(_build, folder, size, runs=1)
        kept.write_text(json.dumps([built.seconds, built.cpu[0], built.memory]))
    build = json.loads(kept.read_text())
    done = linking.repeated(_match, folder, size, runs=1)
    index = place / "identified" / "indexes" / "demographic" / "v0001"
    return {
        "millions": size, "build seconds": build[0], "build cpu": build[1], "build MiB": build[2],
        "index MiB": sum(f.stat().st_size for f in index.iterdir()) / 2**20,
        "seconds": done.seconds, "cpu": done.cpu[0], "MiB": done.memory, **_judged(folder, size),
    }  # fmt: skip


def _growth(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Exponents: 1 where a thing grows as the index does."""
    grown = math.log(after["millions"] / before["millions"])
    named = ("build seconds", "build cpu", "index MiB", "seconds", "cpu")
    return {"from": before["millions"], "to": after["millions"]} | {
        each: math.log(after[each] / before[each]) / grown for each in named
    }


def _written(folder: Path, number: int) -> Path:
    return folder / "country" / f"health-{number:02}.csv"


def _write(folder: Path, number: int) -> None:
    """Write one country's register (and the first one's census) as a part of the larger one."""
    plain = folder / f"plain-{number}"
    departments = ["health_register", "census"] if number == 0 else ["health_register"]
    made = write(plain, people=PART, seed=FIRST_SEED + number, departments=departments)
    target = _written(folder, number)
    target.parent.mkdir(exist_ok=True)
    letter = LETTERS[number]
    placed = f"regexp_replace(postcode, '^([A-Za-z]{{1,2}}[0-9])', '\\1{letter}') AS postcode"
    register = made.of("health_register")[0]
    part = target.with_suffix(".part")
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    connection.execute(
        f"COPY (WITH told AS MATERIALIZED (SELECT * FROM read_csv('{register.path}', all_varchar = true)), "
        f"numbers AS ({_numbers_sql(number)}), held AS (SELECT nhs_number, row_number() OVER (ORDER BY nhs_number) "
        "AS place FROM (SELECT DISTINCT nhs_number FROM told WHERE nhs_number IS NOT NULL)) "
        f"SELECT t.* REPLACE ('{letter}' || register_id AS register_id, n.number AS nhs_number, {placed}) "
        "FROM told t LEFT JOIN held h ON h.nhs_number = t.nhs_number LEFT JOIN numbers n ON n.place = h.place "
        f") TO '{part}' (FORMAT csv)"
    )
    if number == 0:
        census = made.of("census")[0]
        connection.execute(
            f"COPY (SELECT * REPLACE ({placed}) FROM read_csv('{census.path}', all_varchar = true)) "
            f"TO '{folder / 'census.csv'}' (FORMAT csv)"
        )
        for file, truth, mark in ((register, "register", letter), (census, "census", "")):
            connection.execute(
                f"COPY (SELECT '{mark}' || record_id AS record_id, person_id FROM '{file.truth}') "
                f"TO '{folder / f'{truth}.parquet'}'"
            )
    part.replace(target)
    shutil.rmtree(plain)


def _numbers_sql(number: int) -> str:
    """NHS numbers of one country: `place` from 1, `number` with its check digit (modulus 11)."""
    body = f"{_FROM} + ((i + {number * _STRETCH}) * {_STEP}) % {_BODIES}"
    total = " + ".join(f"body // {10 ** (8 - place)} % 10 * {10 - place}" for place in range(9))
    return (
        f"SELECT row_number() OVER () AS place, (body * 10 + rest)::VARCHAR AS number FROM (SELECT body, "
        f"(11 - ({total}) % 11) % 11 AS rest FROM (SELECT {body} AS body FROM range({_STRETCH}) r(i))) WHERE rest < 10"
    )


def _settings() -> Settings:
    return Settings(home=None, threads=linking.THREADS, memory=MEMORY, production=False, actor="system:bench")


def _build(folder: Path, size: int) -> None:
    places = create(folder / f"home-{size}", actor="system:bench")
    files = tuple(_written(folder, number) for number in range(size))
    with open_loading(places, _settings()) as site:
        load_reference(site, SourceOrder("demographic", files, "health_register", "register_id"))


def _match(folder: Path, size: int) -> None:
    places = Places(folder / f"home-{size}")
    shutil.rmtree(places.indexes / "demographic" / "models", ignore_errors=True)
    with open_kit(_settings()) as kit:
        contract = infer_contract(kit, [folder / "census.csv"], dataset="census", owner="ons")
    contracts.write(contract, folder / "census.yaml")
    order = MatchOrder(
        "demographic", folder / "census.csv", folder / f"links-{size}.parquet", "resident_id", folder / "census.yaml"
    )
    with open_loading(places, _settings()) as site:
        match_file(site, order)


def _judged(folder: Path, size: int) -> dict[str, float]:
    """Precision and recall: an entity is the person whom its record of the first country is about."""
    places = Places(folder / f"home-{size}")
    with open_loading(places, _settings()) as site:
        open_version(DEFINITION, places.indexes / "demographic" / "v0001").load(site.engine, "index")
        site.engine.create(
            "known",
            f"SELECT DISTINCT e.entity_id, t.person_id FROM '{folder / 'register.parquet'}' t "
            "JOIN index_records r ON r.record_id = t.record_id JOIN index_entities e ON e.entity = r.entity",
        )
        counts = site.engine.rows(
            "SELECT count(l.entity_id) AS linked, count(k.person_id) AS correct, count(*) FILTER (c.person_id IN "
            f"(SELECT person_id FROM known)) AS findable FROM '{folder / 'census.parquet'}' c "
            f"JOIN '{folder / f'links-{size}.parquet'}' l ON l.record_id = c.record_id "
            "LEFT JOIN known k ON k.entity_id = l.entity_id AND k.person_id = c.person_id"
        ).to_pylist()[0]
    return {"precision": counts["correct"] / max(counts["linked"], 1), "recall": counts["correct"] / counts["findable"]}


if __name__ == "__main__":
    _sizes = [int(each) for each in sys.argv[1].split(",")] if len(sys.argv) > 1 else MILLIONS
    sys.exit(0 if run(_sizes, Path(sys.argv[2]) if len(sys.argv) > 2 else None) else 1)
