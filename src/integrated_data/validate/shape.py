"""Shape: how a delivery's published values are spread, so that a later one can be held against it.

Of each published column: how many rows have each code, or lie in each bucket of numbers (a tenth of their size wide, as
in Masson, Rim and Lee, "DDSketch", VLDB 2019, so that any two deliveries have the same buckets), and how many none.
Identifiers and withheld columns have no shape, but for the operations of changes. Of a long delivery a sample of its
rows is counted.

Two shapes are compared by the population stability index (Siddiqi, "Credit risk scorecards", 2006): above 0.25 values
are spread otherwise. Chance alone gives (1/n + 1/m) times a chi-square of as many degrees as there are groups but one
(Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020), so few rows must differ more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import log, sqrt

import pyarrow as pa

from integrated_data.model.contract import Column, Contract
from integrated_data.model.meanings import Handling, Kind, Meaning
from integrated_data.vocabulary.sql import name, names, text

#: Rows that are counted; of twice as many or more, a sample of about so many.
SAMPLE = 50_000
#: Different codes up to which a column of text is a code list, and the fewest rows behind one on average.
MOST_CODES, LEAST_REPEATED = 200, 5
#: Natural logarithm of how much wider each bucket of numbers is than the one before.
WIDTH = log(1.1)
#: Groups of numbers that are compared, each with as many rows of the earlier delivery.
GROUPS = 10
#: The population stability index from which values are spread otherwise, and below which they are spread alike.
OTHERWISE, ALIKE = 0.25, 0.1
#: Rows of either delivery below which nothing is said of how values are spread.
FEWEST = 50
#: How rare a thing must be by chance to be told: once in a million.
CHANCE = 1e-6
#: Standard deviations of a normal distribution with that chance above them, and with one in twenty.
_RARE, _OFTEN = 4.753, 1.645
#: Share of rows with codes that a contract does not list from which they are no slips.
SLIPS = 0.005

_NUMBERS = (Kind.INTEGER, Kind.NUMBER)
_PASSING = (Meaning.YEAR, Meaning.MONTH, Meaning.RECORD_ID, Meaning.FREE_TEXT, Meaning.LATITUDE, Meaning.LONGITUDE)


@dataclass(frozen=True)
class Spread:
    """One column: its rows by code or by bucket of numbers, and those without a value. `coded`: it is a code list."""

    coded: bool
    counts: Mapping[str, int]
    empty: int = 0

    @property
    def rows(self) -> int:
        """All rows that were counted."""
        return self.filled + self.empty

    @property
    def filled(self) -> int:
        """Those that have a value."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Shape:
    """How the published columns of a delivery are spread, by name. `free`: text that is no code list, as counted."""

    spreads: Mapping[str, Spread]
    free: Mapping[str, Spread] = field(default_factory=dict)


@dataclass(frozen=True)
class Recoded:
    """How many codes of a list are new and gone; `codes`: the new ones, which are values and never told."""

    new: int
    gone: int
    codes: tuple[str, ...] = field(default=(), repr=False)


def shaped(contract: Contract) -> tuple[Column, ...]:
    """The columns that have a shape: published ones of numbers, and of text or truth that may be codes; and the one
    that tells changes."""
    operation = contract.changes.operation if contract.changes else None
    return tuple(
        c for c in contract.columns
        if (c.handling is Handling.PAYLOAD or c.name == operation) and c.meaning not in _PASSING
        and c.kind in (*_NUMBERS, Kind.STRING, Kind.BOOLEAN)
    )  # fmt: skip


def shape_sql(columns: Sequence[Column], relation: str, *, rows: int, row: str = "") -> str:
    """Counts of a relation with `rows` rows: `column_name`, `value` (NULL where empty) and `n`, at most a few more
    values of a column than a code list has. `row`: its column of row numbers, where it has one.

    Rows are drawn one by one, never in runs: in a file that is in some order, runs would miss whole codes.
    """
    sampled = f"SELECT {names(c.name for c in columns)} FROM {name(relation)}"
    if rows > 2 * SAMPLE:
        drawn = f" WHERE hash({name(row)}) % {rows // SAMPLE} = 0"
        sampled += drawn if row else f" USING SAMPLE {100 * SAMPLE / rows:.6f} PERCENT (bernoulli)"
    parts = [
        f"(SELECT {text(c.name)} AS column_name, {_bucket_sql(c)} AS value, count(*) AS n FROM s GROUP BY 2 "
        f"ORDER BY 2 NULLS FIRST LIMIT {_most(c)})"
        for c in columns
    ]
    return f"WITH s AS MATERIALIZED ({sampled}) {' UNION ALL '.join(parts)}"


def _most(column: Column) -> int:
    return 5_000 if column.kind in _NUMBERS else MOST_CODES + 2


def _bucket_sql(column: Column) -> str:
    value = name(column.name)
    if column.kind not in _NUMBERS:
        return f"CAST({value} AS VARCHAR)"
    size = f"TRY_CAST(1000 + floor(ln(nullif(abs(CAST({value} AS DOUBLE)), 0)) / {WIDTH}) AS INTEGER)"
    return f"CAST(CASE WHEN {value} = 0 THEN 0 WHEN {value} > 0 THEN {size} ELSE -{size} END AS VARCHAR)"


def read(table: pa.Table, contract: Contract) -> Shape:
    """A shape from the rows of `shape_sql`."""
    kinds = {c.name: c.kind for c in shaped(contract)}
    counts: dict[str, dict[str | None, int]] = {}
    for row in table.select(["column_name", "value", "n"]).to_pylist():
        counts.setdefault(row["column_name"], {})[row["value"]] = int(row["n"])
    spreads: dict[str, Spread] = {}
    free: dict[str, Spread] = {}
    for column, found in counts.items():
        if column not in kinds:
            continue
        empty = found.pop(None, 0)
        spread = Spread(kinds[column] not in _NUMBERS, {str(k): n for k, n in found.items()}, empty)
        (free if spread.coded and not _is_list(spread) else spreads)[column] = spread
    return Shape(spreads, free)


def _is_list(spread: Spread) -> bool:
    return len(spread.counts) <= MOST_CODES and spread.filled >= LEAST_REPEATED * len(spread.counts)


def stability_index(before: Spread, now: Spread) -> float:
    """The population stability index of two spreads over the same groups; an empty cell counts as half a row."""
    pairs = _grouped(before, now)
    whole, other = sum(b for b, _ in pairs) + 0.5 * len(pairs), sum(n for _, n in pairs) + 0.5 * len(pairs)
    shares = [((b + 0.5) / whole, (n + 0.5) / other) for b, n in pairs]
    return sum((q - p) * log(q / p) for p, q in shares)


def by_chance(before: Spread, now: Spread, *, sigmas: float = _RARE) -> float:
    """The greatest index that chance gives once in a million, for spreads of so many rows and groups.

    `sigmas`: of a normal distribution with another chance above them. The quantile of chi-square is Wilson and
    Hilferty's (1931).
    """
    degrees = max(1, len(_grouped(before, now)) - 1)
    spread = 2 / (9 * degrees)
    chi = degrees * (1 - spread + sigmas * sqrt(spread)) ** 3
    return chi * (1 / max(1, before.rows) + 1 / max(1, now.rows))


def _grouped(before: Spread, now: Spread) -> list[tuple[int, int]]:
    """Rows of both in each group: a code, a tenth of the earlier numbers, or no value."""
    if before.coded:
        often = [c for c, n in before.counts.items() if n >= before.rows / 100]
        groups = [(before.counts[c], now.counts.get(c, 0)) for c in often]
        rest = (before.filled - sum(b for b, _ in groups), now.filled - sum(n for _, n in groups))
    else:
        groups, rest = _tenths(before, now), (0, 0)
    return [g for g in (*groups, rest, (before.empty, now.empty)) if sum(g)]


def _tenths(before: Spread, now: Spread) -> list[tuple[int, int]]:
    buckets = sorted({int(b) for b in (*before.counts, *now.counts)})
    least, groups, held = before.filled / GROUPS, [], [0, 0]
    for bucket in buckets:
        held[0] += before.counts.get(str(bucket), 0)
        held[1] += now.counts.get(str(bucket), 0)
        if held[0] >= least and held[0]:
            groups.append((held[0], held[1]))
            held = [0, 0]
    if groups and held[0] < least / 2:
        last = groups.pop()
        held = [held[0] + last[0], held[1] + last[1]]
    return [*groups, (held[0], held[1])]


def alike(before: Sequence[Spread], now: Spread) -> bool | None:
    """Whether a column is spread as in some delivery before; None where too few rows, or groups, say so or not."""
    told = [b for b in before if b.coded is now.coded and min(b.rows, now.rows) >= FEWEST and len(_grouped(b, now)) > 2]
    if not told:
        return None
    if any(stability_index(b, now) <= max(ALIKE, by_chance(b, now, sigmas=_OFTEN)) for b in told):
        return True
    return False if shifted(told, now) is not None else None


def shifted(before: Sequence[Spread], now: Spread) -> float | None:
    """The least index against deliveries before where all of them are spread otherwise; else None."""
    told = [b for b in before if b.coded is now.coded and min(b.rows, now.rows) >= FEWEST]
    found = [(stability_index(b, now), by_chance(b, now)) for b in told]
    if not found or any(index <= max(OTHERWISE, chance) for index, chance in found):
        return None
    return min(index for index, _ in found)


def recoded(column: Column, before: Sequence[Spread], *, now: Spread, guessed: bool = False) -> Recoded | None:
    """Codes that came and that are gone, beyond chance; None where the list is as it was.

    Of a code list whose contract names its codes, those that it does not name and that are no slips; `guessed`: the
    contract was inferred, so that codes which its first delivery had beside the named ones are no news. Otherwise a
    code is new where the deliveries before, and gone where this one, would have had it but once in a million.
    """
    if column.codes and guessed and not before:
        return None
    if column.codes and now.coded:
        known = {code for code, _ in column.codes}.union(*(b.counts for b in before if guessed))
        new = [c for c, n in now.counts.items() if c not in known]
        if sum(now.counts[c] for c in new) <= SLIPS * now.filled:
            return None
        return Recoded(len(new), 0, tuple(new))
    coded = [b for b in before if b.coded]
    if not coded or not now.coded or not now.filled:
        return None
    seen, rows, expected = set().union(*(b.counts for b in coded)), sum(b.filled for b in coded), -log(CHANCE)
    new = [c for c, n in now.counts.items() if c not in seen and n / now.filled * rows >= expected]
    shares = {c: min(b.counts.get(c, 0) / b.filled if b.filled else 0.0 for b in coded) for c in seen}
    gone = [c for c, share in shares.items() if c not in now.counts and share * now.filled >= expected]
    return Recoded(len(new), len(gone), tuple(new)) if new or gone else None


def unlisted(column: Column, before: Sequence[Spread], *, now: Spread | None) -> bool:
    """Whether a list of codes is free text now: most of it was never in the list, and would have been but by chance.

    `now`: the text, where it is no code list.
    """
    listed = {code for code, _ in column.codes}
    seen = listed.union(*(b.counts for b in before if b.coded))
    if now is None or not now.filled or not seen:
        return False
    new = sum(n for value, n in now.counts.items() if value not in seen) / now.filled
    return new > 0.5 and (bool(listed) or new * sum(b.filled for b in before if b.coded) >= -log(CHANCE))


def stamped(column: Column, before: Sequence[Spread], *, now: Spread) -> bool:
    """Whether a column has one value in each delivery, which tells of the delivery: its period, its number.

    One without digits that stayed the same before, such as a currency, is none.
    """
    if column.codes or len(now.counts) != 1 or any(len(b.counts) > 1 for b in before):
        return False
    values = {value for spread in before for value in spread.counts}
    digits = any(sign.isdigit() for value in (*values, *now.counts) for sign in value)
    return not now.coded or digits or len(before) < 2 or len(values) > 1
