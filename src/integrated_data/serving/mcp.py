"""The Model Context Protocol over standard input and output: tools of an assistant on somebody's own machine.

JSON-RPC 2.0, one message a line, as the protocol's revisions 2025-03-26 to 2025-11-25 have it
(modelcontextprotocol.io, "Transports", "Lifecycle", "Tools"). Nothing listens on a network; who starts
the process is who asks. What a message holds is hostile: it is bounded, and nothing of it is echoed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import structlog

from integrated_data import __version__
from integrated_data.model.errors import Refusal, UsageRefusal, is_disk_full

#: Revisions that are spoken, the newest last; a client that asks for another is offered that.
REVISIONS = ("2025-03-26", "2025-06-18", "2025-11-25")

#: Bytes of one message.
LONGEST = 2**20

UNREADABLE, NOT_A_REQUEST, NO_METHOD, WRONG = -32700, -32600, -32601, -32602


@dataclass(frozen=True)
class Tool:
    """One tool. `takes`: the JSON Schema of what it is given; `run` is called with that, by name."""

    name: str
    title: str
    what: str
    takes: Mapping[str, Any]
    run: Callable[..., Any] = field(repr=False)

    def told(self) -> dict[str, Any]:
        """The tool as a client is told of it: it reads, changes nothing and reaches nowhere else."""
        hints = {"readOnlyHint": True, "destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
        schema = {"type": "object", "additionalProperties": False, **self.takes}
        return {
            "name": self.name, "title": self.title, "description": self.what, "inputSchema": schema,
            "annotations": hints,
        }  # fmt: skip


class _Wrong(Exception):  # noqa: N818 - how a message is answered with an error, not one of the code
    def __init__(self, code: int, what: str) -> None:
        super().__init__(what)
        self.code, self.what = code, what


@dataclass(frozen=True)
class Server:
    """Answers messages with tools. `admit` is called before each tool runs, and raises the refusal."""

    tools: Sequence[Tool]
    what: str
    admit: Callable[[], None]

    def serve(self, inlet: BinaryIO, outlet: BinaryIO) -> None:
        """Answer messages until there are no more."""
        while line := inlet.readline(LONGEST + 1):
            if len(line) > LONGEST:
                while line and not line.endswith(b"\n"):
                    line = inlet.readline(LONGEST)
                answer: dict[str, Any] | None = _error(None, _Wrong(NOT_A_REQUEST, "The message is too long"))
            elif not line.strip():
                continue
            else:
                answer = self.answer(line)
            if answer is not None:
                outlet.write(json.dumps(answer, ensure_ascii=False, default=str).encode() + b"\n")
                outlet.flush()

    def answer(self, line: bytes) -> dict[str, Any] | None:
        """The answer to one message; None to a notification."""
        number, told = None, dict[str, Any]()
        try:
            told = _read(line)
            number = told.get("id")
            result = self._result(str(told["method"]), told.get("params") or {})
        except _Wrong as wrong:
            return None if told and "id" not in told else _error(number, wrong)
        return {"jsonrpc": "2.0", "id": number, "result": result} if "id" in told else None

    def _result(self, method: str, given: Any) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise _Wrong(WRONG, "Parameters are given by name")
        match method:
            case "initialize":
                asked = given.get("protocolVersion")
                return {
                    "protocolVersion": asked if asked in REVISIONS else REVISIONS[-1],
                    "capabilities": {"tools": {"listChanged": False}},
                    "serverInfo": {"name": "integrated-data-service", "version": __version__},
                    "instructions": self.what,
                }
            case "ping":
                return {}
            case "tools/list":
                return {"tools": [tool.told() for tool in self.tools]}
            case "tools/call":
                return self._called(given)
            case _ if method.startswith("notifications/"):
                return {}
        raise _Wrong(NO_METHOD, "There is no such method")

    def _called(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a tool says; a refusal is told to whoever asks, so that they can ask better."""
        tool = next((t for t in self.tools if t.name == given.get("name")), None)
        if tool is None:
            raise _Wrong(WRONG, f"There is no such tool; there are: {', '.join(t.name for t in self.tools)}")
        try:
            self.admit()
            found = {"result": tool.run(**_given(tool, given.get("arguments") or {}))}
        except Refusal as refusal:
            return {"content": [{"type": "text", "text": str(refusal)}], "isError": True}
        except Exception as error:  # never with the error's own text
            structlog.get_logger().error("a tool failed", tool=tool.name, kind=type(error).__name__)
            what = "The disk of the service is full" if is_disk_full(error) else "The service failed at this"
            return {"content": [{"type": "text", "text": f"{what}. Try again."}], "isError": True}
        text = json.dumps(found["result"], ensure_ascii=False, default=str)
        whole = json.loads(json.dumps(found, default=str))
        return {"content": [{"type": "text", "text": text}], "structuredContent": whole, "isError": False}


def _given(tool: Tool, given: Any) -> dict[str, Any]:
    """What a tool is given, as its schema says: texts, whole numbers and lists of texts."""
    known = tool.takes.get("properties", {})
    kinds = {"string": str, "integer": int, "array": list}
    fits = isinstance(given, dict) and set(tool.takes.get("required", ())) <= given.keys() <= known.keys()
    if not fits or not all(_fits(value, known[key], kinds=kinds) for key, value in given.items()):
        raise UsageRefusal(
            f"Tool {tool.name} is not called like this", next_step=f"Give it, by name: {', '.join(known) or 'nothing'}"
        )
    return dict(given)


def _fits(value: Any, schema: Mapping[str, Any], *, kinds: Mapping[str, type]) -> bool:
    if not isinstance(value, kinds[schema["type"]]) or isinstance(value, bool):
        return False
    match value:
        case list():
            return len(value) <= int(schema["maxItems"]) and all(isinstance(v, str) and len(v) <= 400 for v in value)
        case int():
            return int(schema["minimum"]) <= value <= int(schema["maximum"])
        case _:
            return len(str(value)) <= int(schema["maxLength"])


def _read(line: bytes) -> dict[str, Any]:
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise _Wrong(UNREADABLE, "The message is not JSON") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        raise _Wrong(NOT_A_REQUEST, "The message is not one request of JSON-RPC 2.0")
    if not isinstance(message.get("id", 0), int | str) or isinstance(message.get("id"), bool):
        raise _Wrong(NOT_A_REQUEST, "The id is no text and no whole number")
    return message


def _error(number: Any, wrong: _Wrong) -> dict[str, Any]:
    told = number if isinstance(number, int | str) and not isinstance(number, bool) else None
    return {"jsonrpc": "2.0", "id": told, "error": {"code": wrong.code, "message": wrong.what}}
