"""Decisions of people on delivered records: they stand above what matching found.

A decision on `DATASET:ID` and a record of an index binds every delivery of the dataset with a record
that numbers itself so: a must-link is its link, and a cannot-link takes that entity away.
"""

from pathlib import Path

import pyarrow as pa

from integrated_data.engine import Held
from integrated_data.index.records import Records
from integrated_data.journey.workshop import Facts, Workshop
from integrated_data.model.linkage import Band, LinkDecision
from integrated_data.vocabulary.sql import name, text

METHOD = "a person decided"

_DECIDED, _MEMBERS, _BOUND = "decided_links", "decided_members", "bound_links"


def bind(workshop: Workshop, records: Records, *, index: str, folder: Path, links: str) -> Facts:
    """Let decisions stand above table `links` of records matched to the version in `folder`.

    Returns how many links they changed and the counts by band; nothing where no decision concerns them.
    """
    decided = decided_on(workshop.rulings(index=index), dataset=records.dataset)
    if records.own is None or decided.num_rows == 0:
        return {}
    engine = workshop.engine
    try:
        engine.load(_DECIDED, Held(decided))
        workshop.seats.of(index).members(engine, folder=folder, relation=_MEMBERS)
        engine.create(_BOUND, _bound_sql(records.own, links))
        changed = engine.rows(f"SELECT count(*) AS n FROM {_BOUND} WHERE changed")["n"][0].as_py()
        engine.create(links, f"SELECT * EXCLUDE (changed) FROM {_BOUND}")
        bands = engine.rows(
            f"SELECT count(*) FILTER (band = {text(Band.ACCEPT)}) AS accepted, "
            f"count(*) FILTER (band = {text(Band.CLERICAL)}) AS clerical FROM {name(links)}"
        ).to_pylist()[0]
        return {"decided": changed, **bands}
    finally:
        engine.drop(_DECIDED, _MEMBERS, _BOUND)


def decided_on(rulings: pa.Table, *, dataset: str) -> pa.Table:
    """Decisions on records of a dataset: own_id, kind, source, record_id (the side that is in the index)."""
    rows = []
    for r in rulings.to_pylist():
        left, right = (r["left_source"], r["left_record"]), (r["right_source"], r["right_record"])
        for own, other in ((left, right), (right, left)):
            if own[0] == dataset:
                rows.append({"own_id": own[1], "kind": r["kind"], "source": other[0], "record_id": other[1]})
    kinds = [(c, pa.string()) for c in ("own_id", "kind", "source", "record_id")]
    return pa.Table.from_pylist(rows, schema=pa.schema(kinds))


def _bound_sql(own: str, links: str) -> str:
    """The links with `changed`: what was decided of a record in place of what was found."""
    must, cannot = text(LinkDecision.MUST), text(LinkDecision.CANNOT)
    return f"""
        WITH said AS (
            SELECT o.record_id, min(m.entity_id) FILTER (d.kind = {must}) AS must_id,
                   coalesce(list(m.entity_id) FILTER (d.kind = {cannot}), []) AS cannot_ids
            FROM {_DECIDED} AS d JOIN ({own}) AS o ON o.own_id = d.own_id
            JOIN {_MEMBERS} AS m ON m.source = d.source AND m.record_id = d.record_id GROUP BY o.record_id),
        held AS (
            SELECT l.*, s.must_id, s.must_id IS NOT NULL AND s.must_id IS DISTINCT FROM l.entity_id AS made,
                   s.must_id IS NULL AND coalesce(list_contains(s.cannot_ids, coalesce(l.entity_id, l.candidate_id)),
                   FALSE) AS taken
            FROM {name(links)} AS l LEFT JOIN said AS s ON s.record_id = l.record_id)
        SELECT record_id, CASE WHEN made THEN must_id WHEN NOT taken THEN entity_id END AS entity_id,
               CASE WHEN NOT made AND NOT taken THEN candidate_id END AS candidate_id,
               CASE WHEN made THEN 1.0 WHEN taken THEN 0.0 ELSE probability END::DOUBLE AS probability,
               CASE WHEN made THEN {text(Band.ACCEPT)} WHEN taken THEN {text(Band.NONE)} ELSE band END AS band,
               CASE WHEN made OR taken THEN {text(METHOD)} ELSE method END AS method, made OR taken AS changed
        FROM held"""
