"""Jobs, activities and employers in people's own words."""

import numpy as np
import pyarrow.compute as pc

from integrated_data.specimen import errors
from integrated_data.specimen.businesses import Businesses, industries
from integrated_data.specimen.chance import Ints, happens
from integrated_data.specimen.jobs import occupations
from integrated_data.specimen.rates import Rates
from integrated_data.specimen.text import Text, choose, column, join

_SHORT = (
    ("SERVICES", "SVCS"), ("MANAGEMENT", "MGMT"), ("ENGINEERING", "ENG"), ("CONSTRUCTION", "CONST"),
    ("SOLUTIONS", "SOLNS"),
    ("BOROUGH COUNCIL", "BC"), ("DISTRICT COUNCIL", "DC"), ("ACADEMIES TRUST", "MAT"),
    ("PRIMARY SCHOOL", "PRIM SCH"),
    ("HIGH SCHOOL", "HS"), ("NHS FOUNDATION TRUST", "NHS FT"), (" & ", " AND "),
    ("MEDICAL CENTRE", "MED CTR"),
    ("ASSOCIATES", "ASSOC"), ("DEVELOPMENTS", "DEVS"), ("TECHNOLOGIES", "TECH"), ("PROPERTIES", "PROPS"),
)  # fmt: skip


def job_titles(rng: np.random.Generator, occupation: Ints, *, rates: Rates) -> Text:
    """Return a job title for each occupation: as indexes have it, sometimes as none has it, with slips."""
    return _phrases(rng, [job.titles for job in occupations()], which=occupation, rates=rates)


def activities(rng: np.random.Generator, industry: Ints, *, rates: Rates) -> Text:
    """Return what the employer does for each industry, in the respondent's words."""
    return _phrases(rng, [trade.phrases for trade in industries()], which=industry, rates=rates)


def _phrases(rng: np.random.Generator, options: list[tuple[str, ...]], *, which: Ints, rates: Rates) -> Text:
    rows = len(which)
    flat = column([phrase for group in options for phrase in group])
    counts = np.array([len(group) for group in options])
    start = np.cumsum(counts) - counts
    known = start[which] + ((counts[which] - 1) * rng.random(rows)).astype(np.int64)
    outside = happens(rng, rates.title_outside_index, rows=rows)
    words = flat.take(np.where(outside, start[which] + counts[which] - 1, known))
    words = errors.misspell(rng, words, where=happens(rng, rates.title_typo, rows=rows))
    style = rng.random(rows)
    return choose(
        style < 0.25,
        pc.utf8_upper(words),
        otherwise=choose(style < 0.7, pc.utf8_capitalize(words), otherwise=words),
    )


def employer_names(
    rng: np.random.Generator, businesses: Businesses, *, business: Ints, rates: Rates, width: int
) -> Text:
    """Return employers as pay software has them: full, short, by trading style, cut at `width`."""
    rows = len(business)
    name = businesses.name
    bare = pc.replace_substring_regex(name, " (LIMITED|LTD|PLC|LLP)$", "")
    other = pc.replace_substring_regex(pc.replace_substring_regex(name, " LTD$", " LTD."), " LIMITED$", " LTD")
    short = other
    for long, brief in _SHORT:
        short = pc.replace_substring(short, long, brief)
    trading = pc.coalesce(businesses.trading_name, bare)
    both = choose(
        pc.is_valid(businesses.trading_name).to_numpy(zero_copy_only=False),
        join([bare, trading], " T/A "),
        otherwise=name,
    )
    style = rng.random(rows)
    written = name.take(business)
    for limit, words in ((0.55, other), (0.40, bare), (0.24, short), (0.12, trading), (0.05, both)):
        written = choose(style < limit, words.take(business), otherwise=written)
    written = choose(rng.random(rows) < 0.5, pc.utf8_slice_codeunits(written, 0, width), otherwise=written)
    return errors.misspell(rng, pc.utf8_trim_whitespace(written), where=happens(rng, rates.employer_typo, rows=rows))
