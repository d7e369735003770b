"""OpenLineage's own model, made from its specification: an event is taken apart and made again, strictly.

Every key must be one that the specification has, every value of its type, every facet one that it defines, under the
address of that definition.
"""

import types
from collections.abc import Mapping
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

from openlineage.client import event_v2 as events
from openlineage.client.generated import (
    base,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_dataset,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    parent_run,
    schema_dataset,
)

FACETS: Mapping[str, Any] = {
    "parent": parent_run.ParentRunFacet,
    "errorMessage": error_message_run.ErrorMessageRunFacet,
    "jobType": job_type_job.JobTypeJobFacet,
    "schema": schema_dataset.SchemaDatasetFacet,
    "version": dataset_version_dataset.DatasetVersionDatasetFacet,
    "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet,
    "dataQualityMetrics": data_quality_metrics_dataset.DataQualityMetricsDatasetFacet,
    "dataQualityAssertions": data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet,
    "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}
#: What a facet must be to stand at a place.
PLACES = {
    ("Run", "facets"): base.RunFacet, ("Job", "facets"): base.JobFacet,
    ("InputDataset", "facets"): base.DatasetFacet, ("OutputDataset", "facets"): base.DatasetFacet,
    ("InputDataset", "inputFacets"): base.InputDatasetFacet, ("OutputDataset", "outputFacets"): base.OutputDatasetFacet,
}  # fmt: skip


def event_of(body: Mapping[str, Any]) -> Any:
    """The run event that a document describes; raises for whatever the specification does not allow."""
    return _made(events.RunEvent, dict(body))


def _made(kind: Any, value: Any) -> Any:
    if hasattr(kind, "__attrs_attrs__"):
        return _object(kind, value)
    origin, of = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return next(_made(k, value) for k in of if k is not type(None))
    if origin is list:
        assert isinstance(value, list), value
        return [_made(of[0], each) for each in value]
    if origin is dict:
        assert isinstance(value, dict), value
        return {name: _made(of[1], each) for name, each in value.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    allowed = (int, float) if kind is float else kind
    assert kind is Any or (isinstance(value, allowed) and (kind is bool) == isinstance(value, bool)), (kind, value)
    return value


def _object(kind: Any, value: Any) -> Any:
    assert isinstance(value, dict), value
    hints, given = get_type_hints(kind), dict(value)
    for key in ("_schemaURL", "schemaURL"):
        if key in hints:
            assert given.pop(key) == kind._get_schema(), kind
    made = {}
    for name, each in given.items():
        place = PLACES.get((kind.__name__, name))
        if place is not None:
            made[name] = {key: _facet(key, facet, at=place) for key, facet in each.items()}
        else:
            assert name in hints, f"{kind.__name__} has no {name}"
            made[name.lstrip("_")] = _made(hints[name], each)
    return kind(**made)


def _facet(key: str, value: Any, *, at: Any) -> Any:
    assert key in FACETS, f"{key} is no facet of the specification's"
    assert issubclass(FACETS[key], at), f"{key} does not belong there"
    assert value["_producer"], key
    return _object(FACETS[key], value)
