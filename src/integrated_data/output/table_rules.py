"""The rules of a whole table: what its keys, its words and its empty places tell, whatever its figures are.

Each is a short function that counts the cells, values or columns it is about; nought passes. Sources by the
short names of `output/rules.py`, and *ONS*: Office for National Statistics, policy on statistical
disclosure control for small-area outputs and for the Secure Research Service; *Census*: the
residents that census areas are drawn to hold (ONS, Census geographies).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from integrated_data.model.evidence import CellEvidence
from integrated_data.model.output import Cell, Finding, Outcome, ReleaseLimits, Role
from integrated_data.output.chosen import ANYBODY, Chosen
from integrated_data.output.table import Table, has_keys
from integrated_data.output.wording import is_plain, names_somebody
from integrated_data.vocabulary.areas import residents

#: Cells beyond which the empty combinations of keys are not counted.
MOST_COMBINATIONS = 1_000_000

#: Cells of one person, or rows of an unproven result, below which a table is too short to be a data set.
FEWEST_ROWS = 20

#: Longest text of a category, and of one that the query names itself.
LONGEST_CATEGORY, LONGEST_NAME = 160, 50

_PLACE = re.compile(
    r"(?:MULTI)?(?:POINT|LINESTRING|POLYGON)\s*Z?\s*\(|-?\d{1,3}\.\d{3,}\s*[,; ]\s*-?\d{1,3}\.\d{3,}$", re.IGNORECASE
)
_COORDINATE = re.compile(
    r"(?:x|y|e|n)_?coord\w*|easting\w*|northing\w*|lat(?:itude)?|lon(?:g|gitude)?|grid_?ref\w*", re.IGNORECASE
)
_SENTENCE = re.compile(r"\w{3,}[.!?]\s+[A-Z]")


@dataclass(frozen=True)
class Drawn:
    """A table as its rules see it. `evidence`: for each unit of protection; none where nothing is proven.

    `sample`: its rows are a survey's. `rows`: the fewest rows of a view that it reads, 0 where not known.
    `chosen`: how its query chooses rows; `hierarchy`: pairs of keys of which the first tells
    the second for everybody, chosen or not (a district its region).
    """

    table: Table
    evidence: Sequence[Mapping[Cell, CellEvidence]] = ()
    sample: bool = False
    rows: int = 0
    chosen: Chosen = ANYBODY
    hierarchy: frozenset[tuple[int, int]] = frozenset()

    @property
    def finest(self) -> list[Cell]:
        """Its cells that are no totals."""
        return [row.cell for row in self.table.rows if not any(row.cell.total)]

    @property
    def keys(self) -> int:
        """How many keys it has."""
        return len(self.table.rows[0].cell.values) if self.table.rows else 0


@dataclass(frozen=True)
class TableRule:
    """One rule of a table. `found`: what breaks it; `reason`: for its author; `limits`: those that it reads."""

    name: str
    found: Callable[[Drawn, ReleaseLimits], int]
    reason: str
    argument: str
    source: str
    outcome: Outcome
    threshold: Callable[[ReleaseLimits], str] = lambda _: "none"
    limits: tuple[str, ...] = ()


def identifiers(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Rows of a table with a column of keys."""
    return len(drawn.table.rows) if has_keys(drawn.table) else 0


def microdata(drawn: Drawn, limits: ReleaseLimits) -> int:
    """Cells of one person, where they are most of the table; rows of a result as long as what it reads."""
    if not drawn.evidence:
        rows = len(drawn.table.rows)
        return rows if rows >= FEWEST_ROWS and 0 < drawn.rows * limits.single_share <= rows else 0
    alone = max(sum(known[cell].contributors == 1 for cell in drawn.finest) for known in drawn.evidence)
    return alone if alone >= FEWEST_ROWS and alone > limits.single_share * len(drawn.finest) else 0


def rare_values(drawn: Drawn, limits: ReleaseLimits) -> int:
    """Values of a key that stand for too few people in the whole table."""
    rare = 0
    for key in range(drawn.keys):
        for known in drawn.evidence:
            people: dict[str | None, int] = {}
            for cell in drawn.finest:
                people[cell.values[key]] = people.get(cell.values[key], 0) + known[cell].people
            rare += sum(1 for count in people.values() if count < limits.minimum_people)
    return rare


def zeros(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Combinations of keys with nobody in them: absent, so told apart from withheld cells."""
    cells = drawn.finest if drawn.evidence else []
    combinations = prod(len({c.values[n] for c in cells}) for n in range(drawn.keys))
    return combinations - len(cells) if cells and combinations <= MOST_COMBINATIONS else 0


def one_class(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Groups whose every member falls into one class of a key.

    Where the rows are chosen, one group may be all that there is: a key with one value says it of everybody who
    was chosen, unless the condition does. A sample's zero does not say so of the population; a key that every
    group determines (the region of a district) is a hierarchy, not a finding, if it does so for everybody.
    """
    if drawn.sample or not drawn.evidence:
        return 0
    cells, count, how = drawn.finest, 0, drawn.chosen
    tells = told(drawn) & drawn.hierarchy if how.filtered else told(drawn)
    for key in range(drawn.keys):
        if len({cell.values[key] for cell in cells}) == 1:
            count += key not in how.pinned and (how.filtered or key in how.made)
            continue
        others = [n for n in range(drawn.keys) if n != key and (key, n) not in tells]
        if not others or any((other, key) in tells for other in others):
            continue
        groups: dict[tuple[str | None, ...], set[str | None]] = {}
        for cell in cells:
            groups.setdefault(tuple(cell.values[n] for n in others), set()).add(cell.values[key])
        count += sum(1 for classes in groups.values() if len(classes) == 1)
    return count


def told(drawn: Drawn) -> frozenset[tuple[int, int]]:
    """Pairs of keys of which the first tells the second in this table, as a district tells its region."""
    places = range(drawn.keys)
    return frozenset((n, m) for n in places for m in places if n != m and _determines(drawn.finest, n, other=m))


def repeated_rows(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Cells whose count of rows has more rows than people: one person stands in it several times."""
    if not any(c.count and c.plain is not None for c in drawn.table.columns):
        return 0
    return max((sum(e.rows > e.contributors for e in known.values()) for known in drawn.evidence), default=0)


def small_areas(drawn: Drawn, limits: ReleaseLimits) -> int:
    """Areas of a level that is drawn to hold fewer residents than an output's areas must."""
    return sum(1 for population in _areas(drawn).values() if population < limits.minimum_population)


def areas(drawn: Drawn, limits: ReleaseLimits) -> int:
    """Areas of the small levels that are not too small."""
    return sum(1 for population in _areas(drawn).values() if population >= limits.minimum_population)


def places(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Points or outlines, as text or as columns of coordinates: a map of them may show one person's place."""
    named = sum(1 for c in drawn.table.columns if c.role is not Role.LABEL and _COORDINATE.fullmatch(c.name))
    return named + sum(1 for text in _texts(drawn.table) if _PLACE.match(text))


def free_text(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Texts that are longer than a category, or several sentences: what somebody wrote."""
    return sum(1 for text in _texts(drawn.table) if len(text) > LONGEST_CATEGORY or _SENTENCE.search(text))


def identifying_text(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Texts that have the form of a person's identifier."""
    return sum(1 for text in _texts(drawn.table) if names_somebody(text))


def headings(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Headings that are not plain words."""
    return sum(1 for c in drawn.table.columns if not is_plain(c.name) or names_somebody(c.name))


def stated_names(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Groups that the query names itself, by more than a few plain words."""
    names = {value for row in drawn.table.rows for value in row.cell.values if value in drawn.chosen.stated}
    return sum(1 for name in names if len(name) > LONGEST_NAME or not is_plain(f"a {name}") or names_somebody(name))


def stated_text(drawn: Drawn, limits: ReleaseLimits) -> int:  # noqa: ARG001 - rules share a shape
    """Columns that the query itself states."""
    return sum(1 for c in drawn.table.columns if c.role is Role.LABEL and c.constant)


def _texts(table: Table) -> set[str]:
    return {value for row in table.rows for value in row.values if isinstance(value, str)}


def _areas(drawn: Drawn) -> dict[str, int]:
    """Codes of areas among the keys with the residents that their level is drawn to hold, where that is known."""
    codes = {value for row in drawn.table.rows for value in row.cell.values if value is not None}
    found = {code: residents(code) for code in codes}
    return {code: least for code, least in found.items() if least is not None}


def _determines(cells: Sequence[Cell], key: int, *, other: int) -> bool:
    """Whether one key tells another, as a district tells its region."""
    told: dict[str | None, set[str | None]] = {}
    for cell in cells:
        told.setdefault(cell.values[key], set()).add(cell.values[other])
    return all(len(values) == 1 for values in told.values())


#: Every rule of a table, in the order in which it is reported.
TABLE_RULES = (
    TableRule(
        "identifiers", identifiers, "A column of it holds keys; a key leads to one person, so none leaves",
        "A key leads back to everything else that is known of a person.",
        "Handbook: direct identifiers are never released", Outcome.REFUSE,
    ),
    TableRule(
        "microdata", microdata, "Most of its rows are about one person each: it is a data set, not a table",
        "A table whose cells hold one person each is a list of people, whatever it is called.",
        "ESSnet and Handbook: unit-level data are no output", Outcome.REFUSE,
        lambda limits: f"at most {limits.single_share:.0%} of {FEWEST_ROWS} or more cells about one person",
        ("single_share",),
    ),
    TableRule(
        "rare value", rare_values,
        "A value of a key stands for too few people in all; merge it with others or leave it out",
        "A withheld cell still shows its keys; where a key is nearly one person's own (an exact date, a job "
        "written out), the list of its values would be the data.",
        "Handbook: categories that identify", Outcome.REVIEW,
        lambda limits: f"at least {limits.minimum_people} people with each value", ("minimum_people",),
    ),
    TableRule(
        "zeros", zeros, "Combinations of groups with nobody in them are zeros and are not listed",
        "A zero tells that nobody is there; of a sample it tells only that nobody was drawn.",
        "Handbook: zeros, structural or not; ESSnet", Outcome.NOTE,
    ),
    TableRule(
        "class disclosure", one_class,
        "Everybody of some group falls into one class of another, which tells that of each of them",
        "Whoever knows that somebody is of the group learns their class, whatever the group's size.",
        "ESSnet: group disclosure; Handbook: class disclosure", Outcome.REVIEW,
    ),
    TableRule(
        "repeated rows", repeated_rows, "A count is of rows, and one person stands in it several times",
        "A count of visits says less about how many people are behind it, so people are counted beside it.",
        "Handbook: the unit of analysis is the person, not the record", Outcome.NOTE,
    ),
    TableRule(
        "small areas", small_areas, "It is by areas that are drawn to hold fewer residents than an output's must",
        "Neighbours know each other: in a small area a few characteristics name somebody.",
        "ONS and GSS: minimum population of an area; Census", Outcome.REVIEW,
        lambda limits: f"areas of at least {limits.minimum_population:,} residents", ("minimum_population",),
    ),
    TableRule(
        "areas", areas, "It is a table by small areas",
        "Reviewers and readers should know which outputs are by small areas.",
        "ONS: small-area outputs are named as such; Census", Outcome.NOTE,
        lambda limits: f"areas of {limits.minimum_population:,} residents or more", ("minimum_population",),
    ),
    TableRule(
        "places", places, "It holds points, outlines or coordinates: a map of them may show one person's place",
        "A point on a map is an address.", "Handbook: maps; ESSnet: spatial outputs", Outcome.REVIEW,
    ),
    TableRule(
        "free text", free_text, "It holds text that somebody wrote, not categories",
        "What people write may name anybody.", "Handbook: free text is no statistic", Outcome.REVIEW,
        lambda _: f"categories of at most {LONGEST_CATEGORY} characters, no sentences",
    ),
    TableRule(
        "identifying text", identifying_text, "Text in it has the form of a person's identifier",
        "A number, an address or a postcode in a label leads to somebody.", "Handbook: direct identifiers",
        Outcome.REVIEW,
    ),
    TableRule(
        "wording", headings, "A heading is not plain words, so people read it",
        "A heading can carry what no cell may.", "Handbook: labels and notes are part of the output", Outcome.REVIEW,
    ),
    TableRule(
        "stated names", stated_names, "The query names a group by more than a few plain words, so people read it",
        "What a query states is not computed from the data, so that no rule speaks of it.",
        "Handbook: labels and notes are part of the output", Outcome.REVIEW,
        lambda _: f"names of at most {LONGEST_NAME} characters, few digits",
    ),
    TableRule(
        "stated text", stated_text, "A column is a text or number that the query states, not a figure",
        "What a query states is not computed from the data, so that no rule speaks of it.",
        "Handbook: labels and notes are part of the output", Outcome.REVIEW,
    ),
)  # fmt: skip


def table_findings(drawn: Drawn, limits: ReleaseLimits) -> list[Finding]:
    """What the rules of a table say of it."""
    counts = [(rule, rule.found(drawn, limits)) for rule in TABLE_RULES]
    return [Finding(rule.name, rule.outcome, rule.reason, count) for rule, count in counts if count]
