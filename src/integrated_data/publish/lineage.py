"""OpenLineage run events (specification 2-0-2) of loads and their steps.

A load is a run for each attempt, and each of its steps a run whose parent is that attempt: START, then COMPLETE, FAIL
or ABORT. Facets are the specification's own; none holds a value from the data: names of columns and rules, types and
counts alone.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from integrated_data import __version__

PRODUCER = f"urn:integrated-data-service:{__version__}"
SPECIFICATION = "https://openlineage.io/spec"
SCHEMA = f"{SPECIFICATION}/2-0-2/OpenLineage.json#/$defs/RunEvent"
NAMESPACE = "integrated-data-service"

#: The version and the name of each facet's definition, by the key it stands under.
FACETS = {
    "parent": ("1-2-0", "ParentRunFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "jobType": ("2-0-4", "JobTypeJobFacet"),
    "schema": ("1-2-0", "SchemaDatasetFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
    "columnLineage": ("1-2-0", "ColumnLineageDatasetFacet"),
    "dataQualityMetrics": ("1-0-1", "DataQualityMetricsDatasetFacet"),
    "dataQualityAssertions": ("1-1-0", "DataQualityAssertionsDatasetFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
}

Body = dict[str, Any]


class Kind(StrEnum):
    """What an event tells of its run."""

    START = "START"
    COMPLETE = "COMPLETE"
    FAIL = "FAIL"
    ABORT = "ABORT"


@dataclass(frozen=True)
class Table:
    """A dataset that a step read or made. `facets` of it, and of what the step `did` with it, by their keys."""

    name: str
    facets: Mapping[str, Body] = field(default_factory=dict)
    did: Mapping[str, Body] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """An attempt of a job. `job` is its id, `name` what it is called whenever it runs, as `load/DATASET`."""

    job: str
    name: str
    attempt: int = 1

    @property
    def id(self) -> str:
        """Its UUID, the same whenever it is asked for."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{NAMESPACE}/{self.job}/{self.attempt}"))

    def step_id(self, step: str) -> str:
        """The UUID of one of its steps."""
        return str(uuid.uuid5(uuid.UUID(self.id), step))


def of_run(run: Run, kind: Kind, *, at: str, error: str = "") -> Body:
    """An event of the whole attempt; `at` in RFC 3339, `error`: why it failed or was stopped."""
    return _event(run.id, kind, at=at, name=run.name, facets=_error(error))


def of_step(
    run: Run, step: str, *, times: tuple[str, str], ended: Kind = Kind.COMPLETE, error: str = "",
    tables: tuple[Sequence[Table], Sequence[Table]] = ((), ()),
) -> tuple[Body, Body]:  # fmt: skip
    """Both events of one step: its START, and how it ended; `times` of both, `tables` it read and made."""
    about = {"run": {"runId": run.id}, "job": {"namespace": NAMESPACE, "name": run.name}}
    parent = {"parent": facet("parent", **about, root=about)}
    name, (began, at) = f"{run.name}/{step}", times
    start = _event(run.step_id(step), Kind.START, at=began, name=name, facets=parent)
    end = _event(run.step_id(step), ended, at=at, name=name, facets=parent | _error(error))
    read, made = tables
    end["inputs"] = [_dataset(table, "inputFacets") for table in read]
    end["outputs"] = [_dataset(table, "outputFacets") for table in made]
    return start, end


def facet(key: str, **values: Any) -> Body:
    """A facet of the specification, which names its own definition."""
    version, name = FACETS[key]
    return {"_producer": PRODUCER, "_schemaURL": f"{SPECIFICATION}/facets/{version}/{name}.json#/$defs/{name}"} | values


def _event(run: str, kind: Kind, *, at: str, name: str, facets: Mapping[str, Body]) -> Body:
    of = "STEP" if name.count("/") > 1 else "LOAD"
    told = facet("jobType", processingType="BATCH", integration="INTEGRATED_DATA_SERVICE", jobType=of)
    return {
        "eventType": kind.value, "eventTime": at, "producer": PRODUCER, "schemaURL": SCHEMA,
        "run": {"runId": run, "facets": dict(facets)},
        "job": {"namespace": NAMESPACE, "name": name, "facets": {"jobType": told}},
        "inputs": [], "outputs": [],
    }  # fmt: skip


def _error(error: str) -> dict[str, Body]:
    return {"errorMessage": facet("errorMessage", message=error, programmingLanguage="Python")} if error else {}


def _dataset(table: Table, did: str) -> Body:
    return {"namespace": NAMESPACE, "name": table.name, "facets": dict(table.facets), did: dict(table.did)}


def schema(columns: Mapping[str, str]) -> Body:
    """Names and types of a table's columns, in order."""
    fields = [{"name": n, "type": t, "ordinal_position": i} for i, (n, t) in enumerate(columns.items(), 1)]
    return facet("schema", fields=fields)


def column_lineage(origins: Mapping[str, Sequence[str]], *, table: str, kept: Sequence[str]) -> Body:
    """From which columns of a table each column was made; `kept`: those that are the same, the rest hide what was."""
    fields = {}
    for column, sources in origins.items():
        same = column in kept
        how = {"type": "DIRECT", "subtype": "IDENTITY" if same else "TRANSFORMATION", "masking": not same}
        found = [{"namespace": NAMESPACE, "name": table, "field": s, "transformations": [how]} for s in sources]
        fields[column] = {"inputFields": found}
    return facet("columnLineage", fields=fields)


def metrics(rows: int, columns: Mapping[str, Mapping[str, Any]]) -> Body:
    """Counts of a table and its columns, from their profiles; never a least, a greatest or a common value."""
    told = {"missing": "nullCount", "distinct": "distinctCount", "rows": "count"}
    counted = {n: {told[k]: v for k, v in found.items() if k in told} for n, found in columns.items()}
    return facet("dataQualityMetrics", rowCount=rows, columnMetrics=counted)


def assertions(rules: Mapping[str, tuple[str, str | None]], *, broken: Mapping[str, int]) -> Body:
    """Which rules held: name to what it checks and the column it is about; `broken`: rows that broke it, by name."""
    found = []
    for name, (check, column) in rules.items():
        one = {"assertion": check, "name": name, "success": not broken.get(name), "actual": str(broken.get(name, 0))}
        found.append(one | ({"column": column} if column else {}))
    return facet("dataQualityAssertions", assertions=found)


def statistics(rows: int, *, size: int | None = None) -> Body:
    """How much was written: rows, and bytes where known."""
    return facet("outputStatistics", rowCount=rows, **({"size": size} if size is not None else {}))
