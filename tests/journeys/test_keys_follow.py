"""Keys follow their index: merges and splits reach projects, and no published file changes.

A real installation: three registers, a delivery, projects. Two women married and moved. The school's register
holds one of them to be one woman, by her former name; then it corrects itself, and holds the other to be one.
"""

import csv
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from integrated_data import journey
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import indexes, jobs, projects
from integrated_data.control.store import Store, records, sqlite
from integrated_data.journey.linking import version_folder
from integrated_data.model.errors import AgreementRefusal, DeliveryRefusal, IndexRefusal, UsageRefusal
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.references import MatchOrder, match_file
from integrated_data.site.refreshing import refresh_index
from integrated_data.site.settings import Settings
from tests.journeys.installation import COMMAND, environment, ids, made
from tests.people import Row, people

HEADER = ("person_ref", "forename", "surname", "previous_surname", "date_of_birth", "sex", "address", "postcode")
BLANK: Row = dict.fromkeys(
    ("record_id", "given_name", "family_name", "previous_family_name", "date_of_birth", "sex", "address", "postcode")
)
EVERYONE: list[Row] = [BLANK | row for row in people(60)]


def woman(record_id: str, given: str, family: str, *, born: date, husband: str) -> tuple[Row, Row, Row]:
    """A woman before her marriage, after it (nobody asked for her birthday), and as one who knows both names."""
    maiden = BLANK | {
        "record_id": record_id, "given_name": given, "family_name": family, "date_of_birth": born, "sex": "F",
        "address": "1 High Street", "postcode": "AB1 2CD",
    }  # fmt: skip
    moved = {"family_name": husband, "address": f"{born.day} Low Lane", "postcode": "XY9 9ZZ"}
    return maiden, maiden | moved | {"date_of_birth": None}, maiden | moved | {"previous_family_name": family}


LEE, LEE_MARRIED, LEE_BOTH = woman("lee", "Annabel", "Lee", born=date(1984, 9, 7), husband="Underhill")
ROE, ROE_MARRIED, ROE_BOTH = woman("roe", "Bernadette", "Roe", born=date(1979, 3, 21), husband="Castellan")

#: Pay, in order: their incomes are 1000, 1001 and so on.
PAID = [ROE, ROE_MARRIED, LEE, *EVERYONE[:37]]

PROJECT = """
id: {id}
title: Work
purpose: research
organisation: University
lead: ada
team: [ada]
datasets: [{{dataset: pay, columns: [income], keys: [{keys}]}}]
starts: 2020-02-01
ends: 2099-11-30
public_benefit: Much
ethics: E-1
{more}
"""
AGREEMENT = """
id: A-pay
dataset: pay
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
trained_until: 2099-01-01
"""


def write(place: Path, rows: list[Row], *, incomes: bool = False) -> Path:
    """A delivered file; incomes number its rows."""
    with place.open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*HEADER, *(["income"] if incomes else [])])
        out.writerows([*row.values(), *([1000 + i] if incomes else [])] for i, row in enumerate(rows))
    return place


@dataclass
class House:
    """An installation with a register, pay records, and projects that were granted them."""

    site: LoadingSite
    folder: Path

    def apply(self, project: str, *, more: str = "", keys: str = "person") -> list[dict[str, Any]]:
        application = PROJECT.format(id=project, more=more, keys=keys)
        projects.add_project(self.site.store, apply.read_project(application), by="ada")
        return decide_and_provision(self.site, project, by="panel")[1]

    def keys(self, project: str) -> dict[int, int | None]:
        """Income to key in a project's copy."""
        (place,) = (self.site.places.projects / project).rglob("*.parquet")
        self.site.engine.view("seen", f"SELECT * FROM read_parquet('{place}')")
        rows = self.site.engine.rows("SELECT income, person_key FROM seen").to_pylist()
        return {int(r["income"]): r["person_key"] for r in rows}

    def published(self) -> list[str]:
        return [sha256(f.read_bytes()).hexdigest() for f in sorted(self.site.places.lake.glob("files/*/*.parquet"))]

    def load(self, source: str, *rows: Row) -> None:
        """A register, as the next version of the index; nothing is refreshed yet."""
        file = write(self.folder / f"{source}.csv", list(rows))
        journey.deliver(self.site.workshop, source, files=[file], feed=journey.Feed("demographic", "person_ref"))

    def next_version(self) -> None:
        """The school corrects itself: Lee was two women, and Roe is one."""
        self.load("school", ROE_BOTH)

    def job(self) -> str | None:
        with self.site.store.read() as connection:
            return jobs.state(connection, "refresh/demographic/4")


@contextmanager
def house(folder: Path) -> Iterator[House]:
    home = folder / "home"
    if not home.exists():
        made(folder)
    with open_loading(Places(home), Settings(home, 2, "2GB", production=False, actor="tester")) as site:
        yield House(site, folder)


def furnished(folder: Path) -> None:
    """Three registers and a delivery of pay, in which Roe is paid under both of her names."""
    with house(folder) as h:
        h.load("register", *EVERYONE, LEE, ROE)
        h.load("tax", LEE_MARRIED, LEE_MARRIED | {"record_id": "lee2"}, ROE_MARRIED)
        h.load("school", LEE_BOTH)
        refresh_index(h.site, "demographic")
        rows = [row | {"record_id": f"D{i:04d}"} for i, row in enumerate(PAID)]
        deliver_and_refresh(h.site, "pay", files=[write(folder / "pay.csv", rows, incomes=True)])
        projects.add_agreement(h.site.store, agree.read_agreement(AGREEMENT, agree.united_kingdom()), by="owner")
        projects.add_person(h.site.store, accredit.read_person(PERSON), by="desk")
        h.apply("P-newest")
        h.apply("P-pinned", more="index_versions: {demographic: 3}")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    furnished(folder)
    return folder


@pytest.fixture
def h(before: Path, tmp_path: Path) -> Iterator[House]:
    """The furnished house, each test its own copy at the same place: the lake names its files by path."""
    kept = tmp_path / "kept"
    shutil.copytree(before, kept, symlinks=True)
    with house(before) as found:
        yield found
    shutil.rmtree(before)
    shutil.copytree(kept, before, symlinks=True)


def test_a_merge_and_a_split_reach_the_project_and_no_published_file_changes(h: House) -> None:
    old, pinned, published = h.keys("P-newest"), h.keys("P-pinned"), h.published()
    assert len({*old.values()} - {None}) == 40
    h.next_version()
    assert h.keys("P-newest") == old, "the old copy serves until the job is done"
    (report,) = refresh_index(h.site, "demographic")
    assert (report["records_merged"], report["records_matched_again"]) == (1, 1)
    assert (report["projects"], report["datasets"]) == (["P-newest"], ["pay"])
    assert report["bytes"] == sum(g["bytes"] for g in report["grants"]) > 0
    new = h.keys("P-newest")
    assert new[1000] == new[1001] in {old[1000], old[1001]}, "two old ids, one key"
    assert new[1002] not in {*old.values(), None}, "the maiden Lee is another woman"
    assert {i: k for i, k in new.items() if i > 1002} == {i: k for i, k in old.items() if i > 1002}
    assert h.keys("P-pinned") == pinned
    assert h.published() == published
    assert refresh_index(h.site, "demographic") == []


def test_a_pin_to_a_version_or_a_day_gives_that_answer_and_a_newcomer_the_newest(h: House) -> None:
    h.next_version()
    refresh_index(h.site, "demographic")
    for project, more in (("P-version", "index_versions: {demographic: 3}"), ("P-late", "")):
        (grant,) = h.apply(project, more=more)
        assert grant["versions"] == {"person": 3 if more else 4}
    version, late = h.keys("P-version"), h.keys("P-late")
    assert len(set(version.values())) == 40
    assert late[1000] == late[1001]
    today = h.site.store.now().date()
    (grant,) = h.apply("P-today", more=f"as_at: {today}")
    assert grant["versions"] == {"person": 4}


def test_what_was_linked_after_the_pinned_version_has_no_key_and_is_not_taken_unasked(h: House) -> None:
    h.next_version()
    rows = [row | {"record_id": f"D{i:04d}"} for i, row in enumerate(EVERYONE[:30])]
    pinned = h.keys("P-pinned")
    told = deliver_and_refresh(h.site, "pay", files=[write(h.folder / "again.csv", rows, incomes=True)])
    kept = {t["project"]: t.get("kept", "") for t in told["projects_refreshed"]}
    assert "linked later" in kept["P-pinned"]
    assert kept["P-newest"] == ""
    assert h.keys("P-pinned") == pinned
    (grant,) = h.apply("P-first", more="index_versions: {demographic: 3}")
    assert grant["linked_later_without_key"] == {"person": 30}
    assert set(h.keys("P-first").values()) == {None}


@pytest.mark.parametrize(
    ("more", "keys", "said"),
    [
        ("index_versions: {demographic: 7}", "person", "no version 7 of the demographic index"),
        ("index_versions: {business: 1}", "person", "asks for no key of it"),
        ("as_at: 2019-12-31", "person", "It began on"),
        ("as_at: 2098-01-01", "person", "That day has not come"),
        ("as_at: 2026-01-01", "business", "publishes no column business_key|There is no business index"),
    ],
)
def test_a_pin_that_cannot_be_kept_is_refused(h: House, more: str, keys: str, said: str) -> None:
    with pytest.raises((AgreementRefusal, IndexRefusal), match=said):
        h.apply("P-wrong", more=more, keys=keys)
    assert not (h.site.places.projects / "P-wrong").exists()


def test_a_version_or_checked_rows_that_are_gone_are_refused_and_the_job_goes_on_when_they_are_back(h: House) -> None:
    h.next_version()
    (checked,) = (p for p in h.site.places.deliveries.glob("*/checked.parquet") if (p.parent / LINKS).exists())
    folder = version_folder(h.site.places.indexes, "demographic", version=4)
    for gone, refusal in ((folder, IndexRefusal), (checked, DeliveryRefusal)):
        aside = gone.with_name("aside")
        gone.rename(aside)
        with pytest.raises(refusal, match="backup"):
            refresh_index(h.site, "demographic")
        assert h.job() == "failed"
        aside.rename(gone)
    assert [r["records_matched_again"] for r in refresh_index(h.site, "demographic")] == [1]


LINKS = "links-demographic.parquet"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"version": 9}, "no version 9 of the demographic index"),
        ({"as_at": date(2019, 12, 31)}, "It began on"),
        ({"as_at": date(2098, 1, 1)}, "That day has not come"),
        ({"as_at": date(2026, 1, 1), "version": 1}, "A version and a day were given"),
    ],
)
def test_a_match_to_a_version_that_cannot_be_had_is_refused(h: House, asked: dict[str, Any], said: str) -> None:
    order = MatchOrder("demographic", h.folder / "pay.csv", h.folder / "links.parquet", "person_ref", **asked)
    with pytest.raises((IndexRefusal, UsageRefusal), match=said):
        match_file(h.site, order)
    assert not order.out.exists()


def test_a_match_as_at_a_day_says_so_in_the_chain(h: House) -> None:
    h.next_version()
    today = h.site.store.now().date()
    for asked, version in (({"version": 1}, 1), ({"as_at": today}, 4), ({}, 4)):
        order = MatchOrder("demographic", h.folder / "pay.csv", h.folder / "links.parquet", "person_ref", **asked)
        assert match_file(h.site, order)["index_version"] == version
    with h.site.store.read() as connection:
        told = [r.facts for r in records(connection) if r.action == "file.matched"]
    assert [(f["index_version"], f.get("as_at")) for f in told] == [(1, None), (4, today.isoformat()), (4, None)]


def killed_after(home: Path, steps: int) -> bool:
    """Run the refresh, and kill it once so many steps are on record; whether it was still running."""
    store = Store(sqlite(home / "control.sqlite"))

    def steps_done() -> int:
        with store.read() as connection:
            return len(jobs.done_steps(connection, "refresh/demographic/4"))

    with subprocess.Popen(
        [*COMMAND, "reference", "refresh", "demographic"], env=environment(home),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        while steps_done() < steps and process.poll() is None:
            time.sleep(0.02)
        running = process.poll() is None
        process.send_signal(signal.SIGKILL)
    store.engine.dispose()
    return running


@pytest.mark.long
def test_a_killed_refresh_goes_on_and_leaves_the_same(before: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    # by another process: to close a database's file here would give up what SQLite has locked in it here
    subprocess.run(["cp", "-a", before, kept], check=True)
    with house(before) as h:
        old = h.keys("P-newest")
        h.next_version()
    killed = [killed_after(before / "home", steps) for steps in (1, 2)]
    assert any(killed), "the job was never killed"
    ran = ids(before / "home", "reference", "refresh", "demographic", "--json")
    assert ran.code == 0, ran.err
    with house(before) as h:
        new = h.keys("P-newest")
        assert new[1000] == new[1001] in {old[1000], old[1001]}
        assert new[1002] not in {*old.values(), None}
        with h.site.store.read() as connection:
            (delivery,) = {d for d in h.site.places.deliveries.iterdir() if (d / LINKS).exists()}
            sets = indexes.links_of(connection, delivery.name)
        assert [(s.index_version, s.whole) for s in sets] == [(3, True), (4, False)]
        assert h.job() == "done"
    assert ids(before / "home", "audit", "verify").code == 0
    shutil.rmtree(before)
    shutil.copytree(kept, before, symlinks=True)
