"""Addresses and postcodes: houses, flats, named houses, care homes and premises, in two languages."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from integrated_data.specimen.areas import WELSH_REGION, Areas
from integrated_data.specimen.chance import Bools, Floats, Ints, opaque, pick, ranked_weights, stream
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import Text, blank, choose, column, join, number_text, take
from integrated_data.specimen.words import lists

#: Kinds of postcode and of address.
HOUSES, FLATS, NAMED, COMMUNAL, PREMISES = range(5)
#: Postcode areas (two letters) that the real post office does not use; the first letter is never Q, V or X.
_UNUSED = [
    "AF",
    "AG",
    "AK",
    "AP",
    "BC",
    "BE",
    "BF",
    "BG",
    "BK",
    "BP",
    "BU",
    "CD",
    "CE",
    "CG",
    "CK",
    "CN",
    "CP",
    "DB",
    "DC",
    "DF",
    "DM",
    "DP",
    "EB",
    "EF",
    "EG",
    "EK",
    "EP",
    "FB",
    "FE",
    "FG",
    "FL",
    "FN",
    "FR",
    "GB",
    "GD",
    "GE",
    "GF",
    "GN",
    "GP",
    "HB",
]
_LETTERS = "ABDEFGHJLNPQRSTUWXYZ"
_ABBREVIATED = (
    (" Street", " St"), (" Road", " Rd"), (" Avenue", " Ave"), (" Lane", " Ln"), (" Close", " Cl"),
    (" Drive", " Dr"), (" Crescent", " Cres"), (" Gardens", " Gdns"), (" Terrace", " Terr"),
    (" Court", " Ct"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Postcodes:
    """One entry a postcode, in the order of the OAs."""

    text: Text
    oa: Ints
    latitude: Floats
    longitude: Floats


@dataclass(frozen=True, slots=True)
class Addresses:
    """One entry an address; text columns are missing where a part does not exist."""

    uprn: Ints
    kind: Ints
    postcode: Ints
    flat: Text
    building: Text
    number: Text
    street: Text
    locality: Text
    town: Text
    #: the postcode's text, one line without it, and the same shortened as people write it
    postcode_text: Text
    one_line: Text
    short_line: Text
    #: four lines as an envelope has them
    envelope: tuple[Text, Text, Text, Text]
    latitude: Floats
    longitude: Floats
    oa: Ints


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stands in each postcode: its kind, how many addresses, and how they are numbered."""

    oa: Ints
    kind: Ints
    size: Ints
    street: Ints
    first_number: Ints


def build(seed: int, areas: Areas, *, rates: Rates, businesses: int, communal: int) -> tuple[Addresses, Postcodes]:
    """Build all addresses: dwellings by OA, `communal` homes and halls, and premises for businesses."""
    rng = stream(seed, "addresses")
    premises = max(20, round(businesses * rates.business_premises))
    plan = _plan(rng, areas, premises=premises, communal=communal)
    postcodes = _postcodes(rng, areas, plan=plan)
    index = np.repeat(np.arange(len(plan.oa)), plan.size)
    return _addresses(rng, areas, plan=plan, postcodes=postcodes, index=index), postcodes


def _plan(rng: np.random.Generator, areas: Areas, *, premises: int, communal: int) -> _Plan:
    """Divide each OA's dwellings into postcodes of 15 to 40, and add postcodes of premises and of homes."""
    n_oas = len(areas.dwellings)
    pieces = np.maximum(1, np.rint(areas.dwellings / 25)).astype(np.int64)
    oa = np.repeat(np.arange(n_oas), pieces)
    order = np.arange(len(oa)) - np.searchsorted(oa, oa, side="left")
    size = areas.dwellings[oa] // pieces[oa] + (order < areas.dwellings[oa] % pieces[oa])
    rural = rng.random(n_oas) < 0.16
    weights = np.where(rural[:, None], [0.55, 0.03, 0.42], [0.78, 0.21, 0.01])
    kind = np.sum(rng.random(len(oa))[:, None] > np.cumsum(weights[oa], axis=1), axis=1).clip(0, 2)
    extra_oa = rng.integers(0, n_oas, communal + premises // 12 + 1)
    extra_kind = np.where(np.arange(len(extra_oa)) < communal, COMMUNAL, PREMISES)
    oa = np.concatenate([oa, extra_oa])
    kind = np.concatenate([kind, extra_kind]).astype(np.int64)
    size = np.concatenate([size, np.where(extra_kind == COMMUNAL, 1, 12)])
    by_oa = np.argsort(oa, kind="stable")
    oa, kind, size = oa[by_oa], kind[by_oa], size[by_oa]
    same_street = (rng.random(len(oa)) < 0.35) & (np.diff(oa, prepend=-1) == 0)
    street = np.cumsum(~same_street) - 1
    first = np.zeros(len(oa), dtype=np.int64)
    for _ in range(5):  # numbers run on along a street of several postcodes
        first[same_street] = (first + size)[np.flatnonzero(same_street) - 1]
    return _Plan(oa, kind, size, street, first)


def _postcodes(rng: np.random.Generator, areas: Areas, *, plan: _Plan) -> Postcodes:
    """Write AA9 9AA: area by district, district by MSOA, sector by LSOA, unit by lot."""
    place = areas.ancestors(plan.oa)
    first_lsoa = np.searchsorted(areas.lsoas.parent, areas.lsoas.parent, side="left")
    lsoa_order = np.arange(len(first_lsoa)) - first_lsoa
    town = areas.lsoas.parent * 1_000 + lsoa_order // 10  # ten sectors a town
    towns, town_of_lsoa = np.unique(town, return_inverse=True)
    district_of_town = areas.msoas.parent[towns // 1_000]
    town_order = np.arange(len(towns)) - np.searchsorted(district_of_town, district_of_town, side="left")
    outward = (town_order + 1)[town_of_lsoa][place["lsoa"]]
    sector = lsoa_order[place["lsoa"]] % 10
    first = np.searchsorted(place["lsoa"], place["lsoa"], side="left")
    shuffled = rng.permutation(400)
    unit = shuffled[(np.arange(len(plan.oa)) - first) % 400]
    texts = [
        f"{_UNUSED[district % len(_UNUSED)]}{out} {digit}{_LETTERS[letter // 20]}{_LETTERS[letter % 20]}"
        for district, out, digit, letter in zip(place["district"], outward, sector, unit, strict=True)
    ]
    latitude = areas.latitude[plan.oa] + rng.normal(0, 0.0009, len(texts))
    longitude = areas.longitude[plan.oa] + rng.normal(0, 0.0014, len(texts))
    return Postcodes(column(texts), plan.oa, np.round(latitude, 6), np.round(longitude, 6))


def _street_names(rng: np.random.Generator, welsh: Bools) -> Text:
    words = lists("streets")
    rows = len(welsh)
    name = take(column(words["names"]), pick(rng, ranked_weights(len(words["names"]), shift=25), rows=rows))
    kind = take(column(words["types"]), pick(rng, ranked_weights(len(words["types"]), shift=2), rows=rows))
    first = take(column(words["welsh first"]), rng.integers(0, len(words["welsh first"]), rows))
    second = take(column(words["welsh second"]), rng.integers(0, len(words["welsh second"]), rows))
    in_welsh = welsh & (rng.random(rows) < 0.6)
    return choose(in_welsh, join([first, second], " "), otherwise=join([name, kind], " "))


def _numbers(rng: np.random.Generator, plan: _Plan, *, index: Ints, position: Ints) -> Ints:
    """Return house numbers: odd or even sides, or one after the other in small closes."""
    side = rng.integers(0, 3, len(plan.size))[index]
    along = position + plan.first_number[index]
    return np.where(side == 0, 2 * along + 1, np.where(side == 1, 2 * along + 2, along + 1)).astype(np.int64)


def _addresses(rng: np.random.Generator, areas: Areas, *, plan: _Plan, postcodes: Postcodes, index: Ints) -> Addresses:
    position = np.arange(len(index)) - np.searchsorted(index, index, side="left")
    kind = plan.kind[index]
    place = areas.ancestors(plan.oa)
    first = np.searchsorted(plan.street, np.arange(int(plan.street.max()) + 1), side="left")
    streets = _street_names(rng, place["region"][first] == WELSH_REGION)
    on_estate = (kind == PREMISES) & (plan.oa[index] % 2 == 0)
    flats = column(["Flat ", "Flat ", "Apartment ", "Unit "])
    word = np.where(on_estate, 3, (plan.oa[index] * 7 + plan.street[index]) % 3)
    flat = pc.binary_join_element_wise(flats.take(word), number_text(position + 1), "")
    number = _numbers(rng, plan, index=index, position=position)
    number = np.where(kind == FLATS, plan.first_number[index] + 1, number)
    unnumbered = (kind == NAMED) | (kind == COMMUNAL) | on_estate | ((kind == FLATS) & (plan.street[index] % 2 == 0))
    parts = {
        "flat": blank(flat, ~((kind == FLATS) | on_estate)),
        "building": _buildings(rng, plan, index=index, position=position, on_estate=on_estate),
        "number": blank(number_text(number), unnumbered),
        "street": streets.take(plan.street[index]),
        "locality": _localities(rng, areas).take(place["lsoa"][index]),
        "town": column(areas.districts.names).take(place["district"][index]),
    }
    return _written(rng, parts, postcodes=postcodes, index=index, kind=kind)


def _buildings(rng: np.random.Generator, plan: _Plan, *, index: Ints, position: Ints, on_estate: Bools) -> Text:
    """Name blocks, homes and estates, and houses without a number; no two houses of a postcode alike."""
    words = lists("streets")
    kind, lots = plan.kind[index], len(plan.oa)
    names, estates = words["names"], lists("business_words")["estates"]

    def two(last: str, rows: int) -> Text:
        endings = words[last]
        first = column(names).take(rng.integers(0, len(names), rows))
        return join([first, column(endings).take(rng.integers(0, len(endings), rows))], " ")

    houses = column([str(word) for word in rng.permutation(words["houses"])])
    turn = (position + rng.integers(0, 1_000, lots)[index]) % len(houses)
    named = choose(kind == NAMED, houses.take(turn), otherwise=None)
    block = choose(kind == FLATS, two("blocks", lots).take(index), otherwise=named)
    home = choose(kind == COMMUNAL, two("homes", len(index)), otherwise=block)
    return choose(on_estate, column(estates).take(rng.integers(0, len(estates), lots)).take(index), otherwise=home)


def _localities(rng: np.random.Generator, areas: Areas) -> Text:
    words = lists("places")
    lsoas = len(areas.lsoas.codes)
    name = [
        f"{rng.choice(words['town first'])}{rng.choice(words['town last'])} {rng.choice(words['local last'])}"
        for _ in range(lsoas)
    ]
    return blank(column(name), rng.random(lsoas) < 0.55)


def _written(
    rng: np.random.Generator, parts: dict[str, Text], *, postcodes: Postcodes, index: Ints, kind: Ints
) -> Addresses:
    """Compose the ways in which an address is written once, so that departments only take rows."""
    numbered = join([parts["number"], parts["street"]], " ")
    one_line = join([parts["flat"], parts["building"], numbered, parts["locality"], parts["town"]], ", ")
    short_street = numbered
    for long, short in _ABBREVIATED:
        short_street = pc.replace_substring_regex(short_street, f"{long}$", short)
    short_flat = pc.replace_substring_regex(parts["flat"], "^(Flat|Apartment) ", "Flt ")
    short_line = join([short_flat, parts["building"], short_street, parts["town"]], ", ")
    top = join([parts["flat"], parts["building"]], ", ")
    has_top = pc.is_valid(top)
    lines = (
        pc.if_else(has_top, top, numbered), pc.if_else(has_top, numbered, parts["locality"]),
        pc.if_else(has_top, parts["locality"], pa.scalar(None, pa.string())), parts["town"],
    )  # fmt: skip
    rows = len(index)
    latitude = np.round(postcodes.latitude[index] + rng.normal(0, 0.0002, rows), 6)
    longitude = np.round(postcodes.longitude[index] + rng.normal(0, 0.0003, rows), 6)
    return Addresses(
        opaque(rng, rows, low=100_000_000, high=9_999_999_999), kind, index, parts["flat"],
        parts["building"], parts["number"],
        parts["street"], parts["locality"], parts["town"], postcodes.text.take(index), one_line, short_line,
        lines,
        latitude, longitude, postcodes.oa[index],
    )  # fmt: skip
