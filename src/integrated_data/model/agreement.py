"""Agreement words: the law's gateways, what owners agreed to, and on which terms.

Dates are whole days and both ends count: an agreement that ends on 31 March still holds on that day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from enum import StrEnum

from integrated_data.model.approval import Stage
from integrated_data.model.output import ReleaseLimits, stricter
from integrated_data.model.shaping import Coarsening

#: In a list of columns or organisations: every one there is.
ANY = "*"


class Purpose(StrEnum):
    """Why data are used; the three never mix."""

    RESEARCH = "research"
    STATISTICS = "statistics"
    OPERATIONAL = "operational"


class Standing(StrEnum):
    """What an accreditation amounts to on a day, lowest first."""

    NONE = "none"
    PROVISIONAL = "provisional"  # works under a fully accredited supervisor on the same team
    FULL = "full"

    @property
    def rank(self) -> int:
        """0 for none, 1 for provisional, 2 for full."""
        return _RANKS[self]


_RANKS = {Standing.NONE: 0, Standing.PROVISIONAL: 1, Standing.FULL: 2}


@dataclass(frozen=True)
class LegalGateway:
    """One way the law allows data to be used, and what it asks of people and projects.

    `panel`: the body that must accredit each project, if there is one.
    """

    id: str
    title: str
    purposes: tuple[Purpose, ...]
    standing: Standing = Standing.FULL
    training: bool = True
    public_benefit: bool = False
    ethics: bool = False
    public_register: bool = False
    panel: str = ""


@dataclass(frozen=True)
class Law:
    """The legal gateways of one country: configuration, not code.

    `processor`: the organisation that runs the service, whose stewards approve for owners who leave it to
    them. `days`: how long an approval may take, by its stage, where `model.approval.DAYS` is not to hold.
    """

    country: str
    version: str
    gateways: tuple[LegalGateway, ...]
    processor: str = ""
    days: Mapping[str, int] = field(default_factory=dict)

    def gateway(self, gateway: str) -> LegalGateway | None:
        """The gateway of that id, or None."""
        return next((g for g in self.gateways if g.id == gateway), None)


@dataclass(frozen=True)
class Conditions:
    """What an owner asks of every use; a project takes the strictest of its datasets'.

    `standing`: lowest accreditation. `derived_products`: whether anything made from the data may leave
    the service. `automatic`: whether a proven table may leave without people having looked at it. All
    others are limits of what leaves, as in `ReleaseLimits`: `minimum_people` is the fewest
    distinct people behind a released cell, `rounding` the base that released counts are rounded to.
    """

    minimum_people: int = ReleaseLimits.minimum_people
    rounding: int = ReleaseLimits.rounding
    standing: Standing = Standing.NONE
    derived_products: bool = True
    automatic: bool = True
    dominance_people: int = ReleaseLimits.dominance_people
    dominance_share: float = ReleaseLimits.dominance_share
    p_ratio: float = ReleaseLimits.p_ratio
    degrees_of_freedom: int = ReleaseLimits.degrees_of_freedom
    minimum_population: int = ReleaseLimits.minimum_population
    single_share: float = ReleaseLimits.single_share

    @property
    def limits(self) -> ReleaseLimits:
        """The limits of what leaves."""
        return ReleaseLimits(**{limit.name: getattr(self, limit.name) for limit in fields(ReleaseLimits)})

    def strictest(self, other: "Conditions") -> "Conditions":
        """The harder of two sets of conditions, each by itself."""
        limits = {
            f.name: stricter(f.name, getattr(self, f.name), other=getattr(other, f.name)) for f in fields(ReleaseLimits)
        }
        return Conditions(
            standing=max(self.standing, other.standing, key=lambda s: s.rank),
            derived_products=self.derived_products and other.derived_products,
            automatic=self.automatic and other.automatic,
            **limits,  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class Licence:
    """Commercial terms: who bought the use of the data, and what that covers.

    `buyers`: organisations whose people may use them. `onward_sharing`: whether those that the agreement
    names otherwise may too. `price_share`: what the owner receives of the price of derived products, 0 to 1.
    """

    buyers: tuple[str, ...]
    ends: date
    onward_sharing: bool = False
    price_share: float = 0.0
    derived_products: bool = True


@dataclass(frozen=True)
class Agreement:
    """What the owner of one dataset agreed to: by itself, or as an annex to the framework `framework`.

    `columns` of the published table and organisations in `onward_to` may be `*`. Without
    `index_by_default` no project gets a key of this dataset, so it joins with nothing.
    `retention_days`: how long after its end the data may still be held (None: not said). `approved_by`: who
    approves projects for the owner. `low_risk`: whether the owner lets low-risk projects take the delegated route.
    `coarsen`: of a variable, how coarse its values must be.
    """

    id: str
    dataset: str
    owner: str
    gateway: str
    purposes: tuple[Purpose, ...]
    columns: tuple[str, ...]
    onward_to: tuple[str, ...]
    starts: date
    ends: date
    index_by_default: bool = False
    suspended: bool = False
    framework: str = ""
    conditions: Conditions = field(default_factory=Conditions)
    licence: Licence | None = None
    retention_days: int | None = None
    approved_by: Stage = Stage.OWNER
    low_risk: bool = False
    coarsen: Mapping[str, Coarsening] = field(default_factory=dict)

    def covers(self, purpose: Purpose, day: date) -> bool:
        """Whether it has something to say about a use: it is for that purpose, and in date (suspended or not)."""
        return purpose in self.purposes and self.starts <= day <= self.ends

    def in_force(self, day: date) -> bool:
        """Whether it holds on a day: in date, and not suspended."""
        return self.starts <= day <= self.ends and not self.suspended


@dataclass(frozen=True)
class Framework:
    """An enterprise framework agreement: what an organisation donates once, for each dataset that an annex adds.

    `under`: another framework that this one stands under (a department's under its government's); the
    stricter of the two holds.
    """

    id: str
    owner: str
    gateway: str
    purposes: tuple[Purpose, ...]
    onward_to: tuple[str, ...]
    starts: date
    ends: date
    columns: tuple[str, ...] = (ANY,)
    index_by_default: bool = False
    suspended: bool = False
    under: str = ""
    conditions: Conditions = field(default_factory=Conditions)
    licence: Licence | None = None
    retention_days: int | None = None
    approved_by: Stage = Stage.OWNER
    low_risk: bool = False
    coarsen: Mapping[str, Coarsening] = field(default_factory=dict)


@dataclass(frozen=True)
class Annex:
    """One dataset added to a framework: what it does not say (None) it inherits, and it can only narrow the rest."""

    id: str
    framework: str
    dataset: str
    purposes: tuple[Purpose, ...] | None = None
    columns: tuple[str, ...] | None = None
    onward_to: tuple[str, ...] | None = None
    starts: date | None = None
    ends: date | None = None
    index_by_default: bool | None = None
    suspended: bool = False
    conditions: Conditions | None = None
    licence: Licence | None = None
    retention_days: int | None = None
    approved_by: Stage | None = None
    low_risk: bool | None = None
    coarsen: Mapping[str, Coarsening] = field(default_factory=dict)
