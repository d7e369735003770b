"""What the store knows of datasets, contracts and deliveries."""

import json
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from integrated_data.control import tables as t
from integrated_data.control.store import Change, Store
from integrated_data.model.contract import names_owner
from integrated_data.model.delivery import LOAD_MOVES, Completes, Delivery, LandedFile, LoadState, ReleaseState, Tally
from integrated_data.model.errors import ContractRefusal, DeliveryRefusal
from integrated_data.model.event import Event

#: The step of a load's job that tells what its delivery completes; it is written down as it lands.
LANDED = "land"
#: The step that publishes; of a held delivery that went with another one, it tells by which under `BY`.
PUBLISH, BY = "publish", "by"
#: What is written down, as it lands, of a delivery of files that a withdrawn one had brought: which one, under `OF`.
AGAIN, OF = "again", "of"
#: What is written down, as it lands, of a delivery whose files a manifest says to be whole: it holds as a load goes on.
VOUCHED = "vouched"


def find(connection: sa.Connection, delivery: str) -> Delivery | None:
    """The delivery with this id, if it is known."""
    row = connection.execute(sa.select(t.delivery).where(t.delivery.c.id == delivery)).mappings().first()
    if row is None:
        return None
    files = tuple(LandedFile(**f) for f in row["files"])
    return Delivery(row["id"], row["dataset"], files, LoadState(row["state"]))


def get(connection: sa.Connection, delivery: str) -> Delivery:
    """The delivery with this id; refuses when there is none."""
    found = find(connection, delivery)
    if found is None:
        raise DeliveryRefusal(f"There is no delivery {delivery}", next_step="List them with: ids quarantine list")
    return found


def register(
    store: Store,
    delivery: Delivery,
    *,
    actor: str,
    completes: Completes | None = None,
    again: str = "",
    vouched: bool = False,
) -> None:
    """Write down a delivery that has landed, and which one it completes; `again`: the withdrawn one it brings again.

    `vouched`: a manifest says that its files are whole.
    """
    facts: dict[str, Any] = {"files": len(delivery.files), "bytes": sum(f.size for f in delivery.files)}
    facts |= {"again": again} if again else {}
    if completes is not None:
        facts |= asdict(completes) | {"delivery": delivery.id, "completes": completes.delivery}
    subject = f"dataset/{delivery.dataset}"
    with store.change(Event("delivery.landed", actor, subject, {"delivery": delivery.id, **facts})) as change:
        change.connection.execute(
            sa.insert(t.delivery).values(
                id=delivery.id, dataset=delivery.dataset, state=delivery.state.value,
                files=[asdict(f) for f in delivery.files], received_at=change.at,
            )
        )  # fmt: skip
        told = {LANDED: asdict(completes) if completes else {}, AGAIN: {OF: again} if again else {}}
        told[VOUCHED] = {"manifest": True} if vouched else {}
        for step, result in told.items():
            if result:
                values = {"job": f"load/{delivery.id}", "step": step, "result": result, "seconds": 0.0}
                change.connection.execute(sa.insert(t.job_step).values(**values, at=change.at))


def completes(connection: sa.Connection, delivery: str) -> Completes | None:
    """The delivery that one completes, if it does."""
    where = sa.and_(t.job_step.c.job == f"load/{delivery}", t.job_step.c.step == LANDED)
    found = connection.execute(sa.select(t.job_step.c.result).where(where)).scalar()
    return Completes(**found) if found else None


def first(connection: sa.Connection, delivery: str) -> str:
    """The delivery that one completes, or itself."""
    found = completes(connection, delivery)
    return found.delivery if found else delivery


def completed_by(connection: sa.Connection, first: str) -> list[str]:
    """Deliveries that complete another one, whatever became of them, oldest first."""
    query = (
        sa.select(t.job_step.c.job, t.job_step.c.result).where(t.job_step.c.step == LANDED).order_by(t.job_step.c.at)
    )
    return [row.job.removeprefix("load/") for row in connection.execute(query) if row.result["delivery"] == first]


def move(change: Change, delivery: str, *, state: LoadState) -> None:
    """Change a delivery's state inside a change; refuses a move that LOAD_MOVES does not allow."""
    now = get(change.connection, delivery).state
    if now is state:
        return
    if state not in LOAD_MOVES[now]:
        raise DeliveryRefusal(
            f"Delivery {delivery} is {now.value} and cannot become {state.value}",
            next_step="Deliver the file again under a new version",
        )
    change.connection.execute(sa.update(t.delivery).where(t.delivery.c.id == delivery).values(state=state.value))


def set_tally(change: Change, delivery: str, *, tally: Tally) -> None:
    """Keep the row counts of a delivery."""
    change.connection.execute(
        sa.update(t.delivery).where(t.delivery.c.id == delivery).values(tally=json.loads(json.dumps(asdict(tally))))
    )


def set_contract(change: Change, delivery: str, *, version: str) -> None:
    """Note which contract version a delivery is loaded under."""
    change.connection.execute(sa.update(t.delivery).where(t.delivery.c.id == delivery).values(contract_version=version))


def save_contract(change: Change, *, dataset: str, version: str, body: str, about: dict[str, Any]) -> None:
    """Keep a contract version (once) and make it the dataset's current one, unless `about` says otherwise.

    `about`: owner, title, inferred, and `current` where it is not to be. The first names the dataset's owner, and no
    later one changes it but `hand_over`. A body that differs from the one kept under
    the same version is refused, since published tables name the version they were loaded under; one that only
    rejected deliveries came with gives way.
    """
    connection = change.connection
    kept = connection.execute(
        sa.select(t.contract.c.body).where(t.contract.c.dataset == dataset, t.contract.c.version == version)
    ).scalar()
    if kept is not None and kept != body and not _binds(connection, dataset, version=version):
        where = sa.and_(t.contract.c.dataset == dataset, t.contract.c.version == version)
        connection.execute(sa.update(t.contract).where(where).values(body=body, inferred=about["inferred"]))
    elif kept is not None and kept != body:
        raise DeliveryRefusal(
            f"Contract version {version} of dataset {dataset} is kept already and differs",
            next_step="Give the changed contract a new version number",
        )
    if kept is None:
        connection.execute(
            sa.insert(t.contract).values(
                dataset=dataset, version=version, body=body, inferred=about["inferred"], at=change.at
            )
        )
    if not about.get("current", True):
        return
    fields = {"owner": about["owner"], "title": about["title"], "contract_version": version}
    before = owner(connection, dataset)
    if before is None:
        connection.execute(sa.insert(t.dataset).values(id=dataset, **fields))
        return
    if names_owner(before, dataset):
        if kept != body:
            check_same_owner(dataset, before, named=about["owner"])
        fields["owner"] = before
    connection.execute(sa.update(t.dataset).where(t.dataset.c.id == dataset).values(**fields))


def check_same_owner(dataset: str, owner: str, *, named: str) -> None:
    """Refuse a contract that names another owner than the dataset's: no version changes it by itself."""
    if names_owner(owner, dataset) and named != owner:
        raise ContractRefusal(
            f"The contract names another owner of dataset {dataset} than {owner}, whose it is",
            why="A new version of a contract does not change whose data they are",
            next_step="Name that owner in team.name, or have it handed over first: ids organisation hand-over",
        )


def _binds(connection: sa.Connection, dataset: str, *, version: str) -> bool:
    """Whether a contract version is the dataset's current one, or some delivery that is not rejected came under it."""
    current = sa.select(t.dataset.c.id).where(t.dataset.c.id == dataset, t.dataset.c.contract_version == version)
    under = sa.select(t.delivery.c.id).where(
        t.delivery.c.dataset == dataset,
        t.delivery.c.contract_version == version,
        t.delivery.c.state != LoadState.REJECTED.value,
    )
    return any(connection.execute(query.limit(1)).first() is not None for query in (current, under))


def datasets(connection: sa.Connection) -> list[str]:
    """Ids of all datasets that were ever delivered or derived, in order."""
    return list(connection.execute(sa.select(t.dataset.c.id).order_by(t.dataset.c.id)).scalars())


def contract_body(connection: sa.Connection, dataset: str, *, version: str | None = None) -> str | None:
    """The YAML of a dataset's contract: the version named, or the current one; None when unknown."""
    current = sa.select(t.dataset.c.contract_version).where(t.dataset.c.id == dataset).scalar_subquery()
    return connection.execute(
        sa.select(t.contract.c.body).where(
            t.contract.c.dataset == dataset, t.contract.c.version == (version or current)
        )
    ).scalar()


def versions(connection: sa.Connection, dataset: str) -> frozenset[str]:
    """Versions of a dataset's contract that are kept."""
    rows = connection.execute(sa.select(t.contract.c.version).where(t.contract.c.dataset == dataset))
    return frozenset(rows.scalars())


def owner(connection: sa.Connection, dataset: str) -> str | None:
    """What stands as the owner of a dataset; None before a contract of it is on record."""
    return connection.execute(sa.select(t.dataset.c.owner).where(t.dataset.c.id == dataset)).scalar()


def owned(connection: sa.Connection, owner: str) -> frozenset[str]:
    """Datasets that are on record as an organisation's."""
    return frozenset(connection.execute(sa.select(t.dataset.c.id).where(t.dataset.c.owner == owner)).scalars())


def hand_over(change: Change, dataset: str, *, to: str) -> None:
    """Make a dataset another organisation's inside a change."""
    change.connection.execute(sa.update(t.dataset).where(t.dataset.c.id == dataset).values(owner=to))


def current_version(connection: sa.Connection, dataset: str) -> str:
    """The version of a dataset's contract that is its own; empty where there is none."""
    return connection.execute(sa.select(t.dataset.c.contract_version).where(t.dataset.c.id == dataset)).scalar() or ""


def published_before(connection: sa.Connection, dataset: str, *, delivery: str, most: int) -> list[str]:
    """The newest published deliveries of a dataset but one, without those that were withdrawn, the newest first."""
    d = t.delivery.c
    published = (d.dataset == dataset, d.state == LoadState.PUBLISHED.value, d.id != delivery, stands(d.id))
    asked = sa.select(d.id).where(*published).order_by(d.received_at.desc(), d.id).limit(most)
    return list(connection.execute(asked).scalars())


def stands(delivery: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """The condition that the table was not taken back from the release that a delivery of the query became.

    One that was held and published with what completed it became a part of that one's release.
    """
    r, s = t.release.c, t.job_step.c
    with_it = sa.exists().where(
        s.job == sa.literal("load/") + delivery, s.step == PUBLISH, s.result[BY].as_string() == r.delivery
    ).correlate(t.delivery, t.release)  # fmt: skip
    became = sa.or_(r.delivery == delivery, with_it)
    return ~sa.exists().where(became, r.state == ReleaseState.WITHDRAWN.value).correlate(t.delivery)


def published_with(connection: sa.Connection, delivery: str) -> str:
    """The delivery whose release holds one: what completed it, where it was held and published with that, or itself."""
    s = t.job_step.c
    query = sa.select(s.result).where(s.job == f"load/{delivery}", s.step == PUBLISH)
    return str((connection.execute(query).scalar() or {}).get(BY, delivery))


def is_withdrawn(connection: sa.Connection, delivery: str) -> bool:
    """Whether a delivery was published, and the table was taken back from the release that it became a part of."""
    r = t.release.c
    its = sa.select(r.id).where(r.delivery == published_with(connection, delivery))
    return connection.execute(its.where(r.state == ReleaseState.WITHDRAWN.value)).first() is not None


def check_not_there(connection: sa.Connection, delivery: str) -> None:
    """Refuse to publish a delivery that brings a withdrawn one again, where that one stands again by now."""
    s, of = t.job_step.c, delivery
    while found := connection.execute(sa.select(s.result).where(s.job == f"load/{of}", s.step == AGAIN)).scalar():
        of = str(found[OF])
        if not is_withdrawn(connection, of):
            raise DeliveryRefusal(
                f"Delivery {delivery} is not published",
                why=f"It brings delivery {of} again, which was taken forward meanwhile: its rows would be there twice",
                next_step="Nothing is to be done: what it brings is in the table",
            )


def contract_version(connection: sa.Connection, delivery: str) -> str | None:
    """The contract version a delivery is loaded under, once it is known."""
    return connection.execute(sa.select(t.delivery.c.contract_version).where(t.delivery.c.id == delivery)).scalar()


def tally(connection: sa.Connection, delivery: str) -> dict[str, Any] | None:
    """The row counts of a delivery, once they are known."""
    return connection.execute(sa.select(t.delivery.c.tally).where(t.delivery.c.id == delivery)).scalar()


def of_dataset(connection: sa.Connection, dataset: str) -> list[dict[str, Any]]:
    """Deliveries of a dataset, newest first: id, state, tally, received_at."""
    rows = connection.execute(
        sa.select(t.delivery.c.id, t.delivery.c.state, t.delivery.c.tally, t.delivery.c.received_at)
        .where(t.delivery.c.dataset == dataset)
        .order_by(t.delivery.c.received_at.desc())
    )
    return [dict(row) for row in rows.mappings()]


def every(connection: sa.Connection) -> list[dict[str, Any]]:
    """Every delivery, oldest first: id, dataset, state, received_at."""
    columns = (t.delivery.c.id, t.delivery.c.dataset, t.delivery.c.state, t.delivery.c.received_at)
    rows = connection.execute(sa.select(*columns).order_by(t.delivery.c.received_at, t.delivery.c.id))
    return [dict(row) for row in rows.mappings()]


def unpublished(connection: sa.Connection) -> list[dict[str, Any]]:
    """Deliveries that are landed, held or rejected: id, dataset, state, received_at, reason."""
    columns = (t.delivery.c.id, t.delivery.c.dataset, t.delivery.c.state, t.delivery.c.received_at, t.job.c.reason)
    joined = sa.outerjoin(t.delivery, t.job, t.job.c.id == sa.literal("load/") + t.delivery.c.id)
    rows = connection.execute(
        sa.select(*columns)
        .select_from(joined)
        .where(t.delivery.c.state.not_in([LoadState.PUBLISHED.value, LoadState.EXPIRED.value]))
        .order_by(t.delivery.c.received_at)
    )
    return [dict(row) for row in rows.mappings()]


def expire(change: Change, delivery: str) -> None:
    """Note that what was held of a delivery is removed, inside a change: its steps, measures and links go, too."""
    connection, job = change.connection, f"load/{delivery}"
    move(change, delivery, state=LoadState.EXPIRED)
    connection.execute(sa.delete(t.job_step).where(t.job_step.c.job == job))
    connection.execute(sa.delete(t.lineage).where(t.lineage.c.job == job))
    connection.execute(sa.update(t.feed_file).where(t.feed_file.c.delivery == delivery).values(measures=None))
    connection.execute(sa.delete(t.link_set).where(t.link_set.c.delivery == delivery))


def released_columns(connection: sa.Connection, dataset: str) -> frozenset[str]:
    """Withheld columns that a steward has released."""
    rows = connection.execute(sa.select(t.column_release.c.name).where(t.column_release.c.dataset == dataset))
    return frozenset(row.name for row in rows)


def release_column(store: Store, dataset: str, *, name: str, by: str, reason: str) -> None:
    """A steward releases a withheld column; it is published from the next delivery on."""
    event = Event("column.released", by, f"dataset/{dataset}", {"column": name, "reason": reason})
    with store.change(event) as change:
        change.connection.execute(
            sa.delete(t.column_release).where(t.column_release.c.dataset == dataset, t.column_release.c.name == name)
        )
        change.connection.execute(
            sa.insert(t.column_release).values(dataset=dataset, name=name, by=by, reason=reason, at=change.at)
        )


def withhold_again(change: Change, dataset: str, *, names: Collection[str]) -> None:
    """Undo, inside a change, releases of columns that are not what a steward saw any more; notes which."""
    c = t.column_release.c
    theirs = sa.and_(c.dataset == dataset, c.name.in_(sorted(names)))
    undone = sorted(change.connection.execute(sa.delete(t.column_release).where(theirs).returning(c.name)).scalars())
    if undone:
        change.note(withheld_again=undone)
