"""Random worlds for the decision: one in which a request is allowed, then some facts changed by chance."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from integrated_data.model.access import (
    AccessRequest,
    Accreditation,
    DatasetRequest,
    Person,
    Project,
    ProjectState,
    World,
)
from integrated_data.model.agreement import Agreement, Conditions, Law, LegalGateway, Licence, Purpose, Standing
from integrated_data.model.freezing import Freeze, Frozen
from integrated_data.model.shaping import Coarsening

DAY = date(2026, 6, 15)
AT = datetime(2026, 6, 15, 12, tzinfo=UTC)
DATASETS = ("census", "pay", "tax")
COLUMNS = ("age_band", "region", "sex")
KEYS = ("person", "area")
PEOPLE = ("ada", "ben", "cem")
ORGANISATIONS = ("University", "Ministry", "Institute")

LAW = Law(
    "Testland",
    "1",
    (
        LegalGateway(
            "research",
            "Research Act",
            (Purpose.RESEARCH,),
            Standing.PROVISIONAL,
            public_benefit=True,
            ethics=True,
        ),
        LegalGateway("statistics", "Statistics Act", (Purpose.STATISTICS, Purpose.RESEARCH), Standing.NONE),
        LegalGateway("services", "Services Act", (Purpose.OPERATIONAL,), Standing.NONE, training=False),
    ),
)

AGREEMENT = Agreement(
    "A-1", "census", "Ministry", "research", (Purpose.RESEARCH,), ("*",), ("University",),
    date(2026, 1, 1), date(2026, 12, 31), index_by_default=True,
)  # fmt: skip
FULL = Accreditation(Standing.FULL, date(2025, 1, 1), date(2029, 12, 31))
ADA = Person("ada", "Ada", "University", FULL, date(2027, 1, 1))
BEN = Person(
    "ben", "Ben", "University",
    Accreditation(Standing.PROVISIONAL, date(2026, 1, 1), date(2026, 12, 31), "ada"), date(2027, 1, 1),
)  # fmt: skip
PROJECT = Project(
    "P-1", "Health and work", Purpose.RESEARCH, "University", "ada", ("ada", "ben"),
    (DatasetRequest("census", COLUMNS, KEYS),), date(2026, 2, 1), date(2026, 11, 30),
    public_benefit="Much", ethics="E-1", state=ProjectState.APPROVED,
)  # fmt: skip
WORLD = World(LAW, (AGREEMENT,), (ADA, BEN), (PROJECT,))
REQUEST = AccessRequest("ada", "P-1", Purpose.RESEARCH, "census", COLUMNS, KEYS)


#: What datasets may be derived from: nothing, something near, something far, each other.
DERIVATIONS: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = (
    (("census", ("pay",)),),
    (("census", ("pay", "tax")),),
    (("census", ("pay",)), ("pay", ("tax",))),
    (("census", ("pay",)), ("pay", ("census",))),
    (("census", ("pay",)), ("pay", ("tax",)), ("tax", ("pay",))),
)


def random_case(dice: random.Random) -> tuple[AccessRequest, World]:
    """A request and a world: the allowed one with nought to three facts changed, often two agreements."""
    request = replace(REQUEST, person=dice.choice(("ada", "ben")))
    agreements = [AGREEMENT]
    if dice.random() < 0.3:
        agreements.append(replace(AGREEMENT, id="A-2", gateway=dice.choice(("research", "statistics"))))
    derived = dice.choice(DERIVATIONS) if dice.random() < 0.2 else ()
    if derived:
        agreements += [replace(AGREEMENT, id=f"A-{d}", dataset=d, columns=()) for d in DATASETS[1:]]
    people = {p.id: p for p in (ADA, BEN)}
    project = PROJECT
    for _ in range(dice.choice((0, 1, 1, 2, 3))):
        match dice.randrange(4):
            case 0:
                number = dice.randrange(len(agreements))
                agreements[number] = _changed_agreement(agreements[number], dice)
            case 1:
                person = dice.choice(sorted(people))
                people[person] = _changed_person(people[person], dice)
            case 2:
                project = _changed_project(project, dice)
            case 3:
                request = _changed_request(request, dice)
    if dice.random() < 0.03:
        people.pop(dice.choice(sorted(people)))
    projects = () if dice.random() < 0.03 else (project,)
    frozen = _frozen(dice) if dice.random() < 0.1 else ()
    return request, World(LAW, tuple(agreements), tuple(people.values()), projects, derived, frozen)


def _frozen(dice: random.Random) -> tuple[Freeze, ...]:
    if dice.random() < 0.5:
        return (Freeze(1, Frozen.PERSON, dice.choice(PEOPLE), "desk", "Lost", AT),)
    return (Freeze(1, Frozen.DATASET, dice.choice(DATASETS), "desk", "Wrong", AT),)


def _near(dice: random.Random) -> date:
    return DAY + timedelta(days=dice.choice((-400, -1, 0, 1, 400)))


def _some(dice: random.Random, values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(v for v in values if dice.random() < 0.7)


def _purposes(dice: random.Random) -> tuple[Purpose, ...]:
    return tuple(p for p in Purpose if dice.random() < 0.5)


def _changed_agreement(one: Agreement, dice: random.Random) -> Agreement:
    return dice.choice(
        (
            lambda: replace(one, gateway=dice.choice(("research", "statistics", "services", "unknown"))),
            lambda: replace(one, purposes=_purposes(dice)),
            lambda: replace(one, columns=dice.choice((("*",), _some(dice, COLUMNS)))),
            lambda: replace(one, onward_to=dice.choice((("*",), _some(dice, ORGANISATIONS)))),
            lambda: replace(one, owner=dice.choice(ORGANISATIONS)),
            lambda: replace(one, starts=_near(dice)),
            lambda: replace(one, ends=_near(dice)),
            lambda: replace(one, index_by_default=False),
            lambda: replace(one, suspended=True),
            lambda: replace(one, dataset=dice.choice(("census", "pay"))),
            lambda: replace(one, licence=_licence(dice)),
            lambda: replace(one, coarsen={dice.choice(COLUMNS): Coarsening(withheld=dice.random() < 0.7)}),
            lambda: replace(one, conditions=Conditions(10, 5, dice.choice(tuple(Standing)))),
        )
    )()


def _licence(dice: random.Random) -> Licence:
    buyers = dice.choice((("*",), _some(dice, ORGANISATIONS)))
    return Licence(buyers, dice.choice((_near(dice), date(2026, 12, 31))), onward_sharing=dice.random() < 0.3)


def _changed_person(one: Person, dice: random.Random) -> Person:
    own = one.accreditation or FULL
    return dice.choice(
        (
            lambda: replace(one, suspended=True),
            lambda: replace(one, organisation=dice.choice(ORGANISATIONS)),
            lambda: replace(one, accreditation=None),
            lambda: replace(one, accreditation=replace(own, level=dice.choice(tuple(Standing)))),
            lambda: replace(one, accreditation=replace(own, starts=_near(dice))),
            lambda: replace(one, accreditation=replace(own, ends=_near(dice))),
            lambda: replace(one, accreditation=replace(own, supervisor=dice.choice((*PEOPLE, None)))),
            lambda: replace(one, trained_until=dice.choice((None, _near(dice)))),
        )
    )()


def _changed_project(one: Project, dice: random.Random) -> Project:
    asked = one.datasets[0] if one.datasets else DatasetRequest("census", COLUMNS, KEYS)
    return dice.choice(
        (
            lambda: replace(one, state=dice.choice(tuple(ProjectState))),
            lambda: replace(one, starts=_near(dice)),
            lambda: replace(one, ends=_near(dice)),
            lambda: replace(one, team=_some(dice, PEOPLE)),
            lambda: replace(one, purpose=dice.choice(tuple(Purpose))),
            lambda: replace(one, public_benefit=""),
            lambda: replace(one, ethics=" "),
            lambda: replace(one, datasets=()),
            lambda: replace(one, datasets=(replace(asked, columns=_some(dice, COLUMNS)),)),
            lambda: replace(one, datasets=(replace(asked, keys=_some(dice, KEYS)),)),
        )
    )()


def _changed_request(one: AccessRequest, dice: random.Random) -> AccessRequest:
    return dice.choice(
        (
            lambda: replace(one, person=dice.choice((*PEOPLE, "nobody"))),
            lambda: replace(one, project=dice.choice(("P-1", "P-9"))),
            lambda: replace(one, purpose=dice.choice(tuple(Purpose))),
            lambda: replace(one, dataset=dice.choice(("census", "pay"))),
            lambda: replace(one, columns=_some(dice, (*COLUMNS, "income"))),
            lambda: replace(one, keys=_some(dice, (*KEYS, "business"))),
        )
    )()
