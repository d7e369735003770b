"""A small real service for journey tests: an installation in a folder, registers and deliveries drawn as rows."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integrated_data.acquire import contracts
from integrated_data.journey import Handed
from integrated_data.model.contract import Column, Contract, Format, IndexUse, Layout
from integrated_data.model.meanings import Kind, Meaning, handling_of
from integrated_data.site import loads
from integrated_data.site.installation import create
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.references import SourceOrder, load_reference
from integrated_data.site.settings import Settings
from tests.people import Row, people

SETTINGS = Settings(None, 2, "2GB", False, "tester")
EVERYONE = people(330)
LISTED = EVERYONE[:300]
#: Nobody of a name or place that is on the list.
UNLISTED = [
    row
    | {"family_name": f"{row['family_name']}sson", "address": f"{i + 1} Shore Road", "postcode": f"ZE{i % 9 + 1} 9XY"}
    for i, row in enumerate(EVERYONE[300:])
]
FIRMS = [
    {"record_id": f"F{i}", "organisation_name": f"{word} Ltd", "organisation_reference": f"120/AB{i}"}
    for i, word in enumerate(("Acme Bolts", "Brightwater Dairy", "Copperfield Lamps", "Dovetail Joinery"))
]
PERSON = {
    "record_id": Meaning.RECORD_ID, "given_name": Meaning.GIVEN_NAME, "family_name": Meaning.FAMILY_NAME,
    "date_of_birth": Meaning.DATE_OF_BIRTH, "sex": Meaning.SEX, "address": Meaning.ADDRESS,
    "postcode": Meaning.POSTCODE,
}  # fmt: skip


def contract(dataset: str, meanings: dict[str, Meaning], *indexes: str) -> Contract:
    columns = tuple(
        Column(n, n, Kind.DATE if n.endswith(("_birth", "_on")) else Kind.STRING, m, handling_of(m))
        for n, m in meanings.items()
    )
    return Contract(dataset, "Department", Layout(Format.CSV), columns, indexes=tuple(map(IndexUse, indexes)))


def written(place: Path, rows: list[Row]) -> Path:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    place.write_text(text.getvalue())
    return place


class Service:
    """An installation in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.places = folder, create(folder / "home", actor="tester")
        self.files = 0

    @contextmanager
    def open(self) -> Iterator[LoadingSite]:
        with open_loading(self.places, SETTINGS) as site:
            yield site

    def file(self, rows: list[Row]) -> Path:
        self.files += 1
        return written(self.folder / f"{self.files}.csv", rows)

    def feed(self, site: LoadingSite, index: str, *, source: str, rows: list[Row], meanings: dict[str, Meaning]) -> Any:
        given = self.folder / f"{source}.yaml"
        contracts.write(contract(source, meanings), given)
        return load_reference(site, SourceOrder(index, (self.file(rows),), source, "record_id", given))

    def deliver(self, site: LoadingSite, promised: Contract, rows: list[Row]) -> dict[str, Any]:
        return loads.deliver_and_refresh(site, promised.dataset, files=[self.file(rows)], handed=Handed(promised))


def named(rows: list[Row], prefix: str) -> list[Row]:
    """The same people under other record ids."""
    return [row | {"record_id": f"{prefix}{row['record_id']}"} for row in rows]
