"""What an index judges its own records by, kept while deliveries come and go.

One model per source, how often its records are in other sources and how often it repeats itself, how
common values are, and what the index shows of rivals. With these fixed, how two records compare is a
function of the two alone. A source is learnt when it first comes; frequencies are counted anew, and
every pair with them, once the index has grown by half.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from integrated_data.index.matching.definition import MatchDefinition
from integrated_data.index.matching.model import Model, RivalCounts, assumed, with_rivals
from integrated_data.index.matching.partition import log_odds
from integrated_data.vocabulary.sql import name, text

#: An index that has grown by more than this counts its frequencies anew.
GROWN = 1.5

#: In a larger index, pairs are looked for that share two keys, not one.
LARGE = 200_000


@dataclass(frozen=True)
class Learnt:
    """What a source taught.

    `model`: how its records differ from those of others. `present`: the share of them that other
    sources hold, `claimed`: the share of theirs that it holds. `repeated`: how many others of its own a
    record repeats. `single`: it holds every entity once at most. `numbering`: comparisons of numbers
    that it gives to records: two records of one entity have two, and their difference says nothing.
    """

    model: Model
    present: float = 0.8
    claimed: float = 0.0
    repeated: float = 0.01
    single: bool = False
    numbering: tuple[str, ...] = ()


@dataclass(frozen=True)
class Basis:
    """What pairs are judged by.

    `sources`: in the order in which they were learnt; of two, the later one's model judges. `counts`:
    records of each source then. `counted`: records that frequencies were counted over.
    """

    sources: Mapping[str, Learnt] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    counted: int = 0
    rivals: RivalCounts | None = None

    @property
    def single(self) -> frozenset[str]:
        """Sources that hold every entity once at most."""
        return frozenset(source for source, learnt in self.sources.items() if learnt.single)

    @property
    def among(self) -> int:
        """Records of all sources that were learnt."""
        return max(sum(self.counts.values()), 1)

    @property
    def least(self) -> int:
        """Blocking keys that two records must share to be compared."""
        return 2 if self.among > LARGE else 1

    def outgrown(self, records: int) -> bool:
        """Whether an index of that many records should count its frequencies anew."""
        return records > GROWN * self.counted

    def turn(self, source: str) -> int:
        """Place of a source in the order of learning; -1 for one that was not learnt."""
        return list(self.sources).index(source) if source in self.sources else -1

    def model(self, turn: int, definition: MatchDefinition) -> Model:
        """The model for pairs of which the later source has that turn."""
        model = list(self.sources.values())[turn].model if turn >= 0 else assumed(definition)
        return with_rivals(model, definition, counts=self.rivals)

    def prior(self, turn: int, *, within: bool) -> float:
        """log2 of the odds that two records, of one source or of two, are one entity before they are compared."""
        source = list(self.sources)[turn] if turn >= 0 else ""
        learnt = self.sources.get(source, _UNLEARNT)
        own = self.counts.get(source, 0)
        if within:
            return math.log2(learnt.repeated / max(own or self.among, 1))
        return log_odds(learnt.present) - math.log2(max(self.among - own, 1) * (1.0 - learnt.claimed))

    def numbering(self, turn: int) -> tuple[str, ...]:
        """Comparisons that say nothing of two records of the source of that turn."""
        return list(self.sources.values())[turn].numbering if turn >= 0 else ()

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(asdict(self), indent=1)

    @staticmethod
    def from_json(body: str) -> "Basis":
        """From JSON text."""
        held: dict[str, Any] = json.loads(body)
        sources = {
            source: Learnt(**{**one, "model": _model(one["model"]), "numbering": tuple(one["numbering"])})
            for source, one in held["sources"].items()
        }
        rivals = held["rivals"]
        counts = rivals and RivalCounts(rivals["per_entity"], {k: tuple(v) for k, v in rivals["levels"].items()})
        return Basis(sources, held["counts"], held["counted"], counts or None)


def _model(body: Mapping[str, Any]) -> Model:
    return Model.from_json(json.dumps(body))


_UNLEARNT = Learnt(Model("", {}))


def frequencies_sql(definition: MatchDefinition, relation: str) -> str:
    """How common values are in a cleaned relation: `field`, `value` (text), `share` of rows that have one.

    The value NULL stands for all that the relation does not hold: each is rarer than one row.
    """
    parts = []
    for each in (f.name for f in definition.fields if f.frequency):
        held = f"SELECT {name(each)}::VARCHAR AS value FROM {name(relation)} WHERE {name(each)} IS NOT NULL"
        parts.append(
            f"SELECT {text(each)} AS field, value, count(*) / (SELECT count({name(each)}) FROM {name(relation)}) "
            f"AS share FROM ({held}) GROUP BY value UNION ALL SELECT {text(each)}, NULL, 1.0 / "
            f"(SELECT count({name(each)}) + 1 FROM {name(relation)})"
        )
    return " UNION ALL ".join(parts) or "SELECT '' AS field, '' AS value, 0.0::DOUBLE AS share WHERE FALSE"


def with_kept_frequencies_sql(definition: MatchDefinition, relation: str, *, frequencies: str) -> str:
    """A cleaned relation with `tf_<field>` from kept `frequencies` (see `frequencies_sql`)."""
    columns, joins = "", ""
    for i, each in enumerate(f.name for f in definition.fields if f.frequency):
        rare = f"(SELECT max(share) FROM {name(frequencies)} WHERE field = {text(each)} AND value IS NULL)"
        columns += (
            f", CASE WHEN c.{name(each)} IS NOT NULL THEN coalesce(s{i}.share, {rare}) END AS {name('tf_' + each)}"
        )
        joins += (
            f" LEFT JOIN {name(frequencies)} s{i} ON s{i}.field = {text(each)} AND s{i}.value = c.{name(each)}::VARCHAR"
        )
    return f"SELECT c.*{columns} FROM {name(relation)} c{joins}"
