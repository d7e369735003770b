"""The kit's report: what it says, that it holds no value of the data, and that questions correct the contract."""

import json
import random
from pathlib import Path
from shutil import copyfile
from typing import Any

import html5lib
import pytest
from typer.testing import CliRunner, Result

from integrated_data.acquire import contracts
from integrated_data.cli.kit import app
from integrated_data.model.contract import Mode
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Meaning
from integrated_data.vocabulary.headings import is_above_numbers, showable

HEAD = "ref,forename,surname,dob,postcode,grade,<script>alert(1)</script>"
#: Planted in values of every kind: a name, a code, a place, a reference, a date that few share, a word in a number.
MARKS = ("Zquagga", "Yxplatypus", "QZ9", "ZM4 5HQ", "REF77", "1987-11-23", "23/11/1987", "sevenish")


def rows(number: int) -> list[str]:
    chance = random.Random(5)
    lines = []
    for i in range(number):
        dob = "23/11/1987" if i % 9 == 0 else f"{1 + i % 28:02d}/0{1 + i % 9}/19{50 + i % 45}"
        grade = ("QZ9", "B2", "C3")[i % 3]
        amount = "sevenish" if i == 7 else str(chance.randint(1, 10_000))
        names = f"{'Zquagga' if i % 2 else 'Ann'},Yxplatypus{chr(97 + i % 20) * (1 + i % 2)}"
        lines.append(f"REF77{i:04d},{names},{dob},ZM4 5HQ,{grade},{amount}")
    return lines


def kit(*words: object, given: str = "") -> Result:
    return CliRunner().invoke(app, [str(w) for w in words], input=given)


def told(tmp_path: Path, lines: list[str], *more: str) -> tuple[str, dict[str, object], str]:
    """The page, the report and everything that was printed, of inference and of a check under its contract."""
    file = tmp_path / "pay.csv"
    file.write_text("\n".join([*lines, ""]), "utf-8")
    page, report, contract = (tmp_path / name for name in ("r.html", "r.json", "c.yaml"))
    said = kit("contract", "infer", file, "--out", contract, "--report", page, "--report", report, *more)
    assert said.exit_code == 0, said.output
    checked = kit("contract", "check", contract, file, "--json")
    return page.read_text("utf-8"), json.loads(report.read_text("utf-8")), said.output + checked.output


def inferred(tmp_path: Path, lines: list[str]) -> Any:
    """The report of inference."""
    file, report = tmp_path / "pay.csv", tmp_path / "r.json"
    file.write_text("\n".join([*lines, ""]), "utf-8")
    assert kit("contract", "infer", file, "--out", tmp_path / "c.yaml", "--report", report).exit_code == 0
    return json.loads(report.read_text("utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A contract as it was inferred."""
    folder = tmp_path_factory.mktemp("kit")
    inferred(folder, [HEAD, *rows(200)])
    return folder / "c.yaml"


def marks_in(*texts: str) -> list[str]:
    return [mark for mark in MARKS for text in texts if mark.lower() in text.lower()]


def test_no_value_of_the_data_is_told(tmp_path: Path) -> None:
    page, report, printed = told(tmp_path, [HEAD, *rows(200)])
    assert marks_in(page, json.dumps(report), printed) == []
    assert marks_in((tmp_path / "c.yaml").read_text("utf-8")) == []


def test_a_first_row_is_not_told_for_a_header(tmp_path: Path) -> None:
    """Neither where it is seen to be none, nor where it passes for one."""
    for first in ["Zquagga,Yxplatypus,Quonsetville,Broomsquire,ZM4 5HQ,QZ9,sevenish"]:
        page, report, printed = told(tmp_path, [*first, *(r.replace("QZ9", "A1") for r in rows(200))])
        assert marks_in(page, json.dumps(report), printed) == []
    words = [
        "Zquagga,Yxplatypus,Quonsetville",
        *(f"Ann{'abcdefghij'[i % 10] * 3},Bo{i % 7 * 'x'},Ham" for i in range(30)),
    ]
    page, report, printed = told(tmp_path, words)
    assert marks_in(page, json.dumps(report), printed) == []
    assert "header" in [q["id"] for q in report["questions"]]  # type: ignore[attr-defined,index]
    assert kit("contract", "ask", tmp_path / "c.yaml", "--answers", answers(tmp_path, header="no")).exit_code == 0
    mended = contracts.read(tmp_path / "c.yaml")
    assert ([c.name for c in mended.columns], mended.layout.header) == (["column_1", "column_2", "column_3"], False)
    assert kit("contract", "check", tmp_path / "c.yaml", tmp_path / "pay.csv", "--json").exit_code == 0


def test_a_refusal_tells_no_value(tmp_path: Path, made: Path) -> None:
    """A file of values alone under a contract with a header, and the other way round."""
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join([*rows(50), ""]), "utf-8")
    said = kit("contract", "check", made, bare)
    assert isinstance(said.exception, ContractRefusal)
    inferred(tmp_path, ["Zquagga,Yxplatypus,Quonsetville", *(f"Ann{'abc'[i % 3] * 3},Bo,Ham" for i in range(30))])
    bare.write_text("one,two,three\nx,y,z\n", "utf-8")
    other = kit("contract", "check", tmp_path / "c.yaml", bare)
    assert isinstance(other.exception, ContractRefusal)
    assert marks_in(said.output, str(said.exception), other.output, str(other.exception)) == []
    assert "column 1" in str(other.exception)


@pytest.mark.parametrize(
    ("headings", "shown"),
    [
        ("Zebulon|Quibble|Bristol", "column 1|column 2|column 3"),
        ("surname|Town|Mark|Mark Young|total", "surname|Town|column 3|column 4|total"),
        ("q14|ward_2|LSOA11CD|homeTown", "q14|ward_2|LSOA11CD|homeTown"),
        (
            "dob|12/03/1980|AB1 2DE|a@b.uk|4501234567|JG103759A|£12",
            "dob|" + "|".join(f"column {i}" for i in range(2, 8)),
        ),
        ("postcode|" + "long " * 20, "postcode|column 2"),
    ],
)
def test_headings_that_may_be_values_are_told_by_their_place(headings: str, shown: str) -> None:
    assert "|".join(showable(headings.split("|"))) == shown


@pytest.mark.parametrize(
    ("headings", "numbers", "names"),
    [
        ("ref|temp|sat", (False, True, True), True),
        ("ref|huge|mac", (False, False, True), True),
        ("Zebulon|unknown|n/a", (False, True, True), False),
        ("Zebulon|Quibble|late", (False, False, True), False),
        ("Zebulon|12|late", (False, True, True), False),
        ("Zebulon|Quibble|Bristol", (False, False, False), False),
    ],
)
def test_words_above_numbers_are_names_of_columns(headings: str, numbers: tuple[bool, ...], names: bool) -> None:
    assert is_above_numbers(headings.split("|"), numbers=numbers) is names


def test_a_name_among_names_of_columns_is_one_only_in_lower_case() -> None:
    assert showable(["ref", "dec", "Mark", "E01"], names=True) == ("ref", "dec", "column 3", "E01")


def test_the_page_is_valid_and_hostile_headings_are_text(tmp_path: Path) -> None:
    page = told(tmp_path, [HEAD, *rows(60)])[0]
    parser = html5lib.HTMLParser(strict=True)
    document = parser.parse(page)
    space = "{http://www.w3.org/1999/xhtml}"
    assert document.attrib["lang"] == "en-GB"
    assert document.find(f".//{space}script") is None
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    heads = [e.tag.removeprefix(space) for e in document.iter() if e.tag in (f"{space}h1", f"{space}h2")]
    assert heads == ["h1", *["h2"] * 5]
    for table in document.iter(f"{space}table"):
        assert table.find(f"{space}caption") is not None
        assert {th.attrib["scope"] for th in table.iter(f"{space}th")} == {"col", "row"}


def test_the_report_says_what_breaks_and_what_to_mend_first(tmp_path: Path, made: Path) -> None:
    place = copy(made, tmp_path / "c.yaml")
    assert kit("contract", "ask", place, "--answers", answers(tmp_path, agreed="yes")).exit_code == 0
    file, report = tmp_path / "pay.csv", tmp_path / "again.json"
    file.write_text("\n".join([HEAD, *rows(200), "cut,short", ""]), "utf-8")
    assert kit("contract", "check", place, file, "--report", report).exit_code == 0
    found = json.loads(report.read_text("utf-8"))
    assert found["rows"] == {"read": 201, "good": 199, "quarantined": 2, "share_quarantined": round(2 / 201, 6)}
    assert [b["rows"] for b in found["breaks"]] == [1, 1]
    assert {b["rule"] for b in found["breaks"]} == {
        "every value can be read as integer", "the row splits into the columns"
    }  # fmt: skip
    assert [step["rows"] for step in found["first"]][:2] == [1, 1]


def test_names_alone_are_said_to_find_nobody(tmp_path: Path) -> None:
    report = inferred(tmp_path, ["forename,surname", *(f"Ann,Quibble{chr(97 + i % 26)}" for i in range(60))])
    assert [step["what"] for step in report["first"]] == ["People would not be matched"]
    assert report["match"] == []


def copy(made: Path, place: Path) -> Path:
    return Path(copyfile(made, place))


def answers(folder: Path, **given: str) -> Path:
    place = folder / "answers.yaml"
    place.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in given.items()), "utf-8")
    return place


def test_answers_at_the_prompt_correct_the_contract(tmp_path: Path, made: Path) -> None:
    place = copy(made, tmp_path / "c.yaml")
    listed = json.loads(kit("contract", "ask", place, "--json").output)["open"]
    picked = {"owner": "Pay Office", "dates": "1", "mode": "2", "people": "2"}
    typed = "".join(f"{picked.get(q['id'], '')}\n" for q in listed)
    said = kit("contract", "ask", place, given=typed)
    assert f"4 answers are in the contract; {len(listed) - 4} questions are open." in said.output
    mended = contracts.read(place)
    assert (mended.owner, mended.mode, mended.inferred) == ("Pay Office", Mode.APPEND, True)
    assert [u.one_to_one for u in mended.indexes if u.index == "demographic"] == [True]
    assert not {q["id"] for q in json.loads(kit("contract", "ask", place, "--json").output)["open"]} & set(picked)


def test_what_a_column_is_can_be_told(tmp_path: Path) -> None:
    inferred(tmp_path, ["ref,thing", *(f"{i},{chr(65 + i % 26)}{i * 37 % 101}/{i * 71 % 89}" for i in range(200))])
    place = tmp_path / "c.yaml"
    assert contracts.read(place).columns[1].handling is Handling.WITHHELD
    given = answers(tmp_path, **{"2.meaning": "organisation_reference"})
    assert kit("contract", "ask", place, "--answers", given).exit_code == 0
    column = contracts.read(place).columns[1]
    assert (column.meaning, column.handling) == (Meaning.ORGANISATION_REFERENCE, Handling.IDENTIFIER)
    assert column.confidence == 1.0


@pytest.mark.parametrize("given", [{"nothing": "yes"}, {"mode": "sometimes"}, {"owner": " "}])
def test_answers_that_fit_no_question_change_nothing(tmp_path: Path, made: Path, given: dict[str, str]) -> None:
    place = copy(made, tmp_path / "c.yaml")
    said = kit("contract", "ask", place, "--answers", answers(tmp_path, **given))
    assert isinstance(said.exception, ContractRefusal)
    assert place.read_bytes() == made.read_bytes()
