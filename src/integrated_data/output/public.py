"""How data about people is used, for the people in the data: which, why, by whom, what came out, their rights.

One JSON document, and one static page of it in plain words. Pure functions over plain values; they hold no
value about anybody, and no name of a person.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from html import escape
from typing import Any

from integrated_data.output.static_page import CLOSING, opening, paragraph, table

VERSION = "1"
TITLE = "How data about people is used"


@dataclass(frozen=True)
class PublicDataset:
    """A dataset about people. `tells`: categories of data; `why`: purposes under which law; `users`: organisations."""

    id: str
    title: str
    owner: str
    tells: tuple[str, ...]
    why: tuple[str, ...]
    users: tuple[str, ...]
    projects: tuple[str, ...]
    outputs: int


@dataclass(frozen=True)
class PublicLinkage:
    """How records of a dataset were matched: `linked` and the expected errors are shares, None where not estimated."""

    dataset: str
    index: str
    linked: float
    wrong: float | None
    missed: float | None


@dataclass(frozen=True)
class Contact:
    """To whom people turn: where to write, as free text, and the authority that watches over data protection."""

    write_to: str
    authority: str


#: What somebody may ask for, and what happens then.
RIGHTS = (
    ("See it", "Ask for a copy of what is held about you. An officer finds your records, and somebody else checks that "
     "they are yours before anything is handed over."),
    ("Have it put right", "If something is wrong, the organisation it comes from corrects it at the source; its next "
     "delivery replaces what is held here."),
    ("Object, or opt out", "Say that your data should not be used for these purposes. For some purposes the law lets "
     "an organisation go on, and it must then tell you why."),
    ("Have it erased", "Where the law gives you this right, you are taken out of everything held here, and kept "
     "out when older copies are restored. You get a signed proof."),
    ("Complain", "If you are not content with an answer, or do not want to ask first."),
)  # fmt: skip


def document(
    register: Mapping[str, Any],
    datasets: Sequence[PublicDataset],
    *,
    linkage: Sequence[PublicLinkage],
    contact: Contact,
) -> dict[str, Any]:
    """Everything the page says, as JSON values. `register`: the public register's document (`register.document`)."""
    return {
        "page": TITLE, "version": VERSION, "at": register["at"],
        "datasets": [_plain(d) for d in sorted(datasets, key=lambda d: d.id)],
        "projects": [
            {k: p[k] for k in ("id", "title", "organisation", "purpose", "public_benefit", "state", "ends")}
            for p in register["projects"]
        ],
        "outputs": {
            "released": sum(r["state"] == "released" for r in register["releases"]),
            "revoked": sum(r["state"] != "released" for r in register["releases"]),
        },
        "linkage": [_plain(link) for link in linkage],
        "automatic_lane": register["automatic_lane"],
        "rights": [{"right": right, "what_happens": told} for right, told in RIGHTS],
        "contact": asdict(contact),
    }  # fmt: skip


def page(told: Mapping[str, Any]) -> str:
    """The document as one static page in plain words."""
    datasets, projects, outputs = told["datasets"], told["projects"], told["outputs"]
    parts = [
        opening(TITLE, f"As at {told['at']}. For everybody whose data may be here. Nobody is named on this page."),
        "<h2>In short</h2>",
        paragraph(
            f"Datasets about people: {len(datasets)}; approved projects: {len(projects)}. Names, dates of birth, "
            "addresses and numbers are used to bring records of the same person together, and are then taken away: "
            "who analyses the data sees none of them, and works inside the service. Nothing leaves but results that "
            f"were checked so that they tell of nobody: {outputs['released']} so far."
        ),
        '<p>Every project and every result is in the <a href="index.html">public register of data use</a>. '
        'The same as this page, for programs: <a href="people.json">people.json</a>.</p>',
        "<h2>Which data, and why</h2>",
        _datasets(datasets),
        "<h2>Who uses it</h2>",
        _projects(projects),
        *_rights(told),
        "<h2>How sure the matching is</h2>",
        *_linkage(told["linkage"]),
        "<h2>How often a check went wrong</h2>",
        _lane(told["automatic_lane"], outputs),
        CLOSING,
    ]
    return "\n".join(parts)


def _datasets(datasets: Sequence[Mapping[str, Any]]) -> str:
    if not datasets:
        return paragraph("There are no data about people here yet.")
    return table(
        "Datasets about people",
        ("Dataset", "Answers for it", "What it tells", "Why it may be used", "Used by", "Results"),
        rows=[
            (
                d["title"] or d["id"], d["owner"], ", ".join(d["tells"]) or "not said",
                "; ".join(d["why"]) or "it may not be used now", ", ".join(d["users"]) or "nobody now",
                str(d["outputs"]),
            )
            for d in datasets
        ],
    )  # fmt: skip


def _projects(projects: Sequence[Mapping[str, Any]]) -> str:
    if not projects:
        return paragraph("No project has been approved yet.")
    return table(
        "Approved projects",
        ("Project", "By", "What good it should do", "Until"),
        rows=[
            (
                p["title"],
                p["organisation"],
                p["public_benefit"],
                p["ends"] if p["state"] == "approved" else f"{p['ends']} ({p['state']})",
            )
            for p in projects
        ],
    )


def _rights(told: Mapping[str, Any]) -> list[str]:
    contact = told["contact"]
    listed = "".join(f"<dt>{escape(r['right'])}</dt><dd>{escape(r['what_happens'])}</dd>\n" for r in told["rights"])
    owners = sorted({d["owner"] for d in told["datasets"]})
    asked = contact["write_to"] or (
        "Write to the organisation that answers for the dataset, and say that it is about the Integrated Data Service"
    )
    return [
        "<h2>Your rights, and how to use them</h2>",
        f"<dl>\n{listed}</dl>",
        "<h3>Whom to ask</h3>",
        paragraph(f"{asked}. It costs nothing, and you do not have to give a reason to see your data."),
        *([paragraph(f"Organisations that answer for data here: {', '.join(owners)}.")] if owners else []),
        paragraph(f"To complain: {contact['authority']}."),
    ]


def _linkage(links: Sequence[Mapping[str, Any]]) -> list[str]:
    if not links:
        return [paragraph("Nothing has been matched yet.")]
    rows = [
        (link["dataset"], link["index"], f"{link['linked']:.1%}", _in(link["wrong"]), _in(link["missed"]))
        for link in links
    ]
    return [
        paragraph(
            "Records are matched by computer. Sometimes a record is taken for another person's, or is not matched "
            "though it should be. These are the errors expected of the matching itself; people look at doubtful cases."
        ),
        table(
            "Records matched, by dataset",
            ("Dataset", "Matched to the index", "Records matched", "Wrong matches", "Matches missed"),
            rows=rows,
        ),
    ]


def _in(share: float | None) -> str:
    """A share as people count: about 1 in so many."""
    if share is None:
        return "not estimated"
    if share < 1e-6:
        return "fewer than 1 in 1,000,000"
    return f"about 1 in {round(1 / share):,}" if share < 0.05 else f"{share:.0%}"


def _lane(lane: Mapping[str, Any], outputs: Mapping[str, int]) -> str:
    told = f"{outputs['revoked']} results were withdrawn after they had left. "
    if not lane or not lane["checked"]:
        return paragraph(told + "No result that left without people looking at it has been checked afterwards yet.")
    return paragraph(
        told + f"Of {lane['released']} results that left by rules alone, two people each checked {lane['checked']} "
        f"afterwards: {lane['errors']} should not have left ({lane['rate']:.1%}; between {lane['low']:.1%} and "
        f"{lane['high']:.1%} of all)."
    )


def _plain(value: Any) -> dict[str, Any]:
    return {k: list(v) if isinstance(v, tuple) else v.isoformat() if isinstance(v, date) else v
            for k, v in asdict(value).items()}  # fmt: skip
