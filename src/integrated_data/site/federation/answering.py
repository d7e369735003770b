"""Answering another installation: the same question, under this one's own decision, gate and output control.

What is given is a release like any other: in this installation's ledger, register and audit chain, and compared
with everything that left before, so that a federated answer and a local one tell no more together than two local
ones. Rows never leave; what people must look at is held, and given when the same is asked after they released it.
"""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from integrated_data.access.asked import Question
from integrated_data.access.gate import LONGEST
from integrated_data.control import lanes, outputs, queries, releases
from integrated_data.control.store import Store
from integrated_data.model.errors import Refusal
from integrated_data.model.event import Event
from integrated_data.model.federation import Answered, PeerState
from integrated_data.model.output import Ask, Lane, Outcome, OutputRequest, OutputState
from integrated_data.output import release as releasing
from integrated_data.output.limits import held_to
from integrated_data.site import outputs as leaving
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.federation import letters, peers
from integrated_data.site.places import Places, signing_key

#: The title of a request that another installation asked for.
TITLE = "Federated question"
#: A request that is there already, and that the same question need not make anew.
STANDING = (OutputState.IN_REVIEW, OutputState.DISPUTED, OutputState.APPROVED, OutputState.RELEASED)


@dataclass(frozen=True)
class Put:
    """A question as another installation put it. `peer`: who vouches for the person; `digest`: of its letter."""

    peer: str
    id: str
    person: str
    project: str
    sql: str
    digest: str


def open_question(places: Places, store: Store, *, sealed: object, once: letters.Once) -> Put:
    """The question of an installation on record; raises `letters.UnreadableError` for every other."""
    for peer in peers.known(places):
        try:
            letter = letters.read(letters.QUESTION, sealed, key=peers.key_of(peer.key))
        except letters.UnreadableError:
            continue
        if letter.get("to") != peers.fingerprint(signing_key(places).public_key()):
            raise letters.UnreadableError("it is for another installation")
        once.check(letter, now=store.now())
        told = {part: letter.get(part) for part in ("id", "person", "project", "sql")}
        if not all(isinstance(value, str) and len(value) <= LONGEST for value in told.values()):
            raise letters.UnreadableError("it is of another shape")
        if peer.projects and told["project"] not in peer.projects:
            raise letters.UnreadableError("it is about a project that this installation may not ask about")
        return Put(peer.name, **told, digest=letters.digest(letter))  # type: ignore[arg-type]
    raise letters.UnreadableError("no installation on record signed it")


def answer(site: AnalysisSite, put: Put) -> Answered:
    """What this installation gives to a question; `site.gateway` runs it for the person, as they could."""
    try:
        told = _told(site, put)
    except Refusal as refusal:
        told = Answered(put.peer, PeerState.REFUSED, str(refusal))
    facts = {"id": put.id, "from": put.peer, "state": told.state.value, "request": told.request, "sha256": told.sha256}
    site.store.record(Event("federation.answered", put.person, f"project/{put.project}", facts))
    return told


def letter_of(places: Places, told: Answered, *, put: Put) -> letters.Letter:
    """An answer, signed, which names the question it is to."""
    body = {k: v for k, v in asdict(told).items() if k != "peer"}
    body |= {"state": told.state.value, "columns": list(told.columns), "rows": [list(r) for r in told.rows]}
    return letters.sign(letters.ANSWER, {**body, "question": put.digest}, key=signing_key(places))


def _told(site: AnalysisSite, put: Put) -> Answered:
    site.gateway.tables(put.person, put.project)  # refuses who may not work in the project now
    earlier = _earlier(site.store, put)
    if earlier is not None:
        return _given(site, earlier, put=put)
    asked = site.gateway.ask(Question(put.person, put.project, put.sql))
    if asked.refusal is not None:
        raise asked.refusal
    request = leaving.ask(site, Ask(put.project, put.person, (asked.query,), TITLE, purpose=_purpose(put)))
    report = leaving.check(site, request.id, actor=put.person)
    if report.lane is Lane.REFUSED:
        rules = sorted({f.rule for f in report.findings if f.outcome is Outcome.REFUSE})
        why = f"Output control does not let this table leave: {', '.join(rules)}"
        return Answered(put.peer, PeerState.REFUSED, why, request=request.id)
    return _given(site, _known(site.store, request.id), put=put)


def _purpose(put: Put) -> str:
    return f"Asked by installation {put.peer}"


def _earlier(store: Store, put: Put) -> OutputRequest | None:
    """The same question put before, of the same data: it is looked at by people, or left; None where there is none."""
    with store.read() as connection:
        mine = [
            r for r in outputs.requests(connection, project=put.project)
            if (r.person, r.title, r.purpose) == (put.person, TITLE, _purpose(put)) and r.state in STANDING
        ]  # fmt: skip
        blind = {
            sample.twin for sample in lanes.samples(connection)
        }  # a later check of one of them, which nobody may notice
        same = [
            r for r in mine if r.id not in blind and queries.get(connection, r.queries[0])["body"].get("sql") == put.sql
        ]
        if not same:
            return None
        read = [releases.current(connection, dataset) for dataset in same[-1].datasets]
    newer = any(r is not None and datetime.fromisoformat(r.at) > same[-1].at for r in read)
    return None if newer else same[-1]


def _known(store: Store, request: str) -> OutputRequest:
    with store.read() as connection:
        return outputs.get_request(connection, request)


def _given(site: AnalysisSite, request: OutputRequest, *, put: Put) -> Answered:
    """What a request gives: the cells of its table as they left, once nobody need look at it any more."""
    if request.state in (OutputState.RELEASABLE, OutputState.APPROVED):
        leaving.release(site.places, site.store, request=request.id, actor=put.person)
    elif request.state is not OutputState.RELEASED:
        why = "People look at this table before it leaves; ask the same again later"
        return Answered(put.peer, PeerState.HELD, why, request=request.id, at=_moment(site.store))
    files = releasing.fetch(site.store, request=request.id, actor=put.person, folder=site.places.outputs)
    heads, *rows = csv.reader(io.StringIO(files["table.csv"].decode()))
    known = _known(site.store, request.id)
    with site.store.read() as connection:
        read = [releases.current(connection, dataset) for dataset in known.datasets]
    rounding = held_to(site.store, known.datasets, project=known.project).rounding
    return Answered(
        put.peer, PeerState.ANSWERED, "", tuple(heads), tuple(map(tuple, rows)), request.id, known.sha256,
        _moment(site.store), sum(r.rows for r in read if r is not None), rounding,
    )  # fmt: skip


def _moment(store: Store) -> str:
    return store.now().isoformat(timespec="seconds")


def of_letter(letter: Mapping[str, Any], *, peer: str, digest: str) -> Answered:
    """An answer as it was written; raises `letters.UnreadableError` where it is to another question, or malformed."""
    if letter.get("question") != digest:
        raise letters.UnreadableError("it answers another question")
    try:
        rows = tuple(tuple(str(cell) for cell in row) for row in letter["rows"])
        return Answered(
            peer, PeerState(letter["state"]), str(letter["reason"]), tuple(map(str, letter["columns"])), rows,
            str(letter["request"]), str(letter["sha256"]), str(letter["at"]), int(letter["records"]),
            int(letter["rounding"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise letters.UnreadableError("it is of another shape") from None
