"""A feed: deliveries of one dataset that come by themselves, where they are dropped and when they are due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class StoreKind(StrEnum):
    """What files are dropped into."""

    FOLDER = "folder"
    S3 = "s3"  # any store that speaks S3
    SFTP = "sftp"
    POSTGRES = "postgres"  # a table, read once a day


@dataclass(frozen=True)
class Drop:
    """Where files are dropped. It holds no secret, only the name of one.

    `place`: a folder; `bucket/prefix`; a folder on the server; `database/schema.table`. `host`: of an SFTP server or a
    database, `endpoint`: the URL of an
    S3 store that is not the cloud's own. `host_key`: the server's public key, as `ssh-keyscan` prints it without the
    host; a server that shows another one is refused. `quiet`: seconds that a file must not have changed for.
    """

    kind: StoreKind
    place: str
    host: str = ""
    port: int = 22
    user: str = ""
    host_key: str = ""
    endpoint: str = ""
    region: str = ""
    secret: str = ""
    quiet: int = 5


class Every(StrEnum):
    """How long a period of a feed is; without one, files come as they come."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"  # from Monday
    MONTH = "month"
    ANY = "any"


@dataclass(frozen=True)
class Schedule:
    """Which periods are delivered, from `first` to `last`, and how many hours after its end each is due.

    One that is not there `missing_after` hours after it was due is missing, and not only late.
    """

    every: Every = Every.ANY
    first: date | None = None
    last: date | None = None
    due: float = 24.0
    missing_after: float = 48.0


class Restated(StrEnum):
    """What becomes of a delivery of a period that was delivered before, with other contents."""

    REPLACE = "replace"  # it takes the place of the earlier one
    HOLD = "hold"  # it waits for a steward, who decides whether it does
    REFUSE = "refuse"


@dataclass(frozen=True)
class Retry:
    """How often a delivery that failed for a passing reason is tried, and the seconds before the second try.

    The wait doubles each time, up to `longest`.
    """

    most: int = 6
    first: float = 30.0
    longest: float = 3600.0


@dataclass(frozen=True)
class Watch:
    """That deliveries are compared with those before them.

    `hold`: one that the others do not explain waits for a steward; otherwise it is told and goes on. `exempt`: days
    known to be unlike others, such as public holidays: how much there is of them is not compared. `volume`: the column
    whose sum is how much; without it, the first that counts something, else rows.
    """

    hold: bool = True
    exempt: tuple[date, ...] = ()
    volume: str = ""


@dataclass(frozen=True)
class Measures:
    """What is kept of a delivery to compare later ones with.

    `volume`: how much there is in all, in the unit of the column that is summed; `repeated`: rows that are equal to an
    earlier one; `outside`: rows dated outside of their period; `contents`: a digest of all rows but their dates, in any
    order; `codes`: the volume of each code of each coded column.
    """

    rows: int
    volume: float
    repeated: int
    outside: int
    contents: str
    codes: Mapping[str, Mapping[str, float]]


class Unlike(StrEnum):
    """In what a delivery is unlike those before it."""

    CONTENTS = "contents"
    REPEATED = "repeated"
    PERIOD = "period"
    CODES = "codes"
    VOLUME = "volume"


@dataclass(frozen=True)
class Surprise:
    """One thing that the deliveries before do not explain. `grave`: so far from them that it should not go on."""

    kind: Unlike
    told: str
    grave: bool


@dataclass(frozen=True)
class FeedDefinition:
    """One feed, as it is written down in YAML.

    `files`: how its files are called, with {period:%Y%m%d}, {number} (digits) and {any} for what varies. `contract`:
    what its dataset is loaded under; empty for the one on record.
    """

    id: str
    dataset: str
    drop: Drop
    files: str
    schedule: Schedule = field(default_factory=Schedule)
    restated: Restated = Restated.HOLD
    retry: Retry = field(default_factory=Retry)
    watch: Watch | None = None
    contract: str = ""


class FileState(StrEnum):
    """Where a file of a feed stands."""

    FAILED = "failed"  # for a passing reason: it is tried again
    GIVEN_UP = "given up"  # failed too often: it is tried again when it changes
    ARRIVED = "arrived"  # landed, and being loaded
    LOADED = "loaded"
    HELD = "held"
    REJECTED = "rejected"
    REPEATED = "repeated"  # its bytes had come for the same period
    REFUSED = "refused"  # what it holds, or when it came, does not fit


#: A file in one of these is done with, until it changes.
SETTLED = frozenset(FileState) - {FileState.FAILED, FileState.ARRIVED}


class AlertKind(StrEnum):
    """What an alert is about."""

    LATE = "late"
    MISSING = "missing"
    GAP = "gap"  # a number is left out
    DUPLICATE = "duplicate"
    RESTATED = "restated"
    UNUSUAL = "unusual"  # unlike the deliveries before
    HELD = "held"
    REJECTED = "rejected"
    FAILED = "failed"
    STRANGE = "strange"  # a file that is none of the feed's
    UNREACHABLE = "unreachable"
    STOPPED = "stopped"  # the dataset may not be loaded now


@dataclass(frozen=True)
class Alert:
    """Something that a person should know of a feed; `period` and `about` tell what of it, `told` in one sentence."""

    kind: AlertKind
    told: str
    period: str = ""
    about: str = ""


@dataclass(frozen=True)
class Found:
    """A file as a store lists it: its name under the feed's place, its size in bytes (-1 where it is known only once
    it is read), when it was changed (UTC)."""

    name: str
    size: int
    modified: datetime
