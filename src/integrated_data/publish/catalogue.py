"""The catalogue entry of a release: what an analyst may know before access is granted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integrated_data.model.contract import Contract
from integrated_data.model.delivery import Tally


@dataclass(frozen=True)
class Published:
    """What is known when a release is made.

    `columns`: published name to engine type. `withheld`: name to reason. `links`: index name to its
    quality report. `profile`: column name to counts (never of an identifier or a withheld column).
    """

    columns: Mapping[str, str]
    rows: int
    tally: Tally
    withheld: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    profile: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def entry(contract: Contract, published: Published) -> dict[str, Any]:
    """The catalogue entry of one release, as plain JSON values."""
    described = {c.name: c for c in contract.columns}
    variables = []
    for name, kind in published.columns.items():
        column = described.get(name)
        variables.append(
            {
                "name": name,
                "type": kind,
                "meaning": column.meaning.value if column else _added(name),
                "title": column.title if column else "",
                "profile": dict(published.profile.get(name, {})),
            }
        )
    return {
        "dataset": contract.dataset,
        "title": contract.title or contract.dataset,
        "owner": contract.owner,
        "contract_version": contract.version,
        "contract_inferred": contract.inferred,
        "rows": published.rows,
        "read": published.tally.read,
        "quarantined": published.tally.quarantined,
        "quarantined_by_rule": dict(published.tally.by_rule),
        "variables": variables,
        "withheld": [{"name": n, "reason": r} for n, r in sorted(published.withheld.items())],
        "links": {index: dict(report) for index, report in published.links.items()},
        "identifiers_removed": _removed(contract, published.columns),
    }


def _removed(contract: Contract, columns: Mapping[str, str]) -> list[str]:
    return sorted(c.name for c in contract.columns if c.handling == "identifier" and c.name not in columns)


def _added(name: str) -> str:
    for suffix, meaning in (
        ("_entity", "entity"), ("_link_probability", "link probability"), ("_link_method", "link method"),
        ("_link_weight", "link weight"),
    ):  # fmt: skip
        if name.endswith(suffix):
            return meaning
    return "derived"
