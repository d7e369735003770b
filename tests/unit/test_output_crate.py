"""A release as one signed file: what is in it, and what anybody can verify of it with the public key alone."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from integrated_data.audit import public_keys
from integrated_data.cli.app import app
from integrated_data.control import outputs
from integrated_data.control.store import Store
from integrated_data.engines.duckdb import DuckDB
from integrated_data.model.errors import OutputRefusal, Refusal, UsageRefusal
from integrated_data.output import bag, crates, profile, release, requested, sealed
from integrated_data.site import verifying as site
from integrated_data.site.parser import DuckDBParser
from tests.crates import small
from tests.output_world import REVIEWERS, World, repeated

SAFE = "SELECT region, sex, count(*) AS people, sum(pay) AS pay FROM lfs WHERE pay <> 4711 GROUP BY region, sex"
DOUBTFUL = "SELECT region, stddev(pay) AS spread FROM lfs GROUP BY region ORDER BY region"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()


@pytest.fixture
def world(engine: DuckDB, store: Store, tmp_path: Path) -> Iterator[World]:
    parser = DuckDBParser()
    lfs = repeated(
        (20, ("N", "F", 100)), (25, ("N", "M", 90)), (9, ("S", "F", 70)), (40, ("S", "M", 120)), (25, ("S", "M", 20)),
        columns="region sex pay",
    )  # fmt: skip
    yield World(store, engine, parser, tmp_path / "outputs", {"lfs": lfs})
    parser.close()


def crate_of(world: World, *sql: str) -> bytes:
    """The archive of a release of these queries, reviewed where that is needed."""
    request = world.left(*sql).name
    return crates.crate(world.store, request=request, folder=world.folder, key=KEY).read_bytes()


def inside(data: bytes) -> dict[str, bytes]:
    _, files = bag.opened(data)
    return {name.removeprefix("data/"): content for name, content in files.items() if name.startswith("data/")}


def entities(data: bytes) -> dict[str, dict[str, Any]]:
    return {e["@id"]: e for e in json.loads(inside(data)["ro-crate-metadata.json"])["@graph"]}


def test_a_release_is_verified_by_the_public_key_alone(world: World) -> None:
    data = crate_of(world, SAFE)
    found = sealed.verify(data, public_keys.read_public(public_keys.public_pem(PUBLIC)))
    (left,) = release.released(world.store)
    assert (found.request, found.project, found.title, found.sha256) == (
        left.request, "P-1", "Health and work", left.sha256,
    )  # fmt: skip
    assert found.key == sealed.fingerprint(PUBLIC)
    with world.store.read() as connection:
        assert found.record == outputs.history(connection, left.request)[-1].number


def test_the_same_release_gives_the_same_bytes(world: World) -> None:
    data = crate_of(world, SAFE)
    (left,) = release.released(world.store)
    (world.folder / "crates" / f"{left.request}.zip").unlink()
    assert crates.crate(world.store, request=left.request, folder=world.folder, key=KEY).read_bytes() == data


def test_what_was_reviewed_is_in_it_byte_for_byte(world: World) -> None:
    held = inside(crate_of(world, SAFE))
    (left,) = release.released(world.store)
    files = requested.contents(world.folder / "released" / left.request) or {}
    for name, content in files.items():
        assert held[("workflow/" if name == "queries.sql" else "outputs/") + name] == content
    added = set(held) - {f"outputs/{n}" for n in files} - {f"outputs/checksums/{n}.txt" for n in files}
    assert sorted(added) == [
        "audit.json", "ro-crate-metadata.json", "workflow/queries.sql", "workflow/ro-crate-metadata.json",
    ]  # fmt: skip


@pytest.mark.parametrize("sql", [SAFE, DOUBTFUL])
def test_it_keeps_every_must_of_the_profile(world: World, sql: str) -> None:
    data = crate_of(world, sql)
    known, files = entities(data), set(inside(data))
    assert profile.problems({"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": list(known.values())},
                            files=files) == []  # fmt: skip
    kinds = [e["additionalType"]["@id"].split("#")[1] for e in known.values() if e["@id"].startswith("#") and
             str(e.get("additionalType", "")).startswith("{'@id': 'https://w3id.org/shp")]  # fmt: skip
    checks = ["SignOff", "DisclosureCheck", "CheckValue", "ValidationCheck", "GenerateCheckValue"]
    assert kinds == (checks if sql == SAFE else [*checks[:2], "DisclosureCheck", *checks[2:]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda known: known["./"].pop("sourceOrganization"), "names no project"),
        (lambda known: known["./"].pop("mainEntity"), "not one workflow crate"),
        (lambda known: known["./"].update(mentions=[]), "mentions no run"),
        (lambda known: known["./"].update(conformsTo={"@id": "https://w3id.org/ro/crate"}), "follows the profile"),
        (lambda known: known["#author"].update({"@type": "Organization"}), "no person who asked"),
        (lambda known: known["#service"].pop("provider"), "on whose behalf"),
        (lambda known: known["outputs/table.csv"].update({"@id": "outputs/other.csv"}), "described and not there"),
        (lambda known: known["outputs/"].pop("hasPart"), "not part of the crate"),
        (lambda known: known["workflow/"].update({"@id": "../workflow/"}), "leads out"),
        (lambda known: [e.pop("actionStatus", 0) for e in known.values()], "how it ended"),
    ],
)
def test_what_breaks_the_profile_is_found(world: World, change: Any, said: str) -> None:
    data = crate_of(world, SAFE)
    known = entities(data)
    change(known)
    metadata = {"@context": "https://w3id.org/ro/crate/1.2/context", "@graph": list(known.values())}
    assert any(said in problem for problem in profile.problems(metadata, files=set(inside(data))))


def test_reviewers_are_not_named_and_no_held_figure_is_told(world: World) -> None:
    data = crate_of(world, SAFE)
    assert not any(reviewer.encode() in data for reviewer in REVIEWERS)
    text = inside(data)["workflow/queries.sql"].decode()
    assert "4711" not in text
    assert "[c]" in inside(data)["outputs/table.csv"].decode()
    assert b'"people": 9' not in data


@pytest.fixture(scope="module")
def packed() -> bytes:
    """A small bag that was signed, with the metadata and record of a release."""
    return small(KEY)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@example(place=0.0, bit=0)
def test_any_byte_that_is_changed_is_found(packed: bytes, place: float, bit: int) -> None:
    changed = bytearray(packed)
    changed[int(place * len(packed))] ^= 1 << bit
    with pytest.raises(OutputRefusal, match="not a release of the service as it was written"):
        sealed.verify(bytes(changed), PUBLIC)


@pytest.mark.parametrize("part", ["signature.json", "tagmanifest-sha512.txt", "data/audit.json"])
def test_every_byte_of_what_signs_it_counts(packed: bytes, part: str) -> None:
    _, files = bag.opened(packed)
    start = packed.index(files[part])
    for place in range(start, start + len(files[part])):
        changed = bytearray(packed)
        changed[place] ^= 32 if chr(changed[place]).isalpha() else 1
        with pytest.raises(OutputRefusal):
            sealed.verify(bytes(changed), PUBLIC)


def repacked(data: bytes, change: Any) -> bytes:
    """The archive with its files changed and its manifests written anew, as somebody without the key could."""
    root, files = bag.opened(data)
    payload = {n.removeprefix("data/"): held for n, held in files.items() if n.startswith("data/")}
    change(payload)
    again = bag.bagged(payload, info={"External-Identifier": "urn:uuid:0"})
    return bag.archived(root, again | {"signature.json": files["signature.json"]})


@pytest.mark.parametrize(
    "change",
    [
        lambda files: files.update({"outputs/table.csv": b"region\n"}),
        lambda files: files.update({"outputs/more.csv": b"region\n"}),
        lambda files: files.pop("outputs/table.csv"),
        lambda files: files.update({"ro-crate-metadata.json": files["ro-crate-metadata.json"] + b" "}),
    ],
)
def test_manifests_written_anew_do_not_help(packed: bytes, change: Any) -> None:
    with pytest.raises(OutputRefusal, match="as it was written"):
        sealed.verify(repacked(packed, change), PUBLIC)


def test_another_key_and_another_file_are_told_apart(packed: bytes) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
    with pytest.raises(OutputRefusal) as refusal:
        sealed.verify(packed, other)
    assert "signed with another key" in str(refusal.value.why)
    for data, said in (
        (b"", "not a whole ZIP"),
        (b"PK\x03\x04" + bytes(100), "not a whole ZIP"),
        (deflated(packed), "packed again"),
    ):
        with pytest.raises(OutputRefusal) as refusal:
            sealed.verify(data, PUBLIC)
        assert said in str(refusal.value.why)
    with pytest.raises(OutputRefusal, match="not a public key"):
        public_keys.read_public("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")


def deflated(data: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return sink.getvalue()


@pytest.mark.parametrize("extra", [b"x", b"\x00" * 30])
def test_nothing_hides_behind_or_before_the_files(packed: bytes, extra: bytes) -> None:
    for data in (packed + extra, extra + packed):
        with pytest.raises(OutputRefusal):
            sealed.verify(data, PUBLIC)


def test_the_command_verifies_without_an_installation(packed: bytes, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(public_keys.public_pem(PUBLIC))
    (tmp_path / "O-1.zip").write_bytes(packed)
    (tmp_path / "changed.zip").write_bytes(packed.replace(b"N,20", b"N,21"))
    call = ["output", "verify", str(tmp_path / "O-1.zip")]
    done = CliRunner().invoke(app, [*call, "--key", str(tmp_path / "key.pem"), "--json"])
    assert (done.exit_code, json.loads(done.stdout)["title"]) == (0, "Pay by region")
    for words, code in (
        ([*call[:2], str(tmp_path / "changed.zip"), "--key", str(tmp_path / "key.pem")], 1),
        ([*call, "--key", str(tmp_path / "O-1.zip")], 1), ([*call, "--register", str(tmp_path / "key.pem")], 1),
        ([*call[:2], str(tmp_path / "gone.zip"), "--key", str(tmp_path / "key.pem")], 1), (call, 2),
    ):  # fmt: skip
        refused = CliRunner().invoke(app, words)
        assert isinstance(refused.exception, Refusal)
        assert (2 if isinstance(refused.exception, UsageRefusal) else 1) == code


def test_a_register_says_what_was_withdrawn(packed: bytes, tmp_path: Path) -> None:
    found = sealed.verify(packed, PUBLIC)
    place, file = tmp_path / "register.json", tmp_path / "O-1.zip"
    file.write_bytes(packed)
    listed = {"id": "O-1", "sha256": found.sha256, "state": "released"}
    register = {"signing_key": public_keys.public_pem(PUBLIC), "releases": [listed]}
    place.write_text(json.dumps(register))
    assert site.verify(file, key=None, register=place)["state"] == "in force"
    for change, said in (({"state": "revoked"}, "was withdrawn"), ({"sha256": "0" * 64}, "not in this register")):
        place.write_text(json.dumps(register | {"releases": [listed | change]}))
        with pytest.raises(OutputRefusal, match=said):
            site.verify(file, key=None, register=place)


def test_a_revoked_release_has_no_archive(world: World) -> None:
    crate_of(world, SAFE)
    (left,) = release.released(world.store)
    release.revoke(world.store, request=left.request, actor="steward", reason="Wrong year", folder=world.folder)
    assert not list((world.folder / "crates").iterdir())
    with pytest.raises(OutputRefusal, match="was revoked"):
        crates.crate(world.store, request=left.request, folder=world.folder, key=KEY)


def test_a_request_that_has_not_left_has_no_archive(world: World) -> None:
    asked = world.ask(SAFE)
    with pytest.raises(OutputRefusal, match="has not been released"):
        crates.crate(world.store, request=asked.id, folder=world.folder, key=KEY)


def test_an_archive_that_changed_inside_the_service_is_found(world: World) -> None:
    crate_of(world, SAFE)
    (left,) = release.released(world.store)
    assert crates.verify(world.store, world.folder, key=PUBLIC) == []
    with (world.folder / "crates" / f"{left.request}.zip").open("ab") as file:
        file.write(b"x")
    assert crates.verify(world.store, world.folder, key=PUBLIC) == [left.request]


def test_checksums_are_those_of_the_files(world: World) -> None:
    held = inside(crate_of(world, SAFE))
    sums = {
        n.removeprefix("outputs/checksums/").removesuffix(".txt"): c.decode()
        for n, c in held.items()
        if "/checksums/" in n
    }
    assert "table.csv" in sums
    for name, told in sums.items():
        content = held.get(f"outputs/{name}", held.get(f"workflow/{name}"))
        assert content is not None
        assert hashlib.sha256(content).hexdigest() == told
