"""The quality of link sets, as `ids reference quality` tells it: counted, and estimated from judged samples."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from integrated_data.control import indexes, reviews
from integrated_data.engine import Held, Stored
from integrated_data.index.quality import estimate
from integrated_data.index.quality.estimate import EVERYBODY, GroupQuality
from integrated_data.index.quality.intervals import Estimate, kappa
from integrated_data.model.errors import IndexRefusal
from integrated_data.model.meanings import Meaning
from integrated_data.model.review import CaseState, ReviewKind, same
from integrated_data.site import linked
from integrated_data.site.linked import FRAME, Linked
from integrated_data.site.loading import LoadingSite
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW

JUDGED, TESTED, RIVAL = "quality_judged", "quality_tested", "quality_rival"

#: What no figure here can see, said beside every one.
UNSEEN = (
    "Recall cannot see an entity that the wider search did not find either, nor records with nothing to match on; "
    "an answer of a reviewer counts as true"
)


def overview(site: LoadingSite, *, index: str | None = None) -> list[dict[str, Any]]:
    """A row for every link set that is the newest of its dataset, of one index or of all."""
    with site.store.read() as connection:
        found = indexes.newest_links(connection, index=index)
    rows = []
    for known in found:
        report = known.report
        records, found_links = report.get("records", 0), report.get("accepted", 0)
        row = {
            "dataset": known.dataset, "index": known.index, "records": records,
            "linked": round(found_links / records, 5) if records else None,
            "expected_precision": report.get("expected_precision"), "precision": None, "recall": None, "judged": 0,
        }  # fmt: skip
        judged = _judged_set(site, known.delivery, index=known.index)
        if judged is not None:
            _load_set(site, judged)
            whole = estimate.quality(site.engine, frame=FRAME, tested=TESTED, judged=JUDGED)[0]
            row |= {k: _shown(getattr(whole, k)) for k in ("precision", "recall")}
            row["judged"] = judged["states"].get(CaseState.DECIDED, 0)
        rows.append(row)
    return rows


def _shown(found: Estimate | None) -> str | None:
    return f"{found.value:.4f} ({found.low:.4f}–{found.high:.4f})" if found else None


def details(site: LoadingSite, dataset: str, *, compare: Path | None = None) -> list[dict[str, Any]]:
    """All that is known of the newest link sets of a dataset, one document for each index."""
    with site.store.read() as connection:
        found = [k for k in indexes.newest_links(connection) if k.dataset == dataset]
    if not found:
        raise IndexRefusal(
            f"There is no index or dataset called {_plain(dataset)} with links",
            next_step=f"Name a dataset that was delivered, or an index: {', '.join(site.seats)}",
        )
    made = [_detail(site, linked.link_set(site, dataset, index=k.index), compare=compare) for k in found]
    return [d for d in made if compare is None or d["compared"] is not None]


def _plain(word: str) -> str:
    return word if word.replace("-", "").replace("_", "").isalnum() and len(word) <= 64 else "that"


def _detail(site: LoadingSite, links: Linked, *, compare: Path | None) -> dict[str, Any]:
    columns = linked.frame(site, links)
    engine, known = site.engine, _judged_set(site, links.delivery, index=links.index)
    if known is not None:
        columns = tuple(known["body"]["groups"])
        _load_set(site, known)
    else:
        engine.view(TESTED, f"SELECT record, entity_id FROM {FRAME} WHERE linked")
    judged = JUDGED if known is not None else None
    found = estimate.quality(engine, frame=FRAME, tested=TESTED, judged=judged, by=columns)
    compared = None
    if compare is not None and judged is not None:
        compared = _compare(site, links, place=compare, by=columns)
    elif compare is not None and not site.seats.of(links.index).definition.coded:
        raise IndexRefusal(
            f"The links of dataset {links.dataset} have no judged sample to compare on",
            next_step=f"Draw one and have it reviewed: ids review sample {links.dataset}",
        )
    return {
        "dataset": links.dataset, "index": links.index, "index_version": links.index_version,
        "delivery": links.delivery, "records": found[0].records, "linked": found[0].linked,
        "rate": round(found[0].rate, 5), "expected_precision": links.report.get("expected_precision"),
        "expected_recall": links.report.get("expected_recall"),
        **{k: _dict(getattr(found[0], k)) for k in ("precision", "recall")},
        "warnings": estimate.warnings(found), "groups": [_row(q) for q in found if q.group != EVERYBODY],
        "profile": estimate.profile(found),
        "calibration": estimate.calibration(engine, frame=FRAME, judged=JUDGED) if judged else [],
        "review": _review(site, known) if known is not None else None, "compared": compared, "unseen": UNSEEN,
    }  # fmt: skip


def _dict(found: Estimate | None) -> dict[str, Any] | None:
    return found.to_dict() if found else None


def _row(q: GroupQuality) -> dict[str, Any]:
    return {
        "group": q.group, "value": q.value, "records": q.records, "linked": round(q.rate, 5),
        "precision": _dict(q.precision), "recall": _dict(q.recall),
    }  # fmt: skip


def _judged_set(site: LoadingSite, delivery: str, *, index: str) -> dict[str, Any] | None:
    """The review set of a link set with the most decided cases, if any has some."""
    with site.store.read() as connection:
        found = [
            s for s in reviews.sets(connection, index=index)
            if s["delivery"] == delivery and s["kind"] == ReviewKind.LINKS and s["states"].get(CaseState.DECIDED)
        ]  # fmt: skip
    return max(found, key=lambda s: (s["states"][CaseState.DECIDED], s["at"]), default=None)


def _load_set(site: LoadingSite, known: Mapping[str, Any]) -> None:
    """Make relations FRAME, TESTED and JUDGED of a review set."""
    folder = site.places.identified / known["place"]
    site.engine.drop(FRAME)
    site.engine.load(FRAME, Stored((folder / "frame.parquet",)))
    site.engine.view(TESTED, f"SELECT record, entity_id FROM {FRAME} WHERE linked")
    site.engine.load("review_cases", Stored((folder / "cases.parquet",)))
    with site.store.read() as connection:
        decided = {c["number"]: c["answer"] for c in reviews.cases(connection, known["id"]) if c["answer"]}
    every = site.engine.rows("SELECT number, record, options FROM review_cases").to_pylist()
    rows = [r for r in every if r["number"] in decided]
    alike = [[r["options"][n - 1] for n in same(decided[r["number"]])] for r in rows]
    ids = pa.list_(pa.int64())
    table = pa.table(
        {
            "record": pa.array([r["record"] for r in rows], pa.int64()), "same": pa.array(alike, ids),
            "options": pa.array([r["options"] for r in rows], ids),
        }
    )  # fmt: skip
    site.engine.load(JUDGED, Held(table))


def _review(site: LoadingSite, known: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of the review itself: its progress and how far two people agree."""
    return {
        "set": known["id"], "states": known["states"], **_agreement(site, known), "seed": known["body"]["seed"],
        "strata": known["body"]["strata"],
    }  # fmt: skip


def _agreement(site: LoadingSite, known: Mapping[str, Any]) -> dict[str, Any]:
    """Who answered, and how far two people agree on the cases that both of them judged first (Cohen's kappa)."""
    with site.store.read() as connection:
        given = reviews.answers(connection, known["id"])
        twice = {c["number"] for c in reviews.cases(connection, known["id"]) if c["twice"]}
    first: dict[int, list[str]] = {}
    for each in given:
        if each["number"] in twice:
            first.setdefault(each["number"], []).append(each["answer"])
    both = [(a[0], a[1]) for a in first.values() if len(a) > 1]
    classes = [(_class(a), _class(b)) for a, b in both]
    people = {each["person"] for each in given}
    return {"reviewers": len(people), "agreement": kappa(both, groups=classes)}


def _class(answer: str) -> str:
    """What kind of answer it is, whichever records it names."""
    return "it names records" if answer[0].isdigit() else answer


def progress(site: LoadingSite, *, known: str | None = None) -> list[dict[str, Any]]:
    """A row for every review set, newest first, or for one: what is about, its cases by state, and agreement."""
    with site.store.read() as connection:
        if known is not None:
            reviews.get_set(connection, known)
        found = [s for s in reviews.sets(connection) if known in (None, s["id"])]
    rows = []
    for each in found:
        told = _agreement(site, each)
        agreement = told["agreement"] or {}
        rows.append(
            {
                "set": each["id"], "kind": each["kind"], "index": each["index"], "dataset": each["dataset"],
                **{str(state): each["states"].get(state, 0) for state in CaseState}, "reviewers": told["reviewers"],
                "judged_twice": agreement.get("cases", 0), "agree": agreement.get("agreement"),
                "kappa": agreement.get("kappa"),
            }
        )  # fmt: skip
    return rows


def _compare(site: LoadingSite, links: Linked, *, place: Path, by: tuple[str, ...]) -> dict[str, Any]:
    """Another link set of the same records, estimated on the same sample."""
    rival_links(site, links, place=place)
    found = estimate.quality(site.engine, frame=FRAME, tested=RIVAL, judged=JUDGED, by=by)
    other = site.engine.rows(
        f"SELECT count(*) FILTER (r.entity_id IS NOT NULL AND t.entity_id IS NULL) AS rival_only, "
        f"count(*) FILTER (r.entity_id IS NULL AND t.entity_id IS NOT NULL) AS ours_only, "
        f"count(*) FILTER (r.entity_id = t.entity_id) AS the_same, count(*) FILTER (r.entity_id <> t.entity_id) AS "
        f"another FROM {FRAME} f LEFT JOIN {TESTED} t USING (record) LEFT JOIN {RIVAL} r USING (record)"
    ).to_pylist()[0]
    return {
        "rate": round(found[0].rate, 5), **{k: _dict(getattr(found[0], k)) for k in ("precision", "recall")},
        "against_ours": other, "groups": [_row(q) for q in found if q.group != EVERYBODY],
    }  # fmt: skip


def rival_links(site: LoadingSite, links: Linked, *, place: Path) -> str:
    """Make relation RIVAL (record, entity_id) from a LINKS file of `ids match`, or one like it.

    Its `record_id` is the dataset's own record id, or the row number where the dataset has none.
    Needs `linked.frame`. Refuses a file that speaks about none of the records.
    """
    site.engine.load("quality_file", Stored((place,), sealed=False))
    if not {"record_id", "entity_id"} <= set(site.engine.columns("quality_file")):
        raise IndexRefusal(
            "The links to compare have no columns record_id and entity_id", next_step="Write them like ids match does"
        )
    own = links.contract.meaning(Meaning.RECORD_ID)
    key = f"g.{sql.name(own[0].name)}::VARCHAR" if own else f"g.{ROW}::VARCHAR"
    site.engine.create(
        RIVAL,
        f"SELECT g.{ROW} AS record, any_value(q.entity_id::BIGINT) AS entity_id FROM good g JOIN quality_file q "
        f"ON q.record_id::VARCHAR = {key} GROUP BY ALL",
    )
    if not site.engine.rows(f"SELECT 1 FROM {RIVAL} LIMIT 1").num_rows:
        raise IndexRefusal(
            f"The links to compare name no record of dataset {links.dataset}",
            next_step="Let record_id hold the dataset's own record id, or the row number where it has none",
        )
    return RIVAL
