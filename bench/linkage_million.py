"""100,000 records to an index of a million, model and prepared index stored on both sides.

The fictional country: a census delivery file against the health register. Ours is `ids match` with the
census's contract, from the file on disk to the file of links: land, seal, standardise, match, write.
Beside it Splink 5 with a saved model, its cleaned index and its term frequencies stored as Parquet,
from the same file to the best candidate of each record at 0.5: with the six blocking rules that it
has in the ESSnet benchmark, against which the mark is held, and with six that each ask for nearly
everything, which is as fast as it gets and is shown beside it.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import essnet, linking, report
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

PEOPLE, RECORDS = 1_000_000, 100_000
BLOCKS = {
    "six rules": (*essnet.BLOCKS[:-1], ("family", "code", "birth_year")),
    "six tight rules": (
        ("born", "family"), ("born", "given"), ("given", "family", "code"), ("code", "born"),
        ("family", "code", "birth_year"), ("given", "family", "birth_year"),
    ),
}  # fmt: skip

_REGISTER = (
    "register_id AS record_id, upper(forename) AS given, upper(surname) AS family, "
    "upper(forename) || ' ' || upper(surname) AS both_names, date_of_birth::DATE AS day, gender AS sex, postcode"
)
_CENSUS = (
    "resident_id AS record_id, upper(first_name) AS given, upper(last_name) AS family, "
    "upper(first_name) || ' ' || upper(last_name) AS both_names, "
    "try_strptime(dob, '%d/%m/%Y')::DATE AS day, CASE sex WHEN 'M' THEN '1' WHEN 'F' THEN '2' END AS sex, postcode"
)


def run() -> bool:
    """Print the table; true when ours is faster at no lower F1."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = _country(folder)
        _store_anchor(folder, truth["register"])
        _store_ours(folder, truth["register"])
        rows = [_row("ours (ids match)", linking.repeated(_ours, folder), _our_links(folder), truth)]
        for rules in BLOCKS:
            done = linking.repeated(_anchor, folder, rules)
            rows.append(_row(f"Splink 5, {rules}", done, _anchor_links(folder), truth))
    report.table(f"{RECORDS:,} records to an index of {PEOPLE:,}, from delivery file to links", rows)
    ours, anchor, tight = rows
    print(f"ratio to six tight rules {tight['seconds'] / ours['seconds']:.2f}")
    print(f"ratio {anchor['seconds'] / ours['seconds']:.2f}")
    return report.marks(
        {"faster than Splink": ours["seconds"] < anchor["seconds"], "F1 no lower": ours["F1"] >= anchor["F1"]}
    )


def _country(folder: Path) -> dict[str, Any]:
    """Write the register and a delivery of some of the census; truth: the person of every record."""
    made = write(folder / "country", people=PEOPLE, seed=7, departments=["health_register", "census"])
    register, census = made.of("health_register")[0], made.of("census")[0]
    duckdb.execute(
        f"COPY (SELECT * FROM read_csv('{census.path}', all_varchar = true) "
        f"ORDER BY hash(resident_id) LIMIT {RECORDS}) TO '{folder / 'census.csv'}'"
    )
    sent = duckdb.execute(
        f"SELECT record_id, person_id FROM '{census.truth}' WHERE record_id IN "
        f"(SELECT resident_id FROM read_csv('{folder / 'census.csv'}', all_varchar = true))"
    ).fetchall()
    known = duckdb.execute(f"SELECT record_id, person_id FROM '{register.truth}'").fetchall()
    persons = {p for _, p in known}
    return {
        "register": register.path, "sent": dict(sent), "known": dict(known),
        "findable": sum(p in persons for _, p in sent),
    }  # fmt: skip


def _row(what: str, done: linking.Timed, links: list[Any], truth: dict[str, Any]) -> dict[str, Any]:
    correct = sum(truth["sent"][a] == truth["known"][b] for a, b in links)
    p, r = correct / max(len(links), 1), correct / truth["findable"]
    return {
        "method": what, "precision": p, "recall": r, "F1": 2 * p * r / (p + r), "seconds": done.seconds,
        "cpu": min(done.cpu), "MiB": done.memory,
    }  # fmt: skip


def _cleaned(columns: str, file: Path) -> str:
    source = f"SELECT {columns} FROM read_csv('{file}', all_varchar = true)"
    return (
        "SELECT record_id, given, family, both_names, strftime(day, '%Y-%m-%d') AS born, year(day) AS birth_year, "
        f"sex, upper(replace(postcode, ' ', '')) AS code FROM ({source})"
    )


def _store_anchor(folder: Path, register: Path) -> None:
    """Splink's side before the clock starts: cleaned index, term frequencies, a model trained on this delivery."""
    connection = duckdb.connect(config={"threads": linking.THREADS})
    connection.execute(f"COPY ({_cleaned(_REGISTER, register)}) TO '{folder / 'index.parquet'}'")
    connection.execute(f"CREATE VIEW people AS FROM '{folder / 'index.parquet'}'")
    connection.execute(f"CREATE TABLE census AS {_cleaned(_CENSUS, folder / 'census.csv')}").fetchall()
    for rules, blocks in BLOCKS.items():
        linker = linking.anchor(connection, ("census", "people"), linking.anchor_settings(blocks, address=False))
        linking.train_anchor(linker)
        linker.misc.save_model_to_json(str(folder / f"{rules}.json"), overwrite=True)
    for column in ("given", "family", "both_names"):
        table = linker.table_management.compute_tf_table(column).physical_name
        connection.execute(f"COPY {table} TO '{folder / f'tf_{column}.parquet'}'")


def _anchor(folder: Path, rules: str) -> None:
    connection = duckdb.connect(config={"threads": linking.THREADS})
    connection.execute(f"CREATE VIEW people AS FROM '{folder / 'index.parquet'}'")
    connection.execute(f"CREATE TABLE census AS {_cleaned(_CENSUS, folder / 'census.csv')}").fetchall()
    linker = linking.anchor(connection, ("census", "people"), json.loads((folder / f"{rules}.json").read_text()))
    for column in ("given", "family", "both_names"):
        connection.execute(f"CREATE VIEW tf_{column} AS FROM '{folder / f'tf_{column}.parquet'}'")
        stored = linker._db_api.register(f"tf_{column}", dataset_display_name=f"stored_{column}")
        linker.table_management.register_term_frequency_lookup(stored, column)
    best = linking.best_of_each(linker, left="census", at=0.5)
    connection.execute(f"COPY ({best}) TO '{folder / 'anchor.parquet'}'")


def _anchor_links(folder: Path) -> list[Any]:
    return duckdb.execute(f"SELECT a, b FROM '{folder / 'anchor.parquet'}'").fetchall()


def _settings() -> Settings:
    return Settings(home=None, threads=linking.THREADS, memory="4GB", production=False, actor="system:bench")


def _store_ours(folder: Path, register: Path) -> None:
    """Our side before the clock starts: the index, and a model trained on this delivery."""
    places = create(folder / "home", actor="system:bench")
    with open_loading(places, _settings()) as site:
        load_reference(site, SourceOrder("demographic", (register,), "health", "register_id"))
        with open_kit(_settings()) as kit:
            contract = infer_contract(kit, [folder / "census.csv"], dataset="census", owner="ons")
        contracts.write(contract, folder / "census.yaml")
    _ours(folder)


def _ours(folder: Path) -> None:
    order = MatchOrder(
        "demographic", folder / "census.csv", folder / "links.parquet", "resident_id", folder / "census.yaml"
    )
    with open_loading(Places(folder / "home"), _settings()) as site:
        match_file(site, order)


def _our_links(folder: Path) -> list[Any]:
    """Accepted links as pairs of census and register ids; of several register ids of one entity any will do."""
    places = Places(folder / "home")
    with open_loading(places, _settings()) as site:
        open_version(DEFINITION, places.indexes / "demographic" / "v0001").load(site.engine, "index")
        table = site.engine.rows(
            f"SELECT l.record_id AS a, min(r.record_id) AS b FROM '{folder / 'links.parquet'}' l "
            "JOIN index_entities e ON e.entity_id = l.entity_id JOIN index_records r ON r.entity = e.entity GROUP BY 1"
        )
    return list(zip(table.column("a").to_pylist(), table.column("b").to_pylist(), strict=True))


if __name__ == "__main__":
    sys.exit(0 if run() else 1)
