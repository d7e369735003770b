"""Businesses: names, trading styles, industry, legal form, premises and skewed sizes."""

from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from integrated_data.specimen import names
from integrated_data.specimen.addresses import COMMUNAL, PREMISES, Addresses
from integrated_data.specimen.areas import Areas
from integrated_data.specimen.chance import Bools, Floats, Ints, happens, opaque, pick, pick_by_group, stream
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import CENSUS_DAY, YEAR, Text, choose, column, digits, join, take
from integrated_data.specimen.words import lists, records

COMPANY, PUBLIC_COMPANY, PARTNERSHIP, SOLE_TRADER, PUBLIC_BODY = range(5)
LEGAL_STATUS = (
    "Company",
    "Public limited company",
    "Limited liability partnership",
    "Sole proprietor",
    "Public body",
)


@dataclass(frozen=True, slots=True)
class Industry:
    """One SIC 2007 class: official title, and what people call it (the last phrase is in no index)."""

    code: str
    title: str
    share: float
    size: float
    nouns: tuple[str, ...]
    phrases: tuple[str, ...]
    occupations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Businesses:
    """One entry a business; `size` is relative, sole traders and public bodies have no `company_number`."""

    name: Text
    trading_name: Text
    company_number: Text
    legal_status: Ints
    industry: Ints
    address: Ints
    district: Ints
    size: Floats
    started_day: Ints
    live: Bools

    def __len__(self) -> int:
        """Return the number of businesses."""
        return len(self.industry)


def industries() -> tuple[Industry, ...]:
    """Return the industries that the country has."""
    return tuple(
        Industry(
            code,
            title,
            float(share),
            float(size),
            tuple(nouns.split(",")),
            tuple(phrases.split(";")),
            tuple(jobs.split(",")),
        )
        for code, title, share, size, nouns, phrases, jobs in records("industries")
    )


def build(seed: int, areas: Areas, *, addresses: Addresses, rates: Rates, count: int) -> Businesses:
    """Found `count` businesses; those of size get premises, the rest sit in somebody's home."""
    rng = stream(seed, "businesses")
    trades = industries()
    industry = pick(rng, np.array([trade.share for trade in trades]), rows=count)
    industry[: len(trades)] = np.arange(min(count, len(trades)))  # every industry exists, public ones included
    scale = np.array([trade.size for trade in trades])[industry]
    size = scale * np.minimum(rng.pareto(1.15, count) + 0.25, 400)
    address = _premises(rng, addresses, size=size)
    district = areas.ancestors(addresses.oa[address])["district"]
    public = np.array([trade.code.startswith(("84", "85", "861")) for trade in trades])[industry]
    status = _legal_forms(rng, size, public=public)
    base = _base_names(rng, trades, industry=industry, status=status, town=column(areas.districts.names).take(district))
    base = _distinct(rng, base, town=column(areas.districts.names).take(district))
    name = pc.binary_join_element_wise(base, _suffix(rng, status), "")
    live = ~happens(rng, rates.register_dead, rows=count)
    live[: len(trades)] = True
    age = np.minimum(rng.gamma(1.1, 10.0, count) + 0.1, 110)
    started = CENSUS_DAY - np.rint(age * YEAR).astype(np.int64)
    style = _trading_styles(rng, trades, industry=industry, has=happens(rng, rates.trading_style, rows=count))
    return Businesses(
        name, style, _company_numbers(rng, status), status, industry, address, district, size, started, live
    )


def _premises(rng: np.random.Generator, addresses: Addresses, *, size: Floats) -> Ints:
    """Give the larger businesses premises of their own (one each while they last), others a dwelling."""
    premises = rng.permutation(np.flatnonzero(addresses.kind == PREMISES))
    homes = np.flatnonzero(addresses.kind < COMMUNAL)
    order = np.argsort(-size * rng.lognormal(0, 1.0, len(size)))
    address = homes[rng.integers(0, len(homes), len(size))]
    own = order[: len(premises)]
    address[own] = premises[: len(own)]
    return address


def _legal_forms(rng: np.random.Generator, size: Floats, *, public: Bools) -> Ints:
    table = np.array([[0.44, 0.0, 0.05, 0.51], [0.84, 0.01, 0.07, 0.08], [0.86, 0.10, 0.04, 0.0]])
    band = np.where(size < 1.2, 0, np.where(size < 40, 1, 2))
    return np.where(public, PUBLIC_BODY, pick_by_group(rng, table, group=band))


def _suffix(rng: np.random.Generator, status: Ints) -> Text:
    company = np.where(rng.random(len(status)) < 0.62, 0, 1)
    which = np.where(
        status == COMPANY,
        company,
        np.where(status == PUBLIC_COMPANY, 2, np.where(status == PARTNERSHIP, 3, 4)),
    )
    return column([" LIMITED", " LTD", " PLC", " LLP", ""]).take(which)


def _base_names(
    rng: np.random.Generator, trades: tuple[Industry, ...], *, industry: Ints, status: Ints, town: Text
) -> Text:
    """Compose names in capitals: an owner, partners, a town or a fancy word, with a word of the trade."""
    rows = len(industry)
    words = lists("business_words")
    nouns = [noun for trade in trades for noun in trade.nouns]
    first = np.cumsum([0] + [len(trade.nouns) for trade in trades])[industry]
    span = np.array([len(trade.nouns) for trade in trades])[industry]
    noun = column(nouns).take(first + (span * rng.random(rows)).astype(np.int64))
    owner, partner, third = (_owners(rng, rows) for _ in range(3))
    fancy = take(column(words["fancy"]), rng.integers(0, len(words["fancy"]), rows))
    letters = [chr(65 + place) for place in range(26)]
    initials = join([column(letters).take(rng.integers(0, 26, rows)) for _ in range(3)], "")
    styles = (
        join([owner, noun], " "), join([owner, "& SONS", noun], " "), join([owner, "&", partner, noun], " "),
        join([town, noun], " "), join([fancy, noun], " "), join([fancy, "(", town, ")", noun], " "),
        join([initials, noun], " "), join([owner, partner, third], " "),
    )  # fmt: skip
    table = np.array([
        [0.22, 0.04, 0.06, 0.14, 0.38, 0.04, 0.12, 0.00],  # companies
        [0.08, 0.02, 0.04, 0.10, 0.60, 0.04, 0.12, 0.00],
        [0.10, 0.00, 0.35, 0.05, 0.10, 0.00, 0.10, 0.30],
        [0.55, 0.06, 0.06, 0.08, 0.22, 0.00, 0.03, 0.00],  # sole traders
        [0.00, 0.00, 0.00, 1.00, 0.00, 0.00, 0.00, 0.00],
    ])  # fmt: skip
    style = pick_by_group(rng, table, group=status)
    chosen = styles[0]
    for place in range(1, len(styles)):
        chosen = choose(style == place, styles[place], otherwise=chosen)
    return pc.replace_substring(pc.replace_substring(pc.utf8_upper(chosen), "( ", "("), " )", ")")


def _owners(rng: np.random.Generator, rows: int) -> Text:
    tradition = pick(rng, np.array([0.74, 0.05, 0.04, 0.04, 0.05, 0.01, 0.03, 0.02, 0.01, 0.01, 0, 0, 0, 0]), rows=rows)
    return names.book().surnames.take(names.draw_surnames(rng, tradition))


def _distinct(rng: np.random.Generator, base: Text, *, town: Text) -> Text:
    """Registered names differ: repeat names take their town, then a number, as companies do."""
    for attempt in range(3):
        codes = pc.dictionary_encode(base).indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        repeat = np.zeros(len(codes), dtype=bool)
        repeat[order[1:]] = np.diff(codes[order]) == 0
        if not repeat.any():
            break
        numbers = column([f"{number}" for number in rng.integers(2, 9_999, len(codes))])
        extra = join([base, "(", town, ")"], " ") if attempt == 0 else join([base, numbers], " ")
        base = choose(
            repeat,
            pc.utf8_upper(pc.replace_substring(pc.replace_substring(extra, "( ", "("), " )", ")")),
            otherwise=base,
        )
    return base


def _trading_styles(rng: np.random.Generator, trades: tuple[Industry, ...], *, industry: Ints, has: Bools) -> Text:
    """Return names over the door: a pub's sign, or a fancy word with the trade's word; missing for most."""
    words = lists("business_words")
    rows = len(industry)
    pub = np.array([trade.code == "56302" for trade in trades])[industry]
    sign = take(column(words["pubs"]), rng.integers(0, len(words["pubs"]), rows))
    fancy = take(column(words["fancy"]), rng.integers(0, len(words["fancy"]), rows))
    noun = column([trade.nouns[-1] for trade in trades]).take(industry)
    style = choose(pub, sign, otherwise=join([fancy, noun], " "))
    return choose(has | (pub & (rng.random(rows) < 0.7)), pc.utf8_upper(style), otherwise=None)


def _company_numbers(rng: np.random.Generator, status: Ints) -> Text:
    """Return eight-character company numbers: digits, or OC and six digits for partnerships."""
    rows = len(status)
    plain = digits(opaque(rng, rows, low=1_000_000, high=13_999_999), 8)
    partnership = pc.binary_join_element_wise(
        "OC", digits(opaque(rng, rows, low=300_000, high=max(999_999, 300_000 + 3 * rows)), 6), ""
    )
    return choose(status == PARTNERSHIP, partnership, otherwise=choose(status <= PUBLIC_COMPANY, plain, otherwise=None))
