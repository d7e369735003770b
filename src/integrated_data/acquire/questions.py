"""Questions that a supplier answers without a programmer; the answers are written into the contract.

A question has an id that stays (the number of its column and what is asked), so that answers can come from a person at
a prompt or from a file. What was answered is kept in the contract and not asked again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from integrated_data.acquire import decimals
from integrated_data.acquire.binding import spelled_of
from integrated_data.acquire.describe import shown_columns, shown_headings
from integrated_data.acquire.fields import Fields, wrong
from integrated_data.acquire.infer import index_uses
from integrated_data.acquire.moments import ORDER_UNTOLD
from integrated_data.model.contract import UNNAMED, Column, Contract, Format, IndexUse, Mode
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Kind, Meaning, handling_of

#: Below this confidence a column is asked about.
SURE = 0.8

#: Confidence in a column whose writing a supplier has told, and nothing more of it.
ANSWERED = 0.9
#: Parts of a date with a two-digit year, by which may stand first, and what the layout begins with then.
ORDERS = (("day", "The day"), ("month", "The month"), ("year", "The year"))
STARTS = {"day": "%d", "month": "%m", "year": "%y"}

#: Meanings that are withheld for what they are: a supplier's word does not change that.
WORDS = (Meaning.FREE_TEXT, Meaning.OCCUPATION_TEXT, Meaning.INDUSTRY_TEXT)

YES_OR_NO = (("yes", "Yes"), ("no", "No"))

#: What a column may hold, in words for people; any other meaning of the standard list is taken too.
MEANINGS = (
    (Meaning.FULL_NAME, "A person's whole name"), (Meaning.GIVEN_NAME, "A person's given name"),
    (Meaning.FAMILY_NAME, "A person's family name"), (Meaning.DATE_OF_BIRTH, "A date of birth"),
    (Meaning.SEX, "A person's sex"), (Meaning.NHS_NUMBER, "An NHS number"),
    (Meaning.NATIONAL_INSURANCE_NUMBER, "A National Insurance number"),
    (Meaning.PERSON_REFERENCE, "Your own number for a person"), (Meaning.RECORD_ID, "The number of the row itself"),
    (Meaning.ADDRESS, "An address"), (Meaning.POSTCODE, "A postcode"), (Meaning.AREA_CODE, "The code of an area"),
    (Meaning.ORGANISATION_NAME, "The name of an organisation"),
    (Meaning.ORGANISATION_REFERENCE, "Your own number for an organisation"),
    (Meaning.COMPANY_NUMBER, "A company number"), (Meaning.INDUSTRY_CODE, "A code of an industry (SIC)"),
    (Meaning.OCCUPATION_CODE, "A code of an occupation (SOC)"), (Meaning.OCCUPATION_TEXT, "A job in words"),
    (Meaning.EVENT_DATE, "A date of something that happened"), (Meaning.MONEY, "An amount of money"),
    (Meaning.COUNT, "A count"), (Meaning.MEASURE, "A measure"), (Meaning.CODE, "A code from a short list"),
    (Meaning.FREE_TEXT, "Notes in words"), (Meaning.UNKNOWN, "I do not know"),
)  # fmt: skip

_MODES = (("whole", "It is the whole table again"), ("added", "It is added to what came before"))


@dataclass(frozen=True)
class Question:
    """One question. `choices`: (answer, its words); none where any text will do. `guess`: the answer taken so far."""

    id: str
    asks: str
    choices: tuple[tuple[str, str], ...] = ()
    guess: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """The same as plain values."""
        choices = [{"answer": answer, "means": words} for answer, words in self.choices]
        return {"id": self.id, "question": self.asks, "choices": choices, "guess": self.guess}


def open_questions(contract: Contract) -> tuple[Question, ...]:
    """What is not sure and was not answered, in the order in which it should be."""
    asked = [*_of_the_file(contract), *_of_columns(contract), *_of_the_whole(contract)]
    return tuple(q for q in asked if q.id not in contract.answered)


def _of_the_file(contract: Contract) -> list[Question]:
    headed = contract.layout.format in (Format.CSV, Format.EXCEL, Format.FIXED) and contract.layout.header
    shown = sum(spelled_of(c) == heading for c, heading in zip(contract.columns, shown_headings(contract), strict=True))
    if contract.inferred and headed and 2 * shown < len(contract.columns):
        return [Question("header", "Does the first line of the file name the columns?", YES_OR_NO, "yes")]
    return []


def _of_columns(contract: Contract) -> list[Question]:
    found = []
    for number, (column, (_, heading)) in enumerate(zip(contract.columns, shown_columns(contract), strict=True), 1):
        held_back = column.handling is Handling.WITHHELD and column.meaning not in WORDS
        written = _of_writing(number, column, heading=heading) if contract.inferred else None
        if written is not None:
            found.append(written)
        elif column.confidence < SURE or held_back:
            choices = tuple((meaning.value, words) for meaning, words in MEANINGS)
            found.append(Question(f"{number}.meaning", f"What is in {heading}?", choices, column.meaning.value))
        if contract.inferred and column.missing:
            count = len(column.missing)
            words = f"{count} values in {heading} were" if count > 1 else f"One value in {heading} was"
            asks = f"{words} taken to mean “no value”; the contract lists {'them' if count > 1 else 'it'}"
            found.append(Question(f"{number}.missing", f"{asks}. Is that right?", YES_OR_NO, "yes"))
    return found


def _of_writing(number: int, column: Column, *, heading: str) -> Question | None:
    """How a column is written, where two readings are possible; the examples are no values of it."""
    for mark, note in decimals.UNTOLD.items():
        if column.title == note:
            choices = (
                ("thousands", f"1{mark}234 is one thousand two hundred and thirty-four"),
                ("decimals", f"1{mark}234 is a little more than one"),
            )
            guess = "decimals" if column.decimal == mark else "thousands"
            return Question(f"{number}.mark", f"How are the numbers in {heading} written?", choices, guess)
    if column.title == ORDER_UNTOLD:
        return Question(f"{number}.order", f"In the dates in {heading}, which comes first?", ORDERS, _order(column))
    return None


def _order(column: Column) -> str:
    return next(answer for answer, start in STARTS.items() if column.formats[0].startswith(start))


def _of_the_whole(contract: Contract) -> list[Question]:
    found = []
    if contract.owner in UNNAMED:
        found.append(Question("owner", "Who owns these data (your organisation or office)?"))
    if not contract.inferred:
        return found
    turned = [c for c in contract.columns if swapped(c) and c.title != ORDER_UNTOLD]
    if turned:
        guess = "day" if all(_day_first(c) for c in turned) else "month"
        choices = (("day", "The day"), ("month", "The month"))
        found.append(Question("dates", "In dates written in digits, which comes first?", choices, guess))
    found.append(Question("mode", "What is the next delivery of this dataset?", _MODES, "whole"))
    for use in contract.indexes:
        if use.index == "demographic" and not use.one_to_one:
            asks = "Can one person stand in the file more than once?"
            found.append(Question("people", asks, YES_OR_NO, "yes"))
    asks = "Have you looked at every column in the contract, and is all of it right? Then rows are held to it strictly"
    return [*found, Question("agreed", asks, YES_OR_NO, "no")]


def swapped(column: Column) -> bool:
    """Whether a date's day and month stand as numbers beside each other, so that only their order tells them apart."""
    dated = column.kind in (Kind.DATE, Kind.TIMESTAMP)
    return dated and any("%d" in f and "%m" in f and not f.lower().startswith("%y") for f in column.formats)


def _day_first(column: Column) -> bool:
    return any("%d" in f and "%m" in f and f.index("%d") < f.index("%m") for f in column.formats)


def answered(contract: Contract, answers: Mapping[str, str]) -> Contract:
    """The contract with answers to its questions.

    Raises ContractRefusal for an answer to no question, and for one that is none of its choices; nothing is taken then.
    """
    asked = {q.id: q for q in open_questions(contract)}
    for key, given in answers.items():
        if key not in asked:
            raise ContractRefusal(
                f"There is no open question {key}", why="It was answered before, or is not asked of this contract",
                next_step="See the questions: ids contract ask CONTRACT --json",
            )  # fmt: skip
        _check(asked[key], given)
    for key in asked:
        if key in answers:
            contract = _take(contract, key, given=answers[key])
    return replace(contract, answered=(*contract.answered, *(k for k in asked if k in answers)))


def _check(question: Question, given: str) -> None:
    meant = question.id.endswith(".meaning") and given in {m.value for m in Meaning}
    if not given.strip() or (question.choices and not meant and given not in {a for a, _ in question.choices}):
        told = ", ".join(answer for answer, _ in question.choices) or "some words"
        raise ContractRefusal(f"The answer to question {question.id} is none of its choices", next_step=f"Use {told}")


def _take(contract: Contract, key: str, *, given: str) -> Contract:
    number, _, about = key.partition(".")
    if about:
        columns = list(contract.columns)
        columns[int(number) - 1] = _column(columns[int(number) - 1], about, given=given)
        return replace(contract, columns=tuple(columns), indexes=_uses(contract, columns))
    match key, given:
        case "owner", _:
            return replace(contract, owner=given.strip())
        case "header", "no":
            columns = [
                replace(c, source=f"column_{i}", name=f"column_{i}", heading="", occurrence=0)
                for i, c in enumerate(contract.columns, 1)
            ]
            return replace(contract, layout=replace(contract.layout, header=False), columns=tuple(columns))
        case "dates", _:
            first = [
                _turned(c, day_first=given == "day") if swapped(c) and c.title != ORDER_UNTOLD else c
                for c in contract.columns
            ]
            return replace(contract, columns=tuple(first))
        case "mode", "added":
            return replace(contract, mode=Mode.APPEND)
        case "people", "no":
            uses = (replace(u, one_to_one=True) if u.index == "demographic" else u for u in contract.indexes)
            return replace(contract, indexes=tuple(uses))
        case "agreed", "yes":
            sure = tuple(replace(c, confidence=1.0) for c in contract.columns)
            return replace(contract, inferred=False, columns=sure)
        case _:
            return contract


def _column(column: Column, about: str, *, given: str) -> Column:
    match about, given:
        case "meaning", _:
            meaning = Meaning(given)
            sure = column.confidence if meaning is Meaning.UNKNOWN else 1.0
            key = column.key or meaning is Meaning.RECORD_ID
            return replace(column, meaning=meaning, handling=handling_of(meaning), confidence=sure, title="", key=key)
        case "missing", "no":
            return replace(column, missing=())
        case "mark", _:
            return _marked(column, decimals_=given == "decimals")
        case "order", _:
            formats = tuple(_ordered(f, first=given) for f in column.formats)
            return replace(column, formats=formats, title="", confidence=ANSWERED, handling=_usual(column))
        case _:
            return column


def _usual(column: Column) -> Handling:
    return column.handling if column.handling is Handling.IDENTIFIER else handling_of(column.meaning)


def _marked(column: Column, *, decimals_: bool) -> Column:
    """The column with its one mark before decimals, or before thousands."""
    mark = next(mark for mark, note in decimals.UNTOLD.items() if column.title == note)
    other = next(m for m in decimals.UNTOLD if m != mark)
    kind = Kind.NUMBER if decimals_ else Kind.INTEGER
    return replace(
        column, decimal=mark if decimals_ else other, kind=kind, title="", confidence=ANSWERED, handling=_usual(column)
    )  # fmt: skip


def _ordered(layout: str, *, first: str) -> str:
    """A layout of day, month and two-digit year with another part first; what is between the parts stays."""
    between = layout.replace("%d", "").replace("%m", "").replace("%y", "")[:1]
    return between.join({"day": ("%d", "%m", "%y"), "month": ("%m", "%d", "%y"), "year": ("%y", "%m", "%d")}[first])


def _uses(contract: Contract, columns: Sequence[Column]) -> tuple[IndexUse, ...]:
    """The indexes that records with these columns can be matched to, the ones that were there as they were."""
    known = {use.index: use for use in contract.indexes}
    return tuple(known.get(use.index, use) for use in index_uses(columns)) if contract.inferred else contract.indexes


def _turned(column: Column, *, day_first: bool) -> Column:
    """The column with its dates read in that order."""
    if day_first == _day_first(column):
        return column
    formats = (f.replace("%d", "%\0").replace("%m", "%d").replace("%\0", "%m") for f in column.formats)
    return replace(column, formats=tuple(formats))


def read_answers(document: object) -> dict[str, str]:
    """Answers by question from a document: a mapping, or a list of mappings with `id` and `answer`."""
    if isinstance(document, list):
        entries = [Fields.of(f"[{i}]", one) for i, one in enumerate(document)]
        document = {entry.text("id"): entry.text("answer") for entry in entries}
    given = Fields.of("the document", document).values
    for key, value in given.items():
        if not isinstance(value, str):
            raise wrong(str(key), "An answer is text", next_step="Write it behind the question's id and a colon")
    return {str(k): v for k, v in given.items()}
