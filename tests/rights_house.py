"""A small house with somebody in it, for tests of what people may ask about data on them.

Two registers, a delivery of pay, two projects. A marked woman is paid twice, once under a married name: her names and
birth date occur nowhere else, and are searched for in everything.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from integrated_data import journey
from integrated_data.approve import accredit, agree, apply
from integrated_data.control import deliveries, projects
from integrated_data.engine import Stored
from integrated_data.model.rights import Right, Scope
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.loads import deliver_and_refresh
from integrated_data.site.places import Places
from integrated_data.site.projects import decide_and_provision
from integrated_data.site.refreshing import refresh_index
from integrated_data.site.rights import asking, doing, erasing
from integrated_data.site.settings import Settings
from integrated_data.site.subjects import somebody
from tests.journeys.installation import made
from tests.journeys.test_keys_follow import AGREEMENT, BLANK, PERSON, PROJECT, woman, write
from tests.marks import MARKED, cells, searched
from tests.marks import found as marked
from tests.people import people

CROWD = [BLANK | row for row in people(30)]
SHE, HE = MARKED[0], MARKED[1]
MAIDEN, MARRIED, BOTH = woman("her1", SHE.given, SHE.family, born=SHE.born, husband=HE.family)
SAYS = {"given_name": SHE.given, "family_name": SHE.family, "date_of_birth": SHE.born, "postcode": "AB1 2CD"}


@dataclass
class House:
    """An installation in which somebody may ask."""

    site: LoadingSite
    folder: Path

    def keys(self, project: str) -> dict[int, int | None]:
        """Income to key, or to nothing, in a project's copy."""
        (place,) = (self.site.places.projects / project).rglob("*.parquet")
        self.site.engine.view("seen", f"SELECT * FROM read_parquet('{place}')")
        return {int(r["income"]): r.get("person_key") for r in self.site.engine.rows("SELECT * FROM seen").to_pylist()}

    def landed(self, dataset: str) -> Path:
        """The file that landed of a dataset."""
        with self.site.store.read() as connection:
            (delivery,) = deliveries.of_dataset(connection, dataset)
        return self.site.places.landed / str(delivery["id"]) / "0.sealed"

    def lines(self, place: Path) -> list[bytes]:
        """The lines of a sealed file."""
        with self.site.sealer.read(place) as file:
            return file.read().splitlines(keepends=True)

    def best(self) -> dict[str, str]:
        """What the index holds for best of her."""
        told = somebody.identify(self.site, "demographic", values=SAYS)
        folder = somebody.folders(self.site, "demographic", newest=True)[0]
        seat = somebody.seat_of(self.site, "demographic")
        history = seat.history(self.site.engine, folder=folder, entity_id=told.entity or 0)
        return {b["attribute"]: b["value"] for b in history.best} if history else {}

    def found(self) -> set[str]:
        """Files of the installation in which a mark is found, sealed ones opened with the vault's keys."""
        hits = set(searched(self.site.places.home)[0])
        for place in (p for p in self.site.places.identified.rglob("*") if p.is_file()):
            if self.marked(place):
                hits.add(str(place.relative_to(self.site.places.home)))
        return hits

    def marked(self, place: Path) -> bool:
        if place.suffix == ".parquet":
            self.site.engine.load("opened", Stored((place,)))
            return bool(marked(cells(self.site.engine.rows("SELECT COLUMNS(*)::VARCHAR FROM opened"))))
        if place.suffix == ".sealed":
            with self.site.sealer.read(place) as sealed:
                return bool(marked(sealed.read()))
        return bool(marked(place.read_bytes()))

    def ask(self, right: Right, *, scope: Scope | None = None) -> str:
        told = asking.ask(self.site, asking.Wish(right, SAYS, "case 1", scope=scope or Scope()), by="ann")
        assert told["found"], told
        return str(told["request"])


@contextmanager
def house(folder: Path) -> Iterator[House]:
    home = folder / "home"
    if not home.exists():
        made(folder)
    with open_loading(Places(home), Settings(home, 2, "2GB", production=False, actor="tester")) as site:
        yield House(site, folder)


def furnish(h: House) -> None:
    for source, rows in (("register", [*CROWD, MAIDEN]), ("tax", [BOTH, CROWD[0] | {"record_id": "t1"}])):
        file = write(h.folder / f"{source}.csv", list(rows))
        journey.deliver(h.site.workshop, source, files=[file], feed=journey.Feed("demographic", "person_ref"))
    refresh_index(h.site, "demographic")
    paid = [row | {"record_id": f"D{i:04d}"} for i, row in enumerate([MAIDEN, BOTH, *CROWD[:20]])]
    deliver_and_refresh(h.site, "pay", files=[write(h.folder / "pay.csv", paid, incomes=True)])
    projects.add_agreement(h.site.store, agree.read_agreement(AGREEMENT, agree.united_kingdom()), by="owner")
    projects.add_person(h.site.store, accredit.read_person(PERSON), by="desk")
    for project, keys in (("P-keyed", "person"), ("P-plain", "")):
        application = apply.read_project(PROJECT.format(id=project, keys=keys, more=""))
        projects.add_project(h.site.store, application, by="ada")
        decide_and_provision(h.site, project, by="panel")


def erased(h: House, request: str) -> None:
    """The request to erase is done by the second officer."""
    doing.do(h.site, request, right=Right.ERASE, by="bob", work=lambda s, asked: erasing.erase(h.site, s, asked=asked))
