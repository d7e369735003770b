"""What lineage tells of a step: which tables it read and made, with their columns, counts and origins."""

from collections.abc import Mapping, Sequence
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.deidentify.attach import derived_sql
from integrated_data.journey.workshop import Done, Load, Workshop
from integrated_data.model.contract import Contract
from integrated_data.publish import lineage
from integrated_data.publish.lineage import Table
from integrated_data.validate.rules import row_rules, unique_rules

#: What a step read, and what it made.
Tables = tuple[Sequence[Table], Sequence[Table]]

#: Endings of the columns that an index adds to what is published.
_LINKED = ("_entity", "_link_probability", "_link_method", "_link_weight")


def run_of(load: Load, attempt: int) -> lineage.Run:
    """An attempt of a load, as lineage tells it."""
    return lineage.Run(load.job, f"load/{load.delivery.dataset}", attempt)


def tables(workshop: Workshop, load: Load, *, stage: str, left: Done) -> Tables:
    """What a finished stage read and made."""
    read, made = [Table(n) for n in left.inputs], [Table(n) for n in left.outputs]
    if stage == "validate":
        contract = contracts.parse(left.facts["contract"])
        rules = {r.name: (r.check.value, r.column) for r in (*row_rules(contract), *unique_rules(contract))}
        held = lineage.assertions(rules, broken=left.facts["by_rule"])
        read = [Table(t.name, did={"dataQualityAssertions": held}) for t in read]
        columns = lineage.schema({c.name: c.kind.value for c in contract.columns})
        did = {"outputStatistics": lineage.statistics(left.facts["read"])}
        made = [Table(t.name, {"schema": columns}, did) for t in made]
    elif stage == "publish":
        made = [_published(workshop, load, table=t.name, left=left) for t in made]
    return read, made


def _published(workshop: Workshop, load: Load, *, table: str, left: Done) -> Table:
    entry: Mapping[str, Any] = left.entry
    contract = contracts.parse(load.done["validate"]["contract"])
    columns = {v["name"]: v["type"] for v in entry["variables"]}
    origins, kept = _origins(workshop, contract, columns=columns)
    place = workshop.lake.place(contract.dataset, load.delivery.id)
    facets = {
        "schema": lineage.schema(columns),
        "version": lineage.facet("version", datasetVersion=str(left.facts["snapshot"])),
        "columnLineage": lineage.column_lineage(origins, table=f"checked/{load.delivery.id}", kept=kept),
        "dataQualityMetrics": lineage.metrics(entry["rows"], {v["name"]: v["profile"] for v in entry["variables"]}),
    }
    size = place.stat().st_size if place.exists() else None
    return Table(table, facets, {"outputStatistics": lineage.statistics(left.facts["rows"], size=size)})


def _origins(
    workshop: Workshop, contract: Contract, *, columns: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str]]:
    """From which columns of the contract each published one was made, where known; and those kept as they are."""
    own = [c.name for c in contract.columns if c.name in columns]
    found = {name: [name] for name in own}
    derived = derived_sql(contract)
    for name, sql in derived.items():
        found[name] = [c.name for c in contract.columns if c.name in sql]
    for use in contract.indexes:
        definition = workshop.seats.of(use.index).definition
        told = list(use.columns) or [c.name for c in contract.columns if c.meaning in definition.attributes]
        found |= {definition.key + e: told for e in _LINKED if told and definition.key + e in columns}
    return found, own
