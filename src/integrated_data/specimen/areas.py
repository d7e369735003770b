"""Areas of the fictional country: regions, districts, census geography; boundaries of 2011 and of 2021."""

from dataclasses import dataclass

import numpy as np

from integrated_data.specimen.chance import Floats, Ints, stream
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import Text, column
from integrated_data.specimen.words import lists

#: Population share, how many of minority traditions (1 = average), how deprived, latitude and longitude.
_REGIONS = (
    ("Northmarch", 0.10, 0.45, 0.25, 55.2, -2.2),
    ("Eastholm", 0.10, 0.60, -0.10, 52.6, 0.6),
    ("Westmere", 0.12, 0.85, 0.15, 53.6, -2.6),
    ("Kingsvale", 0.17, 2.60, 0.10, 51.6, -0.2),
    ("Midfells", 0.13, 1.30, 0.15, 52.6, -1.6),
    ("Southwold Shires", 0.14, 0.75, -0.35, 51.2, -1.0),
    ("Calderdown", 0.10, 0.90, 0.20, 53.7, -1.4),
    ("Trevance", 0.09, 0.30, -0.05, 50.7, -3.8),
    ("Cwmryd", 0.05, 0.35, 0.25, 52.2, -3.6),
)
#: Position of the region whose places and streets are in Welsh form.
WELSH_REGION = 8
#: Position of the region whose surnames are most often Scottish.
SCOTTISH_REGION = 0


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the hierarchy: codes and names of 2021, and the position of each area's parent."""

    kind: str
    codes: list[str]
    names: list[str]
    parent: Ints


@dataclass(frozen=True, slots=True)
class Areas:
    """The hierarchy, smallest areas last; every array of a level has one entry per area of that level."""

    regions: Level
    districts: Level
    msoas: Level
    lsoas: Level
    oas: Level
    #: 2011 codes seen from 2021's smallest piece: LSOA of each OA, district of each MSOA
    lsoa_2011_of_oa: list[str]
    district_2011_of_msoa: list[str]
    #: names of the districts that existed in 2011 only, by code
    former_districts: dict[str, str]
    #: 1 (most deprived tenth) to 10, by LSOA
    decile: Ints
    #: how many of minority traditions live here, 1 = average, by LSOA
    minority: Floats
    #: dwellings by OA, and the OA's centre
    dwellings: Ints
    latitude: Floats
    longitude: Floats

    def levels(self) -> tuple[Level, ...]:
        """Return the levels from the largest areas to the smallest."""
        return (self.regions, self.districts, self.msoas, self.lsoas, self.oas)

    def ancestors(self, oa: Ints) -> dict[str, Ints]:
        """Return for each OA the positions of its LSOA, MSOA, district and region, by kind."""
        found = {"oa": oa}
        for smaller, larger in (
            (self.oas, "lsoa"),
            (self.lsoas, "msoa"),
            (self.msoas, "district"),
            (self.districts, "region"),
        ):
            found[larger] = smaller.parent[found[smaller.kind]]
        return found

    def codes_of(self, kind: str, positions: Ints) -> Text:
        """Return the 2021 codes of areas of one kind."""
        level = next(level for level in self.levels() if level.kind == kind)
        return column(level.codes).take(positions)


def build(seed: int, people: int, *, rates: Rates) -> Areas:
    """Lay out the areas of a country of this many people; small countries have fewer, smaller areas."""
    rng = stream(seed, "areas")
    regions, districts, msoas, lsoas, oas = _hierarchy(rng, people, rates=rates)
    n_lsoas, n_oas = len(lsoas.codes), len(oas.codes)
    deprived = _deprivation(rng, districts.parent, msoa_district=msoas.parent, lsoa_msoa=lsoas.parent)
    mixed = np.array([region[2] for region in _REGIONS])[districts.parent[msoas.parent[lsoas.parent]]]
    minority = mixed * np.exp(rng.normal(0, 0.7, n_lsoas) + 0.25 * deprived - 0.27)
    decile = 10 - np.argsort(np.argsort(deprived)) * 10 // n_lsoas
    old_districts, former = _former_districts(districts, msoas.parent)
    old_lsoas = _lsoa_2011(rng, lsoas, oa_lsoa=oas.parent, changed=rates.lsoa_changed)
    latitude, longitude = _centres(rng, (districts.parent, msoas.parent, lsoas.parent, oas.parent))
    households = people * (1 + rates.departed) / rates.people_per_household / (1 - rates.vacant_dwellings)
    size = rng.lognormal(0, 0.15, n_oas)
    dwellings = np.maximum(4, np.rint(households * size / size.sum())).astype(np.int64)
    return Areas(
        regions, districts, msoas, lsoas, oas, old_lsoas, old_districts, former, decile, minority, dwellings,
        latitude, longitude,
    )  # fmt: skip


def _hierarchy(rng: np.random.Generator, people: int, *, rates: Rates) -> tuple[Level, Level, Level, Level, Level]:
    """Divide nine regions into districts, MSOAs, LSOAs and OAs, in proportion to their population."""
    shares = np.array([region[1] for region in _REGIONS])
    n_districts = int(np.clip(people // 2_000, 9, 40))
    n_msoas = max(round(1.2 * n_districts), round(people / rates.people_per_msoa))
    n_lsoas = max(round(1.4 * n_msoas), round(people / rates.people_per_lsoa))
    n_oas = max(2 * n_lsoas, round(people / rates.people_per_oa))
    region = np.sort(_spread(shares, n_districts))
    weight = (shares / np.bincount(region, minlength=9))[region]
    of_msoa = _spread(weight, n_msoas)
    of_lsoa = _spread(_inherited(of_msoa, weight), n_lsoas)
    of_oa = _spread(np.ones(n_lsoas), n_oas)
    codes = [_code("region", place, serial=place) for place in range(9)]
    regions = Level("region", codes, [row[0] for row in _REGIONS], np.zeros(9, np.int64))
    districts = _level("district", _town_names(rng, region), parent=region, region=region)
    msoa_names = _numbered(districts.names, of_msoa, width=3)
    msoas = _level("msoa", msoa_names, parent=of_msoa, region=region[of_msoa])
    lsoas = _level("lsoa", _lettered(msoas.names, of_lsoa), parent=of_lsoa, region=region[of_msoa][of_lsoa])
    oas = _level("oa", [""] * n_oas, parent=of_oa, region=region[of_msoa][of_lsoa][of_oa])
    return regions, districts, msoas, lsoas, oas


def _spread(weights: Floats, pieces: int) -> Ints:
    """Give each parent one or more of `pieces` children, in proportion; return each child's parent."""
    parents = len(weights)
    extra = np.floor(np.cumsum(weights / weights.sum()) * (pieces - parents) + 1e-9).astype(np.int64)
    counts = 1 + np.diff(np.concatenate([[0], extra]))
    counts[-1] += pieces - counts.sum()
    return np.repeat(np.arange(parents), counts)


def _inherited(parent: Ints, weights: Floats) -> Floats:
    return (weights / np.bincount(parent, minlength=len(weights)))[parent]


def _code(kind: str, region: int, *, serial: int) -> str:
    welsh = region == WELSH_REGION
    entity = {"region": "12", "district": "06" if welsh else "07", "msoa": "02", "lsoa": "01", "oa": "00"}[kind]
    base = {"region": 91, "district": 901, "msoa": 90_001, "lsoa": 900_001, "oa": 900_001}[kind]
    return f"{'W' if welsh else 'E'}{entity}{base + serial:06d}"


def _level(kind: str, names: list[str], *, parent: Ints, region: Ints) -> Level:
    codes = [_code(kind, int(area_region), serial=serial) for serial, area_region in enumerate(region)]
    return Level(kind, codes, names, parent)


def _town_names(rng: np.random.Generator, region: Ints) -> list[str]:
    words = lists("places")
    welsh = list(rng.permutation(words["town welsh"]))
    names: list[str] = []
    for area_region in region:
        name = str(welsh.pop()) if area_region == WELSH_REGION and welsh else ""
        while not name or name in names:
            name = str(rng.choice(words["town first"])) + str(rng.choice(words["town last"]))
        names.append(name)
    return names


def _numbered(names: list[str], parent: Ints, *, width: int) -> list[str]:
    return [f"{names[mother]} {order + 1:0{width}d}" for mother, order in zip(parent, _order(parent), strict=True)]


def _lettered(names: list[str], parent: Ints) -> list[str]:
    return [f"{names[mother]}{chr(65 + order % 26)}" for mother, order in zip(parent, _order(parent), strict=True)]


def _order(parent: Ints) -> Ints:
    """Return the place of each child among its parent's children; children of a parent are consecutive."""
    first = np.searchsorted(parent, parent, side="left")
    return np.arange(len(parent)) - first


def _deprivation(rng: np.random.Generator, district_region: Ints, *, msoa_district: Ints, lsoa_msoa: Ints) -> Floats:
    region = np.array([row[3] for row in _REGIONS])
    district = region[district_region] + rng.normal(0, 0.4, len(district_region))
    msoa = district[msoa_district] + rng.normal(0, 0.5, len(msoa_district))
    return msoa[lsoa_msoa] + rng.normal(0, 0.7, len(lsoa_msoa))


def _former_districts(districts: Level, msoa_district: Ints) -> tuple[list[str], dict[str, str]]:
    """Let the first two districts with several MSOAs be mergers of two districts of 2011."""
    codes = [districts.codes[district] for district in msoa_district]
    merged = [district for district in range(len(districts.codes)) if (msoa_district == district).sum() > 1][:2]
    former = {}
    for district in merged:
        members = np.flatnonzero(msoa_district == district)
        for half, side in enumerate(("North", "South")):
            code = f"{districts.codes[district][:3]}{800 + 10 * district + half:06d}"
            former[code] = f"{side} {districts.names[district]}"
            for msoa in members[half::2]:
                codes[msoa] = code
    return codes, former


def _lsoa_2011(rng: np.random.Generator, lsoas: Level, *, oa_lsoa: Ints, changed: float) -> list[str]:
    """Return the 2011 LSOA of each OA: most as in 2021, some split since, some merged since."""
    codes = np.array(lsoas.codes)
    parts = [codes[lsoa] for lsoa in oa_lsoa]
    chosen = rng.permutation(np.flatnonzero(np.diff(lsoas.parent, append=-1) == 0))
    events = max(2, round(len(codes) * changed / 2))
    used: set[int] = set()
    for event, lsoa in enumerate(chosen):
        if len(used) >= 2 * events or {int(lsoa), int(lsoa) + 1} & used:
            continue
        used |= {int(lsoa), int(lsoa) + 1}
        old = f"{codes[lsoa][:3]}{800_001 + 2 * int(lsoa):06d}"
        for oa in np.flatnonzero((oa_lsoa == lsoa) | (oa_lsoa == lsoa + 1)):
            split = event % 2 == 0
            other = f"{codes[lsoa][:3]}{800_002 + 2 * int(lsoa):06d}"
            if split:
                parts[oa] = old
            elif oa_lsoa[oa] == lsoa:
                parts[oa] = old if oa % 2 else other
    return [str(part) for part in parts]


def _centres(rng: np.random.Generator, parents: tuple[Ints, Ints, Ints, Ints]) -> tuple[Floats, Floats]:
    """Scatter each level about its parent's centre; about 40 km for districts down to 300 m for OAs."""
    found = []
    for axis, stretch in ((4, 1.0), (5, 1.6)):
        place = np.array([row[axis] for row in _REGIONS])
        for parent, spread in zip(parents, (0.32, 0.04, 0.010, 0.003), strict=True):
            place = place[parent] + rng.normal(0, spread * stretch, len(parent))
        found.append(place)
    return found[0], found[1]
