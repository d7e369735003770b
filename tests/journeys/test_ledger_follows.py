"""The ledger follows merges and splits: two releases ten people apart are nine apart when two of them are one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrated_data.control.store import records
from integrated_data.model.output import Ask, Lane
from integrated_data.site import ledgering, outputs
from integrated_data.site.analysis import open_analysis
from integrated_data.site.refreshing import refresh_index
from integrated_data.site.settings import Settings
from tests.journeys.test_keys_follow import House, furnished, house

pytestmark = pytest.mark.long

#: All forty who are paid, and all but ten of them: Roe by her married name, Lee and eight others.
EVERYBODY = "SELECT count(*) AS n FROM pay"
BUT_TEN = "SELECT count(*) AS n FROM pay WHERE income NOT BETWEEN 1001 AND 1010"


@pytest.fixture
def h(tmp_path: Path) -> Iterator[House]:
    furnished(tmp_path)
    with house(tmp_path) as found:
        yield found


def check(h: House, sql: str, *, release: bool = True) -> tuple[str, Lane]:
    """Query, ask, check, and release if that is what the check says; the request and its lane."""
    settings = Settings(h.site.places.home, 2, "2GB", production=False, actor="ada")
    with open_analysis(h.site.places, settings) as site:
        outputs.runner(site, "P-newest", person="ada", asked=())(sql)
        with site.store.read() as connection:
            query = [r.facts["query"] for r in records(connection) if r.action == "query.done"][-1]
        asked = outputs.ask(site, Ask("P-newest", "ada", (query,), "Pay"))
        report = outputs.check(site, asked.id, actor="ada")
        if release and report.lane is Lane.AUTOMATIC:
            outputs.release(site.places, site.store, request=asked.id, actor="ada")
    return asked.id, report.lane


def test_releases_that_come_nearer_by_a_merge_are_reported(h: House) -> None:
    first, lane = check(h, EVERYBODY)
    assert lane is Lane.AUTOMATIC
    second, lane = check(h, BUT_TEN)
    assert lane is Lane.AUTOMATIC, "ten people apart"
    h.next_version()
    (report,) = refresh_index(h.site, "demographic")
    assert report["ledger"] | {"nearer": None, "tables": None} == {
        "index": "demographic", "version": 4, "merged": 1, "split": 1, "tables": None, "nearer": None,
    }  # fmt: skip
    assert report["ledger"]["tables"] in (1, 2), "the second changes if it is its Roe whose number is given up"
    assert report["ledger"]["nearer"] == [{"releases": sorted([first, second]), "cells": 2}], "of each the one cell"
    entities, numbers = ledgering.known(h.site.places, h.site.sealer, index="person")
    assert len(numbers) == len(entities) == len(set(numbers)) + 1, "two entities, one person"
    assert check(h, EVERYBODY)[1] is Lane.REFUSED, "asked today it is nine people from the second release"
    with h.site.store.read() as connection:
        (told,) = [r.facts for r in records(connection) if r.action == "index.refreshed" and r.facts["version"] == 4]
    assert told["releases_nearer"] == report["ledger"]["nearer"]
