"""Reading what people write: YAML documents of the law, agreements, people and projects."""

import re
from typing import TypeVar

import yaml

from integrated_data.control import bodies
from integrated_data.model.errors import AgreementRefusal
from integrated_data.vocabulary.nested import load_yaml

T = TypeVar("T")

#: Longest document taken, in characters; a form is never longer, and a file that is not one may be.
LONGEST = 1_000_000

#: What to do about a limit of outputs that is none (`ReleaseLimits.sensible`).
LIMITS_LIE = (
    "Counts lie at 1 or more (dominance_people at 10 or less), shares above 0 and up to 1; "
    "see what they mean with: ids output rules"
)

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def read(kind: type[T], text: str, *, what: str) -> T:
    """One document of dataclass `kind`; refuses by the name of the field that is wrong."""
    return bodies.read(kind, load(text, what=what), what=what)


def load(text: str, *, what: str) -> object:
    """The plain values of a YAML document; refuses what is none."""
    if len(text) > LONGEST:
        raise AgreementRefusal(f"The {what} is too long to be one", next_step="Check which file was given")
    try:
        return load_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        raise AgreementRefusal(
            f"The {what} is not valid YAML{where}", next_step="Correct the file; examples are in examples/"
        ) from None
    except ValueError:  # what the parser itself makes of a date such as 31 February
        raise AgreementRefusal(
            f"The {what} holds a day that does not exist, so that a field that must be a date is none",
            next_step="Correct the file; examples are in examples/",
        ) from None


def check_ids(what: str, **ids: str) -> None:
    """Refuse an id that could not be a file's name: letters, digits, `-` and `_`, up to 64."""
    for field, value in ids.items():
        if not _ID.fullmatch(value):
            raise AgreementRefusal(
                f"Field {field} of the {what} is no id",
                why="An id is made of up to 64 letters, digits, hyphens and underscores",
                next_step="Correct the file",
            )


def require(holds: bool, what: str, *, next_step: str) -> None:
    """Refuse with `what` unless it holds."""
    if not holds:
        raise AgreementRefusal(what, next_step=next_step)
