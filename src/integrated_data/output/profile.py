"""What the Five Safes RO-Crate profile asks of a crate's metadata, as far as it says MUST.

TRE-FX, Five Safes RO-Crate profile 0.4 (https://w3id.org/5s-crate/0.4), with RO-Crate 1.2 and Workflow RO-Crate
1.0 where it leans on them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

PROFILE = "https://w3id.org/5s-crate/0.4"
RO_CRATE = "https://w3id.org/ro/crate/1.2"
WORKFLOW = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
TERMS = "https://w3id.org/shp#"
STATES = tuple(f"http://schema.org/{s}ActionStatus" for s in ("Potential", "Active", "Completed", "Failed"))

Entity = Mapping[str, Any]


def problems(metadata: Mapping[str, Any], *, files: Collection[str]) -> list[str]:
    """What breaks the profile, in words; nothing where all of it holds. `files`: paths under the crate's root."""
    graph = metadata.get("@graph")
    if not isinstance(graph, list) or not all(isinstance(e, dict) and "@id" in e and "@type" in e for e in graph):
        return ["The metadata are no list of entities with an id and a type"]
    known = {str(entity["@id"]): entity for entity in graph}
    found = ["Two entities have one id"] if len(known) < len(graph) else []
    if metadata.get("@context") != f"{RO_CRATE}/context":
        found.append("The context is not that of RO-Crate 1.2")
    if "./" not in known or "ro-crate-metadata.json" not in known:
        return [*found, "The root or the descriptor is missing"]
    for rule in (_descriptor, _references, _root, _workflow, _run, _assessments, _published):
        found += rule(known, files)
    return found


def _descriptor(known: Mapping[str, Entity], files: Collection[str]) -> Iterator[str]:  # noqa: ARG001 - one shape
    held = known["ro-crate-metadata.json"]
    if _ids(held, "about") != ["./"] or _ids(held, "conformsTo") != [RO_CRATE]:
        yield "The descriptor does not say what it describes and which RO-Crate it follows"


def _references(known: Mapping[str, Entity], files: Collection[str]) -> Iterator[str]:
    for name, entity in known.items():
        local = not (":" in name or name.startswith("#"))
        if ".." in name.split("/") or name.startswith("/"):
            yield f"{name} leads out of the crate"
        kinds = _types(entity)
        if local and "File" in kinds and name not in files:
            yield f"{name} is described and not there"
        if local and "Dataset" in kinds and name != "./" and not any(f.startswith(name) for f in files):
            yield f"{name} is described and not there"
        for value in entity.values():
            here = [one for one in _referred(value) if ":" not in one]
            yield from (f"{one} is referred to and not described" for one in here if one not in known)


def _root(known: Mapping[str, Entity], files: Collection[str]) -> Iterator[str]:  # noqa: ARG001 - one shape
    root = known["./"]
    for name in ("name", "description", "datePublished", "license"):
        if not root.get(name):
            yield f"The root has no {name}"
    if PROFILE not in _ids(root, "conformsTo"):
        yield "The root does not say that it follows the profile"
    if not any("Project" in _types(known[p]) for p in _ids(root, "sourceOrganization") if p in known):
        yield "The root names no project that is responsible"


def _workflow(known: Mapping[str, Entity], files: Collection[str]) -> Iterator[str]:  # noqa: ARG001 - one shape
    main = [known[m] for m in _ids(known["./"], "mainEntity") if m in known]
    if len(main) != 1 or "Dataset" not in _types(main[0]) or _ids(main[0], "conformsTo") != [WORKFLOW]:
        yield "The root's main entity is not one workflow crate"


def _run(known: Mapping[str, Entity], files: Collection[str]) -> Iterator[str]:  # noqa: ARG001 - one shape
    runs = [known[m] for m in _ids(known["./"], "mentions") if m in known and "CreateAction" in _types(known[m])]
    if not runs:
        yield "The root mentions no run"
    for run in runs:
        if _ids(run, "instrument") != _ids(known["./"], "mainEntity"):
            yield "The run is not one of the workflow"
        if not any("Person" in _types(known[a]) for a in _ids(run, "agent") if a in known):
            yield "The run names no person who asked for it"


def _assessments(known: Mapping[str, Entity], files: Collection[str]) -> Iterator[str]:  # noqa: ARG001 - one shape
    mentioned = _ids(known["./"], "mentions")
    for name, entity in known.items():
        if not any(kind.endswith("Action") for kind in _types(entity)):
            continue
        if name not in mentioned:
            yield f"The root does not mention {name}"
        if len(str(entity.get("name", ""))) < 10:
            yield f"{name} has no name that says what was done"
        if entity.get("actionStatus") not in STATES:
            yield f"{name} does not say how it ended"
        for agent in _ids(entity, "agent"):
            if "SoftwareApplication" in _types(known.get(agent, {})) and not _ids(known[agent], "provider"):
                yield f"{agent} does not say on whose behalf it acts"


def _published(known: Mapping[str, Entity], files: Collection[str]) -> Iterator[str]:
    parts = {part for entity in known.values() if "Dataset" in _types(entity) for part in _ids(entity, "hasPart")}
    results = {r for e in known.values() if "CreateAction" in _types(e) for r in _ids(e, "result")}
    yield from (f"{one} is a result and not part of the crate" for one in sorted(results - parts))
    told = set(known) | {"ro-crate-metadata.json"}
    yield from (f"{file} is in the crate and not described" for file in sorted(set(files) - told))


def _types(entity: Entity) -> tuple[str, ...]:
    held = entity.get("@type", ())
    return (held,) if isinstance(held, str) else tuple(held)


def _ids(entity: Entity, name: str) -> list[str]:
    return list(_referred(entity.get(name)))


def _referred(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
        if isinstance(one, Mapping) and "@id" in one:
            yield str(one["@id"])
