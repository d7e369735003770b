"""Files of SPSS, Stata and SAS: a table written by the package's own format in, a contract with its labels out."""

import datetime
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from integrated_data.acquire import contracts
from integrated_data.acquire.describe import layout_sentence
from integrated_data.acquire.labels import Label, labelled
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.contract import Column, Contract
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.standardise.values import standard_codes
from integrated_data.validate import shape
from tests.delivering import checked, contract_of, delivered, inferred

ROWS = 60
TENURE = {1: "Owned outright", 2: "Mortgage", 3: "Rented"}
HOURS = {-8: "Don't know", -9: "Not applicable"}
TITLES = {"tenure": "Whether owned or rented", "hours": "Hours worked in the reference week"}


def frame() -> pd.DataFrame:
    """tenure 1 2 3 1 …; hours 20.5 to 49.5 with -8 and -9; a date; a name in Welsh."""
    return pd.DataFrame(
        {
            "caseno": [f"C{i:04d}" for i in range(ROWS)],
            "tenure": [float(1 + i % 3) for i in range(ROWS)],
            "hours": [-8.0 if i == 4 else -9.0 if i == 7 else 20.5 + i % 30 for i in range(ROWS)],
            "seen": [datetime.date(2020, 1, 1 + i % 28) for i in range(ROWS)],
            "surname": ["Llŷr" if i % 2 else "Jones" for i in range(ROWS)],
        }
    )


def written(folder: Path, suffix: str) -> bytes:
    """The table as the package writes it; SAS transport files know no labels of codes."""
    place = folder / f"written.{suffix}"
    labels = {"column_labels": TITLES, "variable_value_labels": {"tenure": TENURE, "hours": HOURS}}
    match suffix:
        case "sav":
            pyreadstat.write_sav(frame(), place, **labels)
        case "zsav":
            pyreadstat.write_sav(frame(), place, compress=True, **labels)
        case "dta":
            whole = frame().astype({"tenure": "int32"})
            codes = {"tenure": TENURE}
            pyreadstat.write_dta(whole, place, column_labels=TITLES, variable_value_labels=codes)
        case _:
            pyreadstat.write_xport(frame(), place, column_labels=TITLES)
    return place.read_bytes()


def contract(engine: DuckDB, folder: Path, suffix: str) -> Contract:
    file = (f"survey.{suffix}", written(folder, suffix))
    return labelled(inferred(engine, folder, file), delivered(folder, file).labels)


@pytest.mark.parametrize("suffix", ["sav", "zsav", "dta", "xpt"])
def test_types_and_titles_come_along(engine: DuckDB, tmp_path: Path, suffix: str) -> None:
    columns = {c.source: c for c in contract(engine, tmp_path, suffix).columns}
    assert list(columns) == ["caseno", "tenure", "hours", "seen", "surname"]
    kinds = [columns[n].kind for n in ("tenure", "hours", "seen")]
    assert kinds == [Kind.STRING, Kind.NUMBER, Kind.DATE]
    assert columns["tenure"].title == TITLES["tenure"]
    assert columns["surname"].handling is Handling.IDENTIFIER


def test_codes_come_with_their_labels_and_codes_for_no_value_are_told(engine: DuckDB, tmp_path: Path) -> None:
    columns = {c.source: c for c in contract(engine, tmp_path, "sav").columns}
    assert columns["tenure"].codes == (("1", "Owned outright"), ("2", "Mortgage"), ("3", "Rented"))
    assert (columns["tenure"].meaning, columns["tenure"].handling) == (Meaning.CODE, Handling.PAYLOAD)
    assert set(columns["hours"].missing) >= {"-8", "-9"}


def test_values_are_read_as_they_were_written(engine: DuckDB, tmp_path: Path) -> None:
    found = checked(
        engine, tmp_path / "again", data=written(tmp_path, "sav"), contract=contract(engine, tmp_path, "sav")
    )
    assert found.tally.read == found.tally.good == ROWS
    first = {"tenure": "1", "hours": 20.5, "seen": datetime.date(2020, 1, 1), "surname": "JONES"}
    assert {k: v for k, v in found.good[0].items() if k in first} == first
    assert found.good[4]["hours"] is None


def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefusal, match="SPSS, Stata or SAS"):
        delivered(tmp_path, ("survey.sav", written(tmp_path, "sav")[:200]))


def test_a_label_clears_no_identifier() -> None:
    column = Column("gp", "gp", meaning=Meaning.ORGANISATION_REFERENCE, handling=Handling.IDENTIFIER)
    (kept,) = labelled(contract_of(column), {"gp": Label("Practice", (("A1", "Elm"),), True)}).columns
    assert (kept.handling, kept.codes, kept.title) == (Handling.IDENTIFIER, (), "Practice")


@pytest.mark.parametrize(("suffix", "told"), [("sav", "an SPSS file"), ("dta", "a Stata file"), ("xpt", "a SAS file")])
def test_the_layout_is_told_as_what_it_is(engine: DuckDB, tmp_path: Path, suffix: str, told: str) -> None:
    made = contract(engine, tmp_path, suffix)
    assert layout_sentence(made.layout) == told
    assert contracts.parse(contracts.dump(made)).layout == made.layout


def spread(**counts: int) -> shape.Spread:
    return shape.Spread(True, counts)


@pytest.mark.parametrize(
    ("before", "now", "guessed", "new"),
    [
        ([], spread(A=50, X=50), True, None),  # codes beside those that have a label, in the first delivery
        ([spread(A=50, X=50)], spread(A=40, X=60), True, None),
        ([spread(A=50, X=50)], spread(A=40, X=50, Y=10), True, 1),
        ([], spread(A=50, X=50), False, 1),  # which is not what was agreed
        ([], shape.Spread(False, {"3": 50, "9": 50}), False, None),  # numbers are no list
    ],
)
def test_codes_beside_labelled_ones_are_no_drift_of_a_first_delivery(
    before: list[shape.Spread], now: shape.Spread, guessed: bool, new: int | None
) -> None:
    column = Column("grade", "grade", codes=(("A", "active"), ("B", "left")))
    found = shape.recoded(column, before, now=now, guessed=guessed)
    assert (found.new if found else None) == new


def test_codes_of_the_sexes_are_compared_as_the_standard_writes_them() -> None:
    column = Column("sex", "sex", meaning=Meaning.SEX, codes=(("1", "Male"), ("2", "Female"), ("-9", "Refused")))
    assert [code for code, _ in standard_codes(column)] == ["M", "F", "-9"]
