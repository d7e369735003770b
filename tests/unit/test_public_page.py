"""The page for the people in the data: plain values in, one JSON document and one static page out."""

import json
import re
from datetime import date
from html.parser import HTMLParser
from itertools import pairwise

from integrated_data.output.public import RIGHTS, Contact, PublicDataset, PublicLinkage, document, page
from integrated_data.output.register import RegisterProject, RegisterRelease
from integrated_data.output.register import document as register_document

PROJECT = RegisterProject(
    "P-1", "Health & <work>", "University", "research", "Aims", "Better care", ("dea",), ("gp",),
    date(2026, 1, 1), date(2027, 1, 1), state="expired",
)  # fmt: skip
RELEASES = [
    RegisterRelease("O-1", "P-1", "By region", ("gp",), date(2026, 5, 1), "revoked", "a" * 64, "Wrong year"),
    RegisterRelease("O-2", "P-1", "By age", ("gp",), date(2026, 6, 1), "released", "b" * 64),
]
LANE: dict[str, float | int | None] = {
    "released": 40, "checked": 20, "errors": 1, "returned": 0, "rate": 0.05, "low": 0.001, "high": 0.25
}  # fmt: skip
REGISTER = register_document([PROJECT], [], releases=RELEASES, at=date(2026, 6, 15), signing_key="", lane=LANE)
GP = PublicDataset(
    "gp", "General practice", "Health", ("names", "health"), ("research, under: Digital Economy Act 2017",),
    ("University",), ("P-1",), 1,
)  # fmt: skip
LINKS = [PublicLinkage("General practice", "demographic", 0.981, 0.0005, None)]
CONTACT = Contact("Write to rights@example.org", "the Information Commissioner's Office, ico.org.uk")
TOLD = document(REGISTER, [GP], linkage=LINKS, contact=CONTACT)


class Accessible(HTMLParser):
    """What assistive technology reads: language, title, headings in order, tables with captions and headers."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def read(html: str) -> Accessible:
    seen = Accessible()
    seen.feed(html)
    return seen


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_it_says_which_data_why_who_what_came_out_and_how_to_use_ones_rights() -> None:
    text = read(page(TOLD)).text
    for told in (
        "General practice", "names, health", "research, under: Digital Economy Act 2017", "University", "Better care",
        "Health & <work>", "2027-01-01 (expired)", "98.1%", "about 1 in 2,000", "not estimated",
        "Of 40 results that left by rules alone, two people each checked 20 afterwards: 1 should not have left",
        "1 results were withdrawn", "rights@example.org", "Information Commissioner's Office", "1 so far",
        *(right for right, _ in RIGHTS),
    ):  # fmt: skip
        assert told in text, told


def test_it_can_be_read_by_everybody() -> None:
    html = page(TOLD)
    seen = read(html)
    assert seen.all("html") == [{"lang": "en-GB"}]
    assert seen.all("title") == [{}]
    levels = [int(tag[1]) for tag, _ in seen.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), "no level is skipped"
    assert len(seen.all("caption")) == len(seen.all("table")) == 3
    assert all(th.get("scope") in ("col", "row") for th in seen.all("th"))
    assert seen.all("a")[0] == {"class": "past", "href": "#main"}
    assert not seen.all("script") + seen.all("img") + seen.all("link")
    white = 1.05
    colours = re.findall(r"[^-]color: (#[0-9a-f]{6})", html)
    assert len(colours) >= 2
    assert all(white / (luminance(c) + 0.05) >= 4.5 for c in colours)


def test_an_empty_installation_and_its_json() -> None:
    empty = register_document([], [], releases=[], at=date(2026, 6, 15), signing_key="")
    text = read(page(document(empty, [], linkage=[], contact=Contact("", "the authority")))).text
    for told in ("There are no data about people here yet", "No project has been approved", "Nothing has been matched",
                 "has been checked afterwards yet", "Write to the organisation"):  # fmt: skip
        assert told in text
    assert json.loads(json.dumps(TOLD))["datasets"][0]["owner"] == "Health"
