"""The supplier's kit: look at a file and hold it against a contract, with no installation.

Files are sealed under a key that lives in memory for one call, in a folder that is removed after it.
"""

import base64
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.acquire.codebook import for_columns
from integrated_data.acquire.describe import described_json
from integrated_data.acquire.infer import infer
from integrated_data.acquire.labels import Label, labelled
from integrated_data.acquire.land import land
from integrated_data.acquire.layout import Delivered, sniff
from integrated_data.acquire.prepare import prepare
from integrated_data.acquire.sample import sample_of
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.sealed import FileSealer
from integrated_data.journey import checking, drifting
from integrated_data.model.contract import Contract
from integrated_data.model.delivery import LoadState
from integrated_data.site.settings import Settings
from integrated_data.validate import judge

VERDICTS = {
    LoadState.PUBLISHED: "would be accepted",
    LoadState.HELD: "would be held",
    LoadState.REJECTED: "would be rejected",
}


@dataclass(frozen=True)
class Kit:
    """An engine and a sealer in a folder of their own."""

    engine: DuckDB
    sealer: FileSealer
    folder: Path

    def delivered(self, files: Sequence[Path], contract: Contract | None) -> Delivered:
        """Land files into the kit's folder and find their layout."""
        landed = land(files, self.folder / "landed", sealer=self.sealer)
        sheet = contract.layout.sheet if contract else None
        prepared = prepare(landed, self.folder / "landed", sealer=self.sealer, sheet=sheet)
        return sniff(prepared, self.sealer, contract=contract)


@contextmanager
def open_kit(settings: Settings) -> Iterator[Kit]:
    """A kit for one call; everything it wrote is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="ids-kit-") as folder:
        sealer = FileSealer(secrets.token_bytes(32))
        key = base64.b64encode(secrets.token_bytes(32)).decode()
        limits = Limits(threads=settings.threads, memory=settings.memory, scratch=Path(folder) / "spill")
        engine = DuckDB(limits, sealer=sealer, parquet_key=key)
        try:
            yield Kit(engine, sealer, Path(folder))
        finally:
            engine.close()


def infer_contract(
    kit: Kit, files: Sequence[Path], *, dataset: str, owner: str, book: Mapping[str, Label] | None = None
) -> Contract:
    """The contract that a delivery of these files would be given; `book`: labels of a codebook, read beside it."""
    return infer_delivered(kit, kit.delivered(files, None), dataset=dataset, owner=owner, book=book or {})


def infer_delivered(
    kit: Kit, delivered: Delivered, *, dataset: str, owner: str, book: Mapping[str, Label] | None = None
) -> Contract:
    """The contract for files that have been landed."""
    kit.engine.load("sample", sample_of(delivered, kit.folder / "sample.sealed", sealer=kit.sealer))
    contract = infer(kit.engine, "sample", dataset=dataset, owner=owner, layout=delivered.layout)
    told = for_columns(kit.engine, "sample", labels=book or {})
    kit.engine.drop("sample", "sample_rejects", "sample_rejects_scans")
    return labelled(contract, {**delivered.labels, **told})


def check_files(kit: Kit, contract: Contract, *, files: Sequence[Path]) -> dict[str, Any]:
    """What loading these files under a contract would give: counts by rule, drift, the verdict; no value."""
    delivered = kit.delivered(files, contract)
    bench = drifting.Bench(kit.engine, kit.sealer, delivered, kit.folder)
    followed = drifting.header(bench, contract, past=drifting.Past())
    drifted, contract, place = followed.found, followed.contract, kit.folder / "checked.parquet"
    found = checking.check(kit.engine, kit.sealer, contract=contract, delivered=delivered, place=place)
    if found.tally.unread:
        followed = drifting.retyped(bench, contract, found=found, past=drifting.Past(), first=contract)
        drifted = (*drifted, *followed.found)
        if followed.found:
            contract = followed.contract
            found = checking.check(kit.engine, kit.sealer, contract=contract, delivered=delivered, place=place)
    waits, told = drifting.verdict(drifted)
    verdict = VERDICTS[max(judge.judge(contract, found.tally), waits, key=drifting.GRAVER.index)]
    why = [told, judge.sentence(contract, found.tally, account=found.account) if found.tally.quarantined else ""]
    facts = {**judge.facts(found.tally, found.account), "drift": drifting.facts(drifted)}
    return {**described_json(contract), **facts, "verdict": verdict, "why": "; ".join(w for w in why if w)}


def read_contract(place: Path) -> Contract:
    """A contract from a YAML file."""
    return contracts.read(place)
