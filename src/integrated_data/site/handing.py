"""What comes with a delivery, from the files that hold it: its contract, and what a manifest promises."""

from pathlib import Path

from integrated_data.acquire import contracts, manifest
from integrated_data.journey import Handed
from integrated_data.model.delivery import Completes


def handed_with(
    contract_file: Path | None, manifest_file: Path | None, *, completes: Completes | None = None
) -> Handed:
    """What comes with a delivery, from the files that hold it."""
    contract = contracts.read(contract_file) if contract_file else None
    return Handed(contract, manifest.read(manifest_file) if manifest_file else (), completes)
