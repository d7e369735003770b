"""Sign-in words: how somebody shows who they are, what stands for them, and what bears on their coming in."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from integrated_data.model.access import Person
from integrated_data.model.people import Action, Organisation, Role


class SignInMethod(StrEnum):
    """How somebody showed who they are."""

    TOKEN = "token"  # noqa: S105 - a word; a personal token, made beforehand
    PASSWORD = "password"  # noqa: S105 - a word; with a one-time code
    OIDC = "oidc"  # an identity provider's word
    FEDERATION = "federation"  # another installation's signed word
    NAMED = "named"  # named on the command line; believed in trials alone


@dataclass(frozen=True)
class Token:
    """What is on record of a secret that stands for a person until a moment; never the secret itself.

    `how` is TOKEN for a personal token, else how the session was opened that it stands for. `project`
    and `actions`, where given, are all it may be used for.
    """

    id: str
    person: str
    name: str
    how: SignInMethod
    expires: datetime
    project: str | None = None
    actions: tuple[Action, ...] | None = None
    last_used: date | None = None
    revoked: bool = False


@dataclass(frozen=True)
class SignedIn:
    """Somebody who showed who they are: until when that counts, and what for.

    `token`: id of the token it rests on, empty for none. `project` and `actions` as in `Token`.
    """

    person: str
    roles: tuple[Role, ...]
    how: SignInMethod
    until: datetime
    token: str = ""
    project: str | None = None
    actions: tuple[Action, ...] | None = None


@dataclass(frozen=True)
class OperatingProcedures:
    """The security operating procedures in force: everybody accepts each version before they go on."""

    version: str
    sha256: str
    text: str


@dataclass(frozen=True)
class Admission:
    """What bears on a person's coming in: their record, their organisation's, procedures in force and accepted.

    `procedures`: the version in force, None while there is none.
    """

    person: Person | None
    organisation: Organisation | None
    procedures: str | None
    accepted: bool
    frozen: bool = False
