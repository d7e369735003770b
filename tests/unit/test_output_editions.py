"""Definitions and editions over a drawn project: what is refused, who approves, what an edition says of its links."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import pytest

from integrated_data.control import editions
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.dissemination import Definition, Edition, TableWords, Words
from integrated_data.model.errors import AgreementRefusal, OutputRefusal, Refusal, UsageRefusal
from integrated_data.model.output import CheckReport, Lane
from integrated_data.output import alternatives, quality, release, requested, shelf
from integrated_data.output import definition as defining
from integrated_data.output import editions as edited
from integrated_data.site.parser import DuckDBParser
from tests.output_world import AUTHOR, World, repeated

#: In the south are four men, whose cell is withheld.
COUNTS = (
    (20, ("N", "F", 90)), (20, ("N", "F", 110)), (20, ("N", "M", 95)), (20, ("N", "M", 105)),
    (20, ("S", "F", 90)), (20, ("S", "F", 110)), (4, ("S", "M", 100)),
    (20, ("W", "F", 90)), (20, ("W", "M", 110)),
)  # fmt: skip
COLUMNS = "region sex paid"
SQL = "SELECT region, sex, count(*) AS people, sum(paid) AS paid FROM t GROUP BY region, sex"


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    yield World(store, engine, parser, tmp_path / "outputs", {"t": repeated(*COUNTS, columns=COLUMNS)})
    parser.close()


def left(world: World, sql: str = SQL) -> str:
    """A released request for a query."""
    report = world.checked(sql)
    release.release(world.store, request=report.request, actor=AUTHOR, folder=world.folder, ledger=world.ledger)
    return report.request


def defined(world: World, words: Words | None = None, *, name: str = "pay") -> Definition:
    return defining.define(world.store, request=left(world), name=name, words=words, by=AUTHOR)


def approved(world: World, words: Words | None = None) -> Definition:
    made = defined(world, words)
    return defining.approve(world.store, name=made.name, sha256=made.sha256, by="rita")


def edition(world: World, known: Definition, *, sql: str = "", told: dict[str, object] | None = None) -> CheckReport:
    """The next edition of a definition, as the service makes it, checked."""
    asked = world.ask(sql or known.queries[0], title=known.words.title)
    kept = quality.keep(requested.place(world.folder, asked.id), told) if told else ""
    releases = edited.releases_of(world.store, known)
    editions.put_edition(
        world.store, Edition(known.name, 0, asked.id, releases, world.store.now(), "", kept), by="service"
    )
    return world.check(asked)


def files(world: World, report: CheckReport) -> dict[str, str]:
    place = requested.place(world.folder, report.request) / "package"
    return {f.name: f.read_bytes().decode(errors="replace") for f in place.iterdir()}


@pytest.mark.parametrize(
    ("name", "words", "why"),
    [
        ("Pay!", None, "no name"),
        ("pay", Words("Pay", footnotes=("Ask jo.bloggs@example.org",)), "person's identifier"),
        ("pay", Words("Pay", tables=(TableWords(), TableWords())), "words for more"),
        ("pay", Words("Pay", summary="x" * 2001), "cannot be published"),
    ],
)
def test_a_definition_that_cannot_be_published_is_refused(
    world: World, name: str, words: Words | None, why: str
) -> None:
    request_id = left(world)
    with pytest.raises(Refusal, match=why):
        defining.define(world.store, request=request_id, name=name, words=words, by=AUTHOR)


def test_a_release_in_an_accepted_form_is_no_definition(world: World) -> None:
    asked = world.ask(SQL)
    place = {"request": asked.id, "actor": AUTHOR, "folder": world.folder}
    ways = {p.id: p for p in alternatives.alternatives(world.store, world.run, **place)}
    merged = next(way for way in ways.values() if way.form.sql)
    made = alternatives.accept(world.store, world.run, proposal=merged.id, **place)
    world.leave(world.check(made))
    with pytest.raises(OutputRefusal, match="another form than its queries") as refused:
        defining.define(world.store, request=made.id, name="pay", words=None, by=AUTHOR)
    assert merged.what in str(refused.value)


def test_only_its_author_defines_a_release_and_never_approves_it(world: World) -> None:
    request_id = left(world)
    with pytest.raises(OutputRefusal, match="not ben's"):
        defining.define(world.store, request=request_id, name="pay", words=None, by="ben")
    made = defining.define(world.store, request=request_id, name="pay", words=None, by=AUTHOR)
    for person in (AUTHOR, "ben", "nobody"):
        with pytest.raises(OutputRefusal, match=r"cannot approve|not an output checker"):
            defining.approve(world.store, name="pay", sha256=made.sha256, by=person)
    for other, told in (("other", "not the hash of any files.*ids output definitions pay"), ("0" * 64, "has changed")):
        with pytest.raises(OutputRefusal, match=told):
            defining.approve(world.store, name="pay", sha256=other, by="rita")
    assert defining.approve(world.store, name="pay", sha256=made.sha256, by="rita").approved_by == "rita"


def test_other_words_are_another_hash_and_are_approved_again(world: World) -> None:
    first = approved(world)
    again = defining.define(
        world.store, request=first.request, name="pay", words=Words("Pay in the regions"), by=AUTHOR
    )
    assert again.sha256 != first.sha256
    with pytest.raises(OutputRefusal, match="is proposed"):
        defining.check_approved(again)


def test_words_are_read_from_yaml_by_the_names_of_their_fields() -> None:
    read = defining.read_words("title: Pay\ntables:\n- {title: By region, headings: {paid: Paid}}")
    assert read == Words("Pay", tables=(TableWords("By region", {"paid": "Paid"}),))
    with pytest.raises(AgreementRefusal, match="no field sql"):
        defining.read_words("title: Pay\nsql: SELECT 1")
    with pytest.raises(UsageRefusal):
        defining.read_words("title: [")


@pytest.mark.parametrize(
    "words",
    [
        Words("=Pay"),
        Words("Pay", summary="Of \ud800"),
        Words("Pay", footnotes=("Of \u202eyap",)),
        Words("Pay", tables=(TableWords("By\x1b region"),)),
    ],
)
def test_words_that_would_not_be_read_as_they_are_written_are_not_published(words: Words) -> None:
    with pytest.raises(OutputRefusal, match=r"(formula|UTF-8|direction|control).* plain words"):
        defining.check_words(words, tables=1)


def test_the_example_is_a_definition() -> None:
    text = (Path(__file__).parents[2] / "examples" / "definition.yaml").read_text(encoding="utf-8")
    defining.check_words(defining.read_words(text), tables=1)


def test_an_edition_holds_every_form_and_hides_what_the_table_hides(world: World) -> None:
    report = edition(world, approved(world, Words("Pay by region", tables=(TableWords(headings={"paid": "Paid, £"}),))))
    assert report.lane is Lane.AUTOMATIC
    made = files(world, report)
    assert {"index.html", "tables.xlsx", "tables.ods", "table.sdmx.csv"} <= set(made)
    assert "S,M,[c],[c]" in made["table.csv"]
    assert '<th scope="row">S</th><th scope="row">M</th><td>[c]</td><td>[c]</td>' in made["index.html"]
    assert ",S,M,PEOPLE,,Q,C" in made["table.sdmx.csv"]
    assert "Paid, £" in made["index.html"]


def test_a_request_with_other_queries_is_no_edition(world: World) -> None:
    other = "SELECT region, sex, sum(paid) AS paid FROM t GROUP BY region, sex"
    with pytest.raises(OutputRefusal, match="no edition of pay any more"):
        edition(world, approved(world), sql=other)


def test_an_ordinary_request_has_none_of_it(world: World) -> None:
    assert "index.html" not in files(world, world.checked(SQL))


def cells(**ends: tuple[float, float]) -> dict[str, object]:
    """What runs over other sets of links gave for people, region by region."""
    rows = [{"total": [False, False], "values": list(c), "ends": {"people": list(e)}} for c, e in ends.items()]
    return {"unseen": "What no run sees.", "tables": [{"reason": "", "cells": rows}]}


def test_the_range_is_over_published_cells_and_rounded_up(world: World) -> None:
    """38 to 41 of 40 is 5 % below and 2.5 % above; what is withheld (4, from 0 to 100) moves nothing."""
    report = edition(world, approved(world), told=cells(NF=(38, 41), SM=(0, 100)))
    page = files(world, report)["index.html"]
    assert "lie from 5% below to 5% above the published figure" in page
    assert "What no run sees." in page


def test_a_range_that_is_not_the_one_on_record_is_left_out(world: World) -> None:
    known = approved(world)
    report = edition(world, known, told=cells(NF=(38, 41)))
    place = requested.place(world.folder, report.request)
    (place / quality.FILE).write_text("{}")
    with world.store.read() as connection:
        made = editions.of_request(connection, report.request)
    assert made is not None
    assert quality.statement(world.store, made, tables=(), place=place).rows == ()


def test_a_new_edition_says_what_it_revises_and_supersedes(world: World) -> None:
    known = approved(world)
    first = edition(world, known)
    release.release(world.store, request=first.request, actor="service", folder=world.folder, ledger=world.ledger)
    assert edited.due(world.store) == []
    more = ((35, ("N", "F", 90)), *COUNTS[1:])
    world.provision("t", repeated(*more, columns=COLUMNS, first=1_000), release=2)
    assert [d.name for d in edited.due(world.store)] == ["pay"]
    second = edition(world, known)
    assert second.lane is Lane.AUTOMATIC, second.findings
    assert '1,"N, F",people,40,55' in files(world, second)["revisions.csv"]
    assert [r["state"] for r in edited.rows(world.store, "pay")] == ["current", "waiting"]
    release.release(world.store, request=second.request, actor="service", folder=world.folder, ledger=world.ledger)
    assert [r["state"] for r in edited.rows(world.store, "pay")] == ["superseded", "current"]
    release.revoke(world.store, request=second.request, actor="rita", reason="An error", folder=world.folder)
    assert [r["state"] for r in edited.rows(world.store, "pay")] == ["current", "revoked"]


def test_an_edition_that_people_must_see_waits_and_says_why(world: World) -> None:
    known = approved(world)
    odd = replace(known.words, title="Pay ~ regions")
    made = defining.define(world.store, request=known.request, name="pay", words=odd, by=AUTHOR)
    report = edition(world, defining.approve(world.store, name="pay", sha256=made.sha256, by="rita"))
    assert report.lane is Lane.REVIEW
    (row,) = edited.rows(world.store, "pay")
    assert (row["state"], "title" in row["why"]) == ("waiting", True)


def test_a_request_is_checked_by_the_words_that_stand(world: World) -> None:
    known = approved(world)
    defining.end(world.store, name="pay", reason="Replaced", by=AUTHOR)
    with pytest.raises(OutputRefusal, match="is ended"):
        edition(world, known)


def test_the_shelf_holds_every_edition_that_left_and_takes_away_what_was_withdrawn(
    world: World, tmp_path: Path
) -> None:
    known = approved(world, Words("Pay & <regions>"))
    assert shelf.export(world.store, world.folder, target=tmp_path / "statistics") == 0
    first = edition(world, known)
    release.release(world.store, request=first.request, actor="service", folder=world.folder, ledger=world.ledger)
    assert shelf.export(world.store, world.folder, target=tmp_path / "statistics") == 1
    place = tmp_path / "statistics" / "pay"
    assert (place / "edition-1" / "table.csv").read_bytes().decode() == files(world, first)["table.csv"]
    pages = [page_of(place / "index.html"), page_of(tmp_path / "statistics" / "index.html")]
    for file, page in zip((place, place.parent), pages, strict=True):
        assert all((file / str(a.get("href"))).is_file() for a in page.iter("a"))
    assert "Current" in "".join(pages[0].itertext())

    release.revoke(world.store, request=first.request, actor="rita", reason="Wrong <year>", folder=world.folder)
    shelf.export(world.store, world.folder, target=tmp_path / "statistics")
    assert not (place / "edition-1").exists()
    assert "Withdrawn: Wrong <year>" in "".join(page_of(place / "index.html").itertext())


def test_the_shelf_refuses_files_that_are_not_those_released(world: World, tmp_path: Path) -> None:
    first = edition(world, approved(world))
    place = release.release(
        world.store, request=first.request, actor="service", folder=world.folder, ledger=world.ledger
    )
    (place / "table.csv").write_text("region,people\r\n")
    with pytest.raises(OutputRefusal, match="not those that left"):
        shelf.export(world.store, world.folder, target=tmp_path / "statistics")


def page_of(file: Path) -> ElementTree.Element:
    """A page as a strict reader takes it."""
    text = file.read_text(encoding="utf-8")
    parsed: ElementTree.Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    assert parsed.get("lang") == "en-GB"
    assert all(found.findtext("caption") for found in parsed.iter("table"))
    return parsed
