"""The catalogue as DCAT 3 in JSON-LD (W3C Recommendation of 22 August 2024); terms of DCAT, Dublin Core, vCard, PROV.

A dataset has no distribution: nobody can take the data as a file. A data service serves it instead.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integrated_data.publish.exports.about import About, Access
from integrated_data.publish.exports.notice import Notice

#: Terms that hold addresses, and those that hold days, so that readers need no more than this document.
CONTEXT: Mapping[str, Any] = {
    "dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/", "vcard": "http://www.w3.org/2006/vcard/ns#",
    "prov": "http://www.w3.org/ns/prov#", "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "xsd": "http://www.w3.org/2001/XMLSchema#", "freq": "http://purl.org/cld/freq/",
    **{f"dcat:{t}": {"@type": "@id"} for t in ("dataset", "service", "theme", "endpointURL", "endpointDescription",
                                               "servesDataset")},
    **{f"dct:{t}": {"@type": "@id"} for t in ("license", "spatial", "accrualPeriodicity", "accessRights")},
    **{f"dct:{t}": {"@type": "xsd:date"} for t in ("issued", "modified")},
    **{f"dcat:{t}": {"@type": "xsd:date"} for t in ("startDate", "endDate")},
    "foaf:homepage": {"@type": "@id"}, "vcard:hasEmail": {"@type": "@id"}, "prov:wasDerivedFrom": {"@type": "@id"},
}  # fmt: skip

#: The European Union's access-right table, which DCAT-AP uses.
RIGHTS = {
    Access.OPEN: "http://publications.europa.eu/resource/authority/access-right/PUBLIC",
    Access.COMMERCIAL: "http://publications.europa.eu/resource/authority/access-right/RESTRICTED",
    Access.INTERNAL: "http://publications.europa.eu/resource/authority/access-right/NON_PUBLIC",
}


def document(notices: Sequence[Notice], about: About) -> dict[str, Any]:
    """The catalogue, as JSON-LD with its context."""
    catalogue = {
        "@id": about.iri("catalogue"), "@type": "dcat:Catalog", "dct:title": about.title,
        "dct:description": about.description or about.title, "dct:publisher": _agent(about.publisher, about),
        "dcat:dataset": [about.iri("dataset", n.dataset) for n in notices],
        "dcat:service": [about.iri("service")] if about.door else [],
    }  # fmt: skip
    datasets, contracts = [_dataset(n, about) for n in notices], [_standard(n, about) for n in notices]
    graph = [catalogue, *_service(notices, about), *datasets, *contracts]
    return {"@context": dict(CONTEXT), "@graph": [_said(resource) for resource in graph]}


def _dataset(n: Notice, about: About) -> dict[str, Any]:
    told, contact = about.of(n.dataset), about.contact_of(n.dataset, owner=n.owner)
    return {
        "@id": about.iri("dataset", n.dataset), "@type": "dcat:Dataset", "dct:identifier": n.dataset,
        "dct:title": n.title, "dct:description": told.description or n.summary,
        "dct:creator": _agent(n.owner, about), "dct:publisher": _agent(about.publisher, about),
        "dcat:contactPoint": contact and {
            "@type": "vcard:Kind", "vcard:fn": contact.name, "vcard:hasEmail": f"mailto:{contact.email}",
        },
        "dcat:keyword": list(told.keywords), "dcat:theme": list(told.themes),
        "dct:issued": n.issued.isoformat(), "dct:modified": n.modified.isoformat(), "dcat:version": n.version,
        "dct:accrualPeriodicity": f"freq:{told.frequency.value}",
        "dct:spatial": list(told.spatial),
        "dct:temporal": told.temporal and _said({
            "@type": "dct:PeriodOfTime", "dcat:startDate": told.temporal.first.isoformat(),
            "dcat:endDate": told.temporal.last and told.temporal.last.isoformat(),
        }),
        "dct:conformsTo": {"@id": _contract(n, about)},
        "dct:license": told.licence, "dct:accessRights": RIGHTS[told.access],
        "dct:rights": [{"@type": "dct:RightsStatement", "rdfs:label": text} for text in n.conditions],
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": n.provenance},
        "prov:wasDerivedFrom": [about.iri("dataset", d) for d in n.derived_from],
    }  # fmt: skip


def _service(notices: Sequence[Notice], about: About) -> list[dict[str, Any]]:
    if about.door is None:
        return []
    return [{
        "@id": about.iri("service"), "@type": "dcat:DataService", "dct:title": about.title,
        "dct:publisher": _agent(about.publisher, about), "dcat:endpointURL": about.door.endpoint,
        "dcat:endpointDescription": f"{about.door.endpoint.rstrip('/')}/openapi.json",
        "dcat:servesDataset": [about.iri("dataset", n.dataset) for n in notices],
    }]  # fmt: skip


def _standard(n: Notice, about: About) -> dict[str, Any]:
    """The contract a dataset conforms to, with its published variables."""
    return {
        "@id": _contract(n, about), "@type": "dct:Standard", "dct:title": f"Data contract of {n.dataset}",
        "rdfs:comment": [f"{v.name} ({v.type}): {v.said}" for v in n.variables],
    }  # fmt: skip


def _contract(n: Notice, about: About) -> str:
    return about.iri("dataset", n.dataset, "contract", n.contract)


def _agent(name: str, about: About) -> dict[str, Any]:
    body = about.body(name)
    known = f"https://www.gov.uk/government/organisations/{body.slug}" if body.slug else None
    return _said({"@id": known, "@type": "foaf:Organization", "foaf:name": name, "foaf:homepage": body.homepage})


def _said(resource: Mapping[str, Any]) -> dict[str, Any]:
    """A resource without what nobody has said."""
    return {k: v for k, v in resource.items() if v not in (None, "", [])}
