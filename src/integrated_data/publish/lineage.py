"""OpenLineage run events (specification 2-0-2) for the steps of a load."""

import uuid
from collections.abc import Sequence
from typing import Any

PRODUCER = "integrated-data-service"
SCHEMA = "OpenLineage RunEvent 2-0-2"
NAMESPACE = "integrated-data-service"


def run_event(
    job: str, step: str, *, at: str, inputs: Sequence[str], outputs: Sequence[str], facts: dict[str, Any]
) -> dict[str, Any]:
    """A COMPLETE event of one step; the run id is the same for every step of a job."""
    return {
        "eventType": "COMPLETE",
        "eventTime": at,
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, job)), "facets": {"ids_step": facts}},
        "job": {"namespace": NAMESPACE, "name": f"{job}/{step}"},
        "inputs": [{"namespace": NAMESPACE, "name": name} for name in inputs],
        "outputs": [{"namespace": NAMESPACE, "name": name} for name in outputs],
    }
