"""Judges: each looks at one column's heading and values and says what it means, or passes.

They are asked in the order of `JUDGES`; the first that answers decides. A judge answers with a
confidence from 0 to 1: both heading and values 0.95 and more, one of them alone 0.7 to 0.9.
"""

from collections.abc import Callable

from integrated_data.acquire import content, identity
from integrated_data.acquire.look import Guess, Look
from integrated_data.model.meanings import DIRECT_IDENTIFIERS, Handling, Kind, Meaning, handling_of

Judge = Callable[[Look], Guess | None]


def judge(look: Look) -> Guess:
    """The first answer of the judges, unless the words of what would be published are people's names."""
    for ask in JUDGES:
        guess = ask(look)
        if guess is not None:
            guess = content.as_written(look, guess)
            shown = guess.kind is Kind.STRING and handling_of(guess.meaning) is Handling.PAYLOAD
            return (identity.people(look, guess) if shown and not guess.identifies else None) or guess
    return Guess(Meaning.UNKNOWN, 0.4, note="nothing says what it is")


def _empty(look: Look) -> Guess | None:
    if look.evidence.present:
        return None
    meaning = look.hints[0].meaning if look.hints and look.hints[0].strength >= 0.9 else Meaning.UNKNOWN
    return Guess(meaning if meaning in DIRECT_IDENTIFIERS else Meaning.UNKNOWN, 0.5, note="the column is empty")


def _only_codes(look: Look) -> Guess | None:
    if look.evidence.shares or look.evidence.distinct > 3:
        return None
    return Guess(Meaning.UNKNOWN, 0.5, note="every value is a code for no value")


JUDGES: tuple[Judge, ...] = (
    _empty, _only_codes, identity.number_of_a_person, identity.place, identity.birth_part, content.date,
    content.quarter, identity.organisation_number, identity.sex, content.classification, identity.name,
    identity.organisation_name, identity.address, content.survey, content.reference, content.free_text,
    content.status, content.quantity, content.code,
)  # fmt: skip
