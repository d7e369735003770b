"""A draft of a data protection impact assessment from what an installation holds and does.

Its steps are those of the Information Commissioner's Office's template (identify the need; describe the
processing; consultation; necessity and proportionality; risks; measures; sign off). It drafts what records
tell and says what only people can: severity, consultation and the decision to accept a risk are theirs.
"""

from dataclasses import dataclass

from integrated_data.approve import processing
from integrated_data.approve.holdings import GroupLinked, Holdings
from integrated_data.approve.written import Paper, Section
from integrated_data.model.meanings import Meaning

TITLE = "Data protection impact assessment (draft)"
#: A group is named whose share of linked records is this much below the dataset's.
BEHIND = 0.05
#: Groups of fewer records are not shown.
FEWEST = 50


@dataclass(frozen=True)
class _Risk:
    """A risk, what the live state says of it, and what is done about it."""

    risk: str
    says: str
    measures: str
    open: bool

    def row(self, number: int) -> dict[str, object]:
        """As a row of the table of risks."""
        return {
            "number": number, "risk": self.risk, "what the records say": self.says, "measures in place": self.measures,
            "likelihood": "to be judged", "severity": "to be judged",
            "needs a person now": "yes" if self.open else "no",
        }  # fmt: skip


def assess(held: Holdings) -> Paper:
    """The draft for an installation."""
    sections = (_need(held), *_processing(held), _consultation(held), _necessity(held), _risks(held), _measures(held),
                _groups(held), _sign_off())  # fmt: skip
    return Paper(TITLE, held.at, processing.BASIS, sections)


def _special(held: Holdings) -> list[str]:
    return sorted({f"{d.id} ({kind})" for d in held.datasets for _, kind, _ in processing.special(d)})


def _need(held: Holdings) -> Section:
    people = [d.id for d in held.datasets if processing.about_people(d)]
    special = _special(held)
    joined = [d.id for d in held.datasets if d.links]
    says = [f"{len(people)} of {len(held.datasets)} datasets are about people."]
    if special:
        says.append(f"Special categories or criminal offences seem to be among them: {', '.join(special)}.")
    if joined:
        says.append(f"Datasets are matched and combined: {', '.join(joined)}. Matching is automatic.")
    needed = bool(special or len(joined) > 1)
    says.append(
        "An assessment is required: "
        + ("special categories on a large scale, or datasets matched with one another (articles 35(3)(b) and 35(4))."
           if needed else "not shown by records alone; matching datasets is planned for this service.")
    )  # fmt: skip
    return Section("Step 1: Why an assessment is needed", tuple(says), (), ("what the service is to achieve, and why",))


def _processing(held: Holdings) -> tuple[Section, ...]:
    record = processing.record(held)
    named = {s.heading: s for s in record.sections}
    described = (
        ("nature", "Categories of data"), ("scope", "Categories of people"), ("context", "Recipients"),
        ("purposes", "Purposes and legal basis"), ("how long", "Retention"),
    )  # fmt: skip
    return tuple(
        Section(f"Step 2: Describe the processing: {what}", named[heading].says, named[heading].rows,
                named[heading].to_write)
        for what, heading in described
    )  # fmt: skip


def _consultation(held: Holdings) -> Section:
    owners = sorted({a.owner for a in held.agreements})
    return Section(
        "Step 3: Consultation",
        (f"On record as having agreed to uses of their data: {', '.join(owners) or 'nobody'}.",),
        (),
        ("whether and how the people in the data, or those who speak for them, were asked, and what they said",),
    )


def _necessity(held: Holdings) -> Section:
    rows = []
    for project in held.running:
        for request in project.datasets:
            found = next((d for d in held.datasets if d.id == request.dataset), None)
            offered = len([c for c in found.contract.columns if c.handling == "payload"]) if found else None
            rows.append(
                {
                    "project": project.id, "dataset": request.dataset, "columns granted": len(request.columns),
                    "columns published": offered, "rows narrowed": "yes" if request.rows or request.window else "no",
                    "public benefit stated": "yes" if project.public_benefit.strip() else "no",
                }
            )  # fmt: skip
    return Section(
        "Step 4: Necessity and proportionality",
        (
            "Each project names columns, rows and keys, and gets no others; access is decided anew at every query; "
            "identifiers are used for matching alone.",
            "People's rights: the public page says how to use them.",
        ),
        tuple(rows),
        ("whether each purpose could be reached with less; how use beyond what was agreed is prevented",),
    )


def _risks(held: Holdings) -> Section:
    risks = (_small_areas(held), _special_risk(held), _matching(held), _disclosure(held), _inside(held), _guesses(held),
             _keeping(held))  # fmt: skip
    return Section(
        "Step 5: Risks",
        ("Likelihood and severity are for people to judge; the records say what bears on them.",),
        tuple(r.row(n) for n, r in enumerate(risks, 1)),
        ("likelihood, severity and overall risk of each, and risks that no record shows",),
    )


def _small_areas(held: Holdings) -> _Risk:
    areas = {d.id: [c.name for c in d.contract.columns if c.meaning in (Meaning.AREA_CODE, Meaning.AREA_NAME)]
             for d in held.datasets}  # fmt: skip
    granted = sorted(
        f"{p.id}: {r.dataset}.{c}" for p in held.running for r in p.datasets for c in r.columns
        if c in areas.get(r.dataset, ())
    )  # fmt: skip
    least = max((a.conditions.minimum_population for a in held.agreements), default=0)
    return _Risk(
        "Somebody is recognised by where they live",
        f"Columns of areas granted: {', '.join(granted) or 'none'}",
        "Tables by areas of few people go to reviewers; agreements may ask for coarser areas"
        + (f"; the strictest asks for areas of at least {least:,} people" if least else ""),
        bool(granted),
    )


def _special_risk(held: Holdings) -> _Risk:
    columns = {(d.id, c.name) for d in held.datasets for c, _, _ in processing.special(d)}
    granted = sorted(f"{p.id}: {r.dataset}.{c}" for p in held.running for r in p.datasets for c in r.columns
                     if (r.dataset, c) in columns)  # fmt: skip
    return _Risk(
        "Health, origin or beliefs of somebody become known or are used against them",
        f"Columns of special categories granted: {', '.join(granted) or 'none'}",
        "Approved columns alone; purposes do not mix; outputs about few people are held back",
        bool(granted),
    )


def _matching(held: Holdings) -> _Risk:
    reports = [(d.id, index, r) for d in held.datasets for index, r in (d.links or {}).items()]
    told = [
        f"{dataset} to {index}: {r['accepted'] / r['records']:.1%} linked, precision {_share(r, 'precision')}, "
        f"recall {_share(r, 'recall')}"
        for dataset, index, r in reports if r.get("records")
    ]  # fmt: skip
    behind = behind_of(held.linked)
    unjudged = sorted({g.dataset for g in held.linked if not g.precision})
    more = f". Groups that fall behind: {', '.join(behind)}" if behind else ""
    more += f". Error by group not judged by people: {', '.join(unjudged)}" if unjudged else ""
    return _Risk(
        "Automated matching puts one person's facts on another's record, more often for some groups",
        ("; ".join(told) or "nothing is matched yet") + more,
        "Doubtful links go to people; probabilities travel with each link; quality is measured by group",
        bool(behind or unjudged),
    )


def _share(report: object, of: str) -> str:
    value = report.get(f"expected_{of}") if isinstance(report, dict) else None
    return f"{value:.4f}" if isinstance(value, float) else "not estimated"


def behind_of(linked: tuple[GroupLinked, ...]) -> list[str]:
    """Groups whose share of linked records is far below that of their dataset, as text."""
    whole: dict[tuple[str, str, str], list[GroupLinked]] = {}
    for each in linked:
        whole.setdefault((each.dataset, each.index, each.group), []).append(each)
    found = []
    for (dataset, _, group), members in whole.items():
        records = sum(m.records for m in members)
        overall = sum(m.linked * m.records for m in members) / records if records else 0.0
        found += [
            f"{dataset}, {group} {m.value} ({m.linked:.1%} against {overall:.1%})"
            for m in members if m.records >= FEWEST and m.linked < overall - BEHIND
        ]  # fmt: skip
    return found


def _disclosure(held: Holdings) -> _Risk:
    lane = held.lane
    rate = lane.get("rate")
    told = (
        f"{sum(held.left.values())} outputs left; {lane.get('checked', 0)} of the automatic ones were checked by people"
    )
    if rate is not None:
        told += f", {rate:.1%} should not have left (95 % interval {lane['low']:.1%} to {lane['high']:.1%})"
    return _Risk(
        "A released output tells of one person, alone or with others",
        told,
        "Rules by distinct people, an attacker by linear programming over all releases, a sample checked afterwards",
        bool(lane.get("released")) and not lane.get("checked"),
    )


def _inside(held: Holdings) -> _Risk:
    bad = [m.name for m in held.measures if not m.good]
    return _Risk(
        "Somebody inside, or who breaks in, reads what they should not",
        f"Measures not as they should be: {', '.join(bad) or 'none'}",
        "Sealed zone, keys apart, sandboxed queries, roles, a chain of signed records",
        bool(bad),
    )


def _guesses(held: Holdings) -> _Risk:
    inferred = [d.id for d in held.datasets if d.contract.inferred]
    return _Risk(
        "A column is taken for something it is not, and published",
        f"Contracts that nobody confirmed: {', '.join(inferred) or 'none'}",
        "Unknown and free text is withheld until a steward releases it; what is left is scanned for identifiers",
        bool(inferred),
    )


def _keeping(held: Holdings) -> _Risk:
    unsaid = sorted({a.dataset for a in held.agreements if a.retention_days is None})
    return _Risk(
        "Data are kept longer than they are needed",
        f"Past their retention: {', '.join(held.past_retention) or 'none'}; without a time limit: "
        f"{', '.join(unsaid) or 'none'}",
        "Loads, views and copies stop when an agreement ends",
        bool(held.past_retention or unsaid),
    )


def _measures(held: Holdings) -> Section:
    rows = tuple(
        {"measure": m.name, "found": m.state, "as it should be": "yes" if m.good else "NO",
         "effect on risk": "to be judged", "accepted by": ""}
        for m in held.measures
    )  # fmt: skip
    return Section("Step 6: Measures to reduce risk", (), rows, ("what remains of each risk, and who accepts it",))


def _groups(held: Holdings) -> Section:
    rows = tuple(
        {
            "dataset": g.dataset, "index": g.index, "group": f"{g.group}: {g.value}", "records": g.records,
            "linked": f"{g.linked:.1%}", "precision": g.precision or "not judged", "recall": g.recall or "not judged",
        }
        for g in held.linked if g.records >= FEWEST
    )  # fmt: skip
    return Section(
        "Annex: error of automated matching by group",
        (f"Shares are counted; precision and recall come from judged samples. Groups below {FEWEST} are left out.",),
        rows,
        (() if all(g.precision for g in held.linked) else ("a judged sample where there is none: ids review sample",)),
    )


def _sign_off() -> Section:
    return Section(
        "Step 7: Sign off and outcomes", (), (),
        (
            "who approved the measures and what remains of each risk; the data protection officer's advice and whether "
            "it was followed; whether the regulator must be consulted; when this is looked at again",
        ),
    )  # fmt: skip
