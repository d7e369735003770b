"""A dataset as Croissant 1.1 (MLCommons): a schema.org Dataset whose one record set names the variables.

Nothing can be fetched: the one file object is the door at which approved projects ask, of a dataset that is declared
live and so has no checksum. `problems` holds what the format says a document MUST have.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from integrated_data.model.errors import UsageRefusal
from integrated_data.publish.exports.about import About, Door
from integrated_data.publish.exports.notice import Notice

VERSION = "http://mlcommons.org/croissant/1.1"
SCHEMA_ORG = "https://schema.org/"
CROISSANT = "http://mlcommons.org/croissant/"

CONTEXT: Mapping[str, Any] = {
    "@language": "en", "@vocab": SCHEMA_ORG, "sc": SCHEMA_ORG, "cr": CROISSANT, "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo", "dataType": {"@id": "cr:dataType", "@type": "@vocab"}, "field": "cr:field",
    "recordSet": "cr:recordSet", "isLiveDataset": "cr:isLiveDataset", "source": "cr:source",
    "fileObject": "cr:fileObject", "extract": "cr:extract", "column": "cr:column",
}  # fmt: skip

#: The file object from which fields come.
DOOR = "queries"

#: What a Dataset MUST say, beside its type, context and the version it conforms to.
REQUIRED = ("name", "description", "url", "license", "creator", "datePublished")

#: Types of the engine, by how their names begin; whatever is not here is text.
TYPES = (
    (("BOOLEAN",), "sc:Boolean"), (("TIMESTAMP", "DATETIME"), "sc:DateTime"), (("DATE",), "sc:Date"),
    (("TIME",), "sc:Time"), (("FLOAT", "DOUBLE", "REAL", "DECIMAL"), "sc:Float"),
    (("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
      "UHUGEINT"), "sc:Integer"),
)  # fmt: skip


def document(n: Notice, about: About) -> dict[str, Any]:
    """One dataset, as JSON-LD with its context; refuses when no licence can be named."""
    told, contact = about.of(n.dataset), about.contact_of(n.dataset, owner=n.owner)
    if not told.licence:
        raise UsageRefusal(
            f"Croissant asks for the licence of dataset {n.dataset}, and nobody has said it",
            next_step="Write the address of the terms of use as its licence, in the file given with --about",
        )
    publisher = about.body(about.publisher).homepage
    made: dict[str, Any] = {
        "@context": dict(CONTEXT), "@type": "sc:Dataset", "@id": about.iri("dataset", n.dataset),
        "conformsTo": VERSION, "name": n.dataset, "alternateName": n.title,
        "description": told.description or n.summary, "url": about.iri("dataset", n.dataset), "license": told.licence,
        "creator": _organisation(n.owner, homepage=about.body(n.owner).homepage),
        "publisher": _organisation(about.publisher, homepage=publisher)
        | ({"email": contact.email} if contact else {}),
        "datePublished": n.issued.isoformat(), "dateModified": n.modified.isoformat(), "version": n.version,
        "conditionsOfAccess": " ".join(n.conditions),
        "keywords": list(told.keywords), "about": [{"@id": theme} for theme in told.themes],
        "spatialCoverage": [{"@type": "sc:Place", "@id": place} for place in told.spatial],
        "temporalCoverage": _period(about, n),
        "isBasedOn": [about.iri("dataset", d) for d in n.derived_from],
        "isLiveDataset": True,
        "distribution": [_door(about.door)] if about.door else [],
        "recordSet": [_records(n, door=about.door is not None)],
    }  # fmt: skip
    return {k: v for k, v in made.items() if v not in ("", [])}


def _organisation(name: str, *, homepage: str) -> dict[str, str]:
    return {"@type": "sc:Organization", "name": name} | ({"url": homepage} if homepage else {})


def _period(about: About, n: Notice) -> str:
    """An ISO 8601 interval; `..` where it goes on."""
    period = about.of(n.dataset).temporal
    return f"{period.first}/{period.last or '..'}" if period else ""


def _door(door: Door) -> dict[str, str]:
    return {
        "@type": "cr:FileObject", "@id": DOOR, "name": DOOR, "encodingFormat": "application/vnd.apache.parquet",
        "description": "Approved projects ask here, signed in; answers come from a sandbox.",
        "contentUrl": f"{door.endpoint.rstrip('/')}/v1/queries",
    }  # fmt: skip


def _records(n: Notice, *, door: bool) -> dict[str, Any]:
    fields = []
    for v in n.variables:
        source = {"source": {"fileObject": {"@id": DOOR}, "extract": {"column": v.name}}} if door else {}
        fields.append({"@type": "cr:Field", "@id": f"{n.dataset}/{v.name}", "name": v.name, "description": v.said,
                       "dataType": data_type(v.type), **source})  # fmt: skip
    return {"@type": "cr:RecordSet", "@id": n.dataset, "name": n.dataset, "description": n.title, "field": fields}


def data_type(engine: str) -> str:
    """The schema.org type of an engine's type; a list or struct is text."""
    if engine.endswith("]"):
        return "sc:Text"
    return next((kind for begins, kind in TYPES if engine.upper().startswith(begins)), "sc:Text")


def problems(made: Mapping[str, Any]) -> list[str]:
    """What a document lacks that Croissant says it MUST have; empty when it has all."""
    found = [f"{name} is missing" for name in ("@context", *REQUIRED) if not made.get(name)]
    if made.get("@type") != "sc:Dataset":
        found.append("@type is not sc:Dataset")
    if made.get("conformsTo") != VERSION:
        found.append("conformsTo is not the version")
    found += [f"{name} is no address" for name in ("url", "license") if not urlsplit(made.get(name, "")).netloc]
    ids: list[str] = []
    for records in made.get("recordSet", ()):
        parts = [records, *records.get("field", ())]
        ids += [part.get("@id", "") for part in parts]
        found += [
            f"{p.get('@id', p.get('name'))}: no {k}" for p in parts for k in ("@id", "@type", "name") if k not in p
        ]
        found += [f"{f.get('@id')}: no dataType" for f in parts[1:] if "dataType" not in f]
    return found + ([] if len(set(ids)) == len(ids) else ["an @id is used twice"])
