"""Postcode directory (zip) and area names: census geography at the boundaries of 2011 and of 2021."""

import numpy as np
import pyarrow as pa

from integrated_data.specimen.areas import Areas
from integrated_data.specimen.chance import Ints, stream
from integrated_data.specimen.country import Country
from integrated_data.specimen.delivery import Sheet
from integrated_data.specimen.text import Text, blank, column, dates, day_of

#: Postcodes no longer in use, as a share of those in use: guess (the real one has more ended than live).
_ENDED = 0.03


def deliver(country: Country) -> tuple[Sheet, ...]:
    """Return `postcode_directory.zip` and `area_names.csv`."""
    rng = stream(country.seed, "postcode_directory")
    live = len(country.postcodes.oa)
    old, model = _ended(rng, country, live=live)
    index = np.concatenate([np.arange(live), model])
    order = rng.permutation(len(index))
    text = pa.concat_arrays([country.postcodes.text, old]).take(order)
    started = day_of(1980) + rng.integers(0, 12_000, len(index))
    ended = np.where(np.arange(len(index)) < live, 0, day_of(2013) + rng.integers(0, 2_800, len(index)))[order]
    index = index[order]
    oa = country.postcodes.oa[index]
    areas = country.areas
    place = areas.ancestors(oa)
    table = pa.table({
        "postcode": text,
        "introduced": dates(started[order], "%Y%m"),
        "terminated": blank(dates(ended, "%Y%m"), ended == 0),
        "latitude": pa.array(country.postcodes.latitude[index]),
        "longitude": pa.array(country.postcodes.longitude[index]),
        **{f"{short}21": areas.codes_of(kind, place[kind]) for kind, short in _KINDS},
        "oa11": areas.codes_of("oa", oa),
        "lsoa11": column(areas.lsoa_2011_of_oa).take(oa),
        "msoa11": areas.codes_of("msoa", place["msoa"]),
        "lad11": column(areas.district_2011_of_msoa).take(place["msoa"]),
        "rgn11": areas.codes_of("region", place["region"]),
    })  # fmt: skip
    names = pa.Table.from_pylist(_area_names(areas))
    return (
        Sheet("postcode_directory.zip", "comma", table, "postcode", packing="zip"),
        Sheet("area_names.csv", "comma", names),
    )


_KINDS = (("oa", "oa"), ("lsoa", "lsoa"), ("msoa", "msoa"), ("district", "lad"), ("region", "rgn"))


def _ended(rng: np.random.Generator, country: Country, *, live: int) -> tuple[Text, Ints]:
    """Invent postcodes beside live ones that nobody has now; return them and the live neighbour of each."""
    taken = set(country.postcodes.text.to_pylist())
    model = rng.integers(0, live, round(live * _ENDED) + 1)
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    words, kept = [], []
    for neighbour, text in zip(model, country.postcodes.text.take(model).to_pylist(), strict=True):
        word = text[:-2] + letters[rng.integers(0, 20)] + letters[rng.integers(0, 20)]
        if word not in taken:
            taken.add(word)
            words.append(word)
            kept.append(neighbour)
    return column(words), np.array(kept, dtype=np.int64)


def _area_names(areas: Areas) -> list[dict[str, str | int | None]]:
    """Return every area of both years with its name and the area it lies in."""
    rows: list[dict[str, str | int | None]] = []
    parent_codes: list[str] = []
    for level in areas.levels():
        for year in (2011, 2021):
            for position, code in enumerate(level.codes):
                parent = parent_codes[level.parent[position]] if parent_codes else None
                name = level.names[position] or code
                rows.append(_row(code, name, kind=level.kind, year=year, parent=parent))
        parent_codes = level.codes
    return _with_former(areas, rows)


def _with_former(areas: Areas, rows: list[dict[str, str | int | None]]) -> list[dict[str, str | int | None]]:
    """Put the LSOAs and districts of 2011 in the place of those that were split or merged since."""
    old_lsoas = set(areas.lsoa_2011_of_oa)
    old_districts = set(areas.district_2011_of_msoa)
    gone = {
        "lsoa": set(areas.lsoas.codes) - old_lsoas,
        "district": set(areas.districts.codes) - old_districts,
    }
    kept = [
        row
        for row in rows
        if row["boundary_year"] == 2021 or row["area_code"] not in gone.get(str(row["area_type"]), set())
    ]
    for code in sorted(old_lsoas - set(areas.lsoas.codes)):
        oa = areas.lsoa_2011_of_oa.index(code)
        lsoa = int(areas.oas.parent[oa])
        msoa = int(areas.lsoas.parent[lsoa])
        kept.append(
            _row(
                code,
                f"{areas.msoas.names[msoa]} {code[-3:]}",
                kind="lsoa",
                year=2011,
                parent=areas.msoas.codes[msoa],
            )
        )
    for code, name in areas.former_districts.items():
        msoa = areas.district_2011_of_msoa.index(code)
        region = int(areas.districts.parent[areas.msoas.parent[msoa]])
        kept.append(_row(code, name, kind="district", year=2011, parent=areas.regions.codes[region]))
    return kept


def _row(code: str, name: str, *, kind: str, year: int, parent: str | None) -> dict[str, str | int | None]:
    return {
        "area_code": code,
        "area_name": name,
        "area_type": kind,
        "boundary_year": year,
        "parent_code": parent,
    }
