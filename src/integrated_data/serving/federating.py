"""HTTP: questions to several installations: put by people here, answered for other installations."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from integrated_data.access.gate import LONGEST
from integrated_data.approve.roles import check_may, check_project
from integrated_data.model.federation import FederatedAsk
from integrated_data.model.people import Action
from integrated_data.model.signing_in import SignedIn, SignInMethod
from integrated_data.serving.asking import REFUSALS, AtDesk, Project, Who, apart, wait_for
from integrated_data.serving.desk import Desk
from integrated_data.serving.turns import Ticket
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.federation import answering, asking, letters

router = APIRouter(prefix="/v1/federation", responses=REFUSALS, tags=["federation"])


class FederatedBody(BaseModel):
    """One SELECT of keys and named aggregates, for several installations."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(max_length=LONGEST, description="One SELECT of keys and named aggregates.")
    only: tuple[str, ...] = Field((), max_length=100, description="Names of installations; all when left out.")
    disjoint: bool = Field(False, description="You vouch that nobody is at two installations.")
    seconds: float = Field(asking.PATIENCE, gt=0, le=600, description="How long installations have to answer.")


class LetterBody(BaseModel):
    """A signed letter of another installation."""

    model_config = ConfigDict(extra="forbid")

    letter: dict[str, Any]
    signature: str = Field(max_length=200)


@router.post("/questions")
async def ask(body: FederatedBody, request: Request, *, who: Who, desk: AtDesk, project: Project) -> dict[str, Any]:
    """Ask this and other installations; the answer says which of them it covers."""
    _check(who, project)
    asked = FederatedAsk(who.person, project, body.sql, body.only, body.disjoint)
    desk.turns.check_room(who.person)
    site = _patient(desk, who)
    return await wait_for(apart(lambda: asking.ask(site, asked, seconds=body.seconds)), request)


@router.post("/answers")
async def answer(body: LetterBody, request: Request, *, desk: AtDesk) -> dict[str, Any]:
    """Answer a question of an installation on record; its signature is its sign-in, and who it names must be let in."""

    def make() -> dict[str, Any]:
        site = desk.site
        sealed = {"letter": body.letter, "signature": body.signature}
        try:
            put = answering.open_question(site.places, site.store, sealed=sealed, once=request.app.state.once)
        except letters.UnreadableError as why:
            raise desk.door.refusing.refuse(SignInMethod.FEDERATION, str(why)) from None
        who = desk.door.admitted(put.person, how=SignInMethod.FEDERATION)
        _check(who, put.project)
        desk.turns.check_room(who.person)
        return answering.letter_of(site.places, answering.answer(_patient(desk, who), put), put=put)

    return await wait_for(apart(make), request)


def _check(who: SignedIn, project: str) -> None:
    for action in (Action.QUERY, Action.REQUEST_OUTPUT):
        check_may(who, action)
    check_project(who, project)


def _patient(desk: Desk, who: SignedIn) -> AnalysisSite:
    return replace(desk.site, gateway=desk.gateway(Ticket(who.person), who))
