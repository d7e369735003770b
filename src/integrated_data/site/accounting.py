"""What an installation holds and does, gathered from its records for documents about it."""

from collections import Counter
from collections.abc import Iterable
from datetime import date

import sqlalchemy as sa

from integrated_data.acquire import contracts
from integrated_data.approve.holdings import GroupLinked, HeldDataset, Holdings, Settled
from integrated_data.audit.chain import Record
from integrated_data.control import deliveries, grants, indexes, ledgers, outputs, projects, releases
from integrated_data.control.store import Store, records
from integrated_data.model.errors import IndexRefusal
from integrated_data.site import lanes, measuring
from integrated_data.site.agreeing import law_of, past_retention
from integrated_data.site.federation import peers
from integrated_data.site.loading import LoadingSite
from integrated_data.site.oidc import read_provider
from integrated_data.site.places import Places
from integrated_data.site.safeguards import measures
from integrated_data.site.settings import Settings

#: Decisions told by date: what an event says was decided.
DECIDED = {
    "agreement.written": "agreement written or changed", "framework.written": "framework written or changed",
    "law.changed": "another law put to use", "project.approved": "approved", "project.refused": "refused",
    "project.closed": "closed, its keys destroyed", "project.expired": "over",
    "column.released": "a withheld column released",
    "grant.revoked": "access withdrawn", "dataset.frozen": "frozen", "dataset.thawed": "thawed",
    "output.revoked": "a release revoked", "lane.set": "automatic lane set", "lane.stopped": "automatic lane stopped",
    "lane.started": "automatic lane started", "ledger.retention_set": "how long releases are remembered",
    "procedures.in_force": "operating procedures put in force",
}  # fmt: skip


def gather(
    places: Places, store: Store, *, settings: Settings | None = None, linked: tuple[GroupLinked, ...] = ()
) -> Holdings:
    """Everything that documents about an installation are written from. `linked`: see `by_group`.

    Without `settings` no measure of security is looked at.
    """
    today = store.now().date()
    with store.read() as connection:
        known = projects.projects(connection)
        left = Counter(r.project for r in outputs.releases(connection) if r.state == "released")
        roles = Counter(role.value for p in projects.people(connection) for role in p.roles)
        kept = ledgers.retention(connection)
        datasets = tuple(_dataset(connection, each) for each in deliveries.datasets(connection))
        held = Holdings(
            today, law_of(places), tuple(d for d in datasets if d is not None), tuple(projects.agreements(connection)),
            tuple(known), roles, tuple((g.project, g.dataset) for g in grants.active(connection)), left, (),
            _settled(records(connection)), {},
        )  # fmt: skip
    provider = read_provider(places.provider.read_text()) if places.provider.exists() else None
    return Holdings(
        **vars(held) | {
            "measures": measures(places, store, settings=settings) if settings is not None else (),
            "lane": lanes.errors(store).told(),
            "linked": linked,
            "past_retention": tuple(row["dataset"] for row in past_retention(store)),
            "releases_kept": kept.days if kept else None,
            "outside": (
                *(((provider.issuer, "sign-in of the service's users"),) if provider else ()),
                *((p.url, f"installation {p.name}: gets released aggregates") for p in peers.known(places)),
            ),
        }
    )  # fmt: skip


def by_group(site: LoadingSite) -> tuple[GroupLinked, ...]:
    """How well each dataset is linked, by group: counted on the loading side, where identified rows are."""
    with site.store.read() as connection:
        datasets = sorted({k.dataset for k in indexes.newest_links(connection)})
    found = []
    for dataset in datasets:
        try:
            details = measuring.details(site, dataset)
        except IndexRefusal:  # links that no group can be told of
            continue
        found += [
            GroupLinked(
                dataset, detail["index"], row["group"], str(row["value"]), row["records"], row["linked"],
                _interval(row["precision"]), _interval(row["recall"]),
            )
            for detail in details for row in detail["groups"]
        ]  # fmt: skip
    return tuple(found)


def _interval(estimate: dict[str, float] | None) -> str:
    return f"{estimate['value']:.4f} ({estimate['low']:.4f} to {estimate['high']:.4f})" if estimate else ""


def _dataset(connection: sa.Connection, dataset: str) -> HeldDataset | None:
    body = deliveries.contract_body(connection, dataset)
    if body is None:
        return None
    contract = contracts.parse(body)
    came = sorted(date.fromisoformat(str(d["received_at"])[:10]) for d in deliveries.of_dataset(connection, dataset))
    release = releases.current(connection, dataset)
    entry = release.entry if release else {}
    return HeldDataset(
        dataset, contract.owner, contract, len(came), came[0] if came else None, came[-1] if came else None,
        release.rows if release else 0, release is not None, tuple(w["name"] for w in entry.get("withheld", ())),
        tuple(entry.get("derived_from", ())),
        tuple(sorted({v.index for v in indexes.versions(connection) if v.source == dataset})),
        entry.get("links") or None,
    )  # fmt: skip


def _settled(chain: Iterable[Record]) -> tuple[Settled, ...]:
    return tuple(
        Settled(date.fromisoformat(str(r.at)[:10]), r.subject, DECIDED[r.action]) for r in chain if r.action in DECIDED
    )
