"""Deliveries with marked people among others: as they should be, breaking rules, packed, encoded, broken."""

import csv
import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable

import openpyxl

from integrated_data.model.contract import Column, Contract, Format, IndexUse, Layout
from integrated_data.model.meanings import Kind, Meaning, handling_of
from tests.marks import MARKED, Marked
from tests.people import Row, people

REGIONS = ("North", "South", "West")


def population(size: int) -> list[Row]:
    """People of whom none is marked, and the marked ones among them."""
    rows = people(size, seed=3)
    for n, one in enumerate(MARKED):
        rows[n * 17 + 5] = rows[n * 17 + 5] | {
            "given_name": one.given, "family_name": one.family, "date_of_birth": one.born, "address": one.address,
        }  # fmt: skip
    return rows


def _extended(rows: list[Row]) -> list[list[object]]:
    """Rows with numbers, a note and payload; every marked person's note and one doubtful column tell of them too."""
    dice = random.Random(1)
    by_name: dict[object, Marked] = {one.given: one for one in MARKED}
    told = []
    for n, row in enumerate(rows):
        one = by_name.get(row["given_name"])
        number = one.nhs if one else f"{dice.randrange(10**9, 10**10)}"
        insured = one.insured if one else f"AB{dice.randrange(10**6):06}C"
        email = one.email if one else f"somebody{n}@example.org"
        note = f"Spoke to {one.given} {one.family}, born {one.born:%d.%m.%Y}" if one else f"Letter number {n} sent out"
        told.append([*row.values(), number, insured, email, note, REGIONS[n % 3], 30 + n % 11])
    return told


PROMISED = {
    "person_ref": Meaning.PERSON_REFERENCE, "forename": Meaning.GIVEN_NAME, "surname": Meaning.FAMILY_NAME,
    "date_of_birth": Meaning.DATE_OF_BIRTH, "sex": Meaning.SEX, "address": Meaning.ADDRESS,
    "postcode": Meaning.POSTCODE, "nhs_number": Meaning.NHS_NUMBER,
    "ni_number": Meaning.NATIONAL_INSURANCE_NUMBER, "email": Meaning.EMAIL, "note": Meaning.FREE_TEXT,
    "region": Meaning.CODE, "hours": Meaning.MEASURE,
}  # fmt: skip
HEADINGS = list(PROMISED)
#: A promise that marked rows break.
CONTRACT = Contract(
    "wages", "Department", Layout(Format.CSV),
    tuple(
        Column(n, n, {"date_of_birth": Kind.DATE, "hours": Kind.INTEGER}.get(n, Kind.STRING), m, handling_of(m))
        for n, m in PROMISED.items()
    ),
    indexes=(IndexUse("demographic"),),
)  # fmt: skip


def as_csv(rows: list[list[object]], *, headings: list[str] | None = HEADINGS, delimiter: str = ",") -> str:
    """Rows as delimited text."""
    text = io.StringIO()
    out = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    out.writerows([*([headings] if headings else []), *rows])
    return text.getvalue()


def wages_file(rows: list[Row]) -> str:
    """As it should be, but for rows that break rules with marks in them."""
    table = _extended(rows)
    bad = [list(row) for row in table if str(row[1]).startswith("Zolquix")]
    for n, row in enumerate(bad):
        row[0] = f"B{n}"
        row[3], row[12] = ("31/11/1907", f"Zolquix{n}") if n % 2 else (f"{row[3]} {row[2]}", "12")
    return as_csv(table + bad)


def _upper(rows: list[Row]) -> bytes:
    """In capitals, names without spaces, dates as in the United Kingdom, tabs, UTF-16."""
    table = [
        [str(v).upper().replace(" ", "") if n in (1, 2) else v for n, v in enumerate(row)] for row in _extended(rows)
    ]
    for row, given in zip(table, rows, strict=True):
        row[3] = f"{given['date_of_birth']:%d/%m/%Y}"
    return as_csv(table, delimiter="\t").encode("utf-16")


def _lines(rows: list[Row]) -> bytes:
    table = [dict(zip(HEADINGS, map(str, row), strict=True)) for row in _extended(rows)]
    return gzip.compress("".join(json.dumps(row) + "\n" for row in table).encode())


def _zipped(rows: list[Row]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{MARKED[0].family}.csv", as_csv(_extended(rows)))
    return out.getvalue()


def _workbook(rows: list[Row]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    book.active.append(HEADINGS)
    for row in _extended(rows):
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def _headless(rows: list[Row]) -> bytes:
    """Without headings, a marked person first."""
    return as_csv(_extended(rows[5:6] + rows), headings=None).encode()


def _broken(rows: list[Row]) -> bytes:
    """A quotation mark that is never closed, in a marked row."""
    return as_csv(_extended(rows)).replace(MARKED[1].family, f'"{MARKED[1].family}', 1).encode()


def _cut(rows: list[Row]) -> bytes:
    """Cut short in its packing."""
    return gzip.compress(as_csv(_extended(rows)).encode())[:-200]


#: Files of further deliveries by their name, which is itself a mark where suppliers write one.
MORE: dict[str, tuple[str, Callable[[list[Row]], bytes]]] = {
    "upper": (f"upper {MARKED[2].family}.tsv", _upper),
    "headless": ("headless.csv", _headless),
    "lines": ("lines.jsonl.gz", _lines),
    "zipped": ("zipped.zip", _zipped),
    "workbook": ("workbook.xlsx", _workbook),
    "broken": ("broken.csv", _broken),
    "cut": ("cut.csv.gz", _cut),
}
#: Those that are refused whole.
REFUSED = ("cut",)
#: Those that a short run takes.
SHORT = ("upper",)
