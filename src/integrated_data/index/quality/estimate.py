"""What a judged sample says of a link set, for everybody and by group.

`frame` is the link set as `design.frame_sql` makes it, or as it was kept when the sample was drawn.
`judged` has one row per decided case: `record`, `same` (entity ids that are the record's own, empty
for none) and `options` (entity ids that were shown). `tested` is the link set asked about: `record`,
`entity_id`. It may be another's: the sample speaks about any link set over the same records.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integrated_data.engine import Engine
from integrated_data.index.quality.design import NOTHING
from integrated_data.index.quality.intervals import DOUBT, Cell, Estimate, collapsed, part_of_sum, stratified
from integrated_data.vocabulary.sql import name, text

#: Points (hundredths) by which a group may fall behind everybody before it is told.
BEHIND = 0.01

#: A group with fewer records is shown and not warned about.
FEWEST = 50

EVERYBODY = ""


@dataclass(frozen=True)
class GroupQuality:
    """Quality of a link set for one group (`value` of `group`; EVERYBODY for all).

    `linked` of `records` is counted, not estimated. `precision`: share of links that are right.
    `recall`: share of records with an entity of their own in the index that are linked to it; it
    cannot see entities that the wider search did not find.
    """

    group: str
    value: str
    records: int
    linked: int
    precision: Estimate | None
    recall: Estimate | None

    @property
    def rate(self) -> float:
        """Share of records that are linked."""
        return self.linked / self.records if self.records else 0.0


def quality(
    engine: Engine, *, frame: str, tested: str, judged: str | None = None, by: Sequence[str] = ()
) -> list[GroupQuality]:
    """Everybody first, then each value of each group column. Without `judged`: rates alone."""
    found: list[GroupQuality] = []
    for column in (EVERYBODY, *by):
        rows = engine.rows(_cells_sql(frame, tested, judged=judged, by=column)).to_pylist()
        values = dict.fromkeys(r["value"] for r in rows)
        found += [_group(column, value, rows=[r for r in rows if r["value"] == value]) for value in values]
    return found


def _cells_sql(frame: str, tested: str, *, judged: str | None, by: str) -> str:
    value = f"coalesce(f.{name(by)}, 'missing')" if by else "''"
    seen = f"SELECT record, same, options FROM {name(judged)}" if judged else _NOTHING_JUDGED
    known = (
        "(j.record IS NOT NULL AND (t.entity_id IS NULL OR len(j.same) > 0 OR list_contains(j.options, t.entity_id)))"
    )
    right = "coalesce(list_contains(j.same, t.entity_id), FALSE)"
    return (
        f"SELECT {value} AS value, f.linked AS side, f.stratum, f.stratum = {text(NOTHING)} AS blank, "
        "count(*) AS units, count(t.entity_id) AS links, "
        f"count(*) FILTER ({known}) AS judged, count(*) FILTER ({known} AND t.entity_id IS NOT NULL) AS judged_links, "
        f"count(*) FILTER ({known} AND {right}) AS right_links, "
        f"count(*) FILTER ({known} AND len(j.same) > 0 AND NOT {right}) AS missed "
        f"FROM {name(frame)} f LEFT JOIN {name(tested)} t ON t.record = f.record "
        f"LEFT JOIN ({seen}) j ON j.record = f.record GROUP BY ALL ORDER BY ALL"
    )


_NOTHING_JUDGED = "SELECT NULL::BIGINT AS record, NULL::BIGINT[] AS same, NULL::BIGINT[] AS options WHERE FALSE"


def _group(column: str, value: str, *, rows: Sequence[Mapping[str, Any]]) -> GroupQuality:
    """From a group's cells: one row per stratum, with units, links, judged and what they were found to be."""
    found = [r for r in rows if not r["blank"]]
    precision = _estimate(found, ("links", "judged_links", "right_links"))
    missed = _estimate(found, ("units", "judged", "missed"), doubt=DOUBT / 2)  # twice as many strata
    recall = None
    if precision is not None and missed is not None:
        share, low, high = part_of_sum(precision, missed)
        recall = Estimate(share, low, high, missed.judged, missed.of)
    records, linked = (sum(r[k] for r in rows) for k in ("units", "links"))
    return GroupQuality(column, value, records, linked, precision, recall)


def _estimate(
    rows: Sequence[Mapping[str, Any]], keys: tuple[str, str, str], *, doubt: float = DOUBT
) -> Estimate | None:
    """The share over linked and unlinked strata; None where one of the two has units and nothing judged."""
    cells: list[Cell] = []
    for side in (True, False):
        own = [Cell(*(r[k] for k in keys)) for r in rows if r["side"] is side and r[keys[0]] > 0]
        if own and not collapsed(own):
            return None
        cells += collapsed(own)
    return stratified(cells, doubt=doubt)


def calibration(engine: Engine, *, frame: str, judged: str) -> list[dict[str, Any]]:
    """Of each tenth of the probability: links and candidates in it, the mean probability, the judged share.

    The candidate of every record that has one counts, accepted or left to a person.
    """
    rows = engine.rows(
        "SELECT f.tenth, f.stratum, count(*) AS units, sum(f.probability) AS expected, count(j.record) AS judged, "
        "count(*) FILTER (list_contains(j.same, coalesce(f.entity_id, f.candidate_id))) AS having "
        f"FROM {name(frame)} f LEFT JOIN {name(judged)} j ON j.record = f.record "
        "WHERE f.tenth IS NOT NULL GROUP BY ALL ORDER BY ALL"
    ).to_pylist()
    made = []
    for tenth in dict.fromkeys(r["tenth"] for r in rows):
        own = [r for r in rows if r["tenth"] == tenth]
        found = stratified(Cell(r["units"], r["judged"], r["having"]) for r in own)
        units = sum(r["units"] for r in own)
        made.append(
            {
                "from": tenth / 10, "to": (tenth + 1) / 10, "links": units,
                "expected": round(sum(r["expected"] for r in own) / units, 4),
                "judged": found.to_dict() if found else None,
            }
        )  # fmt: skip
    return made


def profile(found: Sequence[GroupQuality]) -> list[dict[str, Any]]:
    """Who is linked and who is not: of each group, its share among the linked and among the rest."""
    whole = next(q for q in found if q.group == EVERYBODY)
    missing = whole.records - whole.linked
    return [
        {
            "group": q.group, "value": q.value, "records": q.records, "rate": round(q.rate, 5),
            "share_of_linked": round(q.linked / whole.linked, 5) if whole.linked else None,
            "share_of_unlinked": round((q.records - q.linked) / missing, 5) if missing else None,
        }
        for q in found if q.group != EVERYBODY
    ]  # fmt: skip


def warnings(found: Sequence[GroupQuality]) -> list[str]:
    """A sentence for each group that falls more than one point behind everybody in rate, precision or recall.

    A rate is counted; an estimate that could fall behind by chance alone is said to.
    """
    whole = next(q for q in found if q.group == EVERYBODY)
    told: list[str] = []
    for q in found:
        if q.group == EVERYBODY or q.records < FEWEST:
            continue
        who = f"{q.group} {q.value}"
        if whole.rate - q.rate > BEHIND:
            told.append(f"{who}: {q.rate:.1%} linked, {100 * (whole.rate - q.rate):.1f} points behind everybody")
        for what in ("precision", "recall"):
            own, all_of_them = getattr(q, what), getattr(whole, what)
            if own is None or all_of_them is None or all_of_them.value - own.value <= BEHIND:
                continue
            points = 100 * (all_of_them.value - own.value)
            sure = "" if own.high < all_of_them.value else "; with so few cases it may be chance"
            told.append(f"{who}: {what} {own.value:.1%}, {points:.1f} points behind everybody{sure}")
    return told
