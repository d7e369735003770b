"""Refusals over HTTP: problem documents (RFC 9457), each with what, why and what next, never a value."""

import traceback
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from integrated_data.model.errors import (
    AbsentRefusal,
    AgreementRefusal,
    BusyRefusal,
    InstallationRefusal,
    OutputRefusal,
    QueryRefusal,
    Refusal,
    RoleRefusal,
    SignInRefusal,
    UsageRefusal,
    is_disk_full,
)

MEDIA = "application/problem+json"
#: What is told of a failure that nobody foresaw.
FAILED, FULL = "The service failed at this", "The disk of the service is full"

#: First match wins.
STATUS: tuple[tuple[type[Refusal], HTTPStatus], ...] = (
    (AbsentRefusal, HTTPStatus.NOT_FOUND),
    (SignInRefusal, HTTPStatus.UNAUTHORIZED),
    (RoleRefusal, HTTPStatus.FORBIDDEN),
    (AgreementRefusal, HTTPStatus.FORBIDDEN),
    (OutputRefusal, HTTPStatus.FORBIDDEN),
    (BusyRefusal, HTTPStatus.TOO_MANY_REQUESTS),
    (UsageRefusal, HTTPStatus.BAD_REQUEST),
    (QueryRefusal, HTTPStatus.UNPROCESSABLE_ENTITY),
    (InstallationRefusal, HTTPStatus.SERVICE_UNAVAILABLE),
)


def problem(status: HTTPStatus, *, what: str, why: str = "", next_step: str = "", **more: Any) -> Response:
    """One problem document."""
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": what}
    body |= {k: v for k, v in {"why": why, "next_step": next_step, **more}.items() if v}
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="ids"'
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        headers["Retry-After"] = "5"
    return JSONResponse(body, status.value, headers=headers, media_type=MEDIA)


def of_refusal(refusal: Refusal) -> Response:
    """A refusal as a problem document."""
    status = next((s for kind, s in STATUS if isinstance(refusal, kind)), HTTPStatus.BAD_REQUEST)
    return problem(status, what=refusal.what, why=refusal.why, next_step=refusal.next_step)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return of_refusal(error)


async def _malformed(_: Request, error: Exception) -> Response:
    """Says where the request is off and by which rule, and repeats nothing of it."""
    assert isinstance(error, RequestValidationError)
    where = [{"at": [str(p)[:40] for p in e["loc"][:2]], "rule": e["type"]} for e in error.errors()]
    return problem(
        HTTPStatus.UNPROCESSABLE_ENTITY, what="The request is not as the interface asks",
        next_step="See /openapi.json", errors=where,
    )  # fmt: skip


async def _routing(_: Request, error: Exception) -> Response:
    """What the framework itself answers, without its words."""
    status = HTTPStatus(getattr(error, "status_code", HTTPStatus.BAD_REQUEST))
    answer = problem(status, what=status.description or status.phrase, next_step="See /openapi.json")
    answer.headers.update(getattr(error, "headers", None) or {})
    return answer


async def _unforeseen(_: Request, error: Exception) -> Response:
    note(error, door="http")
    full = is_disk_full(error)
    status = HTTPStatus.INSUFFICIENT_STORAGE if full else HTTPStatus.INTERNAL_SERVER_ERROR
    return problem(status, what=FULL if full else FAILED, next_step="Try again")


def failed(error: Exception) -> str:
    """What is told of a failure that nobody foresaw; never its text, which may hold values."""
    return f"{FULL if is_disk_full(error) else FAILED}. Try again."


def note(error: Exception, *, door: str) -> None:
    """Log an unforeseen failure by its kind and place; never by its text, which may hold values."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "integrated_data" in f.filename]
    where = f"{Path(frames[-1].filename).stem}:{frames[-1].lineno}" if frames else ""
    with suppress(OSError):  # on a full disk the log may have no room either: who asked is answered all the same
        structlog.get_logger().error("a request failed", door=door, kind=type(error).__name__, where=where)


def handle(app: FastAPI) -> None:
    """Let every failure leave as a problem document."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    for status in (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        app.add_exception_handler(status.value, _routing)
    app.add_exception_handler(Exception, _unforeseen)
