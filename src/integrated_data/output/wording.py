"""Words that leave with a table: its title, its headings, its text. None may carry a person out.

What a query computes is checked by the people behind it; what an author writes is checked here. A
plain wording holds letters, common punctuation and few digits; anything else is for people to read.
"""

import re

from integrated_data.model.output import Finding, Outcome

#: Longest wording, digits in a row and in all (two years).
LONGEST, MOST_IN_A_ROW, MOST_DIGITS = 120, 4, 8

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


def of_title(title: str) -> list[Finding]:
    """What is said of a request's title."""
    if is_plain(title) and not names_somebody(title):
        return []
    return [Finding("wording", Outcome.REVIEW, "Its title is not plain words, so people read it")]
