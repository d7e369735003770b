"""Who somebody is in the service: their entity, and every row of every delivery that is theirs.

Somebody is found as records are: by the service's own matching, from what they say of themselves. Rows are theirs
that are linked to their entity; of a file that fed the index, those that it knows as their records; and, where
nothing was linked (quarantine, a line that broke), those that say the same number, or the same name and day of birth.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, indexes, jobs
from integrated_data.engine import Held, Stored
from integrated_data.index import forget
from integrated_data.index.matched import MatchedIndex
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.records import records_of
from integrated_data.index.single import open_matcher
from integrated_data.index.store import open_version
from integrated_data.journey import checking, provisional, resolving
from integrated_data.journey.linking import version_folder
from integrated_data.model.contract import Contract, IndexUse
from integrated_data.model.errors import ContractRefusal, IndexRefusal
from integrated_data.model.linkage import Band
from integrated_data.model.meanings import Meaning
from integrated_data.site.loading import LoadingSite
from integrated_data.site.matching import weighing_of
from integrated_data.vocabulary.marks import ROW
from integrated_data.vocabulary.sql import name, text

#: What two rows must say alike to be of one person, where no link says more: any of these, all of its parts.
ALIKE: tuple[tuple[Meaning, ...], ...] = (
    (Meaning.NHS_NUMBER,), (Meaning.NATIONAL_INSURANCE_NUMBER,),
    (Meaning.GIVEN_NAME, Meaning.FAMILY_NAME, Meaning.DATE_OF_BIRTH),
)  # fmt: skip

WHOSE, SAID, NUMBERS = "right_whose", "right_said", "right_numbers"


@dataclass(frozen=True)
class Found:
    """What matching made of what somebody said. `likely`: other entities that they may be, with how likely."""

    entity: int | None
    probability: float
    likely: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Rows:
    """What one delivery holds of a person: rows of the checked file that are theirs, rows that may be (`doubtful`),
    and lines that did not split."""

    delivery: str
    dataset: str
    rows: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class Somebody:
    """A person, as the service knows them: all ids that stand for them, their records in the index, their rows."""

    index: str
    entities: tuple[int, ...]
    records: tuple[tuple[str, str], ...] = field(repr=False)
    held: tuple[Rows, ...] = ()


def definition_of(site: LoadingSite, index: str) -> MatchDefinition:
    """How an index of people tells them apart; refuses one whose entities are no people's records."""
    return seat_of(site, index).matching


def seat_of(site: LoadingSite, index: str) -> MatchedIndex:
    """An index of people; refuses one whose entities are no people's records."""
    seat = site.seats.of(index)
    if not isinstance(seat, MatchedIndex):
        raise IndexRefusal(
            f"Nobody is found in the {index} index", why="It does not keep records of people",
            next_step="Name an index of people: --index demographic",
        )  # fmt: skip
    return seat


def folders(site: LoadingSite, index: str, *, newest: bool = False) -> list[Path]:
    """The folders of every version (or the newest) of an index, and of its provisional entities, that are there."""
    found = []
    for chain in (index, provisional.chain_of(index)):
        with site.store.read() as connection:
            known = indexes.versions(connection, chain)
        found += [version_folder(site.places.indexes, chain, version=v.version) for v in known[-1 if newest else 0 :]]
    return [folder for folder in found if folder.is_dir()]


def unsaid(site: LoadingSite, index: str, *, folder: Path) -> list[Path]:
    """Take values that nobody says any more out of a version of provisional entities; the files that changed."""
    if folder.parent.name != "provisional":
        return []
    with site.store.read() as connection:
        newest = indexes.get(connection, index)
    beside = version_folder(site.places.indexes, index, version=newest.version)
    changed = forget.unsaid(site.engine, folder, beside=beside)
    return [changed] if changed is not None else []


def identify(site: LoadingSite, index: str, *, values: Mapping[str, object]) -> Found:
    """Who somebody is by what they say of themselves: values by meaning (`given_name`, `date_of_birth`, …)."""
    definition = definition_of(site, index)
    likely: list[tuple[int, float]] = []
    for folder in folders(site, index, newest=True):
        version = open_version(definition, folder)
        matcher = open_matcher(site.engine, version, weighing=weighing_of(version), work="right_held")
        try:
            answer = matcher.match(values)
        finally:
            matcher.close()
            version.unload(site.engine, "right_held")
        if answer.band is Band.ACCEPT and answer.entity_id is not None:
            return Found(standing(site, index, entity=answer.entity_id), answer.probability, ())
        likely += [(c.entity_id, round(c.probability, 4)) for c in answer.candidates]
    return Found(None, 0.0, tuple(sorted(likely, key=lambda each: -each[1])))


def successions(site: LoadingSite, index: str) -> dict[int, int]:
    """Of every id that another stands for by now: which one."""
    heirs: dict[int, int] = {}
    for folder in folders(site, index, newest=True):
        found = resolving.succession(site.engine, index, folder=folder)
        if found is not None:
            heirs |= dict(zip(found["old_id"].to_pylist(), found["new_id"].to_pylist(), strict=True))
    return heirs


def standing(site: LoadingSite, index: str, *, entity: int) -> int:
    """The id that stands for an entity by now."""
    heirs, seen = successions(site, index), {entity}
    while (heir := heirs.get(entity)) is not None and heir not in seen:
        seen.add(entity := heir)
    return entity


def ids_of(site: LoadingSite, index: str, *, entity: int) -> tuple[int, ...]:
    """All ids that the same entity stands for by now, that one first."""
    heirs, now = successions(site, index), standing(site, index, entity=entity)
    ids, before = {now}, set[int]()
    while ids != before:
        before = set(ids)
        ids |= {old for old, new in heirs.items() if new in ids}
    return (now, *sorted(ids - {now}))


def somebody(site: LoadingSite, index: str, *, entity: int) -> Somebody:
    """Everything that is somebody's: ids, records, rows of every delivery."""
    definition_of(site, index)
    ids = ids_of(site, index, entity=entity)
    newest = folders(site, index, newest=True)
    records = sorted({r for folder in newest for r in forget.said(site.engine, folder, entities=ids)})
    told = said_of(site, newest, records=records)
    with site.store.read() as connection:
        every = deliveries.every(connection)
    held = [_held(site, index, delivery=d, ids=ids, told=told) for d in every]
    return Somebody(index, ids, tuple(records), tuple(h for h in held if h.rows or h.doubtful or h.lines))


def said_of(site: LoadingSite, newest: Sequence[Path], *, records: Iterable[tuple[str, str]]) -> pa.Table:
    """What sources said of somebody, by meaning: identified values."""
    wanted = pa.table({"source": [r[0] for r in records], "record_id": [r[1] for r in records]})
    parts = []
    for folder in newest:
        site.engine.load(SAID, Stored((folder / "attributes.parquet",)))
        site.engine.load(WHOSE, Held(wanted))
        try:
            parts.append(site.engine.rows(f"SELECT a.* FROM {SAID} a SEMI JOIN {WHOSE} USING (source, record_id)"))
        finally:
            site.engine.drop(SAID, WHOSE)
    return pa.concat_tables(parts, promote_options="default") if parts else pa.table({"source": pa.array([], "str")})


def rows_linked(site: LoadingSite, index: str, *, delivery: str, ids: Iterable[int]) -> dict[str, list[int]]:
    """Rows of a delivery by what their newest link says: `theirs` (linked), `doubtful` (in doubt), `others`."""
    with site.store.read() as connection:
        sets = indexes.links_of(connection, delivery, index=index)
    found: dict[str, list[int]] = {"theirs": [], "doubtful": [], "others": []}
    places = [(s.index_version, resolving.place_of(site.workshop, s)) for s in sets]
    if not places:
        return found
    parts = []
    for version, place in places:
        site.engine.load(f"right_links_{version}", Stored((place,)))
        parts.append(f"SELECT *, {version} AS since FROM right_links_{version}")
    site.engine.load(NUMBERS, Held(pa.table({"entity_id": pa.array(sorted(ids), pa.int64())})))
    newest = "QUALIFY row_number() OVER (PARTITION BY record_id ORDER BY since DESC) = 1"
    among = f"(SELECT entity_id FROM {NUMBERS})"
    try:
        rows = site.engine.rows(
            f"SELECT record_id, CASE WHEN entity_id IN {among} THEN 'theirs' WHEN entity_id IS NOT NULL THEN 'others' "
            f"WHEN candidate_id IN {among} THEN 'doubtful' END AS whose FROM "
            f"(SELECT * FROM ({' UNION ALL BY NAME '.join(parts)}) {newest}) ORDER BY record_id"
        )
    finally:
        site.engine.drop(NUMBERS, *(f"right_links_{version}" for version, _ in places))
    for row, whose in zip(rows["record_id"].to_pylist(), rows["whose"].to_pylist(), strict=True):
        if whose is not None:
            found[whose].append(int(row))
    return found


def _held(site: LoadingSite, index: str, *, delivery: Mapping[str, Any], ids: Sequence[int], told: pa.Table) -> Rows:
    """What a delivery holds of somebody of whom `told` is said."""
    folder = site.places.deliveries / delivery["id"]
    own = Rows(delivery["id"], delivery["dataset"])
    with site.store.read() as connection:
        done = jobs.done_steps(connection, f"load/{delivery['id']}")
    body = done.get("validate", done.get("acquire", {})).get("contract")
    if body is None or not (folder / "checked.parquet").exists():
        return own
    contract, linked = contracts.parse(body), rows_linked(site, index, delivery=delivery["id"], ids=ids)
    feed = done["acquire"].get("feed")
    site.engine.load(checking.CHECKED, Stored((folder / "checked.parquet",), row_column=ROW))
    site.engine.load(SAID, Held(told))
    try:
        rows = set(linked["theirs"])
        if feed and feed["index"] == index:
            rows |= _fed(site, contract, source=delivery["dataset"], id_column=feed["id_column"])
        rows |= _alike(site, contract) - set(linked["others"]) - set(linked["doubtful"])
        lines = _lines(site, place=folder / "unsplit.parquet")
    finally:
        site.engine.drop(checking.CHECKED, SAID)
    doubtful = tuple(sorted(set(linked["doubtful"]) - rows))
    return Rows(own.delivery, own.dataset, tuple(sorted(rows)), doubtful, lines)


def _fed(site: LoadingSite, contract: Contract, *, source: str, id_column: str | None) -> set[int]:
    """Rows of a source that the index knows as somebody's records: by their id, or by all that they say."""
    own = f"(SELECT * FROM {SAID} WHERE source = {text(source)})"
    numbered = next((c for c in contract.columns if id_column in (c.source, c.name)), None) if id_column else None
    numbered = numbered or next(iter(contract.meaning(Meaning.RECORD_ID)), None)
    if numbered is not None:
        known = f"SELECT record_id FROM {own}"
        return _rows(site, f"SELECT {ROW} FROM {checking.CHECKED} WHERE {name(numbered.name)}::VARCHAR IN ({known})")
    try:
        records = records_of(contract, IndexUse("demographic"), relation=checking.CHECKED, record_id=ROW)
    except ContractRefusal:
        return set()
    site.engine.view("right_records", records.sql)
    try:
        held = set(site.engine.columns(SAID))
        both = [c for c in site.engine.columns("right_records") if c in held and c != "record_id"]
        same = " AND ".join(f"r.{name(c)}::VARCHAR IS NOT DISTINCT FROM s.{name(c)}" for c in both) or "FALSE"
        return _rows(site, f"SELECT DISTINCT r.record_id AS {ROW} FROM right_records r JOIN {own} s ON {same}")
    finally:
        site.engine.drop("right_records")


def _alike(site: LoadingSite, contract: Contract) -> set[int]:
    """Rows that say a number of somebody's, or their name and day of birth."""
    held = set(site.engine.columns(SAID))
    conditions = []
    for rule in ALIKE:
        columns = [next(iter(contract.meaning(meaning)), None) for meaning in rule]
        if all(columns) and all(str(meaning) in held for meaning in rule):
            pairs = zip([c for c in columns if c], rule, strict=True)
            conditions.append(
                " AND ".join(f"{_plain(f'c.{name(c.name)}')} = {_plain(f's.{name(m)}')}" for c, m in pairs)
            )
    if not conditions:
        return set()
    joined = " OR ".join(f"({condition})" for condition in conditions)
    return _rows(site, f"SELECT DISTINCT c.{ROW} FROM {checking.CHECKED} c JOIN {SAID} s ON {joined}")


def _plain(value: str) -> str:
    return f"nullif(upper(regexp_replace({value}::VARCHAR, '[^A-Za-z0-9]', '', 'g')), '')"


def _rows(site: LoadingSite, sql: str) -> set[int]:
    return {int(row) for row in site.engine.rows(sql).column(0).to_pylist()}


def _lines(site: LoadingSite, *, place: Path) -> tuple[int, ...]:
    """Places, in the file of lines that did not split, of lines with both names of somebody's, or a number."""
    if not place.exists() or "family_name" not in site.engine.columns(SAID):
        return ()
    site.engine.load("right_unsplit", Stored((place,), row_column="at"))
    try:
        texts = [c for c, kind in site.engine.columns("right_unsplit").items() if kind == "VARCHAR"]
        line = f"upper(concat_ws(' ', {', '.join(f'u.{name(c)}' for c in texts)}))"
        both = f"contains({line}, upper(s.given_name)) AND contains({line}, upper(s.family_name))"
        numbers = " OR ".join(f"contains({line}, upper(s.{m}))" for m in ("nhs_number", "national_insurance_number"))
        return tuple(
            sorted(_rows(site, f"SELECT DISTINCT u.at FROM right_unsplit u JOIN {SAID} s ON {both} OR {numbers}"))
        )
    finally:
        site.engine.drop("right_unsplit")
