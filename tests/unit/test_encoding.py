"""Keyed encodings: what they hide, what they keep, and how far matching without names goes."""

from pathlib import Path

import numpy as np
import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import build, encoded, encoding
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.index.store import Version
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.linkage import LINK_COLUMNS
from tests.people import Row, noisy, people, table
from tests.unit.test_demographic_index import AT, Untrained, entity_of

SECRET, OTHER = bytes(range(32)), bytes(range(1, 33))


def encode(engine: DuckDB, rows: list[Row], *, secret: bytes = SECRET, out: str = "sent") -> None:
    engine.load("rows_to_encode", Held(table(rows)))
    encoding.encode(engine, secret, definition=DEFINITION, records="rows_to_encode", out=out)
    engine.create(f"{out}_ids", f"SELECT record, record_id FROM {out}_clean")


def likeness(engine: DuckDB, one: Row, other: Row, *, secrets: tuple[bytes, bytes] = (SECRET, SECRET)) -> float:
    encode(engine, [one], secret=secrets[0], out="one")
    encode(engine, [other], secret=secrets[1], out="other")
    sql = f"SELECT {encoding.dice_sql('l', 'r')} AS dice FROM one_filters l, other_filters r"
    return float(engine.rows(sql)["dice"][0].as_py())


MARY = {"record_id": "1", "given_name": "Mary", "family_name": "Okafor", "date_of_birth": "1984-03-12",
        "sex": "F", "postcode": "CF10 1AA"}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [
        ({}, 1.0, 1.0),
        ({"given_name": " MARY "}, 1.0, 1.0),
        ({"family_name": "Okafur"}, 0.85, 0.97),
        ({"postcode": "CF10 1AB"}, 0.85, 0.97),
        ({"date_of_birth": "1984-03-13"}, 0.9, 0.99),
        ({"given_name": "Idris", "family_name": "Pugh", "date_of_birth": "1951-11-07", "sex": "M",
          "postcode": "LL57 2DG"}, 0.2, 0.65),
    ],
)  # fmt: skip
def test_filters_are_as_alike_as_what_they_hold(
    engine: DuckDB, change: dict[str, str], least: float, most: float
) -> None:
    assert least <= likeness(engine, MARY, MARY | change) <= most


def test_under_another_secret_the_same_person_is_a_stranger(engine: DuckDB) -> None:
    assert likeness(engine, MARY, MARY, secrets=(SECRET, OTHER)) < 0.65
    encode(engine, [MARY], out="one")
    encode(engine, [MARY], secret=OTHER, out="other")
    shared = "SELECT count(*) AS n FROM one_signatures JOIN other_signatures USING (signature)"
    assert engine.rows(shared)["n"][0].as_py() == 0


def test_a_record_that_says_nothing_has_no_filter(engine: DuckDB) -> None:
    encode(engine, [MARY | {k: None for k in MARY if k != "record_id"}, MARY | {"record_id": "2"}])
    assert engine.rows("SELECT count(*) AS n FROM sent_filters")["n"][0].as_py() == 1


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(UsageRefusal, match="fewer than 32 bytes"):
        encoding.check_secret(b"secret")


def test_positions_are_spread_over_the_filter() -> None:
    words = np.array([encoding.mask(SECRET, "given", piece=f"{i}", bits=20) for i in range(500)])
    bits = np.unpackbits(words.view(np.uint8), axis=1)
    assert 18 <= bits.sum(axis=1).mean() <= 20
    assert bits.sum(axis=0).min() > 0


def test_records_are_matched_without_names(engine: DuckDB, tmp_path: Path) -> None:
    known = people(400)
    engine.load("source_rows", Held(table(known)))
    version: Version = build.add_source(
        engine, Untrained(), definition=DEFINITION, previous=None, folder=tmp_path / "v1",
        source=build.Source("register", "source_rows", AT),
    )[0]  # fmt: skip
    there, strangers = noisy(known[:200], seed=3), people(500)[400:]
    encode(engine, [r | {"record_id": f"s{i}"} for i, r in enumerate([*there, *strangers])])
    report = encoded.match_encoded(engine, SECRET, version=version, records="sent", out="links", one_to_one=True)
    assert tuple(engine.columns("links")) == LINK_COLUMNS
    truth = entity_of(engine, version)
    wanted = {f"s{i}": truth["register", str(known[i]["record_id"])] for i in range(200)}
    links = {r["record_id"]: r["entity_id"] for r in engine.rows("SELECT * FROM links").to_pylist()}
    right = sum(links[record] == entity for record, entity in wanted.items())
    wrong = sum(e is not None and wanted.get(r) != e for r, e in links.items())
    assert report.records == 300
    assert right >= 160  # a quarter of them miss a birthday, moved, or are an initial
    assert wrong <= 2
