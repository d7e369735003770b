"""Clerical review on the loading side: a sample is drawn, cases are shown one by one, answers bind.

Files of a set, sealed, under `reviews/` of the identified zone:

    frame.parquet   the link set as it was when the sample was drawn (`index.quality.design.FRAME`)
    cases.parquet   number, record, stratum, options (entity ids in the order they are shown)

The control store knows numbers and answers; scores and ids stay in these files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.control import decisions, reviews
from integrated_data.control.decisions import Side
from integrated_data.control.store import Change
from integrated_data.engine import Held, Stored
from integrated_data.index.quality import design, shown, wider
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.linkage import LinkDecision
from integrated_data.model.review import MOST_OTHERS, Draw, ReviewKind, Standing, same
from integrated_data.site import clusters
from integrated_data.site.linked import FRAME, RECORDS, frame, link_set, link_set_of, load_records, reviewed
from integrated_data.site.loading import LoadingSite
from integrated_data.site.rulings import seal
from integrated_data.vocabulary import sql

DRAWN = "review_drawn"


@dataclass(frozen=True)
class SampleOrder:
    """What `ids review sample` was asked. `rivals`: relation (record, entity_id) of another link set
    whose entities are shown too, so that the sample can judge it."""

    dataset: str
    index: str = "demographic"
    draw: Draw = field(default_factory=Draw)
    rivals: str | None = None


@dataclass(frozen=True)
class ShownCase:
    """A case on the table. Of a link: `record`, the row of the delivery, and `options`, entity ids in the order
    shown. Of a cluster: `records` (source, record id) in the order shown."""

    case: str
    kind: ReviewKind
    lines: list[shown.Line]
    record: int | None = None
    options: tuple[int, ...] = ()
    records: tuple[tuple[str, str], ...] = ()

    @property
    def numbers(self) -> int:
        """The highest number that an answer may name."""
        return len(self.records) or len(self.options)

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it; it holds identified values."""
        return asdict(self)


def sample(site: LoadingSite, order: SampleOrder) -> dict[str, Any]:
    """Draw a blind sample of a link set and put its cases in the queue; returns what was drawn."""
    links = link_set(site, order.dataset, index=order.index)
    opened = reviewed(site, links.index, version=links.index_version)
    columns = frame(site, links)
    found = design.strata(site.engine, FRAME)
    cases = design.allocate(found, order.draw.size)
    design.draw(site.engine, FRAME, cases=cases, how=order.draw, out=DRAWN)
    site.engine.view("review_sampled", f"SELECT r.* FROM {RECORDS} r WHERE r.record_id IN (SELECT record FROM {DRAWN})")
    laid = opened.seat.laid(site.engine, folder=opened.folder, prefix="review_index")
    if opened.version is not None:
        wider.search(site.engine, opened.version, records="review_sampled", out="review_wider")
    else:
        wider.by_words(site.engine, laid, records="review_sampled", out="review_wider")
    rivals = "+rival" if order.rivals else ""
    name = f"{links.delivery}-{links.index}-{order.draw.seed}-{order.draw.size}-{order.draw.double:g}{rivals}"
    folder = site.places.identified / "reviews" / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    site.engine.save(f"SELECT * FROM {FRAME}", folder / "frame.parquet")
    site.engine.save(_cases_sql(order), folder / "cases.parquet")
    body = {
        "size": order.draw.size, "seed": order.draw.seed, "double": order.draw.double, "groups": list(columns),
        "strata": [
            {"stratum": s.name, "linked": s.linked, "records": s.units, "cases": cases.get(s.name, 0)} for s in found
        ],
    }  # fmt: skip
    about = {
        "kind": ReviewKind.LINKS.value, "index": links.index, "dataset": links.dataset, "delivery": links.delivery,
        "index_version": links.index_version, "place": f"reviews/{name}", "body": body,
    }  # fmt: skip
    laid.drop(site.engine)
    known = reviews.add_set(site.store, about, cases=_new_cases(site, folder), by=site.actor)
    return {"set": known, "dataset": links.dataset, "index": links.index, "cases": sum(cases.values()), **body}


def _cases_sql(order: SampleOrder) -> str:
    """Cases with the entities beside each record: the linked one, the rival's, then the likest; shuffled."""
    rivals = f"SELECT record, entity_id, 2e9 FROM {sql.name(order.rivals)} UNION ALL " if order.rivals else ""
    options = (
        f"SELECT record, entity_id, max(weight) AS weight FROM (SELECT record, coalesce(entity_id, candidate_id) "
        f"AS entity_id, 1e9 AS weight FROM {FRAME} UNION ALL {rivals}"
        "SELECT record_id, entity_id, weight FROM review_wider) "
        "WHERE entity_id IN (SELECT entity_id FROM review_index_entities) GROUP BY record, entity_id "
        f"QUALIFY row_number() OVER (PARTITION BY record ORDER BY max(weight) DESC, entity_id) <= {MOST_OTHERS}"
    )
    shuffled = f"md5({sql.text(f'{order.draw.seed}/shown/')} || o.record::VARCHAR || '/' || o.entity_id::VARCHAR)"
    return (
        "SELECT d.number, d.record, d.stratum, d.twice, coalesce(list(o.entity_id ORDER BY "
        f"{shuffled}) FILTER (o.entity_id IS NOT NULL), []) AS options FROM {DRAWN} d "
        f"LEFT JOIN ({options}) o ON o.record = d.record GROUP BY ALL ORDER BY d.number"
    )


def _new_cases(site: LoadingSite, folder: Path) -> list[reviews.NewCase]:
    site.engine.load("review_cases", Stored((folder / "cases.parquet",)))
    rows = site.engine.rows("SELECT number, len(options) AS others, twice FROM review_cases ORDER BY number")
    return [reviews.NewCase(**row) for row in rows.to_pylist()]


def next_case(
    site: LoadingSite, person: str, *, reason: str | None = None, known: str | None = None
) -> ShownCase | None:
    """The next case for a person, to be shown; None when nothing waits. See `control.reviews.take`."""
    taken = reviews.take(site.store, person, reason=reason, known=known)
    if taken is None:
        return None
    with site.store.read() as connection:
        about = reviews.get_set(connection, taken.set)
    if about["kind"] == ReviewKind.CLUSTERS:
        records, lines = clusters.lines(site, about, number=taken.number)
        return ShownCase(taken.id, ReviewKind.CLUSTERS, lines, records=tuple(records))
    links = link_set_of(site, about["delivery"], index=about["index"])
    opened = reviewed(site, links.index, version=links.index_version)
    row = _case(site, about, number=taken.number)
    load_records(site, links)
    first = shown.of_record(site.engine, RECORDS, record=row["record"], fields=opened.fields)
    laid = opened.seat.laid(site.engine, folder=opened.folder, prefix="review_index")
    try:
        entities = shown.of_entities(
            site.engine, laid, entities=row["options"], fields=opened.fields, trust=opened.trust
        )
    finally:
        laid.drop(site.engine)
    lines = shown.side_by_side(first, [entities[e] for e in row["options"]])
    return ShownCase(taken.id, ReviewKind.LINKS, lines, row["record"], tuple(row["options"]))


def decide(site: LoadingSite, reply: reviews.Reply) -> Standing:
    """Write an answer down; see `control.reviews.decide`.

    Once it decides the case, it binds: the record is one with the entities that were named, and cannot be
    the others that were shown; records of a cluster are one, or stand apart. Where that contradicts what was
    decided before, the answer is refused.
    """

    known, number = reviews.split(reply.case)
    with site.store.read() as connection:
        about = reviews.get_set(connection, known)
    sides = _sides(site, about, number=number) if about["kind"] == ReviewKind.LINKS else []
    reason = f"clerical review, {reply.case}"

    def settle(change: Change, stands: Standing) -> None:
        answer = stands.answer or ""
        if about["kind"] == ReviewKind.CLUSTERS:
            said = clusters.consequences(site, about, number=number, answer=answer)
        else:
            said = _consequences(sides, answer)
        change.note(
            decisions=[
                decisions.add(change, about["index"], kind=kind, sides=pair, by=reply.person, reason=reason)
                for kind, pair in said
            ]
        )

    return reviews.decide(site.store, reply, settle=settle)


def _sides(site: LoadingSite, about: Mapping[str, Any], *, number: int) -> list[Side]:
    """The record of a case and the entities beside it in their order, as decisions name them."""
    case, links = _case(site, about, number=number), link_set_of(site, about["delivery"], index=about["index"])
    records = load_records(site, links)
    opened = reviewed(site, links.index, version=links.index_version)
    laid = opened.seat.laid(site.engine, folder=opened.folder, prefix="review_index")
    members = shown.first_records(site.engine, laid, entities=case["options"])
    laid.drop(site.engine)
    own = ""  # a dataset without record ids cannot be known again: nothing binds its next delivery
    if records.own is not None:
        found = site.engine.rows(f"SELECT own_id FROM ({records.own}) WHERE record_id = {case['record']}").to_pylist()
        own = found[0]["own_id"] or ""
    first = Side(links.dataset, seal(site.vault, own) if own else "")
    return [first, *(Side(members[e][0], seal(site.vault, members[e][1]), e) for e in case["options"])]


def _consequences(sides: Sequence[Side], answer: str) -> list[tuple[LinkDecision, tuple[Side, Side]]]:
    """What an answer says of the record and each entity shown, and of entities that are one record's."""
    record, others = sides[0], sides[1:]
    chosen = [others[n - 1] for n in same(answer)]
    one = [(LinkDecision.MUST, pair) for pair in pairwise(chosen)]
    if not record.record:
        return one
    joined = [(LinkDecision.MUST, (record, s)) for s in chosen]
    return [*joined, *one, *((LinkDecision.CANNOT, (record, s)) for s in others if s not in chosen)]


def _case(site: LoadingSite, about: Mapping[str, Any], *, number: int) -> dict[str, Any]:
    site.engine.load("review_cases", Stored((site.places.identified / about["place"] / "cases.parquet",)))
    rows = site.engine.rows(f"SELECT record, options FROM review_cases WHERE number = {int(number)}").to_pylist()
    if not rows:
        raise IndexRefusal("There is no such case", next_step="Use the id that was shown: ids review next")
    found: dict[str, Any] = rows[0]
    return found


def export(site: LoadingSite, known: str, *, out: Path) -> dict[str, Any]:
    """Write the cases of a set with every answer: a file of the identified zone, without names or scores."""
    with site.store.read() as connection:
        about = reviews.get_set(connection, known)
        rows, given = reviews.cases(connection, known), reviews.answers(connection, known)
    site.engine.load("review_cases", Stored((site.places.identified / about["place"] / "cases.parquet",)))
    site.engine.load("review_states", Held(pa.table({k: [r[k] for r in rows] for k in ("number", "state", "answer")})))
    site.engine.load("review_given", Held(_given_table(given)))
    about_case = (
        "sources, c.records, c.weak" if about["kind"] == ReviewKind.CLUSTERS else "record, c.stratum, c.options"
    )
    written = site.engine.save(
        f"SELECT c.number, c.{about_case}, s.state, s.answer, list(struct_pack(person := g.person, "
        "answer := g.answer, at := g.at) ORDER BY g.at) FILTER (g.person IS NOT NULL) AS answers "
        "FROM review_cases c JOIN review_states s ON s.number = c.number "
        "LEFT JOIN review_given g ON g.number = c.number GROUP BY ALL ORDER BY c.number",
        out, sealed=False,
    )  # fmt: skip
    return {"set": known, "cases": written, "answers": len(given), "written": str(out)}


def _given_table(given: list[dict[str, Any]]) -> pa.Table:
    columns = {k: pa.array([g[k] for g in given], pa.string()) for k in ("person", "answer", "at")}
    return pa.table({"number": pa.array([g["number"] for g in given], pa.int64()), **columns})
