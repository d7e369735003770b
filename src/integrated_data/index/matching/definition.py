"""What matching to one index is made of: configuration, so that a further index needs no code.

A definition speaks about three relations:

    records   what is to be matched: `record_id` and one VARCHAR column per meaning (DATE for dates)
    cleaned   one row per record with the definition's fields, made by `prepare`
    pair      two cleaned rows, `l` (the record) and `r` (what the index knows), for comparisons

Every SQL text is an expression in DuckDB's dialect over the columns of its relation. A missing
value is NULL and is neutral: it neither speaks for a match nor against one.
"""

from dataclasses import dataclass

from integrated_data.model.linkage import IndexDefinition


@dataclass(frozen=True)
class Field:
    """A cleaned column. `sql` is an expression over delivered columns and earlier fields.

    `reads` names the columns of the records relation it needs; `sql` calls them `in_<column>`, and
    those a delivery lacks are NULL. `frequency`: the share of records with each value is kept, so
    that agreement on a rare value weighs more than agreement on a common one. `of`: the field is a
    function of that one delivered column or earlier field, and is worked out once per distinct
    value; fields of one value may build on one another. `lookup`: where that lookup holds what `sql`
    gives, what stands there counts instead; nothing builds on it. `keep`: false for a step on the
    way to other fields.
    """

    name: str
    sql: str
    reads: tuple[str, ...] = ()
    frequency: bool = False
    of: str | None = None
    lookup: str | None = None
    keep: bool = True


@dataclass(frozen=True)
class Lookup:
    """Values and what stands for them, such as nicknames and the names they come from."""

    name: str
    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Key:
    """A blocking key: pairs that agree on all `parts` (expressions over cleaned) are compared.

    A part that is NULL gives no key. `each`: the last part is a list, and every element makes a
    key of its own. `size`: values that more entities than this share are not kept as keys. `first`:
    asked before the others; a record that shares all first keys with one entity is settled by them.
    `wide`: asked only about records that the other keys do not settle; wide keys come last in a definition.
    """

    name: str
    parts: tuple[str, ...]
    each: bool = False
    size: int = 40
    first: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Level:
    """One degree of agreement. `when` is a condition over the pair; the first that holds counts.

    `m` and `u` are the shares of matching and of random pairs on this level that are assumed
    until training replaces them. `frequency` names the field whose value's frequency stands in
    for `u` (term-frequency adjustment, Winkler 1989; as Splink does it).
    """

    label: str
    when: str
    m: float
    u: float
    frequency: str | None = None


@dataclass(frozen=True)
class Comparison:
    """How one aspect of two records is compared. The last level is everything else (`when` "TRUE").

    `missing` is the condition over the pair under which nothing can be said.
    """

    name: str
    title: str
    missing: str
    levels: tuple[Level, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Rule:
    """An exact rule that names the reason of a link: levels that comparisons must have reached.

    `needs` pairs a comparison's name with the labels that satisfy the rule. The rule explains;
    the probability remains the model's.
    """

    name: str
    needs: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Rivals:
    """Entities that resemble a record without being it: members of one household, branches of one firm.

    Different entities of the index that agree on the key named `key` show how alike rivals are; a
    candidate must be likelier the record itself than a rival of it. `levels` gives, per comparison,
    the shares of rivals on each level that are assumed until the index shows its own. `told` are
    comparisons for which the index cannot show them (an identifier entered for a relative). Rivals
    agree as matches do on every comparison not in `levels`. `expected`: rivals that an average
    entity is assumed to have in the index.
    """

    name: str
    key: str
    expected: float
    levels: tuple[tuple[str, tuple[float, ...]], ...]
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Where the bands lie, and how far blocking goes. None of it is fitted to known links.

    A record's best candidate is accepted from probability `sure`; below it, down to `accept`, while
    the expected share of false links among all that are accepted stays within `error`. Its
    probability is against everything else: the next candidate and "not in the index" together.
    Below `clerical` a person's look is not worth the time. `settled`: a candidate that shares this
    many keys settles its record: no wide key is asked, and candidates that share half as many
    or fewer are left out; where all first keys are shared, no other is asked, and candidates that share
    fewer than half of them are left out. `chunk`: records matched at a time. `merge`: probability from
    which two records of one source become one entity.
    """

    error: float = 0.001
    accept: float = 0.75
    sure: float = 0.95
    clerical: float = 0.10
    merge: float = 0.95
    settled: int = 5
    chunk: int = 250_000


@dataclass(frozen=True)
class MatchDefinition:
    """All that matching to one index needs.

    `training` lists the blocks (names of fields that agree) in which m is estimated: each block
    trains the comparisons that use none of its fields. `enough`: condition over cleaned: two different
    entities of the index that both met it could be told apart.
    """

    index: IndexDefinition
    fields: tuple[Field, ...]
    keys: tuple[Key, ...]
    comparisons: tuple[Comparison, ...]
    rules: tuple[Rule, ...] = ()
    rivals: Rivals | None = None
    training: tuple[tuple[str, ...], ...] = ()
    lookups: tuple[Lookup, ...] = ()
    policy: Policy = Policy()
    enough: str = "FALSE"

    def comparison(self, name: str) -> Comparison:
        """The comparison called `name`."""
        return next(c for c in self.comparisons if c.name == name)
