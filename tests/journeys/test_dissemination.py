"""An output defined once and published anew from the next delivery, or not, with reasons."""

import csv
import html
import io
import json
from pathlib import Path
from typing import Any

import pytest

from integrated_data import journey
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import projects
from integrated_data.site.loading import open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.settings import Settings
from tests.journeys.installation import Ran, ids, made
from tests.people import Row, people

EVERYONE = people(330)
REGIONS = ("North", "South", "=West")

AGREEMENT = """
{id: A-wages, dataset: wages, owner: Department, gateway: dea-2017-research, purposes: [research], columns: ["*"],
 onward_to: [University], starts: 2020-01-01, ends: 2099-12-31, index_by_default: true}
"""
PROJECT = """
{id: P-work, title: Work, purpose: research, organisation: University, lead: ada, team: [ada],
 datasets: [{dataset: wages, columns: [region, hours], keys: [person]}], starts: 2020-02-01, ends: 2099-11-30,
 public_benefit: Much, ethics: E-1}
"""
ADA = """
{id: ada, name: Somebody, organisation: University, trained_until: 2099-01-01, roles: [analyst],
 accreditation: {level: full, starts: 2020-01-01, ends: 2099-12-31}}
"""
RITA = "{id: rita, name: Checker, organisation: Service, roles: [output checker]}"
WORDS = """
title: Hours worked by region
summary: How many people were paid, and for how many hours.
footnotes: [Hours in the reference week., "=1+1 is no formula."]
contact: Work statistics team
tables:
- title: People paid and hours worked
  headings: {people: People paid, hours: Hours worked}
"""
SQL = "SELECT region, count(*) AS people, sum(hours) AS hours FROM wages WHERE person_key IS NOT NULL GROUP BY region"


def wages(place: Path, rows: list[Row]) -> Path:
    """What the department delivers: a third of its people in each region, hours that differ from one to the next."""
    with place.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(
            ["person_ref", "forename", "surname", "date_of_birth", "sex", "address", "postcode", "region", "hours"]
        )
        out.writerows([*row.values(), REGIONS[n % 3], 30 + n % 11] for n, row in enumerate(rows))
    return place


def installation(folder: Path) -> Path:
    home = made(folder)
    with open_loading(Places(home), Settings(home, 2, "2GB", production=False, actor="tester")) as site:
        register = folder / "register.csv"
        with register.open("w", newline="") as file:
            out = csv.DictWriter(
                file, ["record_id", "given_name", "family_name", "date_of_birth", "sex", "address", "postcode"]
            )
            out.writeheader()
            out.writerows(EVERYONE)
        journey.deliver(site.workshop, "register", files=[register], feed=journey.Feed("demographic", "record_id"))
        deliver_and_refresh(site, "wages", files=[wages(folder / "first.csv", EVERYONE[:150])])
        projects.add_agreement(site.store, agree.read_agreement(AGREEMENT, agree.united_kingdom()), by="owner")
        for person in (ADA, RITA):
            projects.add_person(site.store, accredit.read_person(person), by="desk")
        projects.add_project(site.store, apply.read_project(PROJECT), by="ada")
        decide_and_provision(site, "P-work", by="panel")
    return home


def told(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return ran.json


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installation(tmp_path_factory.mktemp("dissemination"))


@pytest.mark.long
def test_an_output_is_defined_once_and_published_from_each_release(home: Path) -> None:
    folder = home.parent
    asked = told(ids(home, "query", SQL, "--project", "P-work", "--as", "ada", "--json"))
    request = told(
        ids(home, "output", "request", asked["query"], "--project", "P-work", "--title", "Hours worked by region",
            "--as", "ada", "--json")
    )["id"]  # fmt: skip
    early = ids(home, "output", "define", request, "hours", "--as", "ada")
    assert (early.code, "not released" in early.err) == (1, True)
    assert told(ids(home, "output", "check", request, "--as", "ada", "--json"))["lane"] == "automatic"
    told(ids(home, "output", "release", request, "--as", "ada", "--json"))

    words = folder / "words.yaml"
    words.write_text(WORDS)
    defined = told(ids(home, "output", "define", request, "hours", "--words", words, "--as", "ada", "--json"))
    assert (defined["state"], defined["queries"]) == ("proposed", [SQL])
    unread = ids(home, "output", "rerun", "hours", "--as", "ada")
    assert (unread.code, "Only an approved definition is published" in unread.err) == (1, True)
    own = ids(home, "output", "approve", "hours", "--sha256", defined["sha256"], "--as", "ada")
    assert own.code == 1
    told(ids(home, "output", "approve", "hours", "--sha256", defined["sha256"], "--as", "rita", "--json"))

    (first,) = told(ids(home, "output", "rerun", "hours", "--as", "ada", "--json"))
    assert (first["edition"], first["state"], first["why"]) == (1, "current", "")

    delivered = told(ids(home, "deliver", "wages", wages(folder / "second.csv", EVERYONE[120:330]), "--json"))
    (second,) = delivered["editions"]
    print(second)
    assert (second["edition"], second["state"], second["why"]) == (2, "current", "")

    few = told(ids(home, "deliver", "wages", wages(folder / "third.csv", EVERYONE[120:327]), "--json"))
    (third,) = few["editions"]
    assert (third["edition"], third["state"]) == (3, "refused")
    assert second["request"] in third["why"]

    files = {
        f.name: f.read_bytes() for f in (home / "outputs" / "released" / second["request"]).iterdir() if f.is_file()
    }
    assert {
        "README.txt", "chart.svg", "chart.vl.json", "index.html", "record.json", "revisions.csv", "table.csv",
        "table.sdmx.csv", "tables.ods", "tables.xlsx",
    } <= set(files)  # fmt: skip
    page = html.unescape(files["index.html"].decode())
    assert all(part in page for part in ("Edition 1, which this one supersedes", "Link rate", "With links drawn anew"))
    assert "'=West" in page
    revised = list(csv.DictReader(io.StringIO(files["revisions.csv"].decode(), newline="")))
    now = {row["region"]: row for row in csv.DictReader(io.StringIO(files["table.csv"].decode(), newline=""))}
    assert all(now[row["Cell"]][row["Figure"]] == row["Now"] != row["Earlier"] for row in revised)
    assert {row["Cell"] for row in revised} == set(now) == {"North", "South", "'=West"}
    assert {"index.html", "tables.ods", "revisions.csv"} <= set(json.loads(files["record.json"])["files"])

    shown = told(ids(home, "output", "definitions", "hours", "--as", "rita", "--json"))
    assert [e["state"] for e in shown["editions"]] == ["superseded", "current", "refused"]
    assert ids(home, "audit", "verify").code == 0


@pytest.mark.long
def test_it_is_refused_when_its_author_may_no_more(home: Path) -> None:
    with open_loading(Places(home), Settings(home, 2, "2GB", production=False, actor="tester")) as site:
        gone = accredit.read_person(ADA.replace("2099-12-31", "2021-01-01"))
        projects.add_person(site.store, gone, by="desk")
    (row,) = told(ids(home, "output", "rerun", "hours", "--json"))
    assert (row["state"], row["request"]) == ("refused", "")
    assert "accredit" in row["why"]
    assert told(ids(home, "output", "rerun", "--json")) == [], "it waits for other data"
    told(ids(home, "output", "end", "hours", "--reason", "Nobody reads it", "--as", "rita", "--json"))
    ended = ids(home, "output", "rerun", "hours")
    assert (ended.code, "is ended" in ended.err) == (1, True)


def test_what_was_typed_wrongly_is_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "pay.csv").write_text("region,pay\nN,1\n")
    request, as_ada = ("output", "request", "Q-1", "--project", "P-work", "--title"), ("--as", "ada")
    refused = ids(home, *request, "\udcff", *as_ada)
    assert (refused.code, "bytes that are no text" in refused.err) == (2, True), refused.err
    formula = ids(home, *request, "=1+1", *as_ada)
    assert (formula.code, "The title cannot be taken" in formula.err) == (1, True), formula.err
    for second, told_of in (("none.csv", "is not there"), (".", "is a folder")):
        files = ("--file", tmp_path / "pay.csv", "--file", f"{tmp_path}/{second}")
        brought = ids(home, *request, "Pay", *files, *as_ada)
        which = f"File 2, {tmp_path / second}, {told_of}"
        assert (brought.code, which in " ".join(brought.err.split())) == (2, True), brought.err
    stranger = ids(home, "output", "list", "--as", "nobody-known")
    assert (stranger.code, "not on record" in stranger.err) == (1, True), stranger.err
