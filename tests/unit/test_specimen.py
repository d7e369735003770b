"""The specimen's small parts as pictures: what is written, and how it goes wrong."""

import inspect
import re
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from integrated_data import specimen
from integrated_data.specimen import errors, identifiers, rates, words
from integrated_data.specimen.businesses import industries
from integrated_data.specimen.chance import opaque, pick_by_group, stream
from integrated_data.specimen.jobs import occupations
from integrated_data.specimen.names import TRADITIONS, book, surname_code, surname_text
from integrated_data.specimen.text import NO_DAY, choose, column, dates, day_of, folded, join


def one(wrong, value: str) -> set[str]:
    """All that a kind of error makes of one value in three hundred draws."""
    values = column([value] * 300)
    return set(wrong(np.random.default_rng(1), values, where=np.ones(300, dtype=bool)).to_pylist())


@pytest.mark.parametrize(
    ("wrong", "value", "among"),
    [
        (errors.misspell, "Smith", {"Smiht", "Smth", "Smmith"}),
        (errors.pet_form, "William", {"Bill", "Will"}),
        (errors.respell, "Mohammed", {"Muhammad", "Mohamed"}),
        (errors.lose_part, "da Silva", {"Silva"}),
        (errors.lose_part, "Garcia Lopez", {"Garcia", "Lopez"}),
        (errors.lose_part, "O'Brien", {"OBrien"}),
        (errors.mistype_code, "AB1 5CD", {"AB1 SCD", "A1B 5CD"}),
    ],
)
def test_what_goes_wrong(wrong, value: str, among: set[str]) -> None:
    assert among <= one(wrong, value)


@pytest.mark.parametrize("wrong", [errors.pet_form, errors.respell, errors.lose_part])
def test_a_name_without_other_forms_stays(wrong) -> None:
    assert one(wrong, "Zebedee") == {"Zebedee"}


def test_only_masked_rows_go_wrong() -> None:
    names = column(["Smith", None, "Jones", "Smith"])
    mask = np.array([False, True, False, True])
    wrong = errors.misspell(np.random.default_rng(1), names, where=mask).to_pylist()
    assert wrong[:3] == ["Smith", None, "Jones"]
    assert wrong[3] != "Smith"


def test_days_go_wrong() -> None:
    days = np.array([day_of(1985, 3, day=7), day_of(1985, 3, day=27), NO_DAY])
    all_rows = np.ones(3, dtype=bool)
    assert dates(errors.swap_day_and_month(days, all_rows), "%d/%m/%Y").to_pylist() == [
        "03/07/1985",
        "27/03/1985",
        None,
    ]
    assert dates(errors.first_of_january(days, all_rows), "%Y-%m-%d").to_pylist() == [
        "1985-01-01",
        "1985-01-01",
        None,
    ]
    other = errors.wrong_year(np.random.default_rng(1), days, where=all_rows, latest=day_of(1985, 12, day=31))
    assert (other[:2] != days[:2]).all()
    assert other[2] == NO_DAY
    assert other.max() <= day_of(1985, 12, day=31)


def test_text_columns() -> None:
    assert join([column(["1", None, None]), column(["High Street", "The Barn", None])], " ").to_pylist() == [
        "1 High Street", "The Barn", None,
    ]  # fmt: skip
    assert folded(column(["Wójcik", "Łukasz", "Tŷ Gwyn", "João"])).to_pylist() == [
        "Wojcik",
        "Lukasz",
        "Ty Gwyn",
        "Joao",
    ]
    assert choose(np.array([True, False]), "a", otherwise=None).to_pylist() == ["a", None]


def test_the_check_digit_is_the_published_one() -> None:
    """943 476 5919 is the example of the NHS data dictionary."""
    assert identifiers.check_digit(np.array([943_476_591])).tolist() == [9]


def test_opaque_numbers_differ_and_are_unordered() -> None:
    numbers = opaque(stream(1, "test"), 5_000, low=0, high=5_400)
    assert len(set(numbers.tolist())) == 5_000
    assert abs(np.corrcoef(numbers, np.arange(5_000))[0, 1]) < 0.05


def test_drawing_by_group_keeps_to_the_group() -> None:
    table = np.array([[1.0, 0.0, 3.0], [0.0, 5.0, 0.0]])
    drawn = pick_by_group(np.random.default_rng(1), table, group=np.repeat([0, 1], 2_000))
    assert set(drawn[2_000:].tolist()) == {1}
    assert 0.71 < (drawn[:2_000] == 2).mean() < 0.79


def test_women_bear_the_feminine_form() -> None:
    place = book().surnames.to_pylist().index("Kowalski")
    code = surname_code(np.array([place, place]), np.array([0, 0]), joined=np.array([0, 0]))
    assert surname_text(code, np.array([True, False])).to_pylist() == ["Kowalska", "Kowalski"]


def test_word_lists_are_long_enough() -> None:
    listed = {name for tradition in TRADITIONS for name in words.lists(f"names_{tradition}")["surnames"]}
    assert len(listed) >= 700
    others = [words.lists(f"names_{tradition}") for tradition in TRADITIONS if tradition != "british"]
    for key in ("men", "women"):
        british = words.lists("names_british")
        for generation in (("1930", "1945"), ("1957", "1967", "1977"), ("1987", "1997"), ("2007", "2017")):
            names = {name for decade in generation for name in british[f"{key} {decade}"]}
            names |= set(british[f"{key} any"]) | {name for lists in others for name in lists[key]}
            assert len(names) >= 500


def test_industries_name_occupations_that_exist() -> None:
    known = {job.code for job in occupations()}
    assert all(set(trade.occupations) <= known for trade in industries())
    assert len(industries()) >= 60


def test_every_rate_says_where_it_comes_from() -> None:
    """Each field has a comment on its line, or one above it that heads its group."""
    names = {field.name for field in fields(rates.Rates)}
    headed = False
    silent = []
    for line in inspect.getsource(rates.Rates).splitlines():
        found = re.match(r"    (\w+):", line)
        if line.strip().startswith("#:"):
            headed = True
        elif found and found[1] in names and not headed and "#" not in line:
            silent.append(found[1])
        elif not line.strip():
            headed = False
    assert silent == []


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No department is called customs"):
        specimen.write(tmp_path, people=1_000, departments=["customs"])
    with pytest.raises(ValueError, match="at least 1,000 people"):
        specimen.write(tmp_path, people=10)
    assert list(tmp_path.iterdir()) == []


def test_days_are_written_as_departments_do() -> None:
    day = np.array([day_of(2021, 3, day=21)])
    assert date(2021, 3, 21).strftime("%d-%b-%Y") == dates(day, "%d-%b-%Y").to_pylist()[0]
