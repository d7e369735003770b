"""Three deliveries of business registers, a merge and a split by decision, through the command line."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from integrated_data.cli.app import app
from integrated_data.control import grants
from integrated_data.model.access import Grant
from integrated_data.model.errors import Refusal
from integrated_data.site.places import Places, open_store
from tests.journeys.installation import Ran, environment, made

pytestmark = pytest.mark.long

REGISTER = """company_number,organisation_name,address,postcode
01234567,SMITH & SONS ENGRG LIMITED,"Unit 4, Mill Lane, Otley",LS21 1AA
SC000002,THE CORNER CAFE LTD,"12 High Street, Otley",LS21 1AB
00000003,ACME PLUMBING LIMITED,"3 Station Road, Leeds",LS1 4AB
00000004,PARK VIEW SURGERY,"Health Centre, Park Road, Hull",HU1 1AA
"""
PAY = """employer_reference,organisation_name,address,postcode
120/A1,WILLOW TREE NURSERY,"7 Elm Grove, Truro",TR1 3CD
120/A2,CORNER CAFE,"12 High St, Otley",LS21 1AB
120/A3,BEAN THERE,"12A High Street, Leeds",LS21 9ZZ
"""

VACANCIES = """record_id,organisation_name,postcode,posts
V1,BEAN THERE,LS21 9ZZ,3
V2,BEAN THERE,LS21 9ZZ,1
V3,ACME PLUMBING LTD,LS1 4AB,2
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("over_time"))


def ids(home: Path, *arguments: str | Path) -> Ran:
    """The command in this process: there are many calls."""
    done = CliRunner().invoke(app, [str(a) for a in arguments], env=environment(home))
    if isinstance(done.exception, Refusal):
        return Ran(done.exception.exit_code, done.stdout, str(done.exception))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Ran(done.exit_code, done.stdout, done.stderr)


def load(home: Path, source: str, text: str, key: str) -> dict[str, Any]:
    file = home.parent / f"{source}.csv"
    file.write_text(text)
    found = told(ids(home, "reference", "load", "business", file, "--source", source, "--id", key, "--json"))
    assert isinstance(found, dict)
    return found


def told(ran: Ran) -> Any:
    assert ran.code == 0, ran.err
    return ran.json


def refused(ran: Ran, *words: str, code: int = 1) -> None:
    assert ran.code == code, ran.out
    assert all(word in ran.err for word in words), ran.err


def publish(home: Path) -> None:
    """A table with links to the café's other name."""
    file = home.parent / "vacancies.csv"
    file.write_text(VACANCIES)
    assert told(ids(home, "deliver", "vacancies", file, "--json"))["state"] == "published"


def grant(home: Path) -> None:
    """A project holds the table, by its business key."""
    made = Grant(
        "P-1", "vacancies", 1, "vacancies", ("business_key",), ("business",), "P-1/vacancies-1/1.parquet", 3, 1, 0.1
    )
    grants.activate(open_store(Places(home)), made, by="tester")


def entity(home: Path, version: int, change: str) -> str:
    """The entity of a change between a version and the one before it."""
    found = told(
        ids(home, "reference", "changes", "business", "--from", str(version - 1), "--to", str(version), "--json")
    )
    (only,) = found["ids"][change]
    return str(only)


def test_an_index_over_time(home: Path) -> None:
    load(home, "companies", REGISTER, "company_number")
    load(home, "pay", PAY, "employer_reference")
    publish(home)

    # people decide: the café trades under another name in the pay register
    decide = ("reference", "decide", "business")
    sides = ("companies:SC000002", "pay:120/A3")
    refused(ids(home, *decide, "--must", *sides, "--reason", " "), "reason")
    refused(ids(home, *decide, "--must", "companies:99", "pay:120/A3", "--reason", "r"), "no such record")
    refused(ids(home, *decide, *sides, "--reason", "r"), "--must or --cannot", code=2)
    first = told(ids(home, *decide, "--must", *sides, "--reason", "its licence names both", "--json"))
    assert (first["decision"], first["already_so"]) == (1, False)
    refused(ids(home, *decide, "--cannot", *sides, "--reason", "r"), "contradicts decision 1")

    # the next delivery brings it in, and a company is gone
    without = "\n".join(line for line in REGISTER.splitlines() if "00000004" not in line)
    load(home, "companies", without + "\n", "company_number")
    grant(home)
    changed = told(ids(home, "reference", "changes", "business", "--from", "2", "--to", "3", "--json"))
    grants.revoke(open_store(Places(home)), "P-1", by="tester", reason="no project of this test")
    assert {k: changed[k] for k in ("created", "absorbed", "merged", "split", "retired")} == {
        "created": 0, "absorbed": 1, "merged": 1, "split": 0, "retired": 1}  # fmt: skip
    (table,) = changed["tables"]
    assert {k: table[k] for k in ("dataset", "links", "rekeyed")} == {"dataset": "vacancies", "links": 2, "rekeyed": 2}
    assert [(p["project"], p["keys_touched"]) for p in changed["projects"]] == [("P-1", 2)]
    cafe, bean, surgery = (entity(home, 3, c) for c in ("merged", "absorbed", "retired"))
    gone = told(ids(home, "reference", "history", bean, "--json"))
    assert (gone["status"], gone["stands_for_it"]) == ("absorbed", cafe)
    assert told(ids(home, "reference", "history", surgery, "--json"))["status"] == "retired"

    # it was wrong: the decision is withdrawn, the opposite taken, and the next delivery splits them
    told(ids(home, *decide, "--withdraw", "1", "--reason", "another owner", "--json"))
    told(ids(home, *decide, "--cannot", *sides, "--reason", "another owner", "--json"))
    assert [d["decision"] for d in told(ids(home, "reference", "decisions", "business", "--json"))] == [2]
    load(home, "pay", PAY + '120/A4,ZEBRA LOGISTICS,"1 Airport Way, Luton",LU2 9LY\n', "employer_reference")
    found = told(ids(home, "reference", "history", cafe, "--json"))
    assert [(e["event"], e["version"]) for e in found["events"]] == [("created", 1), ("merged", 3), ("split", 4)]
    assert found["events"][2]["other_id"] not in (cafe, bean)
    assert "periods" not in found
    rows = told(ids(home, "reference", "show", "business", "--json"))
    assert [(r["version"], r["absorbed"], r["split"], r["retired"]) for r in rows] == [
        (1, 0, 0, 0), (2, 0, 0, 0), (3, 1, 0, 1), (4, 0, 1, 0)]  # fmt: skip


def test_decisions_bind_deliveries_too(home: Path) -> None:
    decide = ("reference", "decide", "business")
    plumber, smith = "companies:00000003", "companies:01234567"
    told(ids(home, *decide, "--cannot", "vacancies:V3", plumber, "--reason", "another firm of that name", "--json"))
    told(ids(home, *decide, "--must", smith, "vacancies:V1", "--reason", "asked them", "--json"))
    refused(ids(home, *decide, "--must", "vacancies:V1", "vacancies:V2", "--reason", "r"), "no such record")
    refused(ids(home, *decide, "--must", "vacancies:V3", plumber, "--reason", "r"), "contradicts decision")
    file = home.parent / "vacancies2.csv"
    file.write_text(VACANCIES.replace(",2\n", ",7\n"))
    report = told(ids(home, "deliver", "vacancies", file, "--json"))["links"]["business"]
    assert (report["decided"], report["accepted"], report["clerical"]) == (2, 2, 0)


def test_decisions_can_hold_at_once(home: Path) -> None:
    apply = ("reference", "apply", "business", "--json")
    assert told(ids(home, *apply))["version"] is None  # all is as decided
    sides = ("pay:120/A1", "pay:120/A4")
    told(ids(home, "reference", "decide", "business", "--must", *sides, "--reason", "one owner", "--json"))
    made = told(ids(home, *apply))
    assert (made["version"], made["events"]) == (5, {"absorbed": 1, "merged": 1})
    refused(ids(home, "reference", "apply", "geography"), "name themselves")
    cafe, owner, gone = entity(home, 3, "merged"), entity(home, 5, "merged"), entity(home, 5, "absorbed")
    apart = told(ids(home, "reference", "decide", "business", "--cannot", cafe, owner, "--reason", "r", "--json"))
    assert (apart["already_so"], apart["takes_effect"]) == (True, "nothing to change")
    refused(
        ids(home, "reference", "decide", "business", "--must", cafe, gone, "--reason", "r"), "ids reference history"
    )


def test_identified_values_are_shown_for_a_reason_and_every_look_is_audited(home: Path) -> None:
    cafe = entity(home, 3, "merged")
    history = ("reference", "history", cafe)
    seen = told(ids(home, *history, "--reason", "the owner asks what we hold", "--field", "postcode", "--json"))
    assert {(r["source"], r["record_id"]) for r in seen["record_ids"]} == {
        ("companies", "SC000002"), ("pay", "120/A2")}  # fmt: skip
    assert {p["postcode"] for p in seen["periods"]} == {"LS21 1AB", "LS21 9ZZ"}
    assert all("organisation_name" not in p for p in seen["periods"])
    assert any(p["recorded_to"] for p in seen["periods"])
    (best,) = seen["best"]
    assert best["attribute"] == "postcode"
    assert best["value"] in {p["postcode"] for p in seen["periods"] if p["recorded_to"] is None}
    refused(ids(home, *history, "--reason", " "), "No reason was given")


def test_what_never_was_is_refused_with_what_to_do(home: Path) -> None:
    today = datetime.now(UTC).date()
    cafe = entity(home, 3, "merged")
    refused(ids(home, "reference", "history", "1"), "No index holds an entity of this id")
    refused(ids(home, "reference", "history", "abc"), "whole number", code=2)
    refused(ids(home, "reference", "history", cafe, "--as-at", str(today - timedelta(days=1))), "It began on")
    refused(ids(home, "reference", "history", cafe, "--as-at", "1 May"), "YYYY-MM-DD", code=2)
    assert told(ids(home, "reference", "history", cafe, "--as-at", str(today), "--json"))["as_at_version"] == 5
    changes = ("reference", "changes", "business")
    refused(ids(home, *changes, "--from", "1", "--to", "9"), "There is no version 9", "1 to 5")
    refused(ids(home, *changes, "--from", "3", "--to", "2"), "does not come after")
    refused(ids(home, "reference", "decide", "business", "--withdraw", "7", "--reason", "r"), "no decision 7")
    place = home / "identified" / "indexes" / "business" / "v0001"
    place.rename(place.with_name("gone"))
    refused(ids(home, *changes, "--from", "1", "--to", "2"), "is not there", "Restore it")
    place.with_name("gone").rename(place)
