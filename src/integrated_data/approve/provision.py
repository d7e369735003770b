"""Provision: a project's own copy of a release, with its own keys, made when the grant is made.

The copy holds the approved columns and no entity id. Ids become the project's tokens outside SQL
(`approve/keyed.py`). Rows are put in the order of the project's own keys (rows without one by chance),
so that two projects' copies cannot be matched by position; the same order makes joins on the keys
fast. A merge or split of entities changes no published file: the copy is made of what the links are
in the index version that the project wants (`answers`).
"""

import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock

import pyarrow as pa

from integrated_data.approve import keyed
from integrated_data.approve.answers import ENTITY, LINK, Answer, answered, without_key
from integrated_data.approve.coarsen import check_shape, column_sql, rows_sql
from integrated_data.approve.keyed import SHOWN, Tokens
from integrated_data.control import bodies, freezes, grants, projects
from integrated_data.control.store import Store
from integrated_data.engine import Engine
from integrated_data.model.access import DatasetRequest, Grant, Project, ProjectState
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.query import SCRATCH
from integrated_data.model.shaping import Coarsening
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW

RELEASE = "_release"

#: Copies that are made at once: one's reading and writing fills the other's waiting.
AT_ONCE = 2


@dataclass(frozen=True)
class Order:
    """What to provision: the request of a project, and the release of the dataset to take it from.

    `files` are the release's Parquet files: payload columns, and for every index `<key>_entity`
    (BIGINT, NULL where there is no link), `<key>_link_probability` and `<key>_link_method`. `answers`:
    what the links of each key are in the version wanted; of a key without one, they are as published. `coarsen`:
    how coarse the values must be. `generation`: of the project's key. `left_out`: by file, the places of rows of
    people who objected; `edition`: which objections and erasures the copy knows of.
    """

    project: str
    request: DatasetRequest
    release: int
    files: tuple[Path, ...]
    answers: Mapping[str, Answer] = field(default_factory=dict)
    coarsen: Mapping[str, Coarsening] = field(default_factory=dict)
    generation: int = 1
    left_out: Mapping[Path, pa.Table] = field(default_factory=dict, compare=False)
    edition: str = ""


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
    missing += [c for c in order.request.used if c not in available or c in service]
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
    """Provision several datasets of one project, several at once, and open the new copies together.

    Until then the old ones serve. Where there are none, each copy is opened as soon as it is made.
    """
    with store.read() as connection:
        held = {order.project: grants.active(connection, project=order.project) for order in orders}
        for order in orders:
            check_approved(projects.get_project(connection, order.project), order.request)
            what = f"Nothing is provisioned for project {order.project}"
            freezes.check(connection, what, datasets=(order.request.dataset,))
    opening, first = Lock(), not any(held.values())

    def make(order: Order) -> tuple[Grant, bool]:
        kept = _kept(order, held[order.project], folder=folder)
        if kept is not None:
            return kept, False
        with engine.apart() as mine:
            grant = _made(mine, tokens, order=order, folder=folder)
        if first:
            with opening:
                _open(store, (grant,), folder=folder, by=by)
        return grant, not first

    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(pool.map(make, orders))
    new = tuple(grant for grant, is_new in made if is_new)
    if new:
        _open(store, new, folder=folder, by=by)
    return tuple(grant for grant, _ in made)


def provision_earlier(engine: Engine, tokens: Tokens, *, order: Order, folder: Path, store: Store, by: str) -> Grant:
    """Make a project's copy of an earlier release, beside the one that is opened; once, as the order says."""
    with store.read() as connection:
        held = grants.earlier(connection, project=order.project)
        check_approved(projects.get_project(connection, order.project), order.request)
    kept = _kept(order, held, folder=folder)
    if kept is not None:
        return kept
    grant = _made(engine, tokens, order=order, folder=folder)
    grants.keep(store, grant, by=by)
    return grant


def _open(store: Store, new: Sequence[Grant], *, folder: Path, by: str) -> None:
    """Make copies those that are opened, and delete the ones they replace."""
    replaced, places = grants.activate(store, *new, by=by), {grant.place for grant in new}
    remove(folder, (old for old in replaced if old.place not in places))


def _kept(order: Order, held: Sequence[Grant], *, folder: Path) -> Grant | None:
    """The active grant that is what an order asks for, or None."""
    place = str(_place(order))
    same = (g for g in held if g.place == place and g.release == order.release and (folder / place).exists())
    return next(same, None)


def _made(engine: Engine, tokens: Tokens, *, order: Order, folder: Path) -> Grant:
    """The grant that an order asks for, its copy written."""
    started, place = time.perf_counter(), _place(order)
    target = folder / place
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows, columns = _write(engine, tokens, order=order, target=target)
    return Grant(
        order.project, order.request.dataset, order.release, view_name(order.request.dataset), columns,
        order.request.keys, str(place), rows, target.stat().st_size, round(time.perf_counter() - started, 3),
        {key: answer.version for key, answer in order.answers.items()}, without_key(engine, order.answers),
        {c: rule for c, rule in order.coarsen.items() if c in order.request.columns}, order.generation,
    )  # fmt: skip


def check_approved(project: Project, request: DatasetRequest) -> None:
    """Refuse a request that is not part of an approved project."""
    if project.state is not ProjectState.APPROVED or project.request(request.dataset) != request:
        raise AgreementRefusal(
            f"Nothing of dataset {request.dataset} is provisioned for project {project.id}",
            why=f"The project is {project.state.value}, or did not apply for exactly this",
            next_step=f"Have it decided: ids project decide {project.id}",
        )


def renewals(store: Store, dataset: str, *, release: int) -> tuple[tuple[str, DatasetRequest], ...]:
    """Projects that hold another release of a dataset and may have the new one, with what they applied for.

    A project that is amended and not decided again keeps its old copy until it is.
    """
    with store.read() as connection:
        held = [projects.get_project(connection, g.project) for g in grants.stale(connection, dataset, release=release)]
    asked = [(p.id, p.request(dataset)) for p in held if p.state is ProjectState.APPROVED]
    return tuple((project, request) for project, request in asked if request is not None)


def _place(order: Order) -> Path:
    """Where the copy goes: other columns or links are another file, so that no active one is overwritten."""
    links = [f"{key} {a.version} {' '.join(a.rests_on)}" for key, a in sorted(order.answers.items())]
    shape = [bodies.digest(bodies.write([order.request.rows, order.request.window, order.coarsen]))]
    asked = "\n".join([*order.request.columns, "", *order.request.keys, "", *links, *shape, str(order.generation)])
    if order.edition:
        asked += f"\n{order.edition}"
    release = f"{order.request.dataset}-{order.release}"
    return Path(order.project) / release / f"{sha256(asked.encode()).hexdigest()[:16]}.parquet"


def _write(engine: Engine, tokens: Tokens, *, order: Order, target: Path) -> tuple[int, tuple[str, ...]]:
    made: list[str] = []
    try:
        in_order = answered(
            engine, order.files, answers=order.answers, relation=RELEASE, made=made, left_out=order.left_out
        )
        types = engine.columns(RELEASE)
        columns = view_columns(order, tuple(types))
        check_shape(order.request, order.coarsen, types=types)
        payload = {
            c: column_sql(f"r.{sql.name(c)}", order.coarsen.get(c), type_=types[c]) for c in order.request.columns
        }
        rows_of = rows_sql(order.request, "r", types=types)
        asked = keyed.Asked(RELEASE, order.request.keys, payload, order.answers, rows_of)
        if in_order and keyed.fits(engine, asked):
            statement = keyed.by_position(engine, tokens, asked=asked, made=made)
        else:
            statement = keyed.by_crosswalk(engine, tokens, asked=asked, made=made)
        rows = engine.save(statement, target, sealed=False)
    finally:
        engine.drop(*reversed(made))
    return rows, columns


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
    """Delete what lies under `folder` and no grant that stands names, as a crash leaves it; returns how many."""
    with store.read() as connection:
        named = {folder / g.place for g in (*grants.active(connection), *grants.earlier(connection))}
    kept = set(folder.glob(f"*/{SCRATCH}/*"))  # the projects' own tables, which have a sweep of their own
    stray = [p for p in folder.rglob("*") if p.is_file() and p not in named and p not in kept]
    for place in stray:
        place.unlink(missing_ok=True)
    for empty in sorted((p for p in folder.rglob("*") if p.is_dir() and not any(p.iterdir())), reverse=True):
        shutil.rmtree(empty)
    return len(stray)
