"""The public register: approved projects, the datasets they use, what has been released; nothing else.

Pure functions over plain values: one JSON document, and one static page that needs no script.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from html import escape
from typing import Any

from integrated_data.output.static_page import CLOSING, opening, table

VERSION = "3"


@dataclass(frozen=True)
class RegisterProject:
    """An approved project, as the public sees it. `datasets`: ids of what it uses.

    `approvals`: who approved it and when, as `panel (Research Accreditation Panel), 2026-05-01`; never a person.
    """

    id: str
    title: str
    organisation: str
    purpose: str
    aims: str
    public_benefit: str
    legal_gateways: tuple[str, ...]
    datasets: tuple[str, ...]
    starts: date
    ends: date
    state: str = "approved"
    methods: str = ""
    sponsor: str = ""
    programme: str = ""
    approvals: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegisterDataset:
    """A dataset that some project uses."""

    id: str
    title: str
    owner: str


@dataclass(frozen=True)
class RegisterRelease:
    """An output that left. `state`: released or revoked; `reason`: why it was revoked."""

    id: str
    project: str
    title: str
    datasets: tuple[str, ...]
    released: date
    state: str
    sha256: str
    reason: str = ""


def document(
    projects: Sequence[RegisterProject],
    datasets: Sequence[RegisterDataset],
    *,
    releases: Sequence[RegisterRelease],
    at: date,
    signing_key: str,
    lane: Mapping[str, float | int | None] | None = None,
) -> dict[str, Any]:
    """The register as JSON values, everything in order of its id, releases newest first.

    `signing_key`: the public key, in PEM, that released files are verified with.
    `lane`: how many releases left without people, and in how many of those that two people checked
    afterwards they found an error, with the 95 % interval of the rate.
    """
    used = {d for p in projects for d in p.datasets}
    return {
        "register": "Integrated Data Service public register",
        "version": VERSION,
        "at": at.isoformat(),
        "signing_key": signing_key,
        "projects": [_plain(p) for p in sorted(projects, key=lambda p: p.id)],
        "datasets": [_plain(d) for d in sorted(datasets, key=lambda d: d.id) if d.id in used],
        "releases": [_plain(r) for r in sorted(releases, key=lambda r: (-r.released.toordinal(), r.id))],
        "automatic_lane": dict(lane or {}),
    }


def page(register: Mapping[str, Any]) -> str:
    """The register as one static page of HTML (WCAG 2.2: a language, headings, captions, header cells)."""
    projects, datasets, releases = (register[part] for part in ("projects", "datasets", "releases"))
    titles = {d["id"]: d["title"] or d["id"] for d in datasets}
    parts = [
        opening(
            "Public register of data use",
            f"As at {register['at']}. Every approved project, the datasets it uses, and every output that left the "
            "service.",
        ),
        '<p>In plain words, with your rights: <a href="people.html">how data about people is used</a>.</p>',
        f"<p>{len(projects)} projects use {len(datasets)} datasets; {len(releases)} outputs have been released.</p>",
        "<h2>Projects</h2>",
        *(_project(p, titles, releases=[r for r in releases if r["project"] == p["id"]]) for p in projects),
        "<h2>Datasets in use</h2>",
        table(
            "Datasets that approved projects use",
            ("Dataset", "Title", "Owner", "Projects"),
            rows=[
                (
                    d["id"],
                    d["title"],
                    d["owner"],
                    ", ".join(p["id"] for p in projects if d["id"] in p["datasets"]),
                )
                for d in datasets
            ],
        ),
        "<h2>Released outputs</h2>",
        table(
            "Outputs, newest first",
            ("Output", "Title", "Project", "Datasets", "Released", "State"),
            rows=[_release_row(r, titles) for r in releases],
        ),
        *_lane(register["automatic_lane"]),
        "<h2>Verifying a released file</h2>",
        "<p>Every release is a signed file. <code>ids output verify FILE --key KEY</code> says by this key whether "
        "it is as it was released; <code>--register register.json</code> says also whether it was withdrawn.</p>",
        f"<pre>{escape(register['signing_key'])}</pre>",
        CLOSING,
    ]
    return "\n".join(parts)


def _project(project: Mapping[str, Any], titles: Mapping[str, str], *, releases: Sequence[Mapping[str, Any]]) -> str:
    facts = [
        ("Organisation", project["organisation"]),
        ("Purpose", project["purpose"]),
        ("Paid for by", project["sponsor"]),
        ("Programme", project["programme"]),
        ("Aims", project["aims"]),
        ("Methods", project["methods"]),
        ("Public benefit", project["public_benefit"]),
        ("Legal gateway", ", ".join(project["legal_gateways"])),
        ("Datasets", ", ".join(titles.get(d, d) for d in project["datasets"])),
        ("Approved by", "; ".join(project["approvals"])),
        ("Runs", f"{project['starts']} to {project['ends']}" + _ended(project["state"])),
        ("Outputs", ", ".join(r["id"] for r in releases) or "none yet"),
    ]
    listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(str(fact))}</dd>\n" for name, fact in facts if fact)
    heading = f"{project['id']}: {project['title']}"
    return f'<section id="{escape(project["id"])}">\n<h3>{escape(heading)}</h3>\n<dl>\n{listed}</dl>\n</section>'


def _lane(lane: Mapping[str, Any]) -> list[str]:
    """How often the automatic lane erred, where that is on record."""
    if not lane:
        return []
    told = f"{lane['released']} outputs left without people having looked at them, because every rule passed. "
    if not lane["checked"]:
        told += "None of them has been checked by people afterwards yet."
    else:
        told += (
            f"Two people each checked {lane['checked']} of them afterwards, drawn at random and not knowing that they "
            f"had left: {lane['errors']} should not have ({lane['rate']:.1%}; 95 % interval {lane['low']:.1%} to "
            f"{lane['high']:.1%}). They sent {lane['returned']} more back with a question."
        )
    return ["<h2>Outputs released automatically</h2>", f"<p>{escape(told)}</p>"]


def _ended(state: str) -> str:
    return "" if state == "approved" else f" ({state})"


def _release_row(release: Mapping[str, Any], titles: Mapping[str, str]) -> tuple[str, ...]:
    state = release["state"] + (f": {release['reason']}" if release["reason"] else "")
    datasets = ", ".join(titles.get(d, d) for d in release["datasets"])
    return (release["id"], release["title"], release["project"], datasets, release["released"], state)


def _plain(value: Any) -> dict[str, Any]:
    """A dataclass as JSON values."""
    return {name: _json(held) for name, held in asdict(value).items()}


def _json(held: Any) -> Any:
    if isinstance(held, date):
        return held.isoformat()
    return list(held) if isinstance(held, tuple) else held
