"""A small sample of each index, made up: what the supplier's kit carries to say how well a file would match.

    python -m integrated_data.specimen.sample FOLDER

Codes of industries and occupations are the official ones, of which it holds a part. Everything else is of the
fictional country: no record of anybody is handed out with the kit.
"""

import csv
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from integrated_data.specimen import country, truth
from integrated_data.specimen.businesses import industries
from integrated_data.specimen.country import Country
from integrated_data.specimen.jobs import occupations

PEOPLE, SEED = 2_000, 4
#: Codes of a sex as standardised tables write them.
_SEX = {1: "M", 2: "F"}

#: By index, its columns.
COLUMNS = {
    "demographic": ("given", "family", "born", "sex", "postcode", "address"),
    "business": ("number", "name", "postcode"),
    "address": ("uprn", "address", "postcode"),
    "geography": ("code",),
    "classification": ("scheme", "code"),
}


def write(folder: Path) -> None:
    """Write `INDEX.csv` for each index into a folder that is there; the same bytes each time."""
    land = country.build(count=PEOPLE, seed=SEED)
    for index, rows in tables(land).items():
        with (folder / f"{index}.csv").open("w", encoding="utf-8", newline="") as target:
            csv.writer(target, lineterminator="\n").writerows([COLUMNS[index], *rows])


def tables(land: Country) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of each sample, in order."""
    homes = truth.addresses(land).to_pylist()
    areas = truth.areas(land).to_pylist()
    codes = {h["postcode"] for h in homes} | {v for a in areas for k, v in a.items() if k.endswith("_code")}
    industry = [("industry", one.code) for one in industries()]
    return {
        "demographic": _people(land, homes),
        "business": sorted(
            (b["company_number"], b["name"].upper(), homes[b["address_id"]]["postcode"])
            for b in truth.businesses(land).to_pylist() if b["company_number"]
        ),
        "address": sorted((h["uprn"], h["address"].upper(), h["postcode"]) for h in homes),
        "geography": [(code,) for code in sorted(codes)],
        "classification": sorted({*industry, *(("occupation", one.code) for one in occupations())}),
    }  # fmt: skip


def _people(land: Country, homes: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Who lives in the country, with their home."""
    found: Iterable[dict[str, Any]] = (p for p in truth.people(land).to_pylist() if p["status"] == "resident")
    return sorted(
        (p["forename"].upper(), p["surname"].upper(), p["birth_date"].isoformat(), _SEX[p["sex"]], home["postcode"],
         home["address"].upper())
        for p in found for home in (homes[p["address_id"]],)
    )  # fmt: skip


if __name__ == "__main__":
    write(Path(sys.argv[1]))
