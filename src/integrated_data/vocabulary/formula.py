"""Model formulas, read into a tree of names: nothing in one is ever evaluated as code.

    income ~ age_band + region              columns; text is a category, a number is a number
    income ~ C(wave) * region               as a category; both and their interaction
    visits ~ region:sex + region + sex      an interaction needs what it is made of
    visits ~ age + offset(log(years))       a term whose coefficient is 1 (Poisson)
    log(income) ~ 1                         natural logarithm; no covariate
    Surv(months, died) ~ region             a time, and whether the event happened (1) or not (0)

Notation: Wilkinson and Rogers, Symbolic description of factorial models, Applied Statistics 22 (1973), as R
reads it. Only these signs and these four functions are known; the libraries that read formulas of this kind
evaluate the language they are written in, which a formula from outside must not.
"""

import re
from dataclasses import dataclass
from itertools import combinations

from integrated_data.model.errors import QueryRefusal

LONGEST, MOST_TERMS, DEEPEST = 2000, 60, 3  # characters, terms, columns in one interaction

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,62}"
_TOKEN = re.compile(rf"\s*({_NAME}|[~+:*(),]|1)")
_PLAIN = re.compile(_NAME)

FUNCTIONS = ("C", "log", "offset", "Surv")


@dataclass(frozen=True, order=True)
class Factor:
    """One column. `category`: to be taken as one whatever its type; `log`: its natural logarithm."""

    column: str
    category: bool = False
    log: bool = False

    def __str__(self) -> str:
        if self.category:
            return f"C({self.column})"
        return f"log({self.column})" if self.log else self.column


@dataclass(frozen=True)
class Formula:
    """A formula read. `outcome`: one factor, or of Surv the time and the event.

    `terms`: each a set of factors in the order in which they are first named, short ones first; none for ~ 1.
    """

    outcome: tuple[Factor, ...]
    terms: tuple[tuple[Factor, ...], ...]
    offset: Factor | None = None

    @property
    def survival(self) -> bool:
        """Whether its outcome is a time and an event."""
        return len(self.outcome) > 1

    @property
    def factors(self) -> tuple[Factor, ...]:
        """Each factor of the terms once."""
        return tuple(dict.fromkeys(f for term in self.terms for f in term))

    @property
    def columns(self) -> tuple[str, ...]:
        """Each column it names, once."""
        every = (*self.outcome, *self.factors, *([self.offset] if self.offset else []))
        return tuple(dict.fromkeys(f.column for f in every))


def is_column(name: str) -> bool:
    """Whether a column of that name can be used in a model."""
    return _PLAIN.fullmatch(name) is not None


def read(text: str) -> Formula:
    """A formula from its text; refuses what is not one."""
    if len(text) > LONGEST:
        raise _refusal(f"It is longer than {LONGEST:,} characters")
    reader = _Reader(_tokens(text))
    outcome = reader.outcome()
    reader.take("~")
    terms, offset = reader.terms()
    if not reader.done:
        raise _refusal("It goes on after its end")
    return _checked(Formula(outcome, terms, offset))


def objection(text: str) -> QueryRefusal | None:
    """None for a formula that can be read; else why it cannot."""
    try:
        read(text)
    except QueryRefusal as refusal:
        return refusal
    return None


def _checked(formula: Formula) -> Formula:
    outcome = {f.column for f in formula.outcome}
    if len(outcome) < len(formula.outcome) or outcome & {f.column for f in formula.factors}:
        raise _refusal("A column is on both sides of it, or twice in its outcome")
    known = {frozenset(term) for term in formula.terms}
    for term in formula.terms:
        if any(frozenset(part) not in known for part in combinations(term, len(term) - 1) if part):
            raise _refusal("An interaction is there without what it is made of: write a * b instead of a:b")
    return formula


def _tokens(text: str) -> list[str]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise _refusal(f"It cannot be read at character {at + 1}")
        found.append(match.group(1))
        at = match.end()
    return found


class _Reader:
    """Reads tokens in order; `*` binds closer than `+`, and `:` closer than `*`."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at = tokens, 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._tokens)

    def peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def take(self, wanted: str) -> None:
        if self.peek() != wanted:
            raise _refusal(f"It lacks {wanted}")
        self._at += 1

    def outcome(self) -> tuple[Factor, ...]:
        if (self.peek(), self.peek(1)) == ("Surv", "("):
            self._at += 2
            time = Factor(self.name())
            self.take(",")
            event = Factor(self.name())
            self.take(")")
            return (time, event)
        factor = self.factor()
        if factor.category:
            raise _refusal("Its outcome is a category")
        return (factor,)

    def terms(self) -> tuple[tuple[tuple[Factor, ...], ...], Factor | None]:
        found: list[tuple[Factor, ...]] = []
        offset: Factor | None = None
        while True:
            if self.peek() == "1":
                self._at += 1
            elif (self.peek(), self.peek(1)) == ("offset", "("):
                if offset is not None:
                    raise _refusal("It has two offsets")
                self._at += 2
                offset = self.factor()
                self.take(")")
            else:
                found += self.crossed()
            if self.peek() != "+":
                break
            self._at += 1
        by_set: dict[frozenset[Factor], tuple[Factor, ...]] = {}
        for term in found:
            by_set.setdefault(frozenset(term), term)
        if len(by_set) > MOST_TERMS or any(len(term) > DEEPEST for term in by_set):
            raise _refusal(f"It has more than {MOST_TERMS} terms, or an interaction of more than {DEEPEST} columns")
        return tuple(sorted(by_set.values(), key=len)), offset

    def crossed(self) -> list[tuple[Factor, ...]]:
        parts = [self.interaction()]
        while self.peek() == "*":
            self._at += 1
            parts.append(self.interaction())
        if len(parts) > DEEPEST:
            raise _refusal(f"It crosses more than {DEEPEST} columns")
        chosen = (some for n in range(1, len(parts) + 1) for some in combinations(parts, n))
        return [tuple(dict.fromkeys(f for part in some for f in part)) for some in chosen]

    def interaction(self) -> tuple[Factor, ...]:
        factors = [self.factor()]
        while self.peek() == ":":
            self._at += 1
            factors.append(self.factor())
        return tuple(dict.fromkeys(factors))

    def factor(self) -> Factor:
        if self.peek(1) != "(":
            return Factor(self.name())
        function = self.peek()
        if function not in ("C", "log"):
            raise _refusal(f"Its functions are {', '.join(FUNCTIONS)} alone, each in its place")
        self._at += 2
        column = self.name()
        self.take(")")
        return Factor(column, category=function == "C", log=function == "log")

    def name(self) -> str:
        name = self.peek()
        if not is_column(name):
            raise _refusal("It lacks the name of a column")
        self._at += 1
        return name


def _refusal(why: str) -> QueryRefusal:
    return QueryRefusal(
        "The formula cannot be read", why=why,
        next_step="Write it like: income ~ age_band + C(wave) * region; compute columns in the query",
    )  # fmt: skip
