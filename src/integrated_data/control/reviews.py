"""What the store knows of clerical review: sets, cases, who looks at one, answers. No score is kept here."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.event import Event
from integrated_data.model.review import CaseState, ReviewKind, Standing, read, standing

SESSION = timedelta(hours=8)  # for which a stated reason holds
HOLD = timedelta(minutes=20)  # for which a case is kept for the person who was shown it

_WAITING = (CaseState.OPEN.value, CaseState.DISPUTED.value)


@dataclass(frozen=True)
class Case:
    """A case as it was given to a person."""

    set: str
    number: int
    others: int

    @property
    def id(self) -> str:
        """What people call it."""
        return f"{self.set}-{self.number}"


@dataclass(frozen=True)
class NewCase:
    """A case of a new set: its number, records beside the first one, and whether two people code it."""

    number: int
    others: int
    twice: bool


def add_set(store: Store, about: dict[str, Any], *, cases: list[NewCase], by: str) -> str:
    """Write a review set down; returns its id. A case with nobody beside the record is decided: none.

    `about`: kind, index, dataset, delivery, index_version, place (of its files, under the identified
    zone), body. The same sample again gives the set that was drawn before.
    """
    with store.read() as connection:
        drawn = sa.select(t.review_set.c.id).where(t.review_set.c.place == about["place"])
        before = connection.execute(drawn).scalar()
    if before is not None:
        return str(before)
    with store.change(Event("review.drawn", by, f"index/{about['index']}", {"cases": len(cases)})) as change:
        count = change.connection.execute(sa.select(sa.func.count()).select_from(t.review_set)).scalar_one()
        known = f"R{count + 1}"
        change.note(set=known, kind=about["kind"], dataset=about["dataset"])
        change.connection.execute(sa.insert(t.review_set).values(**about, id=known, by=by, at=change.at))
        rows = [
            {
                "set": known, "number": c.number, "others": c.others, "twice": c.twice,
                "state": (CaseState.OPEN if c.others else CaseState.DECIDED).value,
                "answer": None if c.others else "none",
            }
            for c in cases
        ]  # fmt: skip
        if rows:
            change.connection.execute(sa.insert(t.review_case), rows)
    return known


def get_set(connection: sa.Connection, known: str) -> dict[str, Any]:
    """A review set; refuses when there is none."""
    row = connection.execute(sa.select(t.review_set).where(t.review_set.c.id == known)).mappings().first()
    if row is None:
        raise IndexRefusal(f"There is no review set {known}", next_step="Draw one: ids review sample DATASET")
    return dict(row)


def sets(connection: sa.Connection, *, index: str | None = None, dataset: str | None = None) -> list[dict[str, Any]]:
    """Review sets, newest first, with how many of their cases are in each state."""
    query = sa.select(t.review_set).order_by(t.review_set.c.at.desc())
    if index is not None:
        query = query.where(t.review_set.c.index == index)
    if dataset is not None:
        query = query.where(t.review_set.c.dataset == dataset)
    found = [dict(row) for row in connection.execute(query).mappings()]
    states = connection.execute(
        sa.select(t.review_case.c.set, t.review_case.c.state, sa.func.count().label("cases")).group_by(
            t.review_case.c.set, t.review_case.c.state
        )
    ).all()
    for each in found:
        each["states"] = {s.state: s.cases for s in states if s.set == each["id"]}
    return found


def cases(connection: sa.Connection, known: str) -> list[dict[str, Any]]:
    """Cases of a set, by number: number, others, twice, state, answer."""
    columns = [t.review_case.c[c] for c in ("number", "others", "twice", "state", "answer")]
    rows = connection.execute(sa.select(*columns).where(t.review_case.c.set == known).order_by(columns[0]))
    return [dict(row) for row in rows.mappings()]


def close(change: Change, known: str, *, numbers: Collection[int]) -> None:
    """Let cases of a set wait no more, inside a change: what they showed was erased."""
    c = t.review_case.c
    change.connection.execute(
        sa.update(t.review_case)
        .where(c.set == known, c.number.in_(sorted(numbers)), c.state.in_(_WAITING))
        .values(state=CaseState.UNDECIDED.value, held_by=None, held_until=None)
    )


def answers(connection: sa.Connection, known: str) -> list[dict[str, Any]]:
    """Answers of a set in the order they came: number, person, answer, at."""
    columns = [t.review_answer.c[c] for c in ("number", "person", "answer", "at")]
    rows = connection.execute(sa.select(*columns).where(t.review_answer.c.set == known).order_by(t.review_answer.c.id))
    return [dict(row) for row in rows.mappings()]


def take(store: Store, person: str, *, reason: str | None = None, known: str | None = None) -> Case | None:
    """Give a person the next case that waits for an answer of theirs; None when there is none.

    The first time in a session a reason must be stated. The case is kept for this person for a while,
    and that its records are shown is an audit event.
    """
    now = store.now()
    with store.read() as connection:
        if known is not None:
            get_set(connection, known)
        if reason is None and not _in_session(connection, person, now=now):
            raise IndexRefusal(
                "No reason was given to see identified records", next_step="Add --reason TEXT, once in a session"
            )
        if _next(connection, person, now=now, known=known) is None:
            return None
    with store.change(Event("review.shown", person, "review/case")) as change:
        if reason is not None:
            _open_session(change, person, reason=reason, now=now)
        row = _next(change.connection, person, now=now, known=known)
        if row is None:  # somebody else took the last one in between
            return None
        change.connection.execute(
            sa.update(t.review_case)
            .where(t.review_case.c.set == row["set"], t.review_case.c.number == row["number"])
            .values(held_by=person, held_until=_moment(now + HOLD))
        )
        case = Case(row["set"], row["number"], row["others"])
        change.note(case=case.id, records=case.others + 1, reason=_in_session(change.connection, person, now=now))
    return case


def _next(connection: sa.Connection, person: str, *, now: datetime, known: str | None) -> dict[str, Any] | None:
    """The first case that waits, that this person has not answered and that nobody else is looking at.

    One that this person holds already comes first.
    """
    c = t.review_case.c
    answered = sa.select(t.review_answer.c.id).where(
        t.review_answer.c.set == c.set, t.review_answer.c.number == c.number, t.review_answer.c.person == person
    )
    free = sa.or_(c.held_by.is_(None), c.held_by == person, c.held_until < _moment(now))
    query = sa.select(t.review_case).where(c.state.in_(_WAITING), ~sa.exists(answered), free)
    if known is not None:
        query = query.where(c.set == known)
    mine = sa.case((c.held_by == person, 0), else_=1)
    row = connection.execute(query.order_by(mine, c.set, c.number).limit(1)).mappings().first()
    return dict(row) if row is not None else None


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _in_session(connection: sa.Connection, person: str, *, now: datetime) -> str | None:
    s = t.review_session.c
    query = sa.select(s.reason).where(s.person == person, s.until > _moment(now)).order_by(s.id.desc()).limit(1)
    return connection.execute(query).scalar()


def _open_session(change: Change, person: str, *, reason: str, now: datetime) -> None:
    if not reason.strip():
        raise IndexRefusal("No reason was given to see identified records", next_step="Add --reason TEXT")
    change.connection.execute(
        sa.insert(t.review_session).values(
            person=person, reason=reason.strip(), at=change.at, until=_moment(now + SESSION)
        )
    )


@dataclass(frozen=True)
class Reply:
    """What a person says about a case (see `model.review`)."""

    case: str
    answer: str
    person: str


#: Called inside the change that decides a case, to write down what follows from it.
Settle = Callable[[Change, Standing], None]


def decide(store: Store, reply: Reply, *, settle: Settle | None = None) -> Standing:
    """Write an answer down; returns where the case stands then.

    Refuses one about a case that this person was not shown, and one that contradicts what was
    answered or decided earlier, naming that.
    """
    known, number = split(reply.case)
    with store.change(Event("review.answered", reply.person, "review/case", {"case": reply.case})) as change:
        row = _case(change.connection, known, number=number)
        kind = ReviewKind(get_set(change.connection, known)["kind"])
        answer = read(kind, reply.answer, others=row["others"])
        given = [a for a in answers(change.connection, known) if a["number"] == number]
        _check_first(reply, answer, given=given, state=CaseState(row["state"]))
        if row["held_by"] != reply.person:
            raise IndexRefusal(
                f"Case {reply.case} was not shown to {reply.person}, or was passed on",
                next_step="Answer the case that this shows: ids review next",
            )
        change.connection.execute(
            sa.insert(t.review_answer).values(
                set=known, number=number, person=reply.person, answer=answer, at=change.at
            )
        )
        stands = standing([*(a["answer"] for a in given), answer], double=row["twice"])
        change.connection.execute(
            sa.update(t.review_case)
            .where(t.review_case.c.set == known, t.review_case.c.number == number)
            .values(state=stands.state.value, answer=stands.answer, held_by=None, held_until=None)
        )
        change.note(state=stands.state.value)
        if settle is not None and stands.answer is not None:
            settle(change, stands)
    return stands


def _check_first(reply: Reply, answer: str, *, given: list[dict[str, Any]], state: CaseState) -> None:
    """Refuse a second answer of one person, and any to a case that is decided; the earlier one is named."""
    own = next((a for a in given if a["person"] == reply.person), None)
    if own is not None:
        contradicts = "contradicts" if own["answer"] != answer else "repeats"
        raise IndexRefusal(
            f"The answer {contradicts} the one {reply.person} gave about case {reply.case} on {own['at'][:10]}: "
            f"{own['answer']}",
            why="An answer is on record for good",
            next_step="If it was wrong, say so to whoever leads the review: another set decides",
        )
    if state not in (CaseState.OPEN, CaseState.DISPUTED):
        people = ", ".join(a["person"] for a in given) or "the search, which found nobody"
        raise IndexRefusal(
            f"Case {reply.case} is {state.value} already, by {people}",
            next_step="Answer the case that this shows: ids review next",
        )


def split(case: str) -> tuple[str, int]:
    """The review set and the number of a case; refuses what is no case's id."""
    known, _, number = case.partition("-")
    if not number.isdigit():
        raise IndexRefusal("This is not the id of a case", next_step="Use the id that was shown: ids review next")
    return known, int(number)


def _case(connection: sa.Connection, known: str, *, number: int) -> dict[str, Any]:
    c = t.review_case.c
    row = connection.execute(sa.select(t.review_case).where(c.set == known, c.number == number)).mappings().first()
    if row is None:
        raise IndexRefusal("There is no such case", next_step="Use the id that was shown: ids review next")
    return dict(row)
