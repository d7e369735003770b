"""What the operator's file says of the service, its organisations and its datasets, for catalogues elsewhere.

Nothing in it is made up where it is left out: an export that must have it refuses and names it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Format(StrEnum):
    """How the catalogue is written."""

    PLAIN = "plain"  # the entries as they are, for people who are signed in
    UKGOV = "ukgov"
    DCAT = "dcat"
    CROISSANT = "croissant"


class Access(StrEnum):
    """Who may come to the data, in the UK model's words."""

    OPEN = "OPEN"
    COMMERCIAL = "COMMERCIAL"  # under conditions: the ordinary case here
    INTERNAL = "INTERNAL"


class Classification(StrEnum):
    """The government security classification."""

    OFFICIAL = "OFFICIAL"
    SECRET = "SECRET"  # noqa: S105 - a word of the scheme
    TOP_SECRET = "TOP_SECRET"  # noqa: S105 - likewise
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Frequency(StrEnum):
    """How often new data come: terms of the Dublin Core Collection Description Frequency vocabulary."""

    TRIENNIAL = "triennial"
    BIENNIAL = "biennial"
    ANNUAL = "annual"
    SEMIANNUAL = "semiannual"
    THREE_TIMES_A_YEAR = "threeTimesAYear"
    QUARTERLY = "quarterly"
    BIMONTHLY = "bimonthly"
    MONTHLY = "monthly"
    SEMIMONTHLY = "semimonthly"
    BIWEEKLY = "biweekly"
    THREE_TIMES_A_MONTH = "threeTimesAMonth"
    WEEKLY = "weekly"
    SEMIWEEKLY = "semiweekly"
    THREE_TIMES_A_WEEK = "threeTimesAWeek"
    DAILY = "daily"
    CONTINUOUS = "continuous"
    IRREGULAR = "irregular"


class Status(StrEnum):
    """The phase a service is in, as the UK Service Manual names it."""

    DISCOVERY = "DISCOVERY"
    ALPHA = "ALPHA"
    BETA = "BETA"
    PRIVATE_BETA = "PRIVATE_BETA"
    PUBLIC_BETA = "PUBLIC_BETA"
    LIVE = "LIVE"
    DEPRECATED = "DEPRECATED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True)
class Contact:
    """A team that answers questions; never a person's own address."""

    name: str
    email: str


@dataclass(frozen=True)
class Body:
    """An organisation as others know it. `slug`: its name at www.gov.uk/government/organisations."""

    slug: str = ""
    homepage: str = ""
    contact: Contact | None = None


@dataclass(frozen=True)
class Door:
    """Where programs ask. `endpoint`: the HTTP door's address."""

    endpoint: str
    status: Status


@dataclass(frozen=True)
class Period:
    """What time the data are about; both days count, and no last day means that it goes on."""

    first: date
    last: date | None = None


@dataclass(frozen=True)
class Particulars:
    """What a dataset's contract does not say. `themes`, `spatial` and `licence` are addresses of terms."""

    description: str = ""
    keywords: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    licence: str = ""
    access: Access = Access.COMMERCIAL
    classification: Classification | None = None
    frequency: Frequency = Frequency.IRREGULAR  # what the UK model asks for where it is not known
    spatial: tuple[str, ...] = ()
    temporal: Period | None = None
    contact: Contact | None = None


@dataclass(frozen=True)
class About:
    """The whole file. `address`: what identifiers begin with. `publisher`: the organisation that runs the service."""

    address: str
    title: str
    publisher: str
    description: str = ""
    classification: Classification | None = None
    contact: Contact | None = None
    door: Door | None = None
    organisations: Mapping[str, Body] = field(default_factory=dict)
    datasets: Mapping[str, Particulars] = field(default_factory=dict)

    def of(self, dataset: str) -> Particulars:
        """What the file says of a dataset."""
        return self.datasets.get(dataset, Particulars())

    def body(self, organisation: str) -> Body:
        """What the file says of an organisation."""
        return self.organisations.get(organisation, Body())

    def contact_of(self, dataset: str, *, owner: str) -> Contact | None:
        """Who answers for a dataset: its own contact, else its owner's, else the service's."""
        return self.of(dataset).contact or self.body(owner).contact or self.contact

    def classification_of(self, dataset: str) -> Classification | None:
        """A dataset's classification: its own, else the service's."""
        return self.of(dataset).classification or self.classification

    def iri(self, *path: str) -> str:
        """The address of something in the catalogue."""
        return "/".join((self.address.rstrip("/"), *path))
