"""Look: one column as the judges see it, and the guess they answer with."""

from dataclasses import dataclass

from integrated_data.acquire.decimals import Mark
from integrated_data.acquire.evidence import Evidence
from integrated_data.model.meanings import Kind, Meaning
from integrated_data.vocabulary.headings import Hint, hints

#: Meanings whose headings are so general that values may say more.
VAGUE = frozenset(
    {Meaning.FREE_TEXT, Meaning.CODE, Meaning.RECORD_ID, Meaning.EVENT_DATE, Meaning.MEASURE, Meaning.COUNT}
)
#: Share of values that must be readable for a column to have a type at all.
READABLE = 0.95
#: Numbers as they are written in the United Kingdom.
AS_USUAL = Mark()


@dataclass(frozen=True)
class Guess:
    """What a column seems to be. `note` says why it is not taken for more; `formats` read its dates.

    `identifies`: it tells of a person, a business or a place whatever its meaning is called.
    """

    meaning: Meaning
    confidence: float
    kind: Kind = Kind.STRING
    formats: tuple[str, ...] = ()
    note: str = ""
    identifies: bool = False


@dataclass(frozen=True)
class Look:
    """One column as the judges see it: its evidence, its heading's hints, and facts of the whole file.

    `months_first`: the file's dates name the month first; `mark`: how its numbers are read;
    `personal`: some heading speaks of a person (birth, sex, surname, NHS or National Insurance number).
    """

    evidence: Evidence
    hints: tuple[Hint, ...]
    months_first: bool = False
    mark: Mark = AS_USUAL
    personal: bool = False

    @property
    def comma(self) -> bool:
        """Whether the decimal mark is a comma."""
        return self.mark.comma

    def hint(self, *meanings: Meaning) -> float:
        """The strength with which the heading suggests one of these meanings; 0 when it does not."""
        return max((h.strength for h in self.hints if h.meaning in meanings), default=0.0)

    def best(self, *meanings: Meaning) -> Meaning | None:
        """The one of these meanings that the heading suggests most."""
        return next((h.meaning for h in self.hints if h.meaning in meanings), None)

    @property
    def other(self) -> bool:
        """Whether the heading speaks of somebody else than the record's subject."""
        return any(h.other for h in self.hints)

    @property
    def organisation(self) -> bool:
        """Whether the heading speaks of an organisation."""
        return any(h.organisation for h in self.hints)

    @property
    def claimed(self) -> bool:
        """Whether the heading clearly says something that values alone must not overrule."""
        return any(h.strength >= 0.7 and h.meaning not in VAGUE for h in self.hints)

    @property
    def few(self) -> bool:
        """Whether the values are a short list that repeats."""
        e = self.evidence
        return e.distinct <= 100 and e.distinct_share <= 0.5 and (e.distinct <= 20 or e.distinct_share <= 0.2)


def look_at(evidence: Evidence, *, months_first: bool = False, mark: Mark = AS_USUAL, personal: bool = False) -> Look:
    """A column with its heading's hints."""
    return Look(evidence, hints(evidence.heading), months_first, mark, personal)


def all_but_noise(look: Look) -> float:
    """The share of values that must be readable for the rest to be slips: two of a short column."""
    return 0.995 if look.evidence.present >= 400 else 1.0 - 2 / max(look.evidence.present, 2)


def read_as_numbers(look: Look) -> float:
    """The share of values that are numbers in the file's way of writing them."""
    e = look.evidence
    written = e.share("comma_decimal") if look.comma else e.share("comma_groups")
    return min(1.0, e.share("number") + written + e.share("money") + e.share("percent"))


def numeric(look: Look) -> bool:
    """Whether a column holds numbers, but for slips."""
    return read_as_numbers(look) >= READABLE
