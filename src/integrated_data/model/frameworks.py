"""Frameworks: what an annex amounts to under its framework, and under those that one stands under.

The stricter of what two papers say holds, each term by itself.
"""

from collections.abc import Mapping
from dataclasses import replace

from integrated_data.model.agreement import ANY, Agreement, Annex, Framework, Licence
from integrated_data.model.errors import AgreementRefusal
from integrated_data.model.shaping import strictest


def chain(framework: str, known: Mapping[str, Framework]) -> tuple[Framework, ...]:
    """A framework and those above it, nearest first; refuses one that is not on record, and a circle."""
    found: dict[str, Framework] = {}
    while framework:
        if framework in found:
            raise AgreementRefusal(
                f"Framework {framework} stands under itself",
                why=f"The chain goes in a circle: {' under '.join([*found, framework])}",
                next_step="Correct field under of one of them: ids agreement add FILE",
            )
        if framework not in known:
            raise AgreementRefusal(
                f"There is no framework {framework} on record", next_step="Add it first: ids agreement add FILE"
            )
        found[framework] = known[framework]
        framework = known[framework].under
    return tuple(found.values())


def agreement_of(annex: Annex, known: Mapping[str, Framework]) -> Agreement:
    """The agreement that an annex makes for its dataset; refuses as `chain` does."""
    above = chain(annex.framework, known)
    first = above[0]
    own = Agreement(
        annex.id, annex.dataset, first.owner, first.gateway,
        first.purposes if annex.purposes is None else annex.purposes,
        first.columns if annex.columns is None else annex.columns,
        first.onward_to if annex.onward_to is None else annex.onward_to,
        first.starts if annex.starts is None else annex.starts,
        first.ends if annex.ends is None else annex.ends,
        first.index_by_default if annex.index_by_default is None else annex.index_by_default,
        annex.suspended, annex.framework, first.conditions if annex.conditions is None else annex.conditions,
        annex.licence, annex.retention_days, annex.approved_by or first.approved_by,
        first.low_risk if annex.low_risk is None else annex.low_risk, annex.coarsen,
    )  # fmt: skip
    for framework in above:
        own = under(own, framework)
    return own


def under(agreement: Agreement, framework: Framework) -> Agreement:
    """An agreement held to the terms of a framework as well."""
    return replace(
        agreement,
        purposes=tuple(p for p in agreement.purposes if p in framework.purposes),
        columns=_both(agreement.columns, framework.columns),
        onward_to=_both(agreement.onward_to, framework.onward_to),
        starts=max(agreement.starts, framework.starts),
        ends=min(agreement.ends, framework.ends),
        index_by_default=agreement.index_by_default and framework.index_by_default,
        suspended=agreement.suspended or framework.suspended,
        conditions=agreement.conditions.strictest(framework.conditions),
        licence=_licence(agreement.licence, framework.licence),
        retention_days=_shortest(agreement.retention_days, framework.retention_days),
        low_risk=agreement.low_risk and framework.low_risk,
        coarsen=strictest((agreement.coarsen, framework.coarsen)),
    )


def widened(annex: Annex, known: Mapping[str, Framework]) -> list[str]:
    """Fields in which an annex says more than its framework lets it; empty for one that only narrows."""
    made = agreement_of(annex, known)
    return [
        name
        for name in ("purposes", "columns", "onward_to", "starts", "ends", "index_by_default")
        if getattr(annex, name) is not None and getattr(annex, name) != getattr(made, name)
    ]


def differing(one: Agreement, other: Agreement) -> list[str]:
    """Terms in which two agreements on a dataset differ where both cover a use: the stricter then holds."""
    if not set(one.purposes) & set(other.purposes) or one.starts > other.ends or other.starts > one.ends:
        return []
    terms = ("columns", "onward_to", "index_by_default", "suspended", "conditions", "licence", "gateway", "coarsen")
    return [name for name in terms if getattr(one, name) != getattr(other, name)]


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if ANY in other:
        return one
    return other if ANY in one else tuple(name for name in one if name in other)


def _shortest(one: int | None, other: int | None) -> int | None:
    said = [days for days in (one, other) if days is not None]
    return min(said, default=None)


def _licence(one: Licence | None, other: Licence | None) -> Licence | None:
    if one is None or other is None:
        return one or other
    return Licence(
        _both(one.buyers, other.buyers),
        min(one.ends, other.ends),
        one.onward_sharing and other.onward_sharing,
        max(one.price_share, other.price_share),
        one.derived_products and other.derived_products,
    )
