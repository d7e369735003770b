"""HTTP: questions, their progress, their rows page by page, and their end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus
from threading import Thread
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from integrated_data.access.asked import Question
from integrated_data.access.sensitivity import Runs, sensitivity
from integrated_data.access.twins import is_synthetic
from integrated_data.approve.roles import check_asks
from integrated_data.model.errors import AbsentRefusal, SignInRefusal
from integrated_data.model.estimate import Fit
from integrated_data.model.signing_in import SignedIn
from integrated_data.model.twins import LABEL
from integrated_data.serving import formats, shapes
from integrated_data.serving.desk import Desk, Stage, Visit, table_of
from integrated_data.serving.handles import Handles
from integrated_data.serving.problems import problem
from integrated_data.serving.turns import Ticket

T = TypeVar("T")

LOOK_EVERY = 0.5  # seconds between looks whether somebody still waits for an answer
PAGE = 10_000  # rows
bearer = HTTPBearer(auto_error=False, description="A personal token, a session, or a token of the identity provider")


def desk_of(request: Request) -> Desk:
    """The desk of the application."""
    desk: Desk = request.app.state.desk
    return desk


def handles_of(request: Request) -> Handles:
    """The maker of page handles."""
    handles: Handles = request.app.state.handles
    return handles


def signed_in(
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)], desk: Annotated[Desk, Depends(desk_of)]
) -> SignedIn:
    """Who asks, by what the Authorization header holds."""
    if given is None:
        raise SignInRefusal("Sign in", next_step="Send a token or session: Authorization: Bearer TOKEN")
    return desk.door.by_bearer(given.credentials)


Who = Annotated[SignedIn, Depends(signed_in)]
AtDesk = Annotated[Desk, Depends(desk_of)]
Project = Annotated[str, Header(alias="x-ids-project", pattern=shapes.ID, description="The project that asks.")]
QueryId = Annotated[str, Path(pattern=shapes.ID)]

REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": shapes.Problem, "description": text, "content": {"application/problem+json": {}}}
    for status, text in (
        (400, "Put wrongly"), (401, "Not signed in"), (403, "Not allowed, with every reason"), (404, "Not there"),
        (406, "No such format"), (409, "Not yet"), (413, "Too long"), (422, "Not a query that may run"),
        (429, "Too much at once"),
    )
}  # fmt: skip
RESULT: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    200: {
        "model": shapes.Rows, "description": "The rows, in the format asked for",
        "content": {f.value: {} for f in formats.Format},
    },
    202: {"model": shapes.Status, "description": "Taken; look at it by its id"},
}  # fmt: skip
router = APIRouter(prefix="/v1", responses=REFUSALS, tags=["queries"])


@router.post("/queries", responses=RESULT, response_class=Response)
async def ask(body: shapes.AskBody, request: Request, *, who: Who, desk: AtDesk, project: Project) -> Response:
    """Ask a question. `Accept` chooses the format; `Prefer: respond-async` answers at once with the id."""
    return await _answered(Question(who.person, project, body.sql, as_at=body.as_at), request, who=who, desk=desk)


@router.post("/estimates", responses=RESULT, response_class=Response)
async def estimate(
    body: shapes.EstimateBody, request: Request, *, who: Who, desk: AtDesk, project: Project
) -> Response:
    """Fit a model over the rows of a question: the same as asking it, with the model's table as the answer."""
    question = Question(who.person, project, body.sql, Fit(body.estimate()), body.as_at)
    return await _answered(question, request, who=who, desk=desk)


async def _answered(question: Question, request: Request, *, who: SignedIn, desk: Desk) -> Response:
    form = formats.chosen(request.headers.get("accept"))
    if form is None:
        return _no_format()
    visit = desk.ask(question, who)
    if "respond-async" in request.headers.get("prefer", ""):
        place = {"Location": f"/v1/queries/{visit.query}", "Preference-Applied": "respond-async"}
        return JSONResponse(_status(visit, desk), HTTPStatus.ACCEPTED, headers=place)
    try:
        await wait_for(visit.ended, request)
    except asyncio.CancelledError:
        desk.cancel(visit)
        raise
    return _rows(visit, form, start=0, size=None)


@router.get("/queries/{query}", response_model=shapes.Status)
def look(query: QueryId, who: Who, *, desk: AtDesk, project: Project) -> dict[str, Any]:
    """How far a question is."""
    return _status(_found(desk, query, who=who, project=project), desk)


@router.get("/queries/{query}/rows", responses=RESULT, response_class=Response)
def rows(
    query: QueryId, request: Request, *, who: Who, desk: AtDesk, project: Project,
    page: Annotated[str | None, Query(max_length=800, description="As the page before named it.")] = None,
) -> Response:  # fmt: skip
    """Rows of an answered question, a page at a time; the header `Prefer: maxpagesize=N` sets its rows."""
    form = formats.chosen(request.headers.get("accept"))
    if form is None:
        return _no_format()
    visit = _found(desk, query, who=who, project=project)
    if not visit.ended.done():
        return problem(HTTPStatus.CONFLICT, what="The query is not answered yet", next_step="Look at it again later")
    handles = handles_of(request)
    start = 0
    if page is not None:
        named, start = handles.open("page", page, person=who.person)
        if named != query:
            raise AbsentRefusal("This page is of another query", next_step="Use a page that this query's answer named")
    desk.table(visit)
    size = _page_size(request.headers.get("prefer", ""))
    answer = _rows(visit, form, start=start, size=size)
    if start + size < table_of(visit).num_rows:
        following = handles.make("page", query, person=who.person, at=start + size)
        answer.headers["x-ids-next-page"] = following
        answer.headers["link"] = f'</v1/queries/{query}/rows?page={following}>; rel="next"'
    return answer


@router.delete("/queries/{query}", status_code=HTTPStatus.NO_CONTENT)
def cancel(query: QueryId, who: Who, *, desk: AtDesk, project: Project) -> None:
    """Stop a question, waiting or running, or let go of its rows."""
    desk.cancel(_found(desk, query, who=who, project=project))


@router.post("/sensitivity", response_model=shapes.SensitivityFacts)
async def how_far(
    body: shapes.SensitivityBody, request: Request, *, who: Who, desk: AtDesk, project: Project
) -> dict[str, Any]:
    """How far an answer depends on links: the same question over other sets of them."""
    check_asks(who, project)
    desk.turns.check_room(who.person)
    ticket, question = Ticket(who.person), Question(who.person, project, body.sql)
    how = Runs(body.thresholds, body.draws, body.seed, body.measures)
    try:
        found = await wait_for(apart(lambda: sensitivity(desk.gateway(ticket, who), question, runs=how)), request)
    except asyncio.CancelledError:
        desk.turns.leave(ticket)
        raise
    if found.answer.refusal is not None:
        raise found.answer.refusal
    steps = [] if found.by_threshold is None else found.by_threshold.to_pylist()
    shown = [] if found.table is None else found.table.to_pylist()
    return {"query": found.answer.query, "rows": shown, "by_threshold": steps, "unseen": found.unseen}


def apart(work: Callable[[], T]) -> "Future[T]":
    """Work in a thread of its own, since it may wait long."""
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    Thread(target=run, daemon=True).start()
    return done


async def wait_for(done: "Future[T]", request: Request) -> T:
    """Wait for an answer, as long as somebody waits for it."""
    answer = asyncio.wrap_future(done)
    while not answer.done():
        await asyncio.wait({answer}, timeout=LOOK_EVERY)
        if not answer.done() and await request.is_disconnected():
            raise asyncio.CancelledError
    return answer.result()


def _found(desk: Desk, query: str, *, who: SignedIn, project: str) -> Visit:
    visit = desk.find(query, who, project=project)
    if visit is None:
        raise AbsentRefusal("There is no such query here", next_step="Ask again; results are held for a limited time")
    return visit


def _rows(visit: Visit, form: formats.Format, *, start: int, size: int | None) -> Response:
    table = table_of(visit)
    if form is formats.Format.CSV and not table.num_columns:
        return _no_format()
    part = table.slice(start, size)
    told = {"x-ids-query": visit.query, "x-ids-rows": str(table.num_rows)}
    if is_synthetic(table):
        told["x-ids-synthetic"] = LABEL
    return StreamingResponse(formats.stream(part, form, query=visit.query), media_type=form.value, headers=told)


def _page_size(prefer: str) -> int:
    wish = next((p.split("=")[1] for p in prefer.replace(" ", "").split(",") if p.startswith("maxpagesize=")), "")
    return min(int(wish), 100 * PAGE) if wish.isdecimal() and len(wish) < 10 and int(wish) else PAGE


def _no_format() -> Response:
    known = ", ".join(formats.Format)
    return problem(HTTPStatus.NOT_ACCEPTABLE, what="No such format", next_step=f"Accept one of: {known}")


def _status(visit: Visit, desk: Desk) -> dict[str, Any]:
    stage, progress = visit.stage, visit.progress()
    told: dict[str, Any] = {
        "query": visit.query, "project": visit.question.project, "stage": stage.value, "share": progress.share,
        "bytes": progress.bytes, "seconds": round(visit.seconds, 3), "before": desk.turns.before(visit.ticket),
    }  # fmt: skip
    if not visit.ended.done():
        return told
    answer = visit.ended.result()
    told["receipt"] = {"told": dict(answer.told), "signature": answer.signature}
    if answer.refusal is not None:
        return told | {"reason": str(answer.refusal)}
    assert stage is Stage.DONE
    assert answer.table is not None
    return told | {"rows": answer.table.num_rows, "columns": formats.columns_of(answer.table.schema)}
