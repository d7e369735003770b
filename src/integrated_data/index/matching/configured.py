"""An index described by a file: how values are cleaned, blocked and compared, by words from closed lists.

No SQL is read from the file: every word stands for an expression of this module. The weights assumed
follow from two plain numbers of each comparison: in how many ways values differ (`values`), and the share
of matches on which they are written differently (`wrong`); training replaces them, as for any index.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import yaml

from integrated_data.index.matching.definition import (
    Comparison,
    Field,
    Key,
    Level,
    MatchDefinition,
    Policy,
    Rule,
)  # fmt: skip
from integrated_data.index.matching.described import Described, described, wrong
from integrated_data.model.linkage import IndexDefinition
from integrated_data.vocabulary import dwellings, names
from integrated_data.vocabulary.nested import load_yaml
from integrated_data.vocabulary.sql import name

TOP = ("index", "title", "key", "attributes", "blocking", "comparisons", "rules", "tells_apart", "policy", "one_to_one")
POLICY = ("error", "accept", "sure", "clerical", "merge")

_SHORT = {"letters": "[^A-Z ]", "digits": "[^0-9]", "capitals and digits": "[^A-Z0-9]"}


def _stripped(pattern: str) -> Callable[[str], str]:
    return lambda value: f"nullif(trim(regexp_replace(upper(strip_accents({value})), '{pattern}', '', 'g')), '')"


#: How values are cleaned: SQL of a delivered column (text).
CLEANERS: Mapping[str, Callable[[str], str]] = {
    **{word: _stripped(pattern) for word, pattern in _SHORT.items()},
    "date": lambda value: f"try_cast({value} AS DATE)",
    "number": lambda value: f"try_cast(replace({value}, ',', '') AS DOUBLE)",
    "name": lambda value: names.named_sql(names.solid_sql(names.letters_sql(value))),
    "postcode": lambda value: dwellings.postcode_sql(dwellings.solid_postcode_sql(value)),
    "text": lambda value: f"nullif(trim(regexp_replace(upper(strip_accents({value})), '[^A-Z0-9]+', ' ', 'g')), '')",
}
TEXTS = frozenset(CLEANERS) - {"date", "number"}

#: Names that tables of an index have for themselves.
TAKEN = frozenset(
    {
        "record", "record_id", "entity", "entity_id", "form", "source", "sources", "former", "print", "status", "left",
        "right", "number", "value", "key", "kind", "stands", "effective_from", "effective_to", "recorded_from",
        "recorded_to", "own_id", "boundary_year", "parent_code", "area_type",
    }
)  # fmt: skip
DEGREES = (0.92, 0.8)
SPREAD = 100.0  # values that an attribute is assumed to have
WRONG = 0.05


def definition_of(text: str) -> MatchDefinition:
    """The index that a file describes; refuses what cannot be read with what is wrong, why, and what to write."""
    try:
        body = load_yaml(text)
    except (yaml.YAMLError, ValueError):  # ValueError: a date that does not exist
        raise wrong("", "It is not YAML", step="Compare it with examples/vehicle_index.yaml") from None
    whole = described(body, "")
    whole.known(TOP)
    cleaned = _attributes(whole.mapping("attributes"))
    comparisons = tuple(_comparison(entry, cleaned) for entry in whole.entries("comparisons"))
    _unrepeated(whole.path("comparisons"), [c.name for c in comparisons])
    keys = tuple(_key(entry, cleaned) for entry in whole.entries("blocking"))
    apart = [_known(entry, cleaned) for entry in whole.lists("tells_apart")]
    index = IndexDefinition(
        whole.word("index"), whole.text("title"), whole.word("key"), tuple(cleaned),
        provisional=bool(apart), named=True, one_to_one=whole.flag("one_to_one"),
    )  # fmt: skip
    enough = " OR ".join(f"({' AND '.join(f'{name(a)} IS NOT NULL' for a in each)})" for each in apart)
    return MatchDefinition(
        index,
        tuple(_field(a, how) for a, how in cleaned.items()),
        keys,
        comparisons,
        rules=tuple(_rule(entry, comparisons) for entry in whole.entries("rules", needed=False)),
        training=_training(whole, cleaned),
        policy=_policy(whole.mapping("policy", needed=False)),
        enough=enough or "FALSE",
    )


def _attributes(given: Described) -> dict[str, str]:
    found = {}
    for attribute in given.values:
        if not given.is_word(attribute) or attribute in TAKEN:
            raise wrong(
                given.path("a name"), "It is no plain word, or one that every index has for itself",
                step="Choose another name, in small letters, digits and underscores",
            )  # fmt: skip
        found[str(attribute)] = given.choice(str(attribute), CLEANERS)
    return found


def _field(attribute: str, how: str) -> Field:
    return Field(attribute, CLEANERS[how](name(f"in_{attribute}")), (attribute,), frequency=how != "number")


def _key(entry: Described, cleaned: Mapping[str, str]) -> Key:
    entry.known(("agree", "most"))
    parts, label = [], []
    for part in entry.parts("agree"):
        part.known(("of", "first"))
        attribute = part.choice("of", cleaned)
        if "first" not in part.values:
            parts.append(name(attribute))
            label.append(attribute)
            continue
        if cleaned[attribute] not in TEXTS:
            raise wrong(part.path("first"), "A date or a number has no first letters", step="Leave first out")
        first = part.whole("first", least=1, most=40)
        parts.append(f"CASE WHEN length({name(attribute)}) >= {first} THEN left({name(attribute)}, {first}) END")
        label.append(f"first {first} of {attribute}")
    return Key(", ".join(label), tuple(parts), size=entry.whole("most", least=2, most=1000, default=40))


def _comparison(entry: Described, cleaned: Mapping[str, str]) -> Comparison:
    entry.known(("attribute", "kind", "title", "degrees", "within", "values", "wrong"))
    attribute, kind = entry.choice("attribute", cleaned), entry.choice("kind", KINDS)
    wants = {"spelling": TEXTS, "number": ("number",), "date": ("date",)}.get(kind, CLEANERS)
    if cleaned[attribute] not in wants:
        raise wrong(
            entry.path("kind"), f"{attribute} is cleaned as {cleaned[attribute]}, which cannot be compared so",
            step="Write kind: exact, or clean the attribute differently",
        )  # fmt: skip
    for option, only in (("degrees", "spelling"), ("within", "number")):
        if option in entry.values and kind != only:
            raise wrong(entry.path(option), f"It is for comparisons of kind {only}", step=f"Leave {option} out")
    closer = KINDS[kind](attribute, entry)
    u = 1.0 / entry.number("values", above=1.0, most=1e12, default=SPREAD)
    miss = entry.number("wrong", above=0.0, most=0.5, default=WRONG)
    frequency = attribute if cleaned[attribute] != "number" else None
    each = len(closer)
    levels = [Level("same", f"l.{name(attribute)} = r.{name(attribute)}", 1.0 - miss, u, frequency)]
    # less close degrees share what is written differently, and are met more often at random
    levels += [
        Level(label, when, 0.8 * miss / each, min(u * 2.0 ** (i + 1), 0.5 / each))
        for i, (label, when) in enumerate(closer)
    ]
    rest = 1.0 - math.fsum(level.u for level in levels)
    levels.append(Level("other", "TRUE", 0.2 * miss if each else miss, max(rest, 0.01)))
    missing = f"l.{name(attribute)} IS NULL OR r.{name(attribute)} IS NULL"
    title = entry.text("title", default=attribute.replace("_", " ").capitalize())
    return Comparison(attribute, title, missing, tuple(levels), (attribute,))


Degrees = tuple[tuple[str, str], ...]


def _exact(_attribute: str, _entry: Described) -> Degrees:
    return ()


def _spelling(attribute: str, entry: Described) -> Degrees:
    left, right = f"l.{name(attribute)}", f"r.{name(attribute)}"
    degrees = entry.numbers("degrees", default=DEGREES)
    if any(not 0.5 <= d < 1.0 for d in degrees) or list(degrees) != sorted(set(degrees), reverse=True):
        step = "Write degrees: [0.92, 0.8]"
        raise wrong(entry.path("degrees"), "They must fall, from below 1 to 0.5 at least", step=step)
    alike = ((f"alike to {d:g}", f"jaro_winkler_similarity({left}, {right}) >= {d!r}") for d in degrees)
    return ("one character", f"damerau_levenshtein({left}, {right}) = 1"), *alike


def _number(attribute: str, entry: Described) -> Degrees:
    within = entry.numbers("within", default=())
    if any(w <= 0 for w in within) or list(within) != sorted(set(within)):
        raise wrong(entry.path("within"), "They must rise, from above 0", step="Write within: [10, 100]")
    gap = f"abs(l.{name(attribute)} - r.{name(attribute)})"
    return tuple((f"within {w:g}", f"{gap} <= {w!r}") for w in within)


def _date(attribute: str, _entry: Described) -> Degrees:
    def part(side: str, of: str) -> str:
        return f"date_part('{of}', {side}.{name(attribute)})"

    agree = {of: f"{part('l', of)} = {part('r', of)}" for of in ("year", "month", "day")}
    swapped = f"{part('l', 'day')} = {part('r', 'month')} AND {part('l', 'month')} = {part('r', 'day')}"
    return (
        ("day and month swapped", f"{agree['year']} AND {swapped}"),
        ("day or year differs", f"{agree['month']} AND ({agree['year']} OR {agree['day']})"),
        ("year and day agree", f"{agree['year']} AND {agree['day']}"),
        ("year agrees", agree["year"]),
    )


#: How values are compared: what degrees there are between the same and anything else.
KINDS: Mapping[str, Callable[[str, Described], Degrees]] = {
    "exact": _exact, "spelling": _spelling, "number": _number, "date": _date,
}  # fmt: skip


def _rule(entry: Described, comparisons: tuple[Comparison, ...]) -> Rule:
    entry.known(("name", "needs"))
    needs = entry.mapping("needs")
    by_name = {c.name: c for c in comparisons}
    needs.known(by_name)
    for of in needs.values:
        labels = [level.label for level in by_name[of].levels[:-1]]
        if not set(needs.texts(of)) <= set(labels):
            raise wrong(needs.path(of), "It names a level that is not there", step=f"Use some of {', '.join(labels)}")
    return Rule(entry.text("name"), tuple((of, needs.texts(of)) for of in needs.values))


def _training(whole: Described, cleaned: Mapping[str, str]) -> tuple[tuple[str, ...], ...]:
    """Blocks to train in: blocking keys of whole attributes."""
    parts = [entry.parts("agree") for entry in whole.entries("blocking")]
    keys = [[p.choice("of", cleaned) for p in key if "first" not in p.values] for key in parts]
    return tuple(dict.fromkeys(tuple(key) for key in keys if key))


def _known(entry: tuple[str, ...], cleaned: Mapping[str, str]) -> tuple[str, ...]:
    if not set(entry) <= set(cleaned):
        raise wrong("tells_apart", "It names no attribute", step=f"Use some of {', '.join(cleaned)}")
    return entry


def _policy(given: Described) -> Policy:
    given.known(POLICY)
    usual = {f.name: f.default for f in fields(Policy)}
    chosen: dict[str, Any] = {
        word: given.number(word, above=0.0, most=1.0, default=float(str(usual[word]))) for word in POLICY
    }
    if not chosen["clerical"] <= chosen["accept"] <= chosen["sure"]:
        step = "Let clerical be at most accept, and accept at most sure"
        raise wrong("policy", "Its bands do not follow one another", step=step)
    return replace(Policy(), **chosen)


def _unrepeated(at: str, told: list[str]) -> None:
    if len(set(told)) < len(told):
        raise wrong(at, "An attribute is compared twice", step="Compare every attribute once")
