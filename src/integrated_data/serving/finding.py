"""HTTP: who is signed in, what there is to ask, and asking for results to leave."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

import pyarrow.parquet as pq
from fastapi import APIRouter, Path, Request

from integrated_data.access.twins import Twins
from integrated_data.approve.roles import check_asks, check_may, check_project
from integrated_data.control import catalogue, outputs, projects, releases
from integrated_data.model.errors import AbsentRefusal, OutputRefusal
from integrated_data.model.output import Ask, OutputRequest
from integrated_data.model.people import Action
from integrated_data.model.signing_in import SignedIn
from integrated_data.serving import formats, shapes
from integrated_data.serving.asking import REFUSALS, AtDesk, Project, Who, apart, wait_for
from integrated_data.serving.desk import Desk
from integrated_data.serving.turns import Ticket
from integrated_data.site import concepts, joinable
from integrated_data.site import outputs as leaving

RequestId = Annotated[str, Path(pattern=shapes.ID)]
Dataset = Annotated[str, Path(pattern=shapes.ID)]
router = APIRouter(prefix="/v1", responses=REFUSALS, tags=["finding and releasing"])


@router.get("/me", response_model=shapes.Me)
def me(who: Who, desk: AtDesk) -> dict[str, Any]:
    """Who is signed in, and the projects they work on."""
    with desk.site.store.read() as connection:
        mine = [p for p in projects.projects(connection) if who.person in p.team]
    known = [
        {"project": p.id, "title": p.title, "state": p.state.value, "ends": p.ends.isoformat()}
        for p in mine if who.project in (None, p.id)
    ]  # fmt: skip
    roles = [role.value for role in who.roles]
    return {"person": who.person, "roles": roles, "until": who.until.isoformat(), "projects": known}


@router.get("/tables", response_model=list[shapes.Table])
def tables(who: Who, desk: AtDesk, *, project: Project) -> list[dict[str, Any]]:
    """What a project's queries may name."""
    check_asks(who, project)
    return [
        {
            "name": view.name, "dataset": view.dataset, "keys": list(view.keys),
            "columns": formats.columns_of(pq.read_schema(desk.site.places.projects / view.place)),
        }
        for view in desk.site.gateway.tables(who.person, project)
    ]  # fmt: skip


@router.post("/catalogue/search")
def search(body: shapes.SearchBody, who: Who, *, desk: AtDesk) -> list[dict[str, Any]]:
    """Datasets in which every word occurs, in their name, title, owner or variables, the best first."""
    check_may(who, Action.LOOK)
    with desk.site.store.read() as connection:
        return catalogue.search(connection, body.wanted(), day=desk.site.store.now().date())


@router.post("/catalogue/facets")
def facets(body: shapes.SearchBody, who: Who, *, desk: AtDesk) -> dict[str, Any]:
    """How many datasets a search finds, and how many of them have each value of each facet."""
    check_may(who, Action.LOOK)
    with desk.site.store.read() as connection:
        return catalogue.facets(connection, body.wanted(), day=desk.site.store.now().date())


@router.get("/catalogue/{dataset}")
def entry(dataset: Dataset, who: Who, *, desk: AtDesk) -> dict[str, Any]:
    """The catalogue's entry of one dataset, what it is joinable with, and which harmonised concepts it has."""
    check_may(who, Action.LOOK)
    with desk.site.store.read() as connection:
        release = releases.current(connection, dataset)
    if release is None:
        raise AbsentRefusal("No such dataset is published", next_step="Search for it: POST /v1/catalogue/search")
    twin = Twins(desk.site.places.twins).told(dataset)
    shared = joinable.joinable(desk.site.places, desk.site.store, dataset=dataset)
    made = {"release": release.id, "published": release.at, "synthetic_twin": twin, "joinable": shared}
    return {**release.entry, **made, "concepts": concepts.views(desk.site.places, dataset=dataset)}


@router.post("/outputs", status_code=HTTPStatus.CREATED, response_model=shapes.OutputFacts)
async def request_output(
    body: shapes.OutputBody, request: Request, *, who: Who, desk: AtDesk, project: Project
) -> dict[str, Any]:
    """Ask for the results of queries to leave; the service runs them again itself, and checks them."""
    _may_release(who, project)
    asked = Ask(project, who.person, body.queries, body.title, body.purpose, body.change, body.brought())

    def make() -> OutputRequest:
        site = _patient(desk, who)
        made = leaving.ask(site, asked)
        leaving.check(site, made.id, actor=who.person)
        return _request(desk, made.id, who=who, project=project)

    desk.turns.check_room(who.person)
    return _facts(await wait_for(apart(make), request))


@router.get("/outputs/{output}", response_model=shapes.OutputFacts)
def look_at_output(output: RequestId, who: Who, *, desk: AtDesk, project: Project) -> dict[str, Any]:
    """Where one of your requests stands, and what the check found."""
    _may_release(who, project)
    return _facts(_request(desk, output, who=who, project=project))


def _may_release(who: SignedIn, project: str) -> None:
    check_may(who, Action.REQUEST_OUTPUT)
    check_project(who, project)


def _patient(desk: Desk, who: SignedIn) -> Any:
    return replace(desk.site, gateway=desk.gateway(Ticket(who.person), who))


def _request(desk: Desk, output: str, *, who: SignedIn, project: str) -> OutputRequest:
    """A request of this person's in this project; anybody else's is not there."""
    try:
        with desk.site.store.read() as connection:
            known = outputs.get_request(connection, output)
    except OutputRefusal:
        known = None
    if known is None or (known.person, known.project) != (who.person, project):
        raise AbsentRefusal("There is no such request of yours", next_step="Use the id that the request was given")
    return known


def _facts(known: OutputRequest) -> dict[str, Any]:
    findings = [{k: v if isinstance(v, int | float) else str(v) for k, v in vars(f).items()} for f in known.findings]
    return {
        "request": known.id, "project": known.project, "state": known.state.value, "title": known.title,
        "lane": None if known.lane is None else str(known.lane), "cells": known.cells, "withheld": known.withheld,
        "sha256": known.sha256, "findings": findings,
    }  # fmt: skip
