"""Keyed encodings of people's identifiers: a supplier hands in bits instead of names.

Each record becomes one Bloom filter (a cryptographic long-term key: Schnell, Bachteler and Reiher, 2011): the
pieces of its cleaned values (pairs of letters of names and postcode, digits of the date of birth in their places)
each set bits that only a holder of the shared secret can work out. Positions are drawn independently of each other
(random hashing: Schnell and Borgs, 2016), and a field sets about the same number of bits whatever its length, as in
the clkhash schema. Beside the filter stand signatures: keyed hashes of whole values, by which records find each
other. Equal values give equal signatures, so their frequencies show: an encoding hides names from whoever carries
or stores the file, not from whoever holds the secret.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from integrated_data.engine import Engine, Held
from integrated_data.index.matching import prepare
from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.model.errors import UsageRefusal
from integrated_data.vocabulary.sql import name, text

Words = npt.NDArray[np.int64]

#: Bits of a filter, held as signed integers of 64 bits, which every engine can count.
BITS, WORD = 1024, 64
COLUMNS = tuple(f"w{i}" for i in range(BITS // WORD))
#: Fewest bytes of a shared secret.
SECRET_BYTES = 32
#: Most bits that one piece sets.
MOST = 40


@dataclass(frozen=True)
class Feature:
    """A cleaned field in a filter: `pieces` is SQL of a list of text over `value`, `bits` what they set together."""

    name: str
    pieces: str
    bits: int


_PAIRS = "list_distinct(list_transform(range(1, length(value) + 2), lambda i: substr('_' || value || '_', i, 2)))"
_DIGITS = "list_transform(range(1, length(value) + 1), lambda i: i || ':' || substr(value, i, 1))"


#: What a filter holds, over the cleaned fields of the Demographic Index. Weights are guesses: a name, a date
#: of birth and a postcode count about alike.
FEATURES = (
    Feature("given", _PAIRS, 180),
    Feature("family", _PAIRS, 220),
    Feature("born", _DIGITS, 220),
    Feature("gender", "[value]", 30),
    Feature("code", _PAIRS, 180),
)

#: Values whose equality brings two records together, as SQL of text over the cleaned fields.
SIGNED = (
    ("born", "left(given, 1)"),
    ("born", "family_sound"),
    ("root", "family", "birth_year"),
    ("code", "birth_year", "left(given, 1)"),
    ("code", "family_sound", "left(given, 1)"),
    ("root", "family_sound", "birth_month", "birth_day"),
)


def check_secret(secret: bytes) -> bytes:
    """The secret, or a refusal of one that can be guessed."""
    if len(secret) < SECRET_BYTES:
        raise UsageRefusal(
            f"The shared secret has fewer than {SECRET_BYTES} bytes",
            why="A short secret can be guessed, and names read back from the bits",
            next_step=f"Make one with: openssl rand -out secret.key {SECRET_BYTES}",
        )
    return secret


def encode(engine: Engine, secret: bytes, *, definition: MatchDefinition, records: str, out: str) -> None:
    """Tables `<out>_filters` (record, w0 …, ones) and `<out>_signatures` (record, signature) of a records relation.

    `records`: `record_id` and one column per meaning. `record` counts from 0; `<out>_clean` keeps its `record_id`.
    """
    prepare.load_lookups(engine, definition)
    cleaned = prepare.cleaned_sql(definition, records, columns=engine.columns(records))
    engine.create(f"{out}_clean", f"SELECT row_number() OVER () - 1 AS record, * FROM ({cleaned})")
    encode_cleaned(engine, secret, cleaned=f"{out}_clean", number="record", out=out)


def encode_cleaned(engine: Engine, secret: bytes, *, cleaned: str, number: str, out: str) -> None:
    """As `encode`, of a relation that has been cleaned; `number` is the column that counts its rows."""
    engine.create(f"{out}_told", _told_sql(cleaned, number))
    engine.create(f"{out}_pieces", _pieces_sql(f"{out}_told"))
    kinds = engine.rows(f"SELECT DISTINCT feature, piece, bits FROM {name(f'{out}_pieces')}")
    engine.load(f"{out}_masks", Held(_with_masks(secret, kinds)))
    either = ", ".join(f"bit_or({c}) AS {c}" for c in COLUMNS)
    engine.create(
        f"{out}_marks",
        f"SELECT feature, value, {either} FROM {name(f'{out}_pieces')} "
        f"JOIN {name(f'{out}_masks')} USING (feature, piece, bits) GROUP BY feature, value",
    )
    ones = " + ".join(f"bit_count({c})::INTEGER" for c in COLUMNS)
    engine.create(
        f"{out}_filters",
        f"SELECT *, ({ones})::INTEGER AS ones FROM (SELECT record, {either} FROM {name(f'{out}_told')} "
        f"JOIN {name(f'{out}_marks')} USING (feature, value) GROUP BY record)",
    )
    engine.create(f"{out}_values", _values_sql(cleaned, number))
    values = engine.rows(f"SELECT DISTINCT value FROM {name(f'{out}_values')}")["value"]
    signed = pa.array((signature(secret, v.as_py()) for v in values), pa.int64())
    engine.load(f"{out}_signed", Held(pa.table({"value": values, "signature": signed})))
    engine.create(
        f"{out}_signatures",
        f"SELECT DISTINCT record, signature FROM {name(f'{out}_values')} JOIN {name(f'{out}_signed')} USING (value)",
    )
    engine.drop(*(f"{out}_{t}" for t in ("told", "pieces", "masks", "marks", "values", "signed")))


def signature(secret: bytes, value: str) -> int:
    """A keyed hash of a value: 63 bits of HMAC-SHA256."""
    return int.from_bytes(hmac.digest(secret, b"signature|" + value.encode(), hashlib.sha256)[:8], "big") >> 1


def mask(secret: bytes, feature: str, *, piece: str, bits: int) -> Words:
    """The bits that a piece of a feature sets: `bits` positions drawn from HMAC-SHA512, as words."""
    drawn: list[int] = []
    block = 0
    while len(drawn) < bits:
        digest = hmac.digest(secret, f"{feature}|{block}|{piece}".encode(), hashlib.sha512)
        drawn += [int.from_bytes(digest[i : i + 2], "big") % BITS for i in range(0, len(digest), 2)]
        block += 1
    words = np.zeros(BITS // WORD, dtype=np.uint64)
    for position in drawn[:bits]:
        words[position // WORD] |= np.uint64(1) << np.uint64(position % WORD)
    return words.view(np.int64)


def _with_masks(secret: bytes, kinds: pa.Table) -> pa.Table:
    rows = kinds.to_pylist()
    words = [mask(secret, r["feature"], piece=r["piece"], bits=r["bits"]) for r in rows]
    table = np.vstack(words) if words else np.zeros((0, len(COLUMNS)), dtype=np.int64)
    for i, column in enumerate(COLUMNS):
        kinds = kinds.append_column(column, pa.array(table[:, i]))
    return kinds


def _told_sql(cleaned: str, number: str) -> str:
    """Rows of record, feature, value: what each record says."""
    return " UNION ALL ".join(
        f"SELECT {name(number)} AS record, {text(f.name)} AS feature, {name(f.name)}::VARCHAR AS value "
        f"FROM {name(cleaned)} WHERE {name(f.name)} IS NOT NULL"
        for f in FEATURES
    )


def _pieces_sql(told: str) -> str:
    """Rows of feature, value, piece, bits: how many bits each piece of each distinct value sets."""

    def one(feature: Feature) -> str:
        share = f"greatest(1, least({MOST}, round({feature.bits} / len(pieces))))::INTEGER"
        values = f"SELECT DISTINCT value FROM {name(told)} WHERE feature = {text(feature.name)}"
        return (
            f"SELECT {text(feature.name)} AS feature, value, unnest(pieces) AS piece, {share} AS bits "
            f"FROM (SELECT value, {feature.pieces} AS pieces FROM ({values})) WHERE len(pieces) > 0"
        )

    return " UNION ALL ".join(one(feature) for feature in FEATURES)


def _values_sql(cleaned: str, number: str) -> str:
    """Rows of record, value: what is signed; a record with a missing part has no value of that kind."""
    return " UNION ALL ".join(
        _value_sql(kind, parts, cleaned=cleaned, number=number) for kind, parts in enumerate(SIGNED)
    )


def _value_sql(kind: int, parts: Sequence[str], *, cleaned: str, number: str) -> str:
    joined = " || '|' || ".join(f"({part})::VARCHAR" for part in parts)
    present = " AND ".join(f"({part}) IS NOT NULL" for part in parts)
    return f"SELECT {name(number)} AS record, '{kind}|' || {joined} AS value FROM {name(cleaned)} WHERE {present}"


def dice_sql(left: str, right: str) -> str:
    """Likeness of two filters, 0 to 1: twice the bits both set over the bits either sets (Dice, 1945)."""
    both = " + ".join(f"bit_count({left}.{c} & {right}.{c})::INTEGER" for c in COLUMNS)
    return f"2.0 * ({both}) / ({left}.ones + {right}.ones)"


def columns_of(prefix: str, columns: Iterable[str] = COLUMNS) -> str:
    """The words of a filter as a list of columns of a relation."""
    return ", ".join(f"{prefix}.{c}" for c in columns)
