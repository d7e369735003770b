"""What bodies of the HTTP interface look like; the OpenAPI document is made of these."""

from datetime import date
from typing import Annotated, Any

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from integrated_data.access.gate import LONGEST
from integrated_data.model.catalogue import Facet, Wanted
from integrated_data.model.estimate import Estimate, Estimator
from integrated_data.model.output import Brought
from integrated_data.output.bring import MOST as MOST_FILES
from integrated_data.serving import shield
from integrated_data.vocabulary import formula

ID = r"^[A-Za-z0-9_.-]{1,64}$"


#: A day, or the number of a release.
AS_AT = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,10})?$"


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class AskBody(_Body):
    """A question."""

    sql: str = Field(max_length=LONGEST, description="One SELECT over the project's tables.")
    as_at: str = Field("", pattern=AS_AT, description="The tables as they were when this day was over, or a release.")


#: A column that says how a sample was drawn.
_COLUMN = r"^([A-Za-z_][A-Za-z0-9_]{0,62})?$"


class EstimateBody(_Body):
    """A model over the rows of a question: its formula names columns of the question's result."""

    estimator: Estimator
    formula: str = Field(max_length=formula.LONGEST, description="outcome ~ a + b:c + C(d) * log(e)")
    sql: str = Field(max_length=LONGEST, description="One SELECT over the project's tables.")
    weights: str = Field("", pattern=_COLUMN)
    stratum: str = Field("", pattern=_COLUMN)
    cluster: str = Field("", pattern=_COLUMN)
    level: float = Field(0.95, gt=0.5, lt=1)
    width: float = Field(0, ge=0, le=1e9, description="Of a survival curve's steps; 0: a twentieth of its time.")
    step: int = Field(10, ge=1, le=1_000_000, description="Fewest events of a survival curve's step.")
    as_at: str = Field("", pattern=AS_AT, description="As in a question.")

    def estimate(self) -> Estimate:
        """The estimate that it asks for."""
        return Estimate(
            self.estimator, self.formula, weights=self.weights, stratum=self.stratum, cluster=self.cluster,
            level=self.level, width=self.width, step=self.step,
        )  # fmt: skip


class SensitivityBody(_Body):
    """A question that is run again over other sets of links."""

    sql: str = Field(max_length=LONGEST, description="One SELECT over the project's tables.")
    thresholds: tuple[float, ...] = Field((0.8, 0.9, 0.95, 0.99, 0.999), max_length=20)
    draws: int = Field(20, ge=0, le=200)
    seed: int = Field(1, ge=0, le=2**31)
    measures: tuple[str, ...] = Field((), max_length=100, description="Result columns that are figures.")


class SearchBody(_Body):
    """What to look for in the catalogue: every word must occur. None: all datasets.

    `facets`: of each facet, values of which one must hold; `since` and `until`: days that the data tell of.
    """

    words: str = Field("", max_length=1000)
    facets: dict[Facet, tuple[Annotated[str, Field(max_length=256)], ...]] = Field({}, max_length=len(Facet))
    since: date | None = None
    until: date | None = None
    most: int = Field(100, ge=1, le=1000)
    skip: int = Field(0, ge=0, le=1_000_000)

    def wanted(self) -> Wanted:
        """The search that it asks for."""
        return Wanted(self.words, self.facets, self.since, self.until, self.most, self.skip)


class BroughtBody(_Body):
    """A file that was made outside the service from the results of queries."""

    name: str = Field(max_length=80)
    content: Base64Bytes = Field(
        max_length=shield.LONGEST * 3 // 4, description="In base64, in a body of at most 1 MiB."
    )


class OutputBody(_Body):
    """Which logged queries' results are asked to leave."""

    queries: tuple[str, ...] = Field(min_length=1, max_length=50)
    title: str = Field(min_length=1, max_length=200)
    purpose: str = Field("", max_length=2_000)
    change: str = Field("", max_length=64, description="The request that this changes.")
    files: tuple[BroughtBody, ...] = Field(
        (), max_length=MOST_FILES, description="Asked for instead of the queries' results, from which they were made."
    )

    def brought(self) -> tuple[Brought, ...]:
        """The files as they were brought."""
        return tuple(Brought(file.name, file.content) for file in self.files)


class Column(BaseModel):
    """A column and its Arrow type."""

    name: str
    type: str


class Rows(BaseModel):
    """A result: rows as arrays, in the order of the columns."""

    query: str
    columns: list[Column]
    rows: list[list[Any]]


class Status(BaseModel):
    """How far a question is. `share` as the engine estimates; `receipt` is signed by the service."""

    query: str
    project: str
    stage: str = Field(description="waiting, running, done, refused or cancelled")
    share: float
    bytes: int
    seconds: float
    before: int = Field(description="How many of your own queries are run first.")
    rows: int | None = None
    columns: list[Column] | None = None
    reason: str | None = None
    receipt: dict[str, Any] | None = None


class Problem(BaseModel):
    """Why something was not done (RFC 9457): what, why and what next."""

    type: str
    title: str
    status: int
    detail: str
    why: str = ""
    next_step: str = ""


class Table(BaseModel):
    """What a project's queries may name."""

    name: str
    dataset: str
    columns: list[Column]
    keys: list[str]


class ProjectFacts(BaseModel):
    """A project that somebody works on."""

    project: str
    title: str
    state: str
    ends: str


class Me(BaseModel):
    """Who is signed in."""

    person: str
    roles: list[str]
    until: str
    projects: list[ProjectFacts]


class SensitivityFacts(BaseModel):
    """A result with an interval for each figure, and what no run can see."""

    query: str
    rows: list[dict[str, Any]]
    by_threshold: list[dict[str, Any]]
    unseen: str


class OutputFacts(BaseModel):
    """A request for results to leave, and where it stands."""

    request: str
    project: str
    state: str
    title: str
    lane: str | None
    cells: int
    withheld: int
    sha256: str
    findings: list[dict[str, Any]]
