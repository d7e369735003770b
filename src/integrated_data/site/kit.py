"""The supplier's kit: look at a file and hold it against a contract, with no installation.

Files are sealed under a key that lives in memory for one call, in a folder that is removed after it.
"""

import base64
import secrets
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.acquire.binding import spelled, spelled_of
from integrated_data.acquire.codebook import for_columns
from integrated_data.acquire.describe import described_json, shown_columns
from integrated_data.acquire.infer import infer
from integrated_data.acquire.labels import Label, labelled
from integrated_data.acquire.land import File, land
from integrated_data.acquire.layout import Delivered, sniff
from integrated_data.acquire.prepare import prepare
from integrated_data.acquire.sample import sample_of
from integrated_data.engines.duckdb import DuckDB, Limits
from integrated_data.engines.sealed import FileSealer
from integrated_data.index.reach import Reach, reach
from integrated_data.journey import checking, drifting
from integrated_data.model.contract import Contract
from integrated_data.model.delivery import LoadState, Tally
from integrated_data.model.drift import Drifted
from integrated_data.site import foreign
from integrated_data.site.settings import Settings
from integrated_data.validate import judge
from integrated_data.validate.rules import row_rules, unique_rules
from integrated_data.vocabulary.sql import name

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

    def delivered(
        self, files: Sequence[File], contract: Contract | None, *, sheet: str | None = None, member: str | None = None
    ) -> Delivered:
        """Land files into the kit's folder and find their layout.

        `sheet`: of a workbook, `member`: of a zip, where one needs naming and no contract names it.
        """
        landed = land(files, self.folder / "landed", sealer=self.sealer)
        sheet, member = (contract.layout.sheet, contract.layout.member) if contract else (sheet, member)
        prepared = prepare(
            landed, self.folder / "landed", sealer=self.sealer, foreign=foreign, sheet=sheet, member=member
        )
        found = sniff(prepared, self.sealer, contract=contract)
        return replace(found, layout=replace(found.layout, sheet=sheet, member=member))


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
    kit: Kit, files: Sequence[File], *, dataset: str, owner: str, book: Mapping[str, Label] | None = None
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
    return labelled(spelled(contract, delivered.headings), {**delivered.labels, **told})


@dataclass(frozen=True)
class Looked:
    """What loading files under a contract would give. `contract`: as it follows what has drifted; `filled`: values by
    column, in its order.
    """

    contract: Contract
    drifted: tuple[Drifted, ...]
    found: checking.Checked
    filled: tuple[int, ...]
    reach: tuple[Reach, ...]

    @property
    def verdict(self) -> str:
        """What would become of the load."""
        waits, _ = drifting.verdict(self.drifted)
        return VERDICTS[max(judge.judge(self.contract, self.found.tally), waits, key=drifting.GRAVER.index)]


def look_at(kit: Kit, contract: Contract, *, delivered: Delivered) -> Looked:
    """Check landed files as a load does, and say how well their records would be matched."""
    bench = drifting.Bench(kit.engine, kit.sealer, delivered, kit.folder)
    followed = drifting.header(bench, contract, past=drifting.Past())
    drifted, place = followed.found, kit.folder / "checked.parquet"
    found = checking.check(kit.engine, kit.sealer, contract=followed.contract, delivered=delivered, place=place)
    if found.tally.unread:
        again = drifting.retyped(bench, followed.contract, found=found, past=drifting.Past(), first=contract)
        drifted = (*drifted, *again.found)
        if again.found:
            followed = again
            found = checking.check(kit.engine, kit.sealer, contract=again.contract, delivered=delivered, place=place)
    held = followed.contract
    counted = ", ".join(f"count({name(c.name)}) AS c{k}" for k, c in enumerate(held.columns))
    (row,) = kit.engine.rows(f"SELECT {counted} FROM {checking.CHECKED}").to_pylist()
    return Looked(held, drifted, found, tuple(row.values()), reach(kit.engine, checking.GOOD, contract=held))


def check_files(kit: Kit, contract: Contract, *, files: Sequence[File]) -> dict[str, Any]:
    """What loading these files under a contract would give: counts by rule, drift, the verdict; no value."""
    return checked_json(look_at(kit, contract, delivered=kit.delivered(files, contract)))


def checked_json(looked: Looked) -> dict[str, Any]:
    """The same as plain values; columns whose heading may be a value are called by their place."""
    contract, account = looked.contract, looked.found.account
    tally, drifted = _shown_tally(contract, looked.found.tally), shown_drift(looked)
    _, why = drifting.verdict(drifted)
    reasons = [why, judge.sentence(contract, tally, account=account) if tally.quarantined else ""]
    facts = {**judge.facts(tally, account), "drift": drifting.facts(drifted)}
    told = "; ".join(reason for reason in reasons if reason)
    return {
        **described_json(contract),
        **facts,
        "notices": list(looked.found.notices),
        "verdict": looked.verdict,
        "why": told,
    }


def shown_drift(looked: Looked) -> tuple[Drifted, ...]:
    """What has drifted, with columns under the names that may be shown."""
    columns = zip(looked.contract.columns, shown_columns(looked.contract), strict=True)
    hidden = {c.source: (spelled_of(c), heading) for c, (_, heading) in columns if heading != spelled_of(c)}
    return tuple(
        replace(d, column=hidden[d.column][1], told=d.told.replace(*hidden[d.column])) if d.column in hidden else d
        for d in looked.drifted
    )


def _shown_tally(contract: Contract, tally: Tally) -> Tally:
    """The tally with rules and columns under the names that may be shown."""
    names = {c.name: name for c, (name, _) in zip(contract.columns, shown_columns(contract), strict=True)}
    shown = replace(
        contract, columns=tuple(replace(c, name=names[c.name]) for c in contract.columns),
        rules=tuple(replace(r, column=names.get(r.column or "")) for r in contract.rules),
    )  # fmt: skip
    before, after = ((*row_rules(c), *unique_rules(c)) for c in (contract, shown))
    rules = {old.name: new.name for old, new in zip(before, after, strict=True)}
    return replace(
        tally, by_rule=tuple((rules.get(rule, rule), n) for rule, n in tally.by_rule),
        unread=tuple((names[column], n) for column, n in tally.unread),
    )  # fmt: skip


def read_contract(place: Path) -> Contract:
    """A contract from a YAML file."""
    return contracts.read(place)
