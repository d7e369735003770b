"""The UK Cross-Government Metadata Exchange Model (Central Digital and Data Office, a profile of DCAT 3).

One document holds a list of resources: the service, and a Dataset for each notice.
"""

from collections.abc import Sequence
from typing import Any

from integrated_data.model.errors import UsageRefusal
from integrated_data.publish.exports.about import About
from integrated_data.publish.exports.notice import Notice

#: What the model's `licence` says of data that are shared by agreement alone.
BY_AGREEMENT = "DATA_SHARE_AGREEMENT"


def missing(notices: Sequence[Notice], about: About) -> list[str]:
    """What the model must have and nobody has said."""
    lacks = set()
    for n in notices:
        lacks |= {
            f"organisations: {name}: slug" for name in (n.owner, about.publisher) if not about.body(name).slug
        } | ({f"datasets: {n.dataset}: classification"} if about.classification_of(n.dataset) is None else set())
        if about.contact_of(n.dataset, owner=n.owner) is None:
            lacks.add(f"datasets: {n.dataset}: contact")
    if about.door is not None:
        lacks |= {f"the service: {field}" for field in ("contact", "classification") if getattr(about, field) is None}
        lacks |= set() if about.body(about.publisher).slug else {f"organisations: {about.publisher}: slug"}
    return sorted(lacks)


def document(notices: Sequence[Notice], about: About) -> list[dict[str, Any]]:
    """The resources, as JSON values; refuses what the model must have and nobody has said."""
    lacks = missing(notices, about)
    if lacks:
        raise UsageRefusal(
            f"The exchange model asks for what is not said: {'; '.join(lacks)}",
            next_step="Write it in the file given with --about; examples/catalogue.yaml is one",
        )
    return [*_service(notices, about), *(_dataset(n, about) for n in notices)]


def _service(notices: Sequence[Notice], about: About) -> list[dict[str, Any]]:
    door, contact = about.door, about.contact
    if door is None or contact is None or about.classification is None or not notices:
        return []
    slug = about.body(about.publisher).slug
    return [{
        "identifier": about.iri("service"), "type": "dcat:DataService", "title": about.title,
        "description": about.description or about.title, "licence": BY_AGREEMENT, "version": "v1",
        "accessRights": "COMMERCIAL", "securityClassification": about.classification.value,
        "contactPoint": {"contactName": contact.name, "email": contact.email},
        "creator": [slug], "publisher": slug,
        "issued": min(n.issued for n in notices).isoformat(), "modified": max(n.modified for n in notices).isoformat(),
        "endpointURL": door.endpoint, "endpointDescription": f"{door.endpoint.rstrip('/')}/openapi.json",
        "serviceStatus": door.status.value, "serviceType": "REST",
        "servesData": [about.iri("dataset", n.dataset) for n in notices],
    }]  # fmt: skip


def _dataset(n: Notice, about: About) -> dict[str, Any]:
    told, contact = about.of(n.dataset), about.contact_of(n.dataset, owner=n.owner)
    classification = about.classification_of(n.dataset)
    assert contact is not None
    assert classification is not None
    made: dict[str, Any] = {
        "identifier": about.iri("dataset", n.dataset), "type": "dcat:Dataset", "title": n.title,
        "description": " ".join((told.description or n.summary, n.provenance, *n.conditions)),
        "licence": told.licence or BY_AGREEMENT, "version": n.version, "accessRights": told.access.value,
        "securityClassification": classification.value,
        "contactPoint": {"contactName": contact.name, "email": contact.email},
        "creator": [about.body(n.owner).slug], "publisher": about.body(about.publisher).slug,
        "issued": n.issued.isoformat(), "modified": n.modified.isoformat(),
        "updateFrequency": f"freq:{told.frequency.value}", "keyword": list(told.keywords),
        "theme": list(told.themes), "relatedResource": [about.iri("dataset", d) for d in n.derived_from],
    }  # fmt: skip
    return {k: v for k, v in made.items() if v != []}
