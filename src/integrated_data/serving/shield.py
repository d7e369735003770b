"""What stands before every request: a limit on bodies and on the time they take, and headers for safety."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from integrated_data.serving.problems import problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

LONGEST = 2**20  # bytes of a body
SLOWEST = 20.0  # seconds for a body

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "interest-cohort=()",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Shield:
    """ASGI middleware around the whole application."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI asks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = [(k, v) for k, v in message.get("headers", []) if k.decode().lower() not in HEADERS]
                message = {**message, "headers": given + [(k.encode(), v.encode()) for k, v in HEADERS.items()]}
            await send(message)

        body = await self._body(scope, receive)
        if isinstance(body, HTTPStatus):
            refused = problem(body, what=body.description or body.phrase, next_step=f"Send at most {LONGEST:,} bytes")
            await refused(scope, receive, safe)
            return
        await self._app(scope, _again(body, receive), safe)

    async def _body(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes | HTTPStatus:
        """The whole body, or why it is not taken."""
        said = dict(scope["headers"]).get(b"content-length", b"0")
        if said.isdigit() and int(said) > LONGEST:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        body = bytearray()
        try:
            async with asyncio.timeout(SLOWEST):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > LONGEST:
                        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                    if not message.get("more_body"):
                        return bytes(body)
        except TimeoutError:
            return HTTPStatus.REQUEST_TIMEOUT


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read already, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
