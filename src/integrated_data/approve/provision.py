"""Provision: a project's own copy of a release, with its own keys, made when the grant is made.

The copy holds the approved columns and no entity id. Ids become the project's tokens through a
crosswalk that lives in memory for the length of one call. Rows are put in the order of the project's
own keys (rows without one by chance), so that two projects' copies cannot be matched by position;
the same order makes joins on the keys fast.
"""

import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from integrated_data.control import grants, projects
from integrated_data.control.store import Store
from integrated_data.engine import Engine, Held, Stored
from integrated_data.model.access import DatasetRequest, Grant, Project, ProjectState
from integrated_data.model.errors import AgreementRefusal
from integrated_data.vocabulary import sql

ENTITY = "_entity"
LINK = ("_link_probability", "_link_method")
RELEASE = "_release"


class Tokens(Protocol):
    """Makes one project's tokens; the loading side hands it in, with the key inside."""

    def of(self, index: str, entities: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of entity ids of an index: same length, distinct ids to distinct tokens."""
        ...


@dataclass(frozen=True)
class Order:
    """What to provision: the request of a project, and the release of the dataset to take it from.

    `files` are the release's Parquet files: payload columns, and for every index `<key>_entity`
    (BIGINT, NULL where there is no link), `<key>_link_probability` and `<key>_link_method`.
    """

    project: str
    request: DatasetRequest
    release: int
    files: tuple[Path, ...]


def view_name(dataset: str) -> str:
    """A dataset's name in SQL: lower case, hyphens as underscores."""
    return dataset.replace("-", "_").lower()


def view_columns(order: Order, available: Sequence[str]) -> tuple[str, ...]:
    """Columns of the project's view: keys with their link columns, then the payload asked for.

    Refuses a column that is not published, and an entity id whatever it is called.
    """
    dataset, keys = order.request.dataset, order.request.keys
    indexes = [c.removesuffix(ENTITY) for c in available if c.endswith(ENTITY)]
    service = {f"{i}{suffix}" for i in indexes for suffix in (ENTITY, *LINK)}
    missing = [f"{k}_key" for k in keys if k not in indexes]
    missing += [c for c in order.request.columns if c not in available or c in service]
    if missing:
        raise AgreementRefusal(
            f"Dataset {dataset} publishes no column {', '.join(missing)} that a project can have",
            why="Identifiers and withheld columns are not published, and entity ids never leave the service",
            next_step=f"See what it has: ids catalogue show {dataset}",
        )
    added = [f"{k}{suffix}" for k in keys for suffix in ("_key", *LINK)]
    twice = sorted(set(added) & set(order.request.columns))
    if twice:
        raise AgreementRefusal(
            f"Dataset {dataset} has a column of its own called {', '.join(twice)}, as a key would be",
            next_step="Ask its owner to rename the column in the contract",
        )
    return (*added, *order.request.columns)


def provisioned_sql(order: Order, relation: str, *, crosswalks: dict[str, str]) -> str:
    """SELECT of a project's copy. `crosswalks`: key to its relation (entity BIGINT, token BIGINT)."""
    parts, joins, ordered = [], [], []
    for number, key in enumerate(order.request.keys):
        parts.append(f"x{number}.token AS {sql.name(key + '_key')}")
        parts += [f"r.{sql.name(key + suffix)}" for suffix in LINK]
        entity = f"r.{sql.name(key + ENTITY)}"
        joins.append(f"LEFT JOIN {sql.name(crosswalks[key])} x{number} ON x{number}.entity = {entity}")
        ordered.append(f"x{number}.token")
    parts += [f"r.{sql.name(c)}" for c in order.request.columns]
    order_by = ", ".join([*ordered, "random()"])
    return f"SELECT {', '.join(parts)} FROM {sql.name(relation)} r {' '.join(joins)} ORDER BY {order_by}"


def provision(engine: Engine, tokens: Tokens, *, order: Order, folder: Path, store: Store, by: str) -> Grant:
    """Make a project's copy of a release under `folder` and make it the one that is opened.

    Refuses what no decision allows: the order must be, word for word, what an approved project applied
    for. Once per release and set of columns: the same order again gives the same grant. A copy it
    replaces is deleted once the new one is on record.
    """
    with store.read() as connection:
        check_approved(projects.get_project(connection, order.project), order.request)
        active = grants.active(connection, project=order.project, dataset=order.request.dataset)
    place = _place(order)
    for grant in active:
        if grant.place == str(place) and grant.release == order.release and (folder / place).exists():
            return grant
    started = time.perf_counter()
    target = folder / place
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows, columns = _write(engine, tokens, order=order, target=target)
    grant = Grant(
        order.project, order.request.dataset, order.release, view_name(order.request.dataset), columns,
        order.request.keys, str(place), rows, target.stat().st_size, round(time.perf_counter() - started, 3),
    )  # fmt: skip
    replaced = grants.activate(store, grant, by=by)
    remove(folder, (old for old in replaced if old.place != grant.place))
    return grant


def check_approved(project: Project, request: DatasetRequest) -> None:
    """Refuse a request that is not part of an approved project."""
    if project.state is not ProjectState.APPROVED or project.request(request.dataset) != request:
        raise AgreementRefusal(
            f"Nothing of dataset {request.dataset} is provisioned for project {project.id}",
            why=f"The project is {project.state.value}, or did not apply for exactly this",
            next_step=f"Have it decided: ids project decide {project.id}",
        )


def renewals(store: Store, dataset: str, *, release: int) -> tuple[tuple[str, DatasetRequest], ...]:
    """Projects that hold an older release of a dataset and may have the new one, with what they applied for.

    A project that is amended and not decided again keeps its old copy until it is.
    """
    with store.read() as connection:
        held = [projects.get_project(connection, g.project) for g in grants.stale(connection, dataset, release=release)]
    asked = [(p.id, p.request(dataset)) for p in held if p.state is ProjectState.APPROVED]
    return tuple((project, request) for project, request in asked if request is not None)


def _place(order: Order) -> Path:
    """Where the copy goes: another set of columns is another file, so that no active one is overwritten."""
    asked = "\n".join([*order.request.columns, "", *order.request.keys])
    release = f"{order.request.dataset}-{order.release}"
    return Path(order.project) / release / f"{sha256(asked.encode()).hexdigest()[:16]}.parquet"


def _write(engine: Engine, tokens: Tokens, *, order: Order, target: Path) -> tuple[int, tuple[str, ...]]:
    made = [RELEASE]
    engine.load(RELEASE, Stored(order.files, sealed=False))
    try:
        columns = view_columns(order, tuple(engine.columns(RELEASE)))
        crosswalks = {key: f"_crosswalk_{number}" for number, key in enumerate(order.request.keys)}
        for key, crosswalk in crosswalks.items():
            made.append(crosswalk)
            engine.load(crosswalk, Held(_crosswalk(engine, tokens, key=key)))
        statement = provisioned_sql(order, RELEASE, crosswalks=crosswalks)
        rows = engine.save(statement, target, sealed=False, compression="zstd")
    finally:
        engine.drop(*reversed(made))
    return rows, columns


def _crosswalk(engine: Engine, tokens: Tokens, *, key: str) -> pa.Table:
    entity = sql.name(key + ENTITY)
    found = engine.rows(f"SELECT DISTINCT {entity} AS entity FROM {RELEASE} WHERE {entity} IS NOT NULL")
    entities = found.column("entity").cast(pa.int64()).to_numpy()
    return pa.table({"entity": entities, "token": tokens.of(key, entities)})


def remove(folder: Path, gone: Iterable[Grant]) -> None:
    """Delete the files of grants that are no longer opened, and folders left empty."""
    for grant in gone:
        place = folder / grant.place
        place.unlink(missing_ok=True)
        if place.parent.is_dir() and not any(place.parent.iterdir()):
            place.parent.rmdir()


def revoke(store: Store, project: str, *, folder: Path, dataset: str | None = None, by: str, reason: str) -> int:
    """Stop a project's grants, of one dataset or of all, then delete their files; returns how many."""
    gone = grants.revoke(store, project, dataset=dataset, by=by, reason=reason)
    remove(folder, gone)
    return len(gone)


def sweep(store: Store, folder: Path) -> int:
    """Delete what lies under `folder` and no active grant names, as a crash leaves it; returns how many."""
    with store.read() as connection:
        named = {folder / g.place for g in grants.active(connection)}
    stray = [p for p in folder.rglob("*") if p.is_file() and p not in named]
    for place in stray:
        place.unlink(missing_ok=True)
    for empty in sorted((p for p in folder.rglob("*") if p.is_dir() and not any(p.iterdir())), reverse=True):
        shutil.rmtree(empty)
    return len(stray)
