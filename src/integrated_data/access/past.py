"""The tables of a project as they were read when a day was over, or at a release.

A question as at a day is decided like any other, by what holds now: the agreement, the project, the person. What it
reads are copies of earlier releases that were provisioned for the project; none is made for a question.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType

from integrated_data.access.views import View, of_grants
from integrated_data.control import grants, releases
from integrated_data.control.releases import Release
from integrated_data.control.store import Store
from integrated_data.model.access import Grant, Project
from integrated_data.model.errors import AgreementRefusal, QueryRefusal, Refusal


def check_wish() -> None:
    """Refuse a scratch table of what was read once: it would not end with what it rests on."""
    raise QueryRefusal(
        "A scratch table is made of what is read now", next_step="Ask the query itself as at the day, and keep its rows"
    )


@dataclass(frozen=True)
class _Asking:
    """What every view of a question is read as at, and the copies of earlier releases that there are."""

    project: Project
    as_at: str
    held: Mapping[tuple[str, int], Grant]
    release_of: Callable[[str], Release]


def views_as_at(store: Store, project: Project, *, granted: Mapping[str, View], as_at: str) -> Mapping[str, View]:
    """A project's views with the copies as at a day; one that cannot be read so is there, and says why."""
    with store.read() as connection:
        held = {(g.dataset, g.release): g for g in grants.earlier(connection, project=project.id)}
        today = store.present(connection).date()
        asking = _Asking(
            project, as_at, held, lambda dataset: releases.as_at(connection, dataset, when=as_at, today=today)
        )
        return MappingProxyType({name: _view(view, asking=asking) for name, view in granted.items()})


def _view(view: View, *, asking: _Asking) -> View:
    try:
        release = asking.release_of(view.dataset)
        _check_window(view, release=release, asking=asking)
    except Refusal as refused:
        return replace(view, absent=refused)
    if release.id == view.release:
        return view
    copy = asking.held.get((view.dataset, release.id))
    if copy is not None:
        return next(iter(of_grants([copy]).values()))
    return replace(view, absent=AgreementRefusal(
        f"Project {asking.project.id} holds no copy of {view.name} as at {asking.as_at} (release {release.id})",
        why="A copy is made before it is asked about, never for a question",
        next_step=f"Have it made: ids release grant {asking.project.id} {view.dataset} --as-at {asking.as_at}",
    ))  # fmt: skip


def _check_window(view: View, *, release: Release, asking: _Asking) -> None:
    """Refuse a day on which nothing of the window that the project was granted had happened."""
    request = asking.project.request(view.dataset)
    window = request.window if request is not None else None
    if window is not None and date.fromisoformat(release.at[:10]) < window.starts:
        raise AgreementRefusal(
            f"View {view.name} cannot be read as at {asking.as_at}",
            why=f"The project was granted rows from {window.starts} on, and that release was published before",
            next_step=f"Name a day from {window.starts} on",
        )
