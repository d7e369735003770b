"""The page for the people in the data, from what is on record: which data, why, by whom, what came out."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from integrated_data.approve import processing
from integrated_data.approve.holdings import HeldDataset, Holdings
from integrated_data.model.access import Project
from integrated_data.output.public import Contact, PublicDataset, PublicLinkage, document, page
from integrated_data.vocabulary import personal


def write(held: Holdings, register: Mapping[str, Any], *, folder: Path, write_to: str = "") -> int:
    """Write `people.html` and `people.json` beside the register; returns how many datasets they tell of.

    `register`: the register's document. `write_to`: where people write to, as it is to be read.
    """
    datasets = [
        _dataset(d, held, register=register) for d in held.datasets if d.published and processing.about_people(d)
    ]
    told = document(
        register, datasets, linkage=[link for d in held.datasets for link in _linkage(d)],
        contact=Contact(write_to, _authority(held)),
    )  # fmt: skip
    (folder / "people.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    (folder / "people.html").write_text(page(told))
    return len(datasets)


def _authority(held: Holdings) -> str:
    if held.law.country == "United Kingdom":
        return "the Information Commissioner's Office, ico.org.uk"
    return f"the authority for data protection of {held.law.country}"


def _dataset(dataset: HeldDataset, held: Holdings, *, register: Mapping[str, Any]) -> PublicDataset:
    agreed = [a for a in held.agreed(dataset.id) if a.in_force(held.at)]
    gateways = {a.gateway: held.law.gateway(a.gateway) for a in agreed}
    using = [p for p in held.running if any(r.dataset == dataset.id for r in p.datasets)]
    return PublicDataset(
        dataset.id, dataset.contract.title or dataset.id, dataset.owner,
        personal.categories(processing.meanings(dataset)),
        tuple(
            f"{', '.join(sorted({p.value for a in agreed if a.gateway == g for p in a.purposes}))}, under: "
            f"{known.title if known else g}"
            for g, known in sorted(gateways.items())
        ),
        _organisations(using), tuple(p.id for p in using),
        sum(r["state"] == "released" and dataset.id in r["datasets"] for r in register["releases"]),
    )  # fmt: skip


def _organisations(projects: Iterable[Project]) -> tuple[str, ...]:
    return tuple(sorted({p.organisation for p in projects}))


def _linkage(dataset: HeldDataset) -> Iterable[PublicLinkage]:
    if not dataset.published or not processing.about_people(dataset):
        return
    for index, report in sorted((dataset.links or {}).items()):
        if report.get("records"):
            right, found = report.get("expected_precision"), report.get("expected_recall")
            yield PublicLinkage(
                dataset.contract.title or dataset.id, index, report["accepted"] / report["records"],
                None if right is None else max(0.0, 1 - right), None if found is None else max(0.0, 1 - found),
            )  # fmt: skip
