"""Link sets on the loading side, read with their records: what quality is measured of and review is about."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.control import deliveries, indexes
from integrated_data.engine import Stored
from integrated_data.index.best import Trust
from integrated_data.index.matched import MatchedIndex
from integrated_data.index.quality import design, groups, shown
from integrated_data.index.records import Records
from integrated_data.index.seat import Seat
from integrated_data.index.store import Version, open_version
from integrated_data.journey import checking
from integrated_data.journey.linking import records_by_row, version_folder
from integrated_data.model.contract import Contract, IndexUse
from integrated_data.model.errors import IndexRefusal
from integrated_data.site.loading import LoadingSite
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW

RECORDS, LINKS, GROUPS, FRAME = "review_records", "review_links", "review_groups", "review_frame"


@dataclass(frozen=True)
class Linked:
    """A dataset's newest link set to an index, with the contract its records are read by."""

    dataset: str
    delivery: str
    index: str
    index_version: int
    place: Path
    report: Mapping[str, Any]
    contract: Contract
    received: date


def link_set(site: LoadingSite, dataset: str, *, index: str) -> Linked:
    """The newest link set of a dataset; refuses when there is none."""
    with site.store.read() as connection:
        found = [s for s in indexes.newest_links(connection, index=index) if s.dataset == dataset]
    if not found:
        raise IndexRefusal(
            f"Dataset {dataset} has no links to the {index} index",
            next_step="Deliver it after the index was loaded: ids deliver DATASET FILE",
        )
    return _read(site, found[0])


def link_set_of(site: LoadingSite, delivery: str, *, index: str) -> Linked:
    """The link set of one delivery."""
    with site.store.read() as connection:
        return _read(site, next(s for s in indexes.links_of(connection, delivery, index=index) if s.whole))


def _read(site: LoadingSite, links: indexes.LinkSet) -> Linked:
    with site.store.read() as connection:
        version = deliveries.contract_version(connection, links.delivery)
        body = deliveries.contract_body(connection, links.dataset, version=version) or ""
        known = {d["id"]: d["received_at"] for d in deliveries.of_dataset(connection, links.dataset)}
    return Linked(
        links.dataset, links.delivery, links.index, links.index_version, site.places.identified / links.place,
        links.report, contracts.parse(body), date.fromisoformat(known[links.delivery][:10]),
    )  # fmt: skip


def frame(site: LoadingSite, links: Linked) -> tuple[str, ...]:
    """Make relations RECORDS, LINKS and FRAME of a link set; returns its group columns."""
    load_records(site, links)
    site.engine.drop(FRAME)  # it may be the view of another set's file
    site.engine.load(LINKS, Stored((links.place,)))
    columns = dict(groups.group_columns(links.contract, at=links.received))
    relation = _with_region(site, links, columns=columns)
    if columns:
        site.engine.create(GROUPS, groups.few_sql(relation, columns, record=ROW))
    text = design.frame_sql(LINKS, groups=GROUPS if columns else None, columns=tuple(columns))
    site.engine.create(FRAME, text)
    return tuple(columns)


def load_records(site: LoadingSite, links: Linked) -> Records:
    """Make relation RECORDS: the delivery's good rows as the index matches them."""
    place = site.places.deliveries / links.delivery / "checked.parquet"
    checking.load_good(site.engine, links.contract, place=place)
    use = next((u for u in links.contract.indexes if u.index == links.index), IndexUse(links.index))
    records = records_by_row(site.workshop, links.contract, use=use, good=checking.GOOD)
    site.engine.view(RECORDS, records.sql)
    return records


def _with_region(site: LoadingSite, links: Linked, *, columns: dict[str, str]) -> str:
    """Where the dataset was matched to areas, the region of each record; returns the relation to read."""
    place = links.place.with_name("links-geography.parquet")
    if "region" in columns or not place.exists():
        return checking.GOOD
    with site.store.read() as connection:
        found = [s for s in indexes.links_of(connection, links.delivery, index="geography") if s.whole]
    if not found:
        return checking.GOOD
    folder = version_folder(site.places.indexes, "geography", version=found[0].index_version)
    held = site.seats.of("geography").published(site.engine, folder=folder, relation="review_areas")
    regions = [c for c in held if c.startswith("region")]
    if not regions:
        return checking.GOOD
    site.engine.load("review_places", Stored((place,)))
    region = f"review_region_{len(held)}"
    site.engine.view(
        "review_placed",
        f"SELECT c.*, a.{sql.name(regions[-1])} AS {region} FROM {checking.GOOD} c "
        f"LEFT JOIN review_places p ON p.record_id = c.{ROW} LEFT JOIN review_areas a ON a.entity_id = p.entity_id",
    )
    columns["region"] = region
    return "review_placed"


@dataclass(frozen=True)
class Reviewed:
    """An index version whose entities are shown to reviewers. `version`: set for an index with a model;
    `fields`: what is shown, in order."""

    seat: Seat
    folder: Path
    version: Version | None
    fields: tuple[str, ...]
    trust: Trust


def reviewed(site: LoadingSite, index: str, *, version: int) -> Reviewed:
    """A version of an index for review; refuses an index whose entities name themselves."""
    seat = site.seats.of(index)
    if seat.definition.coded:
        raise IndexRefusal(
            f"Links to the {index} index cannot be reviewed record by record",
            why="Its entities are codes, which name themselves: nobody decides who is who",
            next_step="Choose an index of people or things, such as demographic",
        )
    folder = version_folder(site.places.indexes, index, version=version)
    if isinstance(seat, MatchedIndex):
        opened = open_version(seat.matching, folder)
        return Reviewed(seat, folder, opened, shown.fields(seat.matching), seat.trust(folder))
    return Reviewed(seat, folder, None, tuple(map(str, seat.definition.attributes)), Trust())
