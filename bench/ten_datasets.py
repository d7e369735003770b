"""Ten datasets of one population: every two linked by Splink, against each matched once to an index and joined.

Each dataset is a sample of its own of a fictional country's residents, written down in its department's
layout with its department's share of error. Splink 5 links every two of them with the six blocking rules of
the ESSnet benchmark, trained for each pair on that pair, mutual best, at whichever of five thresholds is
best for it, known afterwards; how each file is read is told it by hand. Ours loads a health register as the
index, infers each file's contract, trains a model for it, matches it once and joins on entity ids; people
who are not on the register are lost to it. All 45 pairs are really run. Quality is that of pairs of records
of one person, over all pairs of the first n datasets. Truth is read at the end alone.
"""

import itertools
import math
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import altair as alt
import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.csv

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import essnet, linking, report
from integrated_data.acquire import contracts
from integrated_data.output import chart
from integrated_data.site.installation import create
from integrated_data.site.kit import infer_contract, open_kit
from integrated_data.site.loading import open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import MatchOrder, SourceOrder, load_reference, match_file
from integrated_data.site.settings import Settings
from integrated_data.specimen import country, rates, write
from integrated_data.specimen.recording import record, sex_text
from integrated_data.specimen.text import choose, dates

PEOPLE, SAMPLE, SEED = 30_000, 10_000, 11
THRESHOLDS = (0.5, 0.9, 0.99, 0.999, 0.9999)
CHART = Path(tempfile.gettempdir()) / "ten_datasets.svg"


@dataclass(frozen=True)
class Department:
    """How one department writes. `columns`: headings of id, given and family name, birth, sex, address and
    postcode; `sexes`: male and female; `short`: the share of addresses that it abbreviates."""

    name: str
    how: rates.Recording
    columns: tuple[str, ...]
    day: str
    sexes: tuple[str, str]
    short: float = 0.1


_SCHOOL = replace(rates.CENSUS, nickname=0.02, stale_address=0.20)
_LICENCE = replace(rates.CENSUS, nickname=0.004, stale_address=0.40, stale_surname=0.30)
_HOUSING = replace(rates.BENEFITS, stale_address=0.03)
_VOTERS = replace(rates.CENSUS, nickname=0.008, stale_address=0.12, dob_missing=0.01)
DEPARTMENTS = (
    Department("census", rates.CENSUS, ("resident_id", "first_name", "last_name", "dob", "sex", "full_address",
               "postcode"), "%d/%m/%Y", ("M", "F")),
    Department("hospital", rates.HOSPITAL_EPISODES, ("episode_id", "forename", "surname", "date_of_birth", "gender",
               "address", "postcode"), "%Y-%m-%d", ("1", "2")),
    Department("pay", rates.PAY, ("employee_id", "forename", "surname", "birth_date", "gender", "address", "postcode"),
               "%d-%m-%Y", ("M", "F"), 0.3),
    Department("benefits", rates.BENEFITS, ("claim_id", "first_name", "surname", "birth_date", "sex", "address",
               "postcode"), "%d-%b-%Y", ("Male", "Female"), 0.2),
    Department("practices", rates.GP_DIAGNOSES, ("patient_id", "given_name", "family_name", "dob", "sex", "address",
               "postcode"), "%Y%m%d", ("1", "2")),
    Department("survey", rates.LABOUR_FORCE_SURVEY, ("respondent_id", "first_name", "surname", "date_of_birth", "sex",
               "address", "postcode"), "%d/%m/%Y", ("Male", "Female")),
    Department("schools", _SCHOOL, ("pupil_id", "forename", "surname", "dob", "gender", "home_address", "postcode"),
               "%d/%m/%Y", ("M", "F")),
    Department("licences", _LICENCE, ("licence_id", "forenames", "surname", "date_of_birth", "sex", "address",
               "postcode"), "%d.%m.%Y", ("M", "F"), 0.3),
    Department("housing", _HOUSING, ("tenant_id", "first_name", "last_name", "date_of_birth", "gender", "address",
               "postcode"), "%Y-%m-%d", ("M", "F")),
    Department("voters", _VOTERS, ("elector_id", "first_name", "surname", "date_of_birth", "sex", "address",
               "postcode"), "%d/%m/%Y", ("M", "F")),
)  # fmt: skip


def run() -> bool:
    """Print the table and draw the chart; true when ten datasets cost less at no lower F1."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        register, truth = _country(folder)
        ours = linking.repeated(_ours, folder, register, runs=1)
        splink = linking.repeated(_splink, folder, runs=1)
        rows = _rows(ours.result, splink.result, truth)
    report.table(
        f"Ten datasets of {SAMPLE:,} of {PEOPLE:,} people: seconds and quality of all pairs of the first n", rows
    )
    CHART.write_bytes(chart.svg(_drawn(rows)))
    print(f"chart: {CHART}")
    last = rows[-1]
    return report.marks(
        {
            "ten datasets cost less than by pairs": last["seconds, index"] < last["seconds, pairs"],
            "F1 no lower": last["F1, index"] >= last["F1, pairs"],
        }
    )


def _country(folder: Path) -> tuple[Path, dict[str, dict[str, int]]]:
    """Write the register and the ten files; the register's path, and the person of every record by dataset."""
    made = write(folder / "country", people=PEOPLE, seed=SEED, departments=["health_register"])
    land, rng = country.build(count=PEOPLE, seed=SEED), np.random.default_rng(SEED)
    residents, truth = np.flatnonzero(land.people.resident), {}
    for each in DEPARTMENTS:
        person = rng.choice(residents, SAMPLE, replace=False)
        known = record(rng, land, person=person, how=each.how)
        ids = [f"{each.name[0].upper()}{i:06d}" for i in rng.permutation(SAMPLE).tolist()]
        short = rng.random(SAMPLE) < each.short
        places = land.addresses
        line = choose(short, places.short_line.take(known.address), otherwise=places.one_line.take(known.address))
        male, female = each.sexes
        sex = sex_text(known.sex, male=male, female=female, missing=None)
        values = (ids, known.forename, known.surname, dates(known.birth_day, each.day), sex, line, known.postcode)
        table = pa.table(dict(zip(each.columns, values, strict=True)))
        pa.csv.write_csv(table, folder / f"{each.name}.csv")
        truth[each.name] = dict(zip(ids, person.tolist(), strict=True))
    return made.of("health_register")[0].path, truth


def _ours(folder: Path, register: Path) -> dict[str, Any]:
    """Seconds of the index and of each dataset, its links, and seconds of the joins with those before it."""
    settings = Settings(home=None, threads=linking.THREADS, memory="4GB", production=False, actor="system:bench")
    start = time.perf_counter()
    places = create(folder / "home", actor="system:bench")
    with open_loading(places, settings) as site:
        load_reference(site, SourceOrder("demographic", (register,), "health", "register_id"))
    seconds, found = {"index": time.perf_counter() - start}, {}
    for turn, each in enumerate(DEPARTMENTS):
        start = time.perf_counter()
        file, out = folder / f"{each.name}.csv", folder / f"{each.name}.links.parquet"
        with open_kit(settings) as kit:
            contracts.write(infer_contract(kit, [file], dataset=each.name, owner="bench"), folder / f"{each.name}.yaml")
        with open_loading(Places(folder / "home"), settings) as site:
            match_file(site, MatchOrder("demographic", file, out, each.columns[0], folder / f"{each.name}.yaml"))
        for other in DEPARTMENTS[:turn]:
            before = folder / f"{other.name}.links.parquet"
            found[other.name, each.name] = duckdb.execute(
                f"SELECT a.record_id, b.record_id FROM '{before}' a JOIN '{out}' b ON b.entity_id = a.entity_id"
            ).fetchall()
        seconds[each.name] = time.perf_counter() - start
    return {"seconds": seconds, "found": found}


def _splink(folder: Path) -> dict[str, Any]:
    """Seconds and links of every two datasets."""
    seconds, found = {}, {}
    for left, right in itertools.combinations(DEPARTMENTS, 2):
        start = time.perf_counter()
        connection = duckdb.connect(config={"threads": linking.THREADS})
        for side in (left, right):
            connection.execute(f"CREATE TABLE {side.name} AS {_cleaned(side, folder)}").fetchall()
        settings = linking.anchor_settings(essnet.BLOCKS, address=True)
        linker = linking.anchor(connection, (left.name, right.name), settings)
        linking.train_anchor(linker)
        best = linking.best_of_each(linker, left=left.name, at=min(THRESHOLDS), mutual=True, weighed=True)
        found[left.name, right.name] = connection.execute(best).fetchall()
        connection.close()
        seconds[left.name, right.name] = time.perf_counter() - start
    return {"seconds": seconds, "found": found}


def _cleaned(each: Department, folder: Path) -> str:
    """What Splink is given of a file: names in capitals, dates, sexes and postcodes in one writing."""
    number, given, family, birth, sex, address, code = each.columns
    male, female = each.sexes
    day = f"try_strptime({birth}, '{each.day}')::DATE"
    return (
        f"SELECT {number} AS record_id, upper({given}) AS given, upper({family}) AS family, "
        f"upper({given}) || ' ' || upper({family}) AS both_names, strftime({day}, '%Y-%m-%d') AS born, "
        f"year({day}) AS birth_year, CASE {sex} WHEN '{male}' THEN 'M' WHEN '{female}' THEN 'F' END AS sex, "
        f"upper({address}) AS address, upper(replace({code}, ' ', '')) AS code "
        f"FROM read_csv('{folder / each.name}.csv', all_varchar = true)"
    )


def _rows(ours: dict[str, Any], splink: dict[str, Any], truth: dict[str, dict[str, int]]) -> list[dict[str, Any]]:
    rows = []
    for n in range(2, len(DEPARTMENTS) + 1):
        names = [each.name for each in DEPARTMENTS[:n]]
        row: dict[str, Any] = {
            "datasets": n,
            "seconds, index": ours["seconds"]["index"] + sum(ours["seconds"][name] for name in names),
            "seconds, pairs": sum(splink["seconds"][pair] for pair in itertools.combinations(names, 2)),
        }
        index = _quality(ours["found"], names=names, truth=truth)
        pairs = max((_quality(f, names=names, truth=truth) for f in _above(splink["found"])), key=lambda q: q["F1"])
        row |= {f"{k}, {how}": v for how, q in (("index", index), ("pairs", pairs)) for k, v in q.items()}
        rows.append(row)
    return rows


def _above(found: dict[Any, Any]) -> list[dict[Any, Any]]:
    """Splink's links at each threshold."""
    weights = [math.log2(at / (1.0 - at)) for at in THRESHOLDS]
    return [{pair: [(a, b) for a, b, w in links if w >= least] for pair, links in found.items()} for least in weights]


def _quality(found: dict[Any, Any], *, names: list[str], truth: dict[str, dict[str, int]]) -> dict[str, float]:
    correct = linked = true = 0
    for left, right in itertools.combinations(names, 2):
        a, b = truth[left], truth[right]
        linked += len(found[left, right])
        correct += sum(a[x] == b[y] for x, y in found[left, right])
        true += len(set(a.values()) & set(b.values()))
    precision, recall = correct / max(linked, 1), correct / max(true, 1)
    return {"precision": precision, "recall": recall, "F1": 2 * precision * recall / max(precision + recall, 1e-9)}


def _drawn(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Seconds, and below them F1, by number of datasets, as a Vega-Lite specification."""
    named = {"index": "each matched once to an index, then joined", "pairs": "every two linked by Splink"}
    values = [
        {"datasets": row["datasets"], "way": name, "seconds": row[f"seconds, {way}"], "F1": row[f"F1, {way}"]}
        for row in rows for way, name in named.items()
    ]  # fmt: skip
    base = alt.Chart(alt.InlineData(values=values)).mark_line(point=True)
    across = alt.X("datasets:O", title="Number of datasets", axis=alt.Axis(labelAngle=0))
    way = alt.Color("way:N", title=None, legend=alt.Legend(orient="top", labelLimit=400))
    cost = base.encode(x=across, y=alt.Y("seconds:Q", title="Seconds, added up"), color=way)
    quality = base.encode(x=across, y=alt.Y("F1:Q", title="F1 of pairs", scale=alt.Scale(zero=False)), color=way)
    panels = alt.vconcat(cost.properties(width=520, height=300), quality.properties(width=520, height=120))
    title = f"Linking datasets of {SAMPLE:,} people: cost by their number"
    return dict(panels.properties(title=title).configure_range(category=chart.COLOURS).to_dict())


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
