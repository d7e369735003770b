"""`ids demo`: the whole journey on a fictional country, each step timed."""

import csv
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from integrated_data import specimen
from integrated_data.access.asked import Question
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import projects
from integrated_data.model.errors import InstallationRefusal
from integrated_data.model.output import Ask, Lane
from integrated_data.site import auditing, demo_project, demo_quality, loads, outputs, signing_heads
from integrated_data.site import projects as provisioning
from integrated_data.site.analysis import AnalysisSite, open_analysis
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.places import Places
from integrated_data.site.references import SourceOrder, load_reference
from integrated_data.site.settings import Settings
from integrated_data.site.signing_in import Wish, open_sign_in

#: Reference sources: index, source, file under `deliveries`, column that numbers its records.
SOURCES = (
    ("geography", "postcode_directory", "postcode_directory/postcode_directory.zip", None),
    ("address", "address_register", "address_register/address_register.csv.gz", "uprn"),
    ("business", "business_register", "business_register/business_register.csv", "enterprise_ref"),
    ("classification", "industry_index", "classifications/industry_index.csv", None),
    ("classification", "occupation_index", "classifications/occupation_index.csv", None),
    ("demographic", "health_register", "health_register/health_register.csv", "register_id"),
)

#: Deliveries: dataset, file.
DELIVERIES = (
    ("census", "census/census.csv"),
    ("gp_diagnoses", "gp_diagnoses/gp_diagnoses.tsv"),
    ("hospital_episodes", "hospital_episodes/hospital_episodes.csv"),
    ("pay", "pay/pay.txt"),
    ("benefits", "benefits/benefits.jsonl"),
    ("labour_force_survey", "labour_force_survey/labour_force_survey.parquet"),
)


@dataclass
class Show:
    """What the demo prints and keeps: a line for each step with its time."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step and say that it is done."""
        begun = time.perf_counter()
        with self.console.status(name):
            yield
        self.seconds[name] = round(time.perf_counter() - begun, 2)
        self.console.print(f"  {self.seconds[name]:7.2f} s  {name}")

    def table(self, title: str, rows: list[dict[str, Any]]) -> None:
        """Print rows that share their keys."""
        shown = Table(title=title, title_justify="left", header_style="bold")
        for key in rows[0] if rows else ():
            shown.add_column(
                key.replace("_", " "), justify="right" if isinstance(rows[0][key], int | float) else "left"
            )
        for row in rows:
            shown.add_row(*(_cell(value) for value in row.values()))
        width = None if self.console.is_terminal else 160
        self.console.print(shown, width=width)


def run(home: Path, *, settings: Settings, people: int, quiet: bool = False) -> dict[str, Any]:
    """Run the demo in an empty folder; returns its figures as plain values."""
    if home.exists() and any(home.iterdir()):
        raise InstallationRefusal(
            f"The folder {home.name} is not empty", next_step="Name an empty one with --home, or remove it"
        )
    show = Show(Console(stderr=quiet, quiet=quiet, highlight=False))
    begun = time.perf_counter()
    show.console.print(f"The Integrated Data Service: a fictional country of {people:,} people\n", style="bold")
    with show.step("a new installation: keys, control store, zones"):
        places = create(home / "service", actor=settings.actor)
    country = home / "country"
    with show.step("the country's departments write their files"):
        specimen.write(country, people=people)
    with open_loading(places, settings) as site:
        _load(show, site, deliveries=country / "deliveries")
        with show.step("match quality against the truth, which no stage has read"):
            quality = demo_quality.measure(site, country / "truth")
        show.table("Match quality", quality)
        agree_project(show, site)
    with open_analysis(places, settings) as analysis:
        released = _ask(show, analysis)
    with show.step("the audit chain is verified"):
        signing_heads.sign_head(places, analysis.store)
        audit = auditing.verify(places, analysis.store)
    total = round(time.perf_counter() - begun, 1)
    show.report |= {"people": people, "quality": quality, "audit": audit, "seconds": show.seconds, "total": total}
    _next(show, places, released=released, total=total)
    return show.report


def token(places: Places, settings: Settings) -> str:
    """A token of the demo's analyst for its project, for a day."""
    wish = Wish("demo", days=1, project=demo_project.PROJECT)
    return open_sign_in(places, settings).make_token(demo_project.ANALYST, wish, by="demo:desk")[0]


def _cell(value: Any) -> str:
    return escape("" if value is None else f"{value:,}" if isinstance(value, int) else str(value))


def _load(show: Show, site: LoadingSite, *, deliveries: Path) -> None:
    for index, source, file, id_column in SOURCES:
        with show.step(f"{source} feeds the {index} index"):
            load_reference(site, SourceOrder(index, (deliveries / file,), source, id_column))
    rows = []
    for dataset, file in DELIVERIES:
        with show.step(f"{dataset}: delivered file to governed table"):
            outcome = loads.deliver_and_refresh(site, dataset, files=[deliveries / file])
        linked = {i: r["accepted"] / max(1, r["records"]) for i, r in outcome["links"].items()}
        provisional = {i: r["provisional"] / max(1, r["records"]) for i, r in outcome["links"].items()
                       if r.get("provisional")}  # fmt: skip
        rows.append(
            {
                "dataset": dataset, "rows": outcome["read"], "quarantined": outcome["quarantined"],
                "linked": ", ".join(f"{i} {share:.1%}" for i, share in linked.items()),
                "provisional": ", ".join(f"{i} {share:.1%}" for i, share in provisional.items()),
                "withheld": ", ".join(outcome["withheld"]) or "nothing",
            }
        )  # fmt: skip
    show.table("Deliveries, each loaded with no human step", rows)
    show.report["deliveries"] = rows


def agree_project(show: Show, site: LoadingSite) -> None:
    """Put the demo's agreements and people on record, and have its project approved and provisioned."""
    with show.step("agreements, an accredited analyst, a project"):
        today = site.store.now().date()
        law = agree.united_kingdom()
        for text in demo_project.agreements(today):
            projects.add_agreement(site.store, agree.read_agreement(text, law), by="demo:owner")
        approvers = [accredit.read_person(text) for text in demo_project.approvers()]
        for person in (accredit.read_person(demo_project.person(today)), *approvers):
            projects.add_person(site.store, person, by="demo:accreditor")
        apply.propose(site.store, apply.read_project(demo_project.project(today)), law=law, by=demo_project.ANALYST)
    with show.step("each owner and the panel approve; views and keys provisioned"):
        for approver in approvers:
            decision, made = provisioning.decide_and_provision(site, demo_project.PROJECT, by=approver.id)
    if not decision.allowed:
        raise InstallationRefusal(
            "The demo's project was refused", why="; ".join(r.text for r in decision.reasons_against)
        )
    show.report["grants"] = made


def _ask(show: Show, site: AnalysisSite) -> Path | None:
    with show.step("the question, through the gate and the sandboxed worker"):
        question = Question(demo_project.ANALYST, demo_project.PROJECT, demo_project.question())
        answer = site.gateway.ask(question)
        if answer.refusal is not None:
            raise answer.refusal
    assert answer.table is not None
    with show.step("the output is requested and checked"):
        title = "Employment gap by chronic condition, part of the country and age"
        asked = Ask(demo_project.PROJECT, demo_project.ANALYST, (answer.query,), title, "Demonstration")
        requested = outputs.ask(site, asked)
        report = outputs.check(site, requested.id, actor=demo_project.ANALYST)
    show.report["output"] = {"lane": str(report.lane), "cells": report.cells, "withheld": report.withheld}
    if report.lane is not Lane.AUTOMATIC:
        reasons = "; ".join(dict.fromkeys(f.reason for f in report.findings))
        out = f"  The output is not released by itself ({report.lane}): {reasons}. A larger country holds more people."
        show.console.print(out, markup=False, soft_wrap=True)
        return None
    with show.step("what is safe is released, the rest held back"):
        folder = outputs.release(site.places, site.store, request=requested.id, actor="demo:service")
    show.table("Released (employment rate of those without less those with the condition)", _rows(folder))
    held = "fewer than 10 people, or fewer than 10 on one side of a rate"
    show.console.print(f"  {report.cells} cells, {report.withheld} held back ([c]): {held}\n", markup=False)
    return folder


def _rows(folder: Path) -> list[dict[str, Any]]:
    with (folder / "table.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    kept = ("condition", "part", "age", "respondents_with", "gap", "gap_low", "gap_high")
    return [{k: row[k] if "[" in row[k] else _short(row[k]) for k in kept} for row in found]


def _short(value: str) -> str:
    try:
        return f"{float(value):.3f}" if "." in value else value
    except ValueError:
        return value


def _next(show: Show, places: Places, *, released: Path | None, total: float) -> None:
    home = places.home

    def out(text: str, style: str | None = None) -> None:
        show.console.print(text, style=style, markup=False, soft_wrap=True)

    out(f"{total:.0f} s in all. Where to look next:", style="bold")
    if released is not None:
        out(f"  the released table and its chart   {released}")
    out(f"  the catalogue                      ids catalogue search --home {home}")
    out(f"  one dataset                        ids catalogue show labour_force_survey --home {home}")
    out(f"  a question of your own             ids query --project {demo_project.PROJECT} --as {demo_project.ANALYST} "
        f"--home {home} \"SELECT ilo_status, count(*) FROM labour_force_survey GROUP BY ALL\"")  # fmt: skip
    out(f"  the audit chain                    ids audit verify --home {home}")
    out(f"  the public register                ids register export REGISTER --home {home}")
