"""How well records would be matched, estimated before they are handed in."""

from importlib import resources
from itertools import combinations
from pathlib import Path

import pytest

from integrated_data.engine import Held
from integrated_data.engines.duckdb import DuckDB
from integrated_data.index.reach import FIELDS, reach
from integrated_data.index.samples.likeness import points_to_one
from integrated_data.model.contract import Column, Contract, Format, IndexUse, Layout
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.specimen import sample
from tests.drawn import drawn

M = Meaning


def contract(*columns: tuple[str, Meaning, Kind], index: str) -> Contract:
    made = tuple(Column(name, name, kind, meaning) for name, meaning, kind in columns)
    return Contract("d", "o", Layout(Format.CSV), made, indexes=(IndexUse(index),))


def test_the_samples_are_what_the_specimen_writes(tmp_path: Path) -> None:
    sample.write(tmp_path)
    shipped = resources.files("integrated_data.index.samples")
    for written in tmp_path.iterdir():
        assert shipped.joinpath(written.name).read_bytes() == written.read_bytes(), "write them again"
    assert {f.stem for f in tmp_path.iterdir()} == set(FIELDS)


def test_rows_reach_people_by_what_is_well_formed(engine: DuckDB) -> None:
    people = drawn("""
        nhs        | given | family  | born       | postcode
        9434765919 |       |         |            |
        9434765910 | Ann   | Quibble | 1961-02-03 | AB1 2DE
        9434765910 | Ann   | Quibble | 1900-01-01 | AB1 2DE
                   | ANN   | UNKNOWN | 2961-02-03 | nowhere
    """)
    engine.load("good", Held(people))
    columns = [("nhs", M.NHS_NUMBER, Kind.STRING), ("given", M.GIVEN_NAME, Kind.STRING),
               ("family", M.FAMILY_NAME, Kind.STRING), ("born", M.DATE_OF_BIRTH, Kind.DATE),
               ("postcode", M.POSTCODE, Kind.STRING)]  # fmt: skip
    (one,) = reach(engine, "good", contract=contract(*columns, index="demographic"))
    assert dict(one.fields) == {"NHS number": 0.25, "given": 0.75, "family": 0.5, "born": 0.25, "postcode": 0.5}
    assert one.low == one.high
    # the number, the whole of a person, and a name in a postcode, where some families use a name again
    assert 0.70 < one.low < 0.75


def test_rows_of_the_sample_are_found_in_it(engine: DuckDB) -> None:
    codes = drawn("""
        sic   | soc
        01110 | 1121
        01999 | 9999
        99999 |
    """)
    engine.load("good", Held(codes))
    columns = [("sic", M.INDUSTRY_CODE, Kind.STRING), ("soc", M.OCCUPATION_CODE, Kind.STRING)]
    (one,) = reach(engine, "good", contract=contract(*columns, index="classification"))
    assert (one.found, one.rows) == (1, 3)
    assert dict(one.fields) == pytest.approx({"industry code": 1.0, "occupation code": 2 / 3})


def test_words_leave_a_span(engine: DuckDB) -> None:
    engine.load("good", Held(drawn("name\nACME LTD\n?")))
    (one,) = reach(engine, "good", contract=contract(("name", M.ORGANISATION_NAME, Kind.STRING), index="business"))
    assert (one.low, one.high) == (0.0, 0.5)


def test_how_much_a_name_tells() -> None:
    assert (points_to_one("demographic", ["family", "born"]) or 0) < 0.05
    assert (points_to_one("demographic", ["given", "family", "born"]) or 0) > 0.9
    assert (points_to_one("demographic", ["given", "family"]) or 0) == pytest.approx(0)


def test_more_fields_never_tell_less() -> None:
    fields = [f for f in FIELDS["demographic"] if f not in ("year", "address")]
    for n in range(len(fields)):
        for less in combinations(fields, n):
            for more in set(fields) - set(less):
                before, after = points_to_one("demographic", less), points_to_one("demographic", [*less, more])
                assert before is not None
                assert after is not None
                assert after >= before - 0.01, (less, more)
