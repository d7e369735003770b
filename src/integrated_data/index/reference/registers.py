"""Loading sources into, and matching deliveries to, an index that compares by likeness (see `alike`).

Beside the files of the ledger a version holds:

    forms.parquet        number, entity_id, the definition's fields, and a count over all of them
    words.parquet        aspect, number, word, texts, weight
    frequencies.parquet  aspect, word, texts
    parents.parquet      entity_id, parent_id: the building that a flat is in (where the definition has such)
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.engine import Engine, Held, Stored
from integrated_data.index.build import LoadReport, Source
from integrated_data.index.link import NO_EVIDENCE, SAME_RECORD, Clock, LinkReport, Request
from integrated_data.index.past import History, Laid, Remembering
from integrated_data.index.reference import alike, ledger, strangers
from integrated_data.index.reference.alike import Alike, Known, Scored, count
from integrated_data.index.reference.ledger import Edition, Loading
from integrated_data.index.reference.weights import Others, Rivals, Weights, assumed, keep
from integrated_data.index.seat import Addition, Matching, Tools
from integrated_data.model.linkage import Band, EntityStatus, IndexDefinition
from integrated_data.vocabulary.sql import name, text

FILES = ("forms", "words", "frequencies")
PARENTS = "parents"
#: Prefix of the tables that loading a source makes.
WORK = "register"


@dataclass(frozen=True)
class RegisterIndex(Remembering):
    """An index that compares by likeness, in its seat (see `index.seat.Seat`)."""

    alike: Alike

    @property
    def definition(self) -> IndexDefinition:
        """Name, title, key and attributes."""
        return self.alike.index

    def add(self, tools: Tools, addition: Addition, *, previous: Path | None, folder: Path) -> dict[str, Any]:
        """See `Seat.add`."""
        before = ledger.open_edition(self.definition, previous) if previous else None
        source = Source(
            addition.source, addition.records, addition.recorded_at, addition.one_to_one,
            settled=addition.settled, status=addition.status, met=addition.met, numbered=addition.numbered,
        )  # fmt: skip
        loading = Loading(self.definition, before, source, folder, WORK)
        edition, report = add_source(tools.engine, self.alike, loading=loading, decisions=addition.decisions)
        return report.to_dict() | {"events": edition.about["events"], **edition.about["also"]}

    def match(self, tools: Tools, matching: Matching, *, folder: Path) -> dict[str, Any]:
        """See `Seat.match`. The weights that a dataset's first delivery taught are kept and used again."""
        version = ledger.open_edition(self.definition, folder)
        place = _weights_place(tools.engine, matching)
        kept = Weights.from_json(place.read_text("utf-8")) if place is not None and place.exists() else None
        if matching.residual and kept is None:
            kept = assumed(self.alike.aspects)
        request = Request(
            matching.records, matching.out, matching.one_to_one,
            telling=matching.telling, without=matching.without,
        )  # fmt: skip
        matched = match(tools.engine, self.alike, version=version, request=request, weights=kept)
        if place is not None and kept is None:
            keep(place, matched.weights)
        named = hashlib.sha256(matched.weights.to_json().encode()).hexdigest()[:12]
        return matched.report.to_dict() | {"model": named, "trained_now": kept is None}

    def published(self, engine: Engine, *, folder: Path, relation: str) -> tuple[str, ...]:  # noqa: ARG002 - the seat's shape
        """See `Seat.published`: keys alone."""
        return ()

    def members(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """See `Seat.members`."""
        ledger.members(engine, self.definition, folder=folder, relation=relation)

    def history(self, engine: Engine, *, folder: Path, entity_id: int) -> History | None:
        """See `Seat.history`; what the definition tells of an entity's life stands among its events."""
        found = super().history(engine, folder=folder, entity_id=entity_id)
        if found is None or self.alike.happened is None:
            return found
        return replace(found, events=self.alike.happened(engine, folder, entity_id=entity_id, events=found.events))

    def laid(self, engine: Engine, *, folder: Path, prefix: str) -> Laid:
        """See `Seat.laid`."""
        return ledger.laid(engine, self.definition, folder=folder, prefix=prefix)

    def parents(self, engine: Engine, *, folder: Path, relation: str) -> None:
        """Make view `relation` (entity_id, parent_id) of a version: which building each flat is in.

        A version that tells of no buildings (it was made before they were known) has no rows.
        """
        place = ledger.open_edition(self.definition, folder).folder / f"{PARENTS}.parquet"
        if place.exists():
            engine.load(relation, Stored((place,)))
        else:
            engine.view(relation, "SELECT 0::BIGINT AS entity_id, 0::BIGINT AS parent_id WHERE FALSE")


def _weights_place(engine: Engine, matching: Matching) -> Path | None:
    """Where the weights for these columns are kept: what other columns taught does not apply."""
    if matching.models is None:
        return None
    about = ",".join([*sorted(engine.columns(matching.records)), str(matching.one_to_one)])
    return matching.models / f"{hashlib.sha256(about.encode()).hexdigest()[:12]}.json"


@dataclass(frozen=True)
class Matched:
    """What became of a delivery, and the weights that decided it (to match the next one with)."""

    report: LinkReport
    weights: Weights


def add_source(
    engine: Engine, definition: Alike, *, loading: Loading, decisions: str | None = None
) -> tuple[Edition, LoadReport]:
    """Write the version in `loading.folder` (made by this call) that holds the source too.

    A record that this source had before keeps its entity. Others are matched to the version before;
    new ones that say the same (the definition's `mate`) share an entity, unless `source.one_to_one`.
    `decisions`: relation of what people decided (see `index.decisions`); it stands above all of this.
    """
    clock, source = Clock(), loading.source
    loading.folder.mkdir(mode=0o700, parents=True)
    try:
        with clock.step("prepare"):
            ledger.refuse_repeated_ids(engine, source)
            ledger.load_previous(engine, loading.previous, work=WORK)
            source, said = _with_implied(engine, definition, source=source)
            loading = replace(loading, source=source)
            alike.deliver(
                engine, definition, records=source.records, one_to_one=source.one_to_one, work=WORK, said=said
            )
        with clock.step("match"):
            links = _place(engine, definition, previous=loading.previous, source=source)
            ledger.enter(engine, loading, placed=f"{WORK}_placed", decisions=decisions)
        with clock.step("write"):
            about = _write(engine, definition, loading=loading)
        counted = _report(engine, definition, source=source, about=about)
        report = replace(counted, links=links, seconds=clock.seconds)
        return ledger.finish(loading, about), report
    finally:
        _drop(engine, WORK)


def _with_implied(engine: Engine, definition: Alike, *, source: Source) -> tuple[Source, str | None]:
    """The source with the records that follow from its own, and the forms of all; as it is where none can."""
    if definition.implied is None:
        return source, None
    columns, fields = engine.columns(source.records), ", ".join(definition.fields)
    engine.create(f"{WORK}_own", definition.forms(source.records, columns))
    engine.create(f"{WORK}_implied", definition.implied.sql(f"{WORK}_own"))
    told = ", ".join(f"i.{c}" for c in engine.columns(f"{WORK}_implied") if c not in definition.fields)
    engine.create(
        f"{WORK}_source",
        f"SELECT * REPLACE (record_id::VARCHAR AS record_id) FROM {name(source.records)} "
        f"UNION ALL BY NAME SELECT {told} FROM {WORK}_implied AS i",
    )
    said = (
        f"SELECT record_id::VARCHAR AS record_id, {fields} FROM {WORK}_own "
        f"UNION ALL SELECT record_id, {fields} FROM {WORK}_implied"
    )
    return replace(source, records=f"{WORK}_source"), said


def match(
    engine: Engine, definition: Alike, *, version: Edition, request: Request, weights: Weights | None = None
) -> Matched:
    """Match records to an index version; makes table `request.out` with the columns of a link table.

    `weights` are those that an earlier delivery of the same source taught; None means learn them
    from this one.
    """
    work, clock = f"{request.out}_work", Clock()
    try:
        with clock.step("prepare"):
            alike.deliver(engine, definition, records=request.records, one_to_one=request.one_to_one, work=work)
            version.load(engine, f"{work}_version", "records")
            engine.create(
                f"{work}_settled",
                f"SELECT r.record_id, any_value(r.record) AS record, min(k.entity_id) AS entity_id "
                f"FROM {work}_records AS r JOIN {work}_version_records AS k "
                "ON k.record_id = r.record_id::VARCHAR AND k.print = r.print "
                "GROUP BY r.record_id HAVING count(DISTINCT k.entity_id) = 1",
            )
        matched = _links(engine, definition, version=version, request=request, work=work, weights=weights)
        if request.telling is not None:
            engine.create(request.telling, _telling_sql(definition, work))
    finally:
        _drop(engine, work)
    seconds = {**clock.seconds, **matched.report.seconds}
    return replace(matched, report=replace(matched.report, seconds=seconds))


def _place(engine: Engine, definition: Alike, *, previous: Edition | None, source: Source) -> LinkReport | None:
    """Table `register_placed`: record_id, print, entity_id (or NULL), mate, known."""
    report, found = None, "SELECT NULL AS record_id, NULL::BIGINT AS entity_id WHERE FALSE"
    same = "o.print = r.print" if source.numbered else "o.record_id = r.record_id::VARCHAR"
    engine.create(
        f"{WORK}_settled",
        f"SELECT r.record_id, any_value(r.record) AS record, min(o.entity_id) AS entity_id FROM {WORK}_records AS r "
        f"JOIN {WORK}_old_records AS o ON {same} AND o.source = {text(source.name)} "
        "GROUP BY r.record_id HAVING count(DISTINCT o.entity_id) = 1",
    )
    if source.settled is not None:
        found = f"SELECT record_id, entity_id FROM {name(source.settled)}"
    elif previous is not None:
        request = Request(source.records, f"{WORK}_links", one_to_one=source.one_to_one)
        report = _links(engine, definition, version=previous, request=request, work=WORK).report
        found = f"SELECT record_id, entity_id FROM {WORK}_links"
    mates = f"SELECT record, ({'record' if source.one_to_one else definition.mate})::VARCHAR AS mate FROM {WORK}_forms"
    engine.create(
        f"{WORK}_placed",
        f"SELECT r.record_id, r.print, coalesce(s.entity_id, f.entity_id) AS entity_id, "
        "coalesce(m.mate, 'alone ' || r.record_id::VARCHAR) AS mate, "
        f"s.entity_id IS NOT NULL AS known FROM {WORK}_records AS r "
        f"JOIN (SELECT record, min(mate) AS mate FROM ({mates}) GROUP BY record) AS m ON m.record = r.record "
        f"LEFT JOIN {WORK}_settled AS s ON s.record_id = r.record_id "
        f"LEFT JOIN ({found}) AS f ON f.record_id::VARCHAR = r.record_id::VARCHAR",
    )
    return report


def _write(engine: Engine, definition: Alike, *, loading: Loading) -> dict[str, Any]:
    """Save the files of the new version; returns what `about.json` is to say."""
    written = ledger.write(engine, loading)
    fields, old = ", ".join(definition.fields), ""
    if loading.previous is not None:
        loading.previous.load(engine, f"{WORK}_old", "forms")
        kept = f"ANTI JOIN {WORK}_wrong AS w ON w.entity_id = o.entity_id"
        old = f"SELECT o.entity_id, {fields} FROM {WORK}_old_forms AS o {kept} UNION {_moved_forms(engine, definition)}"
    new = (
        f"SELECT DISTINCT m.entity_id, {fields} FROM {WORK}_forms AS f JOIN {WORK}_records AS r ON r.record = f.record "
        f"JOIN {WORK}_map AS m ON m.record_id = r.record_id::VARCHAR"
    )
    ordered = f"row_number() OVER (ORDER BY hash({fields}), entity_id) AS number"
    tables = tuple(f"{WORK}_all_{file}" for file in FILES)
    engine.create(tables[0], f"SELECT {ordered}, *, {definition.known} FROM ({old}{new})")
    size = alike.describe(engine, definition, forms=tables[0], words=tables[1], frequencies=tables[2])
    known = Known(tables[0], tables[1], tables[2], size, written["entities"], Others({}))
    others = strangers.others(engine, definition, known=known, work=WORK)
    for file, table in zip(FILES, tables, strict=True):
        engine.save(f"SELECT * FROM {table}", loading.folder / f"{file}.parquet", sealed=True)
    if definition.parents is not None:
        engine.save(definition.parents(tables[0]), loading.folder / f"{PARENTS}.parquet", sealed=True)
    also: dict[str, int] = {}
    if loading.source.status is EntityStatus.CURRENT:  # deliveries say nothing about the register
        for further in definition.also:
            also |= further(engine, loading)
    return {**written, "forms": size, "others": asdict(others), "also": also}


def _moved_forms(engine: Engine, definition: Alike) -> str:
    """Forms of the entities that were grouped anew, from all that their records ever said; ends in UNION."""
    if count(engine, f"{WORK}_moved") == 0:
        return ""
    fields, meanings = ", ".join(definition.fields), ", ".join(map(str, definition.index.attributes))
    engine.create(
        f"{WORK}_resaid",
        f"SELECT row_number() OVER () AS record_id, m.entity_id, {meanings} FROM {WORK}_attributes AS a "
        f"JOIN {WORK}_moved AS m ON m.source = a.source AND m.record_id = a.record_id",
    )
    forms = definition.forms(f"{WORK}_resaid", engine.columns(f"{WORK}_resaid"))
    return (
        f"SELECT s.entity_id, {fields} FROM ({forms}) AS f "
        f"JOIN (SELECT record_id, entity_id FROM {WORK}_resaid) AS s ON s.record_id = f.record_id UNION "
    )


def _report(engine: Engine, definition: Alike, *, source: Source, about: Mapping[str, Any]) -> LoadReport:
    implied = "FALSE" if definition.implied is None else f"starts_with(record_id, {text(definition.implied.prefix)})"
    counts = engine.rows(
        f"SELECT count(*) AS records, count(*) FILTER (NOT {implied}) AS delivered, "
        f"count(*) FILTER (known) AS known, count(entity_id) AS found FROM {WORK}_placed"
    ).to_pylist()[0]
    created = count(engine, f"{WORK}_mates")
    return LoadReport(
        source=source.name,
        records=counts["delivered"],
        known=counts["known"],
        matched=counts["found"] - counts["known"],
        created=created,
        merged=counts["records"] - counts["found"] - created,
        entities=about["entities"],
    )


def _links(
    engine: Engine, definition: Alike, *, version: Edition, request: Request, work: str, weights: Weights | None = None
) -> Matched:
    """Make the link table of what `alike.deliver` made under `work`, with `<work>_settled` taken as given."""
    clock = Clock()
    with clock.step("score"):
        known = _known(engine, version, work=work, without=request.without)
        alike.compare(engine, definition, known=known, work=work, settled=f"{work}_settled")
    with clock.step("decide"):
        scored = alike.weigh(engine, definition, known=known, work=work, one_to_one=request.one_to_one, weights=weights)
        choice = alike.choose(scored, one_to_one=request.one_to_one)
        bands = definition.bands(choice.best, choice.second)
    with clock.step("write"):
        chosen = {
            "record": scored.edges.records[choice.edge], "entity_id": scored.edges.entities[choice.edge],
            "probability": choice.best, "band": pa.array(bands.tolist(), pa.string()),
        }  # fmt: skip
        engine.load(f"{work}_chosen", Held(pa.table(chosen)))
        engine.create(request.out, _links_sql(definition, work))
        report = _link_report(engine, request.out, known=known, scored=scored)
    return Matched(replace(report, seconds=clock.seconds), scored.weights)


def _known(engine: Engine, version: Edition, *, work: str, without: str | None = None) -> Known:
    """The version's tables in the engine: joined often, so taken out of their files once."""
    version.load(engine, f"{work}_sealed", *FILES)
    left_out = {"forms": f" ANTI JOIN {name(without)} USING (entity_id)"} if without else {}
    for file in FILES:
        engine.create(f"{work}_known_{file}", f"SELECT * FROM {work}_sealed_{file}{left_out.get(file, '')}")
    about = version.about
    forms, words, frequencies = (f"{work}_known_{file}" for file in FILES)
    return Known(forms, words, frequencies, about["forms"], about["entities"], met(version))


def met(version: Edition) -> Others:
    """What pairs of different entities of a version look like."""
    said = version.about["others"]
    pairs = {aspect: tuple(counts) for aspect, counts in said["strangers"].items()}
    rivals = tuple(Rivals({a: tuple(c) for a, c in r["pairs"].items()}, r["expected"]) for r in said["rivals"])
    return Others(pairs, rivals)


def _links_sql(definition: Alike, work: str) -> str:
    accept, clerical, none = text(Band.ACCEPT), text(Band.CLERICAL), text(Band.NONE)
    evidence = " OR ".join(f"{name(f)} IS NOT NULL" for f in definition.fields)
    return f"""
        SELECT r.record_id,
               coalesce(s.entity_id, CASE WHEN c.band = {accept} THEN c.entity_id END) AS entity_id,
               CASE WHEN s.entity_id IS NULL AND c.band = {clerical} THEN c.entity_id END AS candidate_id,
               CASE WHEN s.entity_id IS NOT NULL THEN 1.0 ELSE coalesce(c.probability, 0.0) END AS probability,
               CASE WHEN s.entity_id IS NOT NULL THEN {accept} ELSE coalesce(c.band, {none}) END AS band,
               CASE WHEN s.entity_id IS NOT NULL THEN {text(SAME_RECORD)} WHEN NOT d.told THEN {text(NO_EVIDENCE)}
                    WHEN c.band IN ({accept}, {clerical}) THEN {definition.methods} END AS method
        FROM {work}_records AS r
        JOIN (SELECT record, bool_or({evidence}) AS told FROM {work}_forms GROUP BY record) AS d ON d.record = r.record
        LEFT JOIN {work}_settled AS s ON s.record_id = r.record_id
        LEFT JOIN {work}_chosen AS c ON c.record = r.record
        LEFT JOIN {work}_edges AS e ON e.record = c.record AND e.entity_id = c.entity_id
        ORDER BY r.record_id"""


def _telling_sql(definition: Alike, work: str) -> str:
    """Records that say enough to be told apart."""
    return (
        f"SELECT DISTINCT r.record_id FROM {work}_records AS r JOIN {work}_forms AS f ON f.record = r.record "
        f"WHERE {definition.enough}"
    )


def _link_report(engine: Engine, out: str, *, known: Known, scored: Scored) -> LinkReport:
    accept = f"band = {text(Band.ACCEPT)}"
    counts = engine.rows(
        f"SELECT count(*) AS records, count(*) FILTER ({accept}) AS accepted, "
        f"count(*) FILTER (band = {text(Band.CLERICAL)}) AS clerical, min(probability) FILTER ({accept}) AS threshold, "
        f"avg(probability) FILTER ({accept}) AS precise, coalesce(sum(probability) FILTER ({accept}), 0) AS found "
        f"FROM {name(out)}"
    ).to_pylist()[0]
    methods = engine.rows(
        f"SELECT method, count(*) AS n FROM {name(out)} WHERE {accept} GROUP BY method ORDER BY n DESC, method"
    )
    there = float(scored.probability.sum())
    return LinkReport(
        records=counts["records"],
        accepted=counts["accepted"],
        clerical=counts["clerical"],
        entities=known.entities,
        present=scored.weights.present,
        threshold=counts["threshold"] if counts["threshold"] is not None else 1.0,
        expected_precision=counts["precise"] if counts["precise"] is not None else 1.0,
        expected_recall=min(1.0, float(counts["found"]) / max(there, counts["found"], 1e-9)),
        methods={row["method"]: row["n"] for row in methods.to_pylist()},
    )


def _drop(engine: Engine, work: str) -> None:
    made = (
        "said", "prints", "firsts", "records", "forms", "open", "closed", "bare", "corrected", "words", "pairs",
        "edges", "settled", "chosen", "placed", "links", "version_records", "own", "implied", "source", "old_forms",
        "resaid", *ledger.MADE, *(f"{side}_{file}" for side in ("sealed", "known", "all") for file in FILES),
    )  # fmt: skip
    engine.drop(*(f"{work}_{table}" for table in made))
