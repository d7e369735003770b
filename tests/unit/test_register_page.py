"""The public register: plain values in, one JSON document and one static page out."""

import json
from datetime import date
from html.parser import HTMLParser

from integrated_data.output.register import (
    RegisterDataset,
    RegisterProject,
    RegisterRelease,
    document,
    page,
)

PROJECT = RegisterProject(
    "P-1", "Health & <work>", "University", "research", "Which conditions keep people out of work?", "Better care",
    ("Digital Economy Act",), ("gp", "lfs"), date(2026, 1, 1), date(2027, 1, 1),
    state="expired", sponsor="A charity", approvals=("data owner (Health), 2025-12-01",),
)  # fmt: skip
DATASETS = [RegisterDataset("lfs", "Labour Force Survey", "Statistics Office"), RegisterDataset("gp", "", "Health"),
            RegisterDataset("pay", "Pay", "Revenue")]  # fmt: skip
RELEASES = [
    RegisterRelease("O-1", "P-1", "Gap by region", ("lfs",), date(2026, 5, 1), "revoked", "a" * 64, "Wrong year"),
    RegisterRelease("O-2", "P-1", "Gap by age", ("gp", "lfs"), date(2026, 6, 1), "released", "b" * 64),
]
KEY = "-----BEGIN PUBLIC KEY-----\nof the service\n-----END PUBLIC KEY-----\n"

REGISTER = document([PROJECT], DATASETS, releases=RELEASES, at=date(2026, 6, 15), signing_key=KEY)


class Structure(HTMLParser):
    """Tags, and whether every one that opens closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert tag not in ("script", "link", "img"), "nothing is fetched"
        for name, value in attrs:
            assert name not in ("src", "onclick")
            assert name != "href" or value in ("#main", "people.html", "index.html", "people.json"), "nothing elsewhere"
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Structure:
    structure = Structure()
    structure.feed(html)
    assert structure.open == []
    return structure


def test_the_page_says_who_approved_and_paid_and_that_it_is_over() -> None:
    told = read(page(REGISTER)).text
    for wanted in ("data owner (Health), 2025-12-01", "A charity", "2026-01-01 to 2027-01-01 (expired)"):
        assert wanted in told


def test_the_document_is_json_and_lists_what_is_used() -> None:
    assert json.loads(json.dumps(REGISTER)) == REGISTER
    assert [d["id"] for d in REGISTER["datasets"]] == ["gp", "lfs"], "nobody uses pay"
    assert [r["id"] for r in REGISTER["releases"]] == ["O-2", "O-1"], "newest first"
    assert REGISTER["projects"][0]["starts"] == "2026-01-01"


def test_the_page_says_who_uses_what_for_what_and_what_left() -> None:
    structure = read(page(REGISTER))
    for said in (
        "P-1: Health & <work>",
        "Labour Force Survey",
        "Digital Economy Act",
        "Gap by age",
        "revoked: Wrong year",
    ):
        assert said in structure.text
    assert "Revenue" not in structure.text


def test_the_page_can_be_read_by_everybody() -> None:
    html = page(REGISTER)
    tags = read(html).tags
    assert '<html lang="en-GB">' in html
    assert tags.count("h1") == 1
    assert tags.count("caption") == tags.count("table") == 2
    assert 'scope="col"' in html
    assert 'scope="row"' in html


def test_an_empty_register_is_a_page_too() -> None:
    empty = document([], DATASETS, releases=[], at=date(2026, 6, 15), signing_key=KEY)
    assert "0 projects use 0 datasets" in read(page(empty)).text


def test_the_same_register_gives_the_same_bytes() -> None:
    again = document(
        [PROJECT], list(reversed(DATASETS)), releases=list(reversed(RELEASES)), at=date(2026, 6, 15), signing_key=KEY
    )
    assert page(again) == page(REGISTER)
