"""An assistant is told of the catalogue: by the reference client, by hand, and by somebody who means harm."""

import asyncio
import json
import os
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from integrated_data.approve import accredit
from integrated_data.control import bodies, projects, releases
from integrated_data.control.store import Store
from integrated_data.model.catalogue import Shared
from integrated_data.model.errors import RoleRefusal
from integrated_data.model.event import Event
from integrated_data.serving.mcp import LONGEST, REVISIONS, Server
from integrated_data.serving.metadata import WHAT, Metadata
from integrated_data.site import joinable
from integrated_data.site.installation import create
from integrated_data.site.places import Places, open_store
from tests.calling import ids
from tests.journeys.installation import COMMAND, environment
from tests.unit.test_catalogue_exports import ENTRY

PERSON = """
id: kim
name: Somebody
organisation: Elsewhere
roles: [steward]
"""
DATASET = str(ENTRY["dataset"])


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Places:
    made = create(tmp_path_factory.mktemp("mcp") / "home", actor="tester")
    store = open_store(made)
    projects.add_person(store, accredit.read_person(PERSON), by="desk")
    with store.change(Event("release.named", "tester", "release", {})) as change:
        for number, name in enumerate((DATASET, "pay"), 1):
            entry = ENTRY | {"dataset": name, "title": ENTRY["title"] if name == DATASET else "Earnings"}
            releases.name_snapshot(change, dataset=name, delivery=f"D{number}", snapshot=1, entry=entry)
    counted = bodies.write(Shared("person", 1_200, 100, 10, (1, 2)))
    joinable.keep(made, DATASET, found={"pay": {"person": counted}, "gone": {"person": counted}})
    return made


@pytest.fixture(scope="module")
def server(places: Places) -> Server:
    return made(open_store(places), places)


def made(store: Store, places: Places) -> Server:
    return Server(Metadata(store, places).tools(), WHAT, admit=lambda: None)


def asked(server: Server, method: str, **given: Any) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": given}
    answer = server.answer(json.dumps(message).encode())
    assert answer is not None
    return answer


def called(server: Server, tool: str, **given: Any) -> dict[str, Any]:
    result: dict[str, Any] = asked(server, "tools/call", name=tool, arguments=given)["result"]
    return result


async def by_the_reference_client(home: Path) -> tuple[Any, ...]:
    parameters = StdioServerParameters(
        command=COMMAND[0],
        args=[*COMMAND[1:], "mcp", "--as", "kim"],
        env={**environment(home), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
        begun = await session.initialize()
        tools = await session.list_tools()
        found = await session.call_tool("search_datasets", {"words": "labour", "most": 5})
        one = await session.call_tool("describe_dataset", {"dataset": DATASET})
        shared = await session.call_tool("joinable_datasets", {"dataset": DATASET})
        refused = await session.call_tool("describe_dataset", {"dataset": "nosuch"})
    return begun, tools, found, one, shared, refused


def test_the_reference_client_finds_and_describes(places: Places) -> None:
    begun, tools, found, one, shared, refused = asyncio.run(by_the_reference_client(places.home))
    told = begun.model_dump(by_alias=True)
    assert told["protocolVersion"] in REVISIONS
    assert "metadata only" in told["instructions"]
    assert [t.name for t in tools.tools] == [
        "search_datasets", "describe_dataset", "joinable_datasets", "list_concepts",
    ]  # fmt: skip
    results = [r.model_dump(by_alias=True) for r in (found, one, shared)]
    assert [r["isError"] for r in results] == [False, False, False]
    assert [d["dataset"] for d in results[0]["structuredContent"]["result"]["found"]] == [DATASET]
    assert results[1]["structuredContent"]["result"]["variables"] == ENTRY["variables"]
    told = {"dataset": "pay", "title": "Earnings", "owner": ENTRY["owner"], "index": "person", "shared": "about 1,200"}
    assert results[2]["structuredContent"]["result"] == [told]
    assert refused.model_dump(by_alias=True)["isError"]


def test_it_tells_what_everybody_sees_and_has_nothing_else(server: Server) -> None:
    for tool in asked(server, "tools/list")["result"]["tools"]:
        assert tool["annotations"]["readOnlyHint"]
        assert tool["inputSchema"]["additionalProperties"] is False
    concepts = called(server, "list_concepts")["structuredContent"]["result"]
    assert {"age_band", "region"} & {c["concept"] for c in concepts}
    assert called(server, "search_datasets")["structuredContent"]["result"]["datasets"] == 2
    narrowed = called(server, "search_datasets", facets=["owner=Nobody"])
    assert narrowed["structuredContent"]["result"]["found"] == []
    for name in ("query", "tools", "__class__", ""):
        assert asked(server, "tools/call", name=name)["error"]["code"] == -32602


@pytest.mark.parametrize(
    "given",
    [{"dataset": 1}, {"dataset": True}, {"dataset": "x" * 129}, {}, {"dataset": "a", "more": 1}, {"self": "a"}],
)
def test_a_tool_takes_what_its_schema_says(server: Server, given: dict[str, Any]) -> None:
    answer = called(server, "describe_dataset", **given)
    assert answer["isError"]
    assert "not called like this" in answer["content"][0]["text"]


def test_a_dataset_is_a_name_and_no_place(server: Server) -> None:
    for name in ("../../control", "lfs' OR '1'='1", f"../{DATASET}", "%"):
        assert "No such dataset" in called(server, "describe_dataset", dataset=name)["content"][0]["text"]
        assert called(server, "joinable_datasets", dataset=name)["isError"]


def test_who_may_no_longer_look_is_told_nothing(places: Places) -> None:
    def out() -> None:
        raise RoleRefusal("The sign-in counts no more")

    shut = Server(Metadata(open_store(places), places).tools(), WHAT, admit=out)
    answer = called(shut, "search_datasets")
    assert (answer["isError"], answer["content"][0]["text"]) == (True, "The sign-in counts no more.")


MALFORMED = [
    (b"{", -32700),
    (b"\xff\xfe", -32700),
    (b"[" * 100_000, -32700),
    (b"[]", -32600),
    (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
    (b'{"id": 1, "method": "ping"}', -32600),
    (b'{"jsonrpc": "2.0", "id": {}, "method": "ping"}', -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": 1}', -32600),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": [1]}', -32602),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "resources/read"}', -32601),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {}}', -32601),
    (b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"x" * LONGEST + b'"}', -32600),
]


def test_malformed_messages_are_answered_and_the_next_one_too(server: Server) -> None:
    ping = b'{"jsonrpc": "2.0", "id": "p", "method": "ping"}\n'
    note = b'{"jsonrpc": "2.0", "method": "notifications/initialized"}\n{"jsonrpc": "2.0", "method": "nosuch"}\n'
    outlet = BytesIO()
    server.serve(BytesIO(b"".join(m + b"\n\n" + note + ping for m, _ in MALFORMED)), outlet)
    answers = [json.loads(line) for line in outlet.getvalue().splitlines()]
    assert [a["error"]["code"] for a in answers[::2]] == [code for _, code in MALFORMED]
    assert answers[1::2] == [{"jsonrpc": "2.0", "id": "p", "result": {}}] * len(MALFORMED)
    assert b"xxx" not in outlet.getvalue()


def test_nobody_without_a_sign_in_starts_it(places: Places) -> None:
    ran = ids(places.home, "mcp", IDS_TOKEN="made-up")
    assert (ran.returncode, ran.stdout) == (1, "")
