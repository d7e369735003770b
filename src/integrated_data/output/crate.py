"""The metadata of a release as a Five Safes RO-Crate: who asked, of what, by what query, and who checked it.

    data/ro-crate-metadata.json     the crate: project, person, run, and an assessment for each check
         workflow/                  a workflow crate: the queries as they may leave
         outputs/                   the other files that were checked or reviewed, byte for byte, and their
                                    checksums as ACRO writes them
         audit.json                 the record of the release in the service's audit chain

The profile's phases are those of the service: the decision that let the person query is the sign-off, the
rules and the reviewers are the disclosure check. Reviewers are named by their office alone.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from integrated_data import __version__
from integrated_data.audit.chain import Record
from integrated_data.model.access import Person, Project
from integrated_data.model.output import OutputRequest
from integrated_data.output.acro import CHECKSUMS, checksums
from integrated_data.output.package import QUERIES
from integrated_data.output.profile import PROFILE, RO_CRATE, TERMS, WORKFLOW
from integrated_data.output.requested import as_json

METADATA, AUDIT, WORKFLOW_FOLDER, OUTPUTS_FOLDER = "ro-crate-metadata.json", "audit.json", "workflow/", "outputs/"

#: Names of things that are given an id of their own are made under this (RFC 9562, version 5).
NAMES = uuid.UUID("3f0b8b8e-6f0a-5c0e-9b53-0e2c1d7a4d10")

SERVICE, TRE, CHECKERS = "#service", "#operator", "#output-checkers"
DONE = "http://schema.org/CompletedActionStatus"
SHA512 = "https://www.iana.org/assignments/named-information#sha-512"

MEDIA = {
    "csv": "text/csv", "json": "application/json", "svg": "image/svg+xml", "txt": "text/plain",
    "sql": "application/sql",
}  # fmt: skip

Entity = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """What a crate tells. `history`: the audit records of the request, oldest first, its release last."""

    request: OutputRequest
    project: Project
    author: Person
    history: tuple[Record, ...]

    @property
    def release(self) -> Record:
        """The record of the release."""
        return self.history[-1]

    def last(self, action: str) -> Record | None:
        """The newest record of this action, or None."""
        return next((r for r in reversed(self.history) if r.action == action), None)

    def made(self, what: str) -> str:
        """An id of its own for something of this release, the same each time."""
        return str(uuid.uuid5(NAMES, f"{self.request.id} {self.request.sha256} {what}"))


def place_of(name: str) -> str:
    """Where a file that was checked or reviewed lies in the crate."""
    return (WORKFLOW_FOLDER if name == QUERIES else OUTPUTS_FOLDER) + name


def reviewed(payload: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files that were checked or reviewed, by the names that they had then."""
    inside = {n.removeprefix(OUTPUTS_FOLDER): held for n, held in payload.items() if n.startswith(OUTPUTS_FOLDER)}
    found = {name: held for name, held in inside.items() if not name.startswith(CHECKSUMS)}
    queries = payload.get(WORKFLOW_FOLDER + QUERIES)
    return found if queries is None else found | {QUERIES: queries}


def payload(story: Story, files: dict[str, bytes]) -> dict[str, bytes]:
    """Every file of the crate but the record of the audit chain is made here; `files`: those that were checked."""
    placed = {place_of(name): content for name, content in (files | checksums(files)).items()}
    placed[WORKFLOW_FOLDER + METADATA] = as_json(_workflow_crate(story))
    every = [*placed, AUDIT]
    return placed | {METADATA: as_json({"@context": f"{RO_CRATE}/context", "@graph": _graph(story, every)})}


def _graph(story: Story, files: Sequence[str]) -> list[Entity]:
    outputs = [name for name in files if name.startswith(OUTPUTS_FOLDER)]
    actions = _actions(story, outputs)
    return [
        {
            "@id": METADATA, "@type": "CreativeWork", "about": _to("./"), "conformsTo": _to(RO_CRATE),
        },
        _root(story, files, actions=actions),
        {"@id": PROFILE, "@type": ["CreativeWork", "Profile"], "name": "Five Safes RO-Crate profile", "version": "0.4"},
        {
            "@id": WORKFLOW_FOLDER, "@type": "Dataset", "name": "The queries behind this release",
            "conformsTo": _to(WORKFLOW), "hasPart": _all([f for f in files if f.startswith(WORKFLOW_FOLDER)]),
        },
        {
            "@id": OUTPUTS_FOLDER, "@type": "Dataset", "name": "What was checked and released",
            "hasPart": _all(outputs),
        },
        *(_file(name) for name in files),
        *actions,
        *_inputs(story),
        *_people(story),
    ]  # fmt: skip


def _root(story: Story, files: Sequence[str], *, actions: Sequence[Entity]) -> Entity:
    request = story.request
    return {
        "@id": "./", "@type": "Dataset", "identifier": request.id, "name": request.title or request.id,
        "description": f"Output {request.id} of project {request.project}, checked for disclosure and released",
        "conformsTo": _to(PROFILE), "datePublished": _time(story.release), "publisher": _to(TRE),
        "license": _to("#conditions"), "sourceOrganization": _to("#project"), "mainEntity": _to(WORKFLOW_FOLDER),
        "mentions": [_to(str(action["@id"])) for action in actions],
        "hasPart": _all([WORKFLOW_FOLDER, OUTPUTS_FOLDER, *(f for f in files if "/" not in f)]),
    }  # fmt: skip


def _actions(story: Story, outputs: Sequence[str]) -> list[Entity]:
    request, release = story.request, story.release
    begun, checked = story.last("output.requested") or release, story.last("output.checked")
    voted = story.last("output.reviewed") if request.lane is not None and request.lane.value == "review" else None
    record = _to(place_of("record.json"))
    run = {
        "@id": f"#query-{story.made('run')}", "@type": "CreateAction", "name": f"Run of the queries of {request.id}",
        "agent": _to("#author"), "instrument": _to(WORKFLOW_FOLDER), "object": _all(_input_ids(story)),
        "result": _all(outputs), "endTime": _time(begun), "actionStatus": DONE,
    }  # fmt: skip
    assessed = [
        _assessment("sign-off", "SignOff", name="Sign-off of the queries by the access decision: allowed", record=begun)
        | {"object": _all(["./", WORKFLOW_FOLDER, "#project"]), "instrument": _to("#agreements")},
        _assessment("disclosure", "DisclosureCheck", name="Disclosure check by rule: passed", record=checked or release)
        | {"result": record},
    ]  # fmt: skip
    if voted is not None:
        name = "Disclosure check by two reviewers: approved"
        assessed.append(_assessment("review", "DisclosureCheck", name=name, record=voted) | {"agent": _to(CHECKERS)})
    assessed += [
        _assessment("check", "CheckValue", name="Comparison with what was checked: the same", record=release),
        _assessment("validation", "ValidationCheck", name="Validation against the profile: passed", record=release)
        | {"instrument": _to(PROFILE)},
        _assessment("manifest", "GenerateCheckValue", name="BagIt manifests of the crate written", record=release)
        | {"@type": "UpdateAction", "startTime": _time(release), "instrument": _to(SHA512)},
    ]  # fmt: skip
    for action in assessed:
        action["@id"] = f"#{action['@id']}-{story.made(str(action['@id']))}"
    return [run, *assessed]


def _assessment(what: str, kind: str, *, name: str, record: Record) -> Entity:
    return {
        "@id": what, "@type": "AssessAction", "additionalType": _to(TERMS + kind), "name": name,
        "object": _to("./"), "agent": _to(SERVICE), "endTime": _time(record), "actionStatus": DONE,
    }  # fmt: skip


def _input_ids(story: Story) -> list[str]:
    return [f"#input-{number}" for number, _ in enumerate(story.request.datasets, start=1)]


def _inputs(story: Story) -> list[Entity]:
    made: list[Entity] = [
        {
            "@id": name, "@type": "PropertyValue", "name": "dataset", "value": dataset,
            "exampleOfWork": _to("#dataset"),
        }
        for name, dataset in zip(_input_ids(story), story.request.datasets, strict=True)
    ]  # fmt: skip
    parameter = {"@id": "#dataset", "@type": "FormalParameter", "name": "dataset", "additionalType": "Text"}
    return [*made, parameter] if made else []


def _people(story: Story) -> list[Entity]:
    project, author = story.project, story.author
    return [
        {
            "@id": "#project", "@type": "Project", "name": project.title, "identifier": project.id,
            "member": _to("#organisation"),
        },
        {
            "@id": "#author", "@type": "Person", "name": author.name, "affiliation": _to("#organisation"),
            "memberOf": _to("#project"),
        },
        {"@id": "#organisation", "@type": "Organization", "name": author.organisation},
        {"@id": TRE, "@type": "Organization", "name": "Integrated Data Service"},
        {
            "@id": CHECKERS, "@type": "Organization", "name": "Output checkers of the service",
            "parentOrganization": _to(TRE),
        },
        {
            "@id": SERVICE, "@type": "SoftwareApplication", "name": "Integrated Data Service", "version": __version__,
            "url": uuid.uuid5(NAMES, "Integrated Data Service").urn, "provider": _to(TRE),
        },
        {
            "@id": "#agreements", "@type": "CreativeWork",
            "name": f"Agreements on the datasets of project {project.id}, as decided for it",
        },
        {
            "@id": "#conditions", "@type": "CreativeWork", "name": "Conditions of use",
            "description": f"As project {project.id} was approved; the agreements on its datasets say what may be done",
        },
        {"@id": SHA512, "@type": "DefinedTerm", "name": "sha-512 algorithm"},
    ]  # fmt: skip


def _file(name: str) -> Entity:
    known = {
        AUDIT: "The record of this release in the audit chain, and its signed hash",
        WORKFLOW_FOLDER + QUERIES: "The queries, without the values in them",
        WORKFLOW_FOLDER + METADATA: "Metadata of the workflow crate",
        place_of("record.json"): "Every check that was applied: rule, threshold, tool and result",
        place_of("results.json"): "The same in the form of ACRO's results",
    }  # fmt: skip
    made = {"@id": name, "@type": "File", "name": known.get(name, name.rsplit("/", 1)[-1])}
    media = MEDIA.get(name.rsplit(".", 1)[-1])
    return made | {"encodingFormat": media} if media else made


def _workflow_crate(story: Story) -> dict[str, Any]:
    """The queries as a Workflow RO-Crate 1.0, which is one of RO-Crate 1.1."""
    language = "https://duckdb.org/docs/stable/sql/introduction"
    version = "https://w3id.org/ro/crate/1.1"
    return {
        "@context": f"{version}/context",
        "@graph": [
            {
                "@id": METADATA, "@type": "CreativeWork", "about": _to("./"),
                "conformsTo": _all([version, WORKFLOW]),
            },
            {
                "@id": "./", "@type": "Dataset", "name": f"The queries behind {story.request.id}",
                "description": "What was computed from the project's views; ? stands in the place of each value",
                "datePublished": _time(story.release), "license": "As the release that it is part of",
                "mainEntity": _to(QUERIES), "hasPart": _all([QUERIES]),
            },
            {
                "@id": QUERIES, "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "name": "Queries", "programmingLanguage": _to(language), "encodingFormat": MEDIA["sql"],
            },
            {
                "@id": language, "@type": "ComputerLanguage", "name": "SQL, DuckDB's dialect", "url": language,
                "identifier": language,
            },
        ],
    }  # fmt: skip


def audit_file(record: Record, *, head: Mapping[str, Any]) -> bytes:
    """The record of a release and its signed hash, as the crate holds them."""
    return as_json({"record": vars(record), "head": dict(head)})


def read_audit(content: bytes) -> tuple[Record, dict[str, Any]]:
    """The record and its signed hash; raises `ValueError` or `TypeError` where the file holds something else."""
    held = json.loads(content)
    if not isinstance(held, dict) or set(held) != {"record", "head"}:
        raise ValueError("not an audit record")
    return Record(**held["record"]), dict(held["head"])


def _time(record: Record) -> str:
    """A moment of RFC 3339, to the second."""
    return datetime.fromisoformat(record.at).isoformat(timespec="seconds")


def _to(name: str) -> dict[str, str]:
    return {"@id": name}


def _all(names: Sequence[str]) -> list[dict[str, str]]:
    return [_to(name) for name in names]
