"""Provision: a project's own copy of a release, with its own keys, made when the grant is made.

The copy holds the approved columns and no entity id. Ids become the project's tokens through a
crosswalk that lives in memory for the length of one call. Rows are put in the order of the project's
own keys (rows without one by chance), so that two projects' copies cannot be matched by position;
the same order makes joins on the keys fast. A merge or split of entities changes no published file:
the copy is made of what the links are in the index version that the project wants (`answers`).
"""

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from integrated_data.approve.answers import ENTITY, LINK, Answer, answered, crosswalk_sql, without_key
from integrated_data.control import grants, projects
from integrated_data.control.store import Store
from integrated_data.engine import Engine, Held
from integrated_data.model.access import DatasetRequest, Grant, Project, ProjectState
from integrated_data.model.errors import AgreementRefusal
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW

RELEASE, SUCCESSION = "_release", "_succession"

#: What a copy holds of a link beside its key.
SHOWN = tuple(suffix for suffix in LINK if suffix != ENTITY)


class Tokens(Protocol):
    """Makes one project's tokens; the loading side hands it in, with the key inside."""

    def of(self, index: str, entities: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tokens of entity ids of an index: same length, distinct ids to distinct tokens."""
        ...


@dataclass(frozen=True)
class Order:
    """What to provision: the request of a project, and the release of the dataset to take it from.

    `files` are the release's Parquet files: payload columns, and for every index `<key>_entity`
    (BIGINT, NULL where there is no link), `<key>_link_probability` and `<key>_link_method`. `answers`:
    what the links of each key are in the version wanted; of a key without one, they are as published.
    """

    project: str
    request: DatasetRequest
    release: int
    files: tuple[Path, ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)


def view_name(dataset: str) -> str:
    """A dataset's name in SQL: lower case, hyphens as underscores."""
    return dataset.replace("-", "_").lower()


def view_columns(order: Order, available: Sequence[str]) -> tuple[str, ...]:
    """Columns of the project's view: keys with their link columns, then the payload asked for.

    Refuses a column that is not published, an entity id whatever it is called, and the row number.
    """
    dataset, keys = order.request.dataset, order.request.keys
    indexes = [c.removesuffix(ENTITY) for c in available if c.endswith(ENTITY)]
    service = {f"{i}{suffix}" for i in indexes for suffix in LINK} | {ROW}
    missing = [f"{k}_key" for k in keys if k not in indexes]
    missing += [c for c in order.request.columns if c not in available or c in service]
    if missing:
        raise AgreementRefusal(
            f"Dataset {dataset} publishes no column {', '.join(missing)} that a project can have",
            why="Identifiers and withheld columns are not published, and entity ids never leave the service",
            next_step=f"See what it has: ids catalogue show {dataset}",
        )
    added = [f"{k}{suffix}" for k in keys for suffix in ("_key", *SHOWN)]
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
        parts += [f"r.{sql.name(key + suffix)}" for suffix in SHOWN]
        entity = f"r.{sql.name(key + ENTITY)}"
        joins.append(f"LEFT JOIN {sql.name(crosswalks[key])} x{number} ON x{number}.entity = {entity}")
        ordered.append(f"x{number}.token")
    parts += [f"r.{sql.name(c)}" for c in order.request.columns]
    order_by = ", ".join([*ordered, "random()"])
    return f"SELECT {', '.join(parts)} FROM {sql.name(relation)} r {' '.join(joins)} ORDER BY {order_by}"


def provision(engine: Engine, tokens: Tokens, *, order: Order, folder: Path, store: Store, by: str) -> Grant:
    """Make a project's copy of a release under `folder` and make it the one that is opened.

    Refuses what no decision allows: the order must be, word for word, what an approved project applied
    for. Once per release, set of columns and state of the links: the same order again gives the same
    grant. A copy it replaces is deleted once the new one is on record.
    """
    return provision_all(engine, tokens, orders=(order,), folder=folder, store=store, by=by)[0]


def provision_all(
    engine: Engine, tokens: Tokens, *, orders: Sequence[Order], folder: Path, store: Store, by: str
) -> tuple[Grant, ...]:
    """Provision several datasets of one project, and open the new copies together: until then the old ones serve."""
    made = [_made(engine, tokens, order=order, folder=folder, store=store) for order in orders]
    new = [grant for grant, is_new in made if is_new]
    if new:
        replaced = grants.activate(store, *new, by=by)
        places = {grant.place for grant in new}
        remove(folder, (old for old in replaced if old.place not in places))
    return tuple(grant for grant, _ in made)


def _made(engine: Engine, tokens: Tokens, *, order: Order, folder: Path, store: Store) -> tuple[Grant, bool]:
    """The grant that an order asks for, its copy written, and whether it is a new one."""
    with store.read() as connection:
        check_approved(projects.get_project(connection, order.project), order.request)
        active = grants.active(connection, project=order.project, dataset=order.request.dataset)
    place = _place(order)
    for grant in active:
        if grant.place == str(place) and grant.release == order.release and (folder / place).exists():
            return grant, False
    started = time.perf_counter()
    target = folder / place
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows, columns = _write(engine, tokens, order=order, target=target)
    grant = Grant(
        order.project, order.request.dataset, order.release, view_name(order.request.dataset), columns,
        order.request.keys, str(place), rows, target.stat().st_size, round(time.perf_counter() - started, 3),
        {key: answer.version for key, answer in order.answers.items()}, without_key(engine, order.answers),
    )  # fmt: skip
    return grant, True


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
    """Where the copy goes: other columns or links are another file, so that no active one is overwritten."""
    links = [f"{key} {a.version} {' '.join(a.rests_on)}" for key, a in sorted(order.answers.items())]
    asked = "\n".join([*order.request.columns, "", *order.request.keys, "", *links])
    release = f"{order.request.dataset}-{order.release}"
    return Path(order.project) / release / f"{sha256(asked.encode()).hexdigest()[:16]}.parquet"


def _write(engine: Engine, tokens: Tokens, *, order: Order, target: Path) -> tuple[int, tuple[str, ...]]:
    made: list[str] = []
    try:
        answered(engine, order.files, answers=order.answers, relation=RELEASE, made=made)
        columns = view_columns(order, tuple(engine.columns(RELEASE)))
        crosswalks = {key: f"_crosswalk_{number}" for number, key in enumerate(order.request.keys)}
        for key, crosswalk in crosswalks.items():
            made.append(crosswalk)
            engine.load(crosswalk, Held(_crosswalk(engine, tokens, key=key, answer=order.answers.get(key))))
        statement = provisioned_sql(order, RELEASE, crosswalks=crosswalks)
        rows = engine.save(statement, target, sealed=False, compression="zstd")
    finally:
        engine.drop(*reversed(made))
    return rows, columns


def _crosswalk(engine: Engine, tokens: Tokens, *, key: str, answer: Answer | None) -> pa.Table:
    """Each entity id of the release, and the token of the entity that stands for it in the version wanted."""
    succession = answer.succession if answer is not None else None
    if succession is not None:
        engine.load(SUCCESSION, Held(succession))
    try:
        named = SUCCESSION if succession is not None else None
        found = engine.rows(crosswalk_sql(RELEASE, key, succession=named))
    finally:
        engine.drop(SUCCESSION)
    current = found.column("current").cast(pa.int64()).to_numpy()
    return pa.table({"entity": found.column("entity"), "token": tokens.of(key, current)})


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
