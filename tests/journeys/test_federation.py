"""Two installations on two ports: one question, two decisions, and only what each let out comes together."""

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from integrated_data.access.asked import Question
from integrated_data.approve import accredit, apply
from integrated_data.client import connect
from integrated_data.control import outputs, projects, tables
from integrated_data.control.store import Store, records, sqlite
from integrated_data.model.access import Person
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.federation import Peer
from integrated_data.model.lane import LaneRule
from integrated_data.model.output import Ask, OutputState, Review, Vote
from integrated_data.model.people import Role
from integrated_data.output import lane
from integrated_data.serving.run import http_door
from integrated_data.site import outputs as leaving
from integrated_data.site.certificates import certificate
from integrated_data.site.federation import letters, peers
from integrated_data.site.installation import create
from integrated_data.site.ledgering import open_ledger
from integrated_data.site.settings import from_environment
from tests.conftest import identified_engine
from tests.journeys.test_gateway import PROJECT, TOKENS, new_place
from tests.marked_run import called
from tests.served import ANALYST, House, house

RULE = replace(LaneRule(), share=1.0)
SQL = """
    SELECT c.region, count(*) AS n, sum(p.income) AS income, avg(p.income) AS mean
    FROM census c JOIN pay p USING (person_key) GROUP BY c.region ORDER BY n
"""


@dataclass
class Installation:
    """One installation with its door open, and the key it signs with."""

    house: House
    url: str
    key: str
    certificate: str = ""

    @property
    def places(self) -> Any:
        return self.house.desk.site.places

    def events(self, action: str) -> list[Any]:
        with self.house.place.store.read() as connection:
            return [r for r in records(connection) if r.action == action]

    def ask(self, sql: str = SQL, *, person: str = "ada", project: str = "P-1", **more: Any) -> dict[str, Any]:
        with self.house.client(self.url, person, project=project) as client:
            answer = client.post("/v1/federation/questions", json={"sql": sql, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def furnished(folder: Path, stack: ExitStack, *, approved: tuple[str, ...]) -> House:
    """An installation with its people and projects, ready to let tables out."""
    control = sqlite(folder / "control.sqlite")
    tables.METADATA.create_all(control)
    engine = identified_engine(folder)
    stack.callback(engine.close)
    place = new_place(Store(control), engine, folder=folder)
    for person in ("ada", "ben"):
        projects.add_person(place.store, accredit.read_person(ANALYST.format(id=person)), by="desk")
    for name in ("rita", "rob"):
        projects.add_person(place.store, Person(name, name, "Service", roles=(Role.OUTPUT_CHECKER,)), by="desk")
    other = PROJECT.format(id="P-2").replace("team: [ada]", "team: [ben]").replace("lead: ada", "lead: ben")
    projects.add_project(place.store, apply.read_project(other), by="ben")
    for project in approved:
        place.approve(project)
    made = stack.enter_context(house(place))
    places, people = made.desk.site.places, np.arange(1, 101)
    with open_ledger(places) as ledger:
        for project in approved:
            keys = TOKENS.of("person", people)
            ledger.put_numbers("person", project, keys=keys, numbers=people.astype(np.uint32))
    places.service_keys.mkdir(mode=0o700, exist_ok=True)
    pem = place.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (places.service_keys / "signing.key").write_bytes(pem)
    lane.set_rule(place.store, RULE, by="rita", reason="every release is checked afterwards, too")
    return made


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, Installation]]:
    """South, which asks, and north over TLS, which know each other; project P-2 is approved in the south alone."""
    with ExitStack() as stack:
        made = {}
        for name, approved in (("south", ("P-1", "P-2")), ("north", ("P-1",))):
            one = furnished(tmp_path_factory.mktemp(name), stack, approved=approved)
            shown = certificate(one.desk.site.places, from_environment({})) if name == "north" else None
            url = stack.enter_context(http_door(one.desk, ("localhost", 0), shown=shown))
            made[name] = Installation(one, url, public(one.place.key), shown.chain.read_text() if shown else "")
        south, north = made["south"], made["north"]
        for one, peer, name in ((south, north, "north"), (north, south, "south")):
            written = Peer(name, peer.url, peer.key, peer.certificate, ("P-1", "P-2") if name == "south" else ())
            peers.add(one.places, one.house.place.store, peer=written, by="operator", production=False)
        yield south, north


def state(told: dict[str, Any]) -> dict[str, str]:
    return {i["peer"]: i["state"] for i in told["installations"]}


def test_one_question_two_decisions_and_checked_aggregates_together(two: tuple[Installation, Installation]) -> None:
    south, north = two
    told = south.ask()
    assert told["label"] == "Complete: all 2 installations answered"
    assert (told["complete"], told["coverage"]["answered"]) == (True, 2)
    assert told["columns"] == ["region", "n", "income", "mean"]
    assert told["rows"] == [
        ["East", 50, 255000, 5100.0], ["North", 50, 245000, 4900.0], ["South", 50, 250000, 5000.0],
        ["West", 50, 260000, 5200.0],
    ]  # fmt: skip
    request = {i["peer"]: i["request"] for i in told["installations"]}["north"]
    [event] = north.events("federation.answered")
    assert (event.actor, event.facts["from"], event.facts["request"]) == ("ada", "south", request)
    assert [r.subject for r in north.events("output.released")] == [f"output/{request}"]
    assert north.events("query.started")[0].actor == "ada", "it was decided and logged there"
    again = south.ask()
    assert {i["peer"]: i["request"] for i in again["installations"]}["north"] == request, "it leaves once"


def test_an_installation_that_refuses_is_named_with_its_reason(two: tuple[Installation, Installation]) -> None:
    south, _ = two
    told = south.ask(person="ben", project="P-2")
    assert state(told) == {"here": "answered", "north": "refused"}
    assert "PARTIAL: 1 of 2 installations answered; without north (refused)" in told["label"]
    assert not told["complete"]
    assert "P-2" in next(i["reason"] for i in told["installations"] if i["peer"] == "north")
    assert told["rows"][0] == ["East", 25, 127500, 5100.0]


def test_each_installations_ledger_remembers_what_left_there(two: tuple[Installation, Installation]) -> None:
    """North let a table out to its own analyst; a federated one that differs from it by one person is refused."""
    south, north = two
    site = north.house.desk.site
    query = site.gateway.ask(Question("ada", "P-1", "SELECT count(*) AS n FROM pay WHERE income > 5000")).query
    own = leaving.ask(site, Ask("P-1", "ada", (query,), "People paid"))
    leaving.check(site, own.id, actor="ada")
    leaving.release(site.places, site.store, request=own.id, actor="ada")
    told = south.ask("SELECT count(*) AS n FROM pay WHERE income > 5100")
    assert state(told) == {"here": "answered", "north": "refused"}
    assert "Output control" in next(i["reason"] for i in told["installations"] if i["peer"] == "north")
    assert told["rows"] == [[49]]


def test_what_people_look_at_is_held_and_given_once_they_are_done(two: tuple[Installation, Installation]) -> None:
    south, north = two
    store = north.house.place.store
    lane.set_rule(store, replace(RULE, open=False), by="rita", reason="a trial")
    sql = "SELECT sex, count(*) AS n FROM census GROUP BY sex"
    try:
        told = south.ask(sql, only=["north"])
        assert (state(told), told["rows"]) == ({"north": "held"}, [])
        request = told["installations"][0]["request"]
        assert south.ask(sql, only=["north"])["installations"][0]["request"] == request, "one request waits, not two"
    finally:
        lane.set_rule(store, RULE, by="rita", reason="a trial")
    with store.read() as connection:
        known = outputs.get_request(connection, request)
    assert known.state is OutputState.IN_REVIEW
    for reviewer in ("rita", "rob"):
        leaving.review(north.places, store, cast=Review(request, reviewer, Vote.APPROVE, known.sha256, "", store.now()))
    assert south.ask(sql, only=["north"])["rows"] == [["F", 50], ["M", 50]]


def test_one_that_does_not_answer_is_left_out_within_the_time_given(two: tuple[Installation, Installation]) -> None:
    south, north = two
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = south.house.place.store
        peers.add(south.places, store, peer=Peer("mute", url, north.key), by="operator", production=False)
        started = time.monotonic()
        told = south.ask(only=["mute"], seconds=1.0)
        peers.remove(south.places, store, name="mute", by="operator")
    assert time.monotonic() - started < 20
    assert (state(told), told["rows"]) == ({"mute": "unreachable"}, [])
    assert told["label"] == "PARTIAL: 0 of 1 installations answered; without mute (unreachable)"


def test_only_a_fresh_question_that_an_installation_on_record_signed_is_answered(
    two: tuple[Installation, Installation],
) -> None:
    south, north = two
    own = north.house.place.key
    letter = {
        "id": letters.new_id(), "at": north.house.place.now.isoformat(), "person": "ada", "project": "P-1", "sql": SQL,
        "to": peers.fingerprint(peers.key_of(north.key)),
    }  # fmt: skip
    key = south.house.place.key
    good = letters.sign(letters.QUESTION, letter, key=key)
    old = letter | {"id": "o", "at": "2026-06-15T11:00:00+00:00"}
    with httpx.Client(base_url=north.url, verify=ssl.create_default_context(cadata=north.certificate)) as http:
        wrong = {
            "another's": letters.sign(letters.QUESTION, letter, key=Ed25519PrivateKey.generate()),
            "its own": letters.sign(letters.QUESTION, letter, key=own),
            "changed": {**good, "letter": letter | {"person": "ben"}},
            "an answer": letters.sign(letters.ANSWER, letter, key=key),
            "to another": letters.sign(letters.QUESTION, letter | {"to": "x"}, key=key),
            "too old": letters.sign(letters.QUESTION, old, key=key),
            "nobody's": letters.sign(letters.QUESTION, letter | {"id": "n", "person": "eve"}, key=key),
            "another project": letters.sign(letters.QUESTION, letter | {"id": "p", "project": "P-3"}, key=key),
            "no text": letters.sign(letters.QUESTION, letter | {"id": "s", "sql": 1}, key=key),
        }
        for name, sealed in wrong.items():
            assert http.post("/v1/federation/answers", json=sealed).status_code == 401, name
        assert http.post("/v1/federation/answers", json=good).status_code == 200
        assert http.post("/v1/federation/answers", json=good).status_code == 401, "it came before"
        answer = http.post(
            "/v1/federation/answers", json=letters.sign(letters.QUESTION, letter | {"id": "again"}, key=key)
        ).json()
    read = letters.read(letters.ANSWER, answer, key=peers.key_of(north.key))
    assert read["state"] == "answered"
    answer["letter"]["rows"][0][1] = "26"
    with pytest.raises(letters.UnreadableError, match="signature"):
        letters.read(letters.ANSWER, answer, key=peers.key_of(north.key))
    refused = {e.facts["why"] for e in north.events("sign_in.refused")}
    assert refused >= {"it came before", "it is for another installation", "it is too old, or a clock is wrong"}
    assert "SELECT" not in json.dumps([e.facts for e in north.events("federation.answered")])


def test_the_client_asks_several(two: tuple[Installation, Installation]) -> None:
    south, _ = two
    with connect(south.url, token=south.house.token("ada"), project="P-1") as service:
        told = service.federated(SQL, only=["here", "north"])
    assert told["complete"]


def test_installations_are_put_on_record_with_care(two: tuple[Installation, Installation]) -> None:
    south, north = two
    store = south.house.place.store
    for url in ("http://elsewhere.example", "ftp://x", "https://user@x.example", "nonsense"):
        with pytest.raises(UsageRefusal, match="not the address"):
            peers.add(south.places, store, peer=Peer("west", url, north.key), by="operator", production=False)
    with pytest.raises(UsageRefusal, match="not the address"):
        local = Peer("west", "http://127.0.0.1:1", north.key)
        peers.add(south.places, store, peer=local, by="operator", production=True)
    with pytest.raises(UsageRefusal, match="no name"):
        peers.add(south.places, store, peer=Peer("here", "https://x", north.key), by="operator", production=False)
    with pytest.raises(UsageRefusal, match="not the public key"):
        peers.add(south.places, store, peer=Peer("west", "https://x", "key"), by="operator", production=False)
    assert [p.name for p in peers.known(south.places)] == ["north"]


def test_at_the_command_line(two: tuple[Installation, Installation], tmp_path: Path) -> None:
    _, north = two
    home, key = tmp_path / "home", tmp_path / "north.pem"
    create(home, actor="operator")
    key.write_text(north.key)
    added = called(home, "federation", "add", "north", north.url, "--key", str(key), "--project", "P-1", "--json")
    assert added.returncode == 0, added.stderr
    listed = json.loads(called(home, "federation", "list", "--json").stdout)
    assert [(p["installation"], p["url"]) for p in listed] == [("north", north.url)]
    assert listed[0]["key_sha256"] == json.loads(added.stdout)["key_sha256"]
    asked = called(home, "federation", "ask", "SELECT count(*) AS n FROM t", "--project", "P-1", "--as", "ada")
    assert (asked.returncode, "Refused" in asked.stderr) == (1, True)
    assert called(home, "federation", "remove", "north").returncode == 0
    assert json.loads(called(home, "federation", "list", "--json").stdout) == []
