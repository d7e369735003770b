"""The weights of a linkage model: shares of matching, random and rival pairs on every level.

A model is kept as JSON beside the index it was trained against, and is never changed.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.model.errors import IndexRefusal

#: Pairs that an assumed share counts for beside what training saw.
PRIOR_PAIRS = 50.0

#: No level is impossible, however often it was not seen.
LEAST = 1e-9


@dataclass(frozen=True)
class Shares:
    """Shares of pairs on each level of one comparison, in the definition's order: of matches (`m`),
    of pairs at random (`u`) and of rivals."""

    m: tuple[float, ...]
    u: tuple[float, ...]
    rival: tuple[float, ...]


@dataclass(frozen=True)
class RivalCounts:
    """What an index shows of rivals: `per_entity` on average; `levels`: pairs on each level by comparison."""

    per_entity: float
    levels: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Strangers:
    """How surely records are found when their own entity is out of the index (see `absence`): how many were
    tried, and how many of them fell into each bin of log2 odds."""

    tried: int
    counted: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A model. `rivals`: those an average entity has in the index; `origin`: assumed or trained.

    `told`: shares of matches on each level by comparison, for forms of each source that can be told
    from others, the most reliable first (see `tellers`). `strangers`: None where too few records showed them.
    """

    index: str
    shares: dict[str, Shares]
    rivals: float = 0.0
    origin: str = "assumed"
    told: dict[str, dict[str, tuple[float, ...]]] = field(default_factory=dict)
    strangers: Strangers | None = None

    def to_json(self) -> str:
        """The model as JSON text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(text: str) -> "Model":
        """A model from JSON text."""
        body = json.loads(text)
        shares = {name: Shares(tuple(s["m"]), tuple(s["u"]), tuple(s["rival"])) for name, s in body["shares"].items()}
        told = {s: {c: tuple(m) for c, m in of.items()} for s, of in body.get("told", {}).items()}
        seen = body.get("strangers")
        strangers = Strangers(seen["tried"], tuple(seen["counted"])) if seen else None
        return Model(**{**body, "shares": shares, "told": told, "strangers": strangers})


def assumed(definition: MatchDefinition) -> Model:
    """The model before any training: the definition's own shares."""
    told = dict(definition.rivals.levels) if definition.rivals else {}
    shares = {}
    for comparison in definition.comparisons:
        m = normalised([level.m for level in comparison.levels])
        u = normalised([level.u for level in comparison.levels])
        shares[comparison.name] = Shares(m, u, normalised(told.get(comparison.name, m)))
    return Model(definition.index.name, shares, definition.rivals.expected if definition.rivals else 0.0)


def normalised(values: Sequence[float]) -> tuple[float, ...]:
    """Shares that add up to one, none of them nothing."""
    raised = [max(v, LEAST) for v in values]
    total = sum(raised)
    return tuple(v / total for v in raised)


def with_rivals(model: Model, definition: MatchDefinition, *, counts: RivalCounts | None) -> Model:
    """The model with what the index shows of rivals.

    `counts` None: the index cannot show any (it has no addresses, say), so what is assumed holds.
    """
    if definition.rivals is None:
        return replace(model, rivals=0.0)
    told = dict(definition.rivals.levels)
    shares = {}
    for name, own in model.shares.items():
        rival = normalised(told.get(name, own.m))
        if counts is not None and name in told and name not in definition.rivals.told:
            seen = counts.levels.get(name, (0.0,) * len(rival))
            rival = normalised([s + PRIOR_PAIRS * r for s, r in zip(seen, rival, strict=True)])
        shares[name] = replace(own, rival=rival)
    return replace(model, shares=shares, rivals=counts.per_entity if counts else definition.rivals.expected)


def check(model: Model, definition: MatchDefinition) -> None:
    """Refuses a model that was made for another index or other comparisons."""
    wanted = {c.name: len(c.levels) for c in definition.comparisons}
    found = {name: len(s.m) for name, s in model.shares.items()}
    if model.index != definition.index.name or wanted != found:
        raise IndexRefusal(
            f"The model does not fit the {definition.index.name} index",
            why="It was trained on other comparisons",
            next_step="Remove the stored model and match again: a new one will be trained",
        )
