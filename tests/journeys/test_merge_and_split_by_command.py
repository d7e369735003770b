"""By command: two registers, two deliveries, projects; then a merge and a correction, and what queries say."""

import csv
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from integrated_data.approve import accredit, agree, apply
from integrated_data.control import projects
from integrated_data.site.loading import open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.references import SourceOrder, load_reference
from integrated_data.site.settings import Settings
from tests.journeys.installation import ids, made

FIRST = ("Amber", "Birch", "Copper", "Delta", "Ember", "Falcon", "Granite", "Harbour", "Indigo", "Juniper")
SECOND = ("Plumbing", "Bakery", "Logistics", "Engraving", "Joinery")

#: company_ref, company_number, company_name, address, postcode
COMPANIES = [
    (f"C{i:02d}", f"{i + 1:08d}", f"{FIRST[i % 10]} {SECOND[i // 10]} Limited", f"{i + 1} Mill Lane, Leeds",
     f"LS{i % 9 + 1} {i % 9}A{'ABDE'[i % 4]}")
    for i in range(50)
]  # fmt: skip

#: The tax office knows thirty of them, C05 under another name: it is another firm that gave a wrong number.
TAX = [(f"T{c[0][1:]}", c[1], "Zenith Catering Ltd" if c[0] == "C05" else c[2], *c[3:]) for c in COMPANIES[:30]]
NEW = ("T99", "99999999", "Novel Things Ltd", "1 Low Road, Leeds", "LS1 9ZZ")

#: Pay of each of the thirty by the tax office's names, and permits of each by the register's.
PAID = [(*t[2:], 1000 + i) for i, t in enumerate(TAX)]
PERMITTED = [(*c[2:], 2000 + i) for i, c in enumerate(COMPANIES[:30])]

AGREEMENT = """
id: A-{dataset}
dataset: {dataset}
owner: Department
gateway: dea-2017-research
purposes: [research]
columns: ["*"]
onward_to: [University]
starts: 2020-01-01
ends: 2099-12-31
index_by_default: true
"""
PERSON = """
id: ada
name: Somebody
organisation: University
accreditation: {level: full, starts: 2020-01-01, ends: 2099-12-31}
roles: [analyst]
trained_until: 2099-01-01
"""
PROJECT = """
id: {id}
title: Work
purpose: research
organisation: University
lead: ada
team: [ada]
datasets:
  - {{dataset: pay, columns: [amount], keys: [business]}}
  - {{dataset: permits, columns: [amount], keys: [business]}}
starts: 2020-02-01
ends: 2099-11-30
public_benefit: Much
ethics: E-1
{more}
"""

#: Businesses that pay; permits beside the pay of C10 and C11; and beside that of what was held to be C05.
QUESTION = (
    "SELECT count(DISTINCT pay.business_key) AS paying, "
    "count(permits.amount) FILTER (WHERE pay.amount IN (1010, 1011)) AS merging, "
    "count(permits.amount) FILTER (WHERE pay.amount = 1005) AS splitting "
    "FROM pay LEFT JOIN permits ON permits.business_key = pay.business_key"
)


def write(place: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    with place.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return place


class House:
    """An installation with two registers, two deliveries and two projects, one of which pins version 2."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder, made(folder)
        with open_loading(Places(self.home), Settings(self.home, 2, "2GB", production=False, actor="tester")) as site:
            for source, rows in (("companies", COMPANIES), ("tax", TAX)):
                load_reference(site, SourceOrder("business", (self.register(source, rows),), source, "company_ref"))
            for dataset, rows in (("pay", PAID), ("permits", PERMITTED)):
                file = write(folder / f"{dataset}.csv", ("employer_name", "address", "postcode", "amount"), rows)
                deliver_and_refresh(site, dataset, files=[file])
                agreed = agree.read_agreement(AGREEMENT.format(dataset=dataset), agree.united_kingdom())
                projects.add_agreement(site.store, agreed, by="owner")
            projects.add_person(site.store, accredit.read_person(PERSON), by="desk")
            for project, more in (("P-newest", ""), ("P-pinned", "index_versions: {business: 2}")):
                projects.add_project(site.store, apply.read_project(PROJECT.format(id=project, more=more)), by="ada")
                assert decide_and_provision(site, project, by="panel")[0].allowed

    def register(self, name: str, rows: Sequence[Sequence[object]]) -> Path:
        header = ("company_ref", "company_number", "company_name", "address", "postcode")
        return write(self.folder / f"{name}.csv", header, rows)

    def ids(self, *arguments: str | Path) -> Any:
        ran = ids(self.home, *arguments, "--json")
        assert ran.code == 0, ran.err
        return ran.json

    def ask(self, project: str) -> tuple[int, int, int]:
        out = self.folder / f"{project}.parquet"
        ran = ids(self.home, "query", "--project", project, "--as", "ada", QUESTION, "--out", out)
        assert ran.code == 0, ran.err
        (row,) = pq.read_table(out).to_pylist()
        return row["paying"], row["merging"], row["splitting"]

    def published(self) -> list[str]:
        return [sha256(f.read_bytes()).hexdigest() for f in sorted(self.home.glob("lake/files/*/*.parquet"))]


@pytest.mark.long
def test_a_merge_and_a_correction_change_what_the_project_is_told_and_nothing_published(tmp_path: Path) -> None:
    house = House(tmp_path)
    published = house.published()
    assert house.ask("P-newest") == (30, 2, 1)
    house.ids("reference", "decide", "business", "companies:C10", "companies:C11", "--must", "--reason", "one owner")
    house.ids("reference", "decide", "business", "companies:C05", "tax:T05", "--cannot", "--reason", "wrong number")
    corrected = house.register("corrected", [*TAX, NEW])
    load = ("reference", "load", "business", corrected, "--source", "tax", "--id", "company_ref")
    (done,) = house.ids(*load)["refreshed"]
    assert (done["version"], done["datasets"], done["projects"]) == (3, ["pay", "permits"], ["P-newest"])
    assert (done["records_merged"], done["records_matched_again"]) == (2, 2)
    assert house.ask("P-newest") == (29, 4, 0)
    assert house.ask("P-pinned") == (30, 2, 1)
    assert house.published() == published
    touched = house.ids("reference", "changes", "business", "--from", "2", "--to", "3")["projects"]
    assert {p["project"]: p["pinned"] for p in touched} == {"P-newest": False, "P-pinned": True}
