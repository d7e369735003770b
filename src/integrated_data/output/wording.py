"""Words that leave with a table: its title, its headings, its text. None may carry a person out.

What a query computes is checked by the people behind it; what an author writes is checked here. A
plain wording holds letters, common punctuation and few digits; anything else is for people to read.
"""

import re
import unicodedata

from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Finding, Outcome

#: Longest wording, digits in a row and in all (two years).
LONGEST, MOST_IN_A_ROW, MOST_DIGITS = 120, 4, 8

#: Longest title and longest purpose of a request.
LONGEST_SAID = {"title": 200, "purpose": 2_000}

#: What turns the direction of writing: marks, embeddings, overrides and isolates (Unicode Standard Annex #9).
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_PLAIN = re.compile(r"[^\W\d_][\w \-–—.,:;!?'\"()\[\]{}/%&+*=<>|£$€#_]*")

#: Text that looks like what names one person: nine digits or more however spaced, a national
#: insurance number, an e-mail address, a full postcode.
_IDENTIFIERS = re.compile(
    r"\d(?:[ \-./]?\d){8}|\b[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]\b|[^\s@]+@[^\s@]+\.\w"
    r"|\b[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b",
    re.IGNORECASE,
)


def is_plain(words: str) -> bool:
    """Whether a title or heading is plain words: few digits, no odd signs, not long."""
    runs = re.findall(r"\d+", words)
    digits = [len(run) for run in runs]
    return (
        len(words) <= LONGEST and _PLAIN.fullmatch(words) is not None
        and sum(digits) <= MOST_DIGITS and max(digits, default=0) <= MOST_IN_A_ROW
    )  # fmt: skip


def names_somebody(text: str) -> bool:
    """Whether a text holds something of the form of a person's identifier."""
    return _IDENTIFIERS.search(text) is not None


def check_said(what: str, said: str) -> None:
    """Refuse a title or purpose that is empty, long, not one line of text, or would run as a formula in a table."""
    why = _objection(said, most=LONGEST_SAID[what])
    if why:
        raise OutputRefusal(
            f"The {what} cannot be taken", why=why, next_step=f"Give a {what} of plain words on one line"
        )


def unreadable(said: str) -> str:
    """Why a line of text would not be read as it is written; empty where it would."""
    kinds = {unicodedata.category(sign) for sign in said}
    if "Cs" in kinds:
        return "It holds bytes that are no text (UTF-8)"
    if kinds & {"Cc", "Zl", "Zp"}:
        return "It holds a line break or a control character"
    if _TURNS.search(said):
        return "It holds characters that turn the direction of writing, so that it reads otherwise than it is written"
    return ""


def _objection(said: str, *, most: int) -> str:
    """Why a title or purpose is not taken; empty where it is."""
    why, seen = unreadable(said), [sign for sign in said if unicodedata.category(sign)[0] not in "CZ"]
    if why:
        return why
    if not seen:
        return "It is empty"
    if len(said) > most:
        return f"It has {len(said):,} characters; {most:,} are the most"
    if unicodedata.normalize("NFKC", seen[0])[0] in "=+-@":
        return "It begins with =, +, - or @, as a formula does, and stands in tables that spreadsheets open"
    return ""


def check_ask(title: str, purpose: str) -> None:
    """Refuse a request's title, or a purpose that is given, that cannot be taken."""
    check_said("title", title)
    if purpose:
        check_said("purpose", purpose)


def of_title(title: str) -> list[Finding]:
    """What is said of a request's title."""
    if is_plain(title) and not names_somebody(title):
        return []
    return [Finding("wording", Outcome.REVIEW, "Its title is not plain words, so people read it")]
