"""Asking several installations at once, and putting together what they let out, with how much of it is there.

Each is asked in a thread of its own and has as long as the others; one that does not answer in time is left out
and named. This installation takes part like any other: what it gives passes its own output control first.
"""

import json
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import asdict
from functools import partial
from typing import Any

import httpx

from integrated_data.model.errors import UsageRefusal
from integrated_data.model.event import Event
from integrated_data.model.federation import Answered, Combined, FederatedAsk, Peer, PeerState
from integrated_data.output.federated import Kind, Plan, combine, fits, label, plan
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.federation import letters, peers
from integrated_data.site.federation.answering import Put, answer, of_letter
from integrated_data.site.places import signing_key

#: Seconds that installations have to answer, and bytes of an answer at most.
PATIENCE, LARGEST = 60.0, 32 * 2**20
PATH = "/v1/federation/answers"

#: What is said of an installation that gave no answer, by the status that it answered with.
SAID = {401: "It does not know this installation, or did not let the person in", 429: "It has too much to do now"}


def ask(site: AnalysisSite, asked: FederatedAsk, *, seconds: float = PATIENCE) -> dict[str, Any]:
    """The answers of all installations as one document; see `told`. Refuses who may not work in the project here."""
    site.gateway.tables(asked.person, asked.project)
    planned = plan(asked.sql, disjoint=asked.disjoint)
    asking = _chosen(site, asked)
    until = time.monotonic() + seconds
    pool = ThreadPoolExecutor(max_workers=max(1, len(asking)), thread_name_prefix="federation")
    try:
        begun = {name: pool.submit(put, sql=planned.sql) for name, put in asking.items()}
        answers = [_awaited(name, future.result, until=until) for name, future in begun.items()]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    answers = [_checked(planned, one) for one in answers]
    states = {one.peer: one.state.value for one in answers}
    site.store.record(Event("federation.asked", asked.person, f"project/{asked.project}", {"installations": states}))
    return told(planned, answers, disjoint=asked.disjoint)


def _chosen(site: AnalysisSite, asked: FederatedAsk) -> dict[str, Callable[..., Answered]]:
    """How to ask each installation that is to be asked, by name; this one is `here`."""
    ways: dict[str, Callable[..., Answered]] = {peers.HERE: partial(_here, site, asked)}
    for peer in peers.known(site.places):
        ways[peer.name] = partial(_there, site, asked, peer=peer)
    unknown = sorted(set(asked.only) - set(ways))
    if unknown:
        raise UsageRefusal("There is no installation of that name", next_step="See which: ids federation list")
    return {name: way for name, way in ways.items() if not asked.only or name in asked.only}


def _awaited(name: str, result: Callable[[float], Answered], *, until: float) -> Answered:
    try:
        return result(max(0.0, until - time.monotonic()))
    except Late:
        return Answered(name, PeerState.UNREACHABLE, "It did not answer in time")
    except letters.UnreadableError as why:
        return Answered(name, PeerState.INVALID, f"Its answer is not to be believed: {why}")
    except (httpx.HTTPError, OSError):
        return Answered(name, PeerState.UNREACHABLE, "It cannot be reached")


def _here(site: AnalysisSite, asked: FederatedAsk, *, sql: str) -> Answered:
    return answer(site, Put(peers.HERE, letters.new_id(), asked.person, asked.project, sql, ""))


def _there(site: AnalysisSite, asked: FederatedAsk, *, peer: Peer, sql: str) -> Answered:
    """Ask one other installation; raises `letters.UnreadableError` and what httpx raises."""
    letter = {
        "id": letters.new_id(), "at": site.store.now().isoformat(), "to": peers.fingerprint(peers.key_of(peer.key)),
        "person": asked.person, "project": asked.project, "sql": sql,
    }  # fmt: skip
    sealed = letters.sign(letters.QUESTION, letter, key=signing_key(site.places))
    trusted: ssl.SSLContext | bool = True
    if peer.certificate:
        trusted = ssl.create_default_context(cadata=peer.certificate)
    with (
        httpx.Client(verify=trusted, timeout=PATIENCE, follow_redirects=False, trust_env=False) as client,
        client.stream("POST", f"{peer.url.rstrip('/')}{PATH}", json=sealed) as answered,
    ):
        if answered.is_server_error:
            return Answered(peer.name, PeerState.UNREACHABLE, "It failed at this question")
        if answered.status_code != httpx.codes.OK:
            return Answered(peer.name, PeerState.REFUSED, SAID.get(answered.status_code, "It refused the question"))
        body = bytearray()
        for part in answered.iter_bytes():
            body += part
            if len(body) > LARGEST:
                raise letters.UnreadableError("it is too long")
    try:
        given = json.loads(body)
    except ValueError:
        raise letters.UnreadableError("it is no signed letter") from None
    read = letters.read(letters.ANSWER, given, key=peers.key_of(peer.key))
    return of_letter(read, peer=peer.name, digest=letters.digest(letter))


def _checked(planned: Plan, answered: Answered) -> Answered:
    if answered.state is PeerState.ANSWERED and not fits(planned, answered):
        return Answered(answered.peer, PeerState.INVALID, "Its answer has other columns than were asked for")
    return answered


def told(planned: Plan, answers: list[Answered], *, disjoint: bool) -> dict[str, Any]:
    """The result with its label: `label`, `complete`, `coverage`, `columns`, `rows`, `incomplete`, `installations`."""
    given = [a for a in answers if a.state is PeerState.ANSWERED]
    table = combine(planned, given) if given else Combined((), ())
    return {
        "label": label(answers, asked=len(answers)),
        "complete": len(given) == len(answers) and not table.incomplete,
        "coverage": {
            "asked": len(answers), "answered": len(given), "records_answered": sum(a.records for a in given),
            "cells_withheld": sum(a.withheld for a in given),
        },
        "assumed": "Nobody is at two installations, as whoever asked vouches" if disjoint else "",
        "columns": list(table.columns),
        "rows": [list(row) for row in table.rows],
        "incomplete": [
            {"row": row, "column": column, "without": list(without)}
            for (row, column), without in sorted(table.incomplete.items())
        ],
        "not_combined": [f.name for f in planned.figures if f.kind is Kind.APART],
        "installations": [_installation(a) for a in answers],
    }  # fmt: skip


def _installation(answered: Answered) -> Mapping[str, Any]:
    facts = asdict(answered)
    for part in ("columns", "rows"):
        facts.pop(part)
    return {**facts, "state": answered.state.value, "withheld": answered.withheld}
