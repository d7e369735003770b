"""Scores are Splink's: the same pairs, the same weights; and each level, rule and rival drawn."""

import logging
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest
from splink import DuckDBAPI, Linker

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index import link
from integrated_data.index.matching import prepare, score
from integrated_data.index.matching.model import assumed, with_rivals
from integrated_data.index.reference.demographic import DEFINITION
from integrated_data.site.splink_training import splink_settings
from tests.people import noisy, people, table

RELATIONS = score.Relations("pairs", "records", "forms")
MODEL = assumed(DEFINITION)


def prepared(engine: DuckDB, records: list[dict[str, object]], forms: list[dict[str, object]]) -> None:
    """Tables `records` and `forms`, cleaned."""
    engine.load("delivered", Held(table(records)))
    engine.load("known", Held(table(forms)))
    link.clean(engine, DEFINITION, records="delivered", out="records")
    link.clean(engine, DEFINITION, records="known", out="known_clean")
    engine.create("known_tf", prepare.with_frequencies_sql(DEFINITION, "known_clean"))
    engine.create("forms", "SELECT *, record AS form, record AS entity FROM known_tf")


def test_weights_are_those_of_splink(engine: DuckDB) -> None:
    everyone = people(240)
    prepared(engine, noisy(everyone), everyone)
    engine.create("pairs", "SELECT l.record, r.entity FROM records l, forms r WHERE (l.record + r.entity) % 7 = 0")
    levels = score.compared_sql(DEFINITION, RELATIONS)
    ours = engine.rows(f"SELECT record, entity, {score.weight_sql(DEFINITION, MODEL)} AS weight FROM ({levels})")
    theirs = splink_weights(engine)
    found = {(r["record"], r["entity"]): r["weight"] for r in ours.to_pylist()}
    assert len(found) == len(theirs) > 5_000
    assert max(abs(found[pair] - weight) for pair, weight in theirs.items()) < 1e-6


def splink_weights(engine: DuckDB) -> dict[tuple[int, int], float]:
    """Weights that Splink's own predict gives the pairs in `pairs`, without a prior."""
    logging.getLogger("splink").setLevel(logging.CRITICAL)
    connection = duckdb.connect()
    fields = ", ".join(prepare.kept(DEFINITION))
    api = DuckDBAPI(connection=connection)
    sides = {
        "a_side": engine.rows(f"SELECT 'a_side' AS source, record AS number, {fields} FROM records"),
        "b_side": engine.rows(f"SELECT 'b_side' AS source, form AS number, {fields} FROM forms"),
    }
    settings = splink_settings(DEFINITION.comparisons, MODEL.shares, link_type="link_only")
    settings |= {"probability_two_random_records_match": 0.5}
    linker = Linker(
        [api.register(t, dataset_display_name=n) for n, t in sides.items()],
        settings,
        log_level=None,
        validate_settings=False,
    )
    for field in (f.name for f in DEFINITION.fields if f.frequency):
        shares = engine.rows(f"SELECT DISTINCT {field}, tf_{field} FROM forms WHERE {field} IS NOT NULL")
        linker.table_management.register_term_frequency_lookup(
            api.register(shares, dataset_display_name=f"shares_{field}"), field
        )
    pairs = engine.rows(
        "SELECT 'a_side-__-' || record AS join_key_l, 'b_side-__-' || entity AS join_key_r, '0' AS match_key FROM pairs"
    )
    linker.table_management.register_blocked_pairs_for_predict(api.register(pairs, dataset_display_name="chosen"))
    predicted = linker.inference.predict(warning_mode="never").physical_name
    rows = connection.execute(f"SELECT number_l, number_r, match_weight FROM {predicted}").fetchall()
    return {(left, right): weight for left, right, weight in rows}


LEE = {
    "given_name": "Ann",
    "family_name": "Lee",
    "date_of_birth": None,
    "sex": "F",
    "address": "1 High Street",
    "postcode": "AB1 2CD",
}
LEVELS = [
    ("given", {"given_name": "Anne"}, "short or other form"),
    ("given", {"given_name": "A"}, "initial"),
    ("given", {"given_name": "Lee", "family_name": "Ann"}, "swapped with family name"),
    ("given", {"given_name": "Mary Ann"}, "middle name used"),
    ("given", {"given_name": "George"}, "other"),
    ("given", {"given_name": None}, None),
    ("family", {"family_name": "Lee-Smith"}, "one of two names"),
    ("family", {"family_name": "Smith", "previous_family_name": "Lee"}, "previous name"),
    ("sex", {"sex": "1"}, "other"),
    ("place", {}, "same dwelling"),
    ("place", {"address": "2 High Street"}, "same postcode, other house"),
    ("place", {"address": None}, "same postcode, house unknown"),
    ("place", {"postcode": "AB1 9ZZ"}, "same house and street, postcode near or missing"),
    ("place", {"postcode": "XY9 9ZZ"}, "same house and street elsewhere"),
    ("place", {"address": "9 Low Lane", "postcode": "AB1 2ZZ"}, "same postcode sector"),
    ("place", {"address": "9 Low Lane", "postcode": "XY9 9ZZ"}, "other"),
]


@pytest.mark.parametrize(("comparison", "change", "expected"), LEVELS)
def test_levels(engine: DuckDB, comparison: str, change: dict[str, str], expected: str | None) -> None:
    base = {**LEE, "record_id": "1", "previous_family_name": None}
    prepared(engine, [base], [base | change])
    engine.create("pairs", "SELECT 0 AS record, 0 AS entity")
    row = engine.rows(score.compared_sql(DEFINITION, RELATIONS)).to_pylist()[0]
    level = row[f"level_{comparison}"]
    labels = [each.label for each in DEFINITION.comparison(comparison).levels]
    assert (labels[level] if level >= 0 else None) == expected


BIRTHS = [
    ((1984, 9, 7), (1984, 9, 7), "same"),
    ((1984, 9, 7), (1984, 7, 9), "day and month swapped"),
    ((1984, 9, 7), (None, 9, 7), "two parts agree, the third is missing"),
    ((1984, 9, 7), (1994, 9, 7), "day and month agree, year nearly"),
    ((1984, 9, 7), (1984, 9, 8), "year and one other part agree"),
    ((1984, 9, 7), (1951, 9, 7), "day and month agree"),
    ((1984, 9, 7), (1984, 2, 3), "year agrees"),
    ((1984, 9, 7), (1985, 2, 3), "year nearly"),
    ((1984, 9, 7), (1951, 2, 3), "other"),
    ((1984, 9, 7), (None, None, None), None),
]


@pytest.mark.parametrize(("left", "right", "expected"), BIRTHS)
def test_levels_of_birth(
    engine: DuckDB, left: tuple[int, ...], right: tuple[int | None, ...], expected: str | None
) -> None:
    names = ("birth_year", "birth_month", "birth_day")
    schema = pa.schema([("record_id", pa.string()), *((n, pa.int32()) for n in names)])
    for relation, parts in (("delivered", left), ("known", right)):
        row = {"record_id": "1", **dict(zip(names, parts, strict=True))}
        engine.load(relation, Held(pa.Table.from_pylist([row], schema=schema)))
    link.clean(engine, DEFINITION, records="delivered", out="records")
    link.clean(engine, DEFINITION, records="known", out="known_clean")
    engine.create(
        "forms", f"SELECT *, 0 AS form, 0 AS entity FROM ({prepare.with_frequencies_sql(DEFINITION, 'known_clean')})"
    )
    engine.create("pairs", "SELECT 0 AS record, 0 AS entity")
    level = engine.rows(score.compared_sql(DEFINITION, RELATIONS)).to_pylist()[0]["level_birth"]
    labels = [each.label for each in DEFINITION.comparison("birth").levels]
    assert (labels[level] if level >= 0 else None) == expected


def test_a_candidate_must_be_likelier_the_record_than_its_brother(engine: DuckDB) -> None:
    base = {**LEE, "record_id": "1"}
    others = [{**LEE, "record_id": str(i), "family_name": f"Other{i}", "postcode": f"Q{i} 1AA"} for i in range(2, 40)]
    prepared(engine, [base], [base, base | {"given_name": "George", "sex": "M"}, *others])
    engine.create("pairs", "SELECT 0 AS record, e AS entity FROM range(2) t(e)")
    levels = score.compared_sql(DEFINITION, RELATIONS)

    def weights(rivals: float) -> dict[int, float]:
        model = replace(with_rivals(MODEL, DEFINITION, counts=None), rivals=rivals)
        rows = engine.rows(score.scored_sql(DEFINITION, model, compared=levels, among=40, floor=-1e9)).to_pylist()
        return {r["entity"]: r["weight"] for r in rows}

    unguarded, guarded = weights(0.0), weights(1.6)
    assert unguarded[1] - guarded[1] > 3.0
    assert guarded[0] > guarded[1] + 8.0


def test_the_first_rule_that_holds_is_named(engine: DuckDB) -> None:
    base = {**LEE, "record_id": "1", "date_of_birth": None, "nhs_number": "9434765919"}
    born = base | {"birth_year": 1984, "birth_month": 9, "birth_day": 7}
    prepared(engine, [born], [born])
    engine.create("pairs", "SELECT 0 AS record, 0 AS entity")
    rows = engine.rows(
        score.scored_sql(DEFINITION, MODEL, compared=score.compared_sql(DEFINITION, RELATIONS), among=1, floor=-1e9)
    ).to_pylist()
    assert DEFINITION.rules[rows[0]["rule"]].name == "NHS number and date of birth"
