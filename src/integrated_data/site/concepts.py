"""The registry of harmonised concepts of an installation, and which variables of its datasets map to them."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from integrated_data import vocabulary
from integrated_data.approve.documents import check_ids, read, require
from integrated_data.control import bodies, catalogue, releases
from integrated_data.control.store import Store
from integrated_data.model.concepts import Concept, ConceptMapping, ConceptVersion, Harmonisation
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.event import Event
from integrated_data.model.people import Action
from integrated_data.site import owning
from integrated_data.site.places import Places
from integrated_data.vocabulary.concepts.recode import recode_sql

_CORRECT = "Correct the file; what is there: ids concept show CONCEPT"


def registry_of(places: Places) -> Harmonisation:
    """The concepts that an installation uses: its own file, else the United Kingdom's as shipped."""
    shipped = files(vocabulary) / "concepts" / "united_kingdom.yaml"
    own = places.concepts / "registry.yaml"
    return read_registry((own if own.exists() else shipped).read_text(encoding="utf-8"))


def read_registry(text: str) -> Harmonisation:
    """Concepts from YAML; refuses a concept that is named twice, or a version that contradicts itself."""
    found = read(Harmonisation, text, what="registry")
    ids = [c.id for c in found.concepts]
    require(len(set(ids)) == len(ids), "The registry names a concept twice", next_step="Give each an id of its own")
    for concept in found.concepts:
        check_ids("registry", id=concept.id)
        names = [v.version for v in concept.versions]
        whole = f"Concept {concept.id}"
        require(bool(names), f"{whole} has no version", next_step="Add one to field versions")
        require(len(set(names)) == len(names), f"{whole} names a version twice", next_step="Name each once")
        earlier: Mapping[str, str] = {}
        for version in concept.versions:
            require(
                bool(version.codes) != bool(version.unit),
                f"Version {version.version} of concept {concept.id} has both codes and a unit, or neither",
                next_step="Give codes, or the unit of a measure",
            )
            require(
                set(version.before) <= set(earlier) and set(version.before.values()) <= set(version.codes),
                f"Version {version.version} of concept {concept.id} says something of codes that are not there",
                next_step="Let field before name codes of the version before, and codes of this one",
            )
            earlier = version.codes
    return found


def set_registry(places: Places, store: Store, *, text: str, by: str) -> dict[str, Any]:
    """Put another registry to use; refuses one without what variables are mapped to."""
    registry = read_registry(text)
    for mapping in mappings(places):
        _version_of(registry, mapping)
    facts = {"country": registry.country, "version": registry.version}
    with store.change(Event("concepts.changed", by, "concepts", facts)):
        _write(places, "registry.yaml", text=text)
    return {**facts, "concepts": [c.id for c in registry.concepts]}


def mappings(places: Places, dataset: str | None = None) -> list[ConceptMapping]:
    """Mappings on record, of one dataset or of all, by dataset and in the order that they were given."""
    pattern = "*.json" if dataset is None else f"{dataset}.json"
    found = [json.loads(place.read_text(encoding="utf-8")) for place in sorted(places.concepts.glob(pattern))]
    return [bodies.read(ConceptMapping, body, what="mapping") for of in found for body in of]


def map_variable(places: Places, store: Store, *, text: str, by: str) -> ConceptMapping:
    """Map a variable to a concept, from YAML, in place of what it was mapped to before.

    Refuses what the registry or the catalogue does not know, codes that are not the concept's, and a mapping that
    leaves out codes which the catalogue shows of the variable.
    """
    mapping = read(ConceptMapping, text, what="mapping")
    owning.check(store, mapping.dataset, action=Action.SETTLE_LOADS, by=by)
    version = _version_of(registry_of(places), mapping)
    _check_way(mapping, version)
    with store.read() as connection:
        entry = releases.get(connection, mapping.dataset).entry
    variable = next((v for v in entry["variables"] if v["name"] == mapping.variable), None)
    if variable is None:
        raise AgreementRefusal(
            f"Dataset {mapping.dataset} publishes no variable {mapping.variable}",
            next_step=f"See what it has: ids catalogue show {mapping.dataset}",
        )
    if not mapping.bands and mapping.factor is None:
        held = set(mapping.codes or version.codes)
        left = [value for value, _ in variable["profile"].get("common", ()) if value not in held]
        require(
            not left,
            f"{len(left)} codes that the catalogue shows of {mapping.variable} are left out",
            next_step='Add them to field codes; "" stands for no code of the concept',
        )
    kept = [m for m in mappings(places, mapping.dataset) if m.variable != mapping.variable] + [mapping]
    facts = {"variable": mapping.variable, "concept": mapping.concept, "version": mapping.version}
    with store.change(Event("concept.mapped", by, f"dataset/{mapping.dataset}", facts)) as change:
        _write(places, f"{mapping.dataset}.json", text=json.dumps(bodies.write(kept), ensure_ascii=False))
        catalogue.tell_concepts(change.connection, mapping.dataset, concepts={m.concept for m in kept})
    return mapping


def concept_of(places: Places, concept: str) -> Concept:
    """A concept of the registry; refuses one that is not there."""
    found = registry_of(places).concept(concept)
    if found is None:
        raise AgreementRefusal(f"There is no concept {concept}", next_step="List them with: ids concept list")
    return found


def views(places: Places, *, concept: str | None = None, dataset: str | None = None) -> list[dict[str, Any]]:
    """Mapped variables, with the SQL that gives the newest codes: dataset, variable, concept, version, sql."""
    registry = registry_of(places)
    return [
        {"dataset": m.dataset, "variable": m.variable, "concept": m.concept, "version": known.newest.version,
         "sql": f"{recode_sql(m, known)} AS {m.concept}"}
        for m in mappings(places, dataset)
        if concept in (None, m.concept) and (known := registry.concept(m.concept)) is not None
    ]  # fmt: skip


def _version_of(registry: Harmonisation, mapping: ConceptMapping) -> ConceptVersion:
    known = registry.concept(mapping.concept)
    version = known.version(mapping.version) if known else None
    if version is None:
        raise AgreementRefusal(
            f"The registry has no version {mapping.version} of a concept {mapping.concept}",
            why=f"Variable {mapping.variable} of dataset {mapping.dataset} is mapped to it",
            next_step="List them with: ids concept list",
        )
    return version


def _check_way(mapping: ConceptMapping, version: ConceptVersion) -> None:
    ways = [bool(mapping.codes), bool(mapping.bands), mapping.factor is not None]
    whole = f"The mapping of {mapping.variable}"
    require(sum(ways) <= 1, f"{whole} names two ways", next_step="Keep one of codes, bands and factor")
    require(
        bool(version.unit) == (mapping.factor is not None),
        f"{whole} gives {'a factor for codes' if version.codes else 'no factor for a measure'}",
        next_step=_CORRECT,
    )
    given = {*mapping.codes.values(), *(band.code for band in mapping.bands)} - {""}
    require(given <= set(version.codes), f"{whole} names codes that are not the concept's", next_step=_CORRECT)
    least = [band.least for band in mapping.bands]
    require(len(set(least)) == len(least), f"{whole} lets two bands begin alike", next_step=_CORRECT)


def _write(places: Places, name: str, *, text: str) -> None:
    places.concepts.mkdir(exist_ok=True)
    part = places.concepts / f"{name}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(places.concepts / name)
