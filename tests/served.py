"""A small house with its doors open: two people, two projects, real files, real workers, real sockets."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from integrated_data.access.gateway import Gateway
from integrated_data.approve import accredit, apply
from integrated_data.control import projects
from integrated_data.model.query import QueryLimits
from integrated_data.serving.desk import Desk, Holding
from integrated_data.serving.run import flight_door, http_door
from integrated_data.serving.turns import Turns
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.certificates import certificate
from integrated_data.site.places import Places
from integrated_data.site.settings import from_environment
from integrated_data.site.signing_in import SignIn, Wish
from tests.journeys.test_gateway import PROJECT, Place

ANALYST = """
id: {id}
name: Somebody
organisation: University
accreditation: {{level: full, starts: 2025-01-01, ends: 2029-12-31}}
trained_until: 2028-01-01
roles: [analyst]
"""
JOINED = """
    SELECT c.region, count(DISTINCT person_key)::INT AS people, sum(p.income)::INT AS income
    FROM census c JOIN pay p USING (person_key) GROUP BY c.region ORDER BY c.region
"""
SLOW = "SELECT count(*) AS n FROM range(200000) a, range(200000) b WHERE a.range + b.range = -1"


@dataclass
class House:
    """The house: what stands behind the doors, and who may come in. Project P-2 is ben's alone."""

    place: Place
    door: SignIn
    desk: Desk

    def token(self, person: str, *, project: str | None = None) -> str:
        return self.door.make_token(person, Wish("test", project=project), by="desk")[0]

    def client(self, url: str, person: str | None = "ada", *, project: str = "P-1") -> httpx.Client:
        """Somebody's connection."""
        headers = {"x-ids-project": project}
        if person is not None:
            headers["authorization"] = f"Bearer {self.token(person)}"
        return httpx.Client(base_url=url, headers=headers, timeout=60)


def furnish(place: Place) -> None:
    """Two analysts and two projects, approved and provisioned."""
    for person in ("ada", "ben"):
        projects.add_person(place.store, accredit.read_person(ANALYST.format(id=person)), by="desk")
    other = PROJECT.format(id="P-2").replace("team: [ada]", "team: [ben]").replace("lead: ada", "lead: ben")
    projects.add_project(place.store, apply.read_project(other), by="ben")
    place.approve()
    place.approve("P-2")


@contextmanager
def house(
    place: Place, *, at_once: int = 2, limits: QueryLimits | None = None, holding: Holding | None = None
) -> Iterator[House]:
    """The house behind its desk; doors are opened by whoever needs one."""
    gateway: Gateway = place.gateway(limits)
    site = AnalysisSite(Places(Path(place.folder)), place.store, gateway)
    door = SignIn(place.store, production=False)
    desk = Desk(site, door, turns=Turns(at_once), holding=holding)
    try:
        yield House(place, door, desk)
    finally:
        desk.close()


@contextmanager
def open_http(made: House) -> Iterator[str]:
    """The HTTP door in plain text on a free port of loopback."""
    with http_door(made.desk, ("127.0.0.1", 0), shown=None) as url:
        yield url


@contextmanager
def open_flight(made: House) -> Iterator[tuple[str, Path]]:
    """The Flight SQL door with TLS on a free port of loopback, and the certificate it shows."""
    shown = certificate(made.desk.site.places, from_environment({}))
    with flight_door(made.desk, ("localhost", 0), shown=shown) as uri:
        yield uri, shown.chain
