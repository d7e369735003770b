"""The published projection of a checked delivery: payload plus opaque entity ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from integrated_data.model.contract import Column, Contract
from integrated_data.model.linkage import IndexDefinition
from integrated_data.model.meanings import Handling, Meaning
from integrated_data.vocabulary import sql
from integrated_data.vocabulary.marks import ROW


@dataclass(frozen=True)
class Attachment:
    """The links of one index: a relation with LINK_COLUMNS by row number, and what it publishes.

    `attributes`: a relation (entity_id, one column per published attribute), e.g. area codes. `weights`:
    a relation (record, weight) of linked records, that makes up for links that are missing.
    """

    definition: IndexDefinition
    links: str
    attributes: str | None = None
    published: tuple[str, ...] = ()
    weights: str | None = None


def published_columns(contract: Contract, withheld: frozenset[str]) -> tuple[Column, ...]:
    """Columns of the contract that may be published: payload that nothing withholds, and that tells no change."""
    told = {contract.changes.operation, contract.changes.sequence} if contract.changes else set()
    hidden = withheld | told  # what is done with a record, and when, is no part of it
    return tuple(c for c in contract.columns if c.handling is Handling.PAYLOAD and c.name not in hidden)


def derived_sql(contract: Contract) -> Mapping[str, str]:
    """Coarser columns that stand in for identifiers: name to SQL over the checked relation `c`.

    A date of birth is published as the year of birth; nothing finer leaves the identified zone.
    """
    taken = {c.name for c in contract.columns}
    for column in contract.meaning(Meaning.DATE_OF_BIRTH):
        if "birth_year" not in taken:
            return {"birth_year": f"year(c.{sql.name(column.name)})::SMALLINT"}
    return {}


def published_sql(
    contract: Contract,
    relation: str,
    *,
    good: str,
    attachments: Sequence[Attachment],
    withheld: frozenset[str],
    constants: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """SELECT of what is published: `good` is the SQL condition, over `c`, of a row that broke no rule.

    `constants`: columns that are the same in every row, name to SQL.

    Each index adds `<key>_entity` (BIGINT; NULL where no link was accepted), `<key>_link_probability`
    and `<key>_link_method`, `<key>_link_weight` where there are weights, and its published attributes.
    The row number of the delivery comes last: by it a link that is decided anew finds its row. No
    reader ever has it.
    """
    derived = {**derived_sql(contract), **constants}
    parts = [f"c.{sql.name(c.name)}" for c in published_columns(contract, withheld)]
    parts += [f"{expression} AS {sql.name(name)}" for name, expression in derived.items()]
    taken = {c.name for c in contract.columns} | set(derived)
    joins = []
    for number, attachment in enumerate(attachments):
        key, link, attribute = attachment.definition.key, f"l{number}", f"a{number}"
        parts += [
            f"{link}.entity_id AS {sql.name(key + '_entity')}",
            f"{link}.probability::FLOAT AS {sql.name(key + '_link_probability')}",
            f"{link}.method AS {sql.name(key + '_link_method')}",
        ]
        joins.append(f"LEFT JOIN {sql.name(attachment.links)} {link} ON {link}.record_id = c.{ROW}")
        if attachment.weights is not None and f"{key}_link_weight" not in taken:
            parts.append(f"w{number}.weight AS {sql.name(key + '_link_weight')}")
            joins.append(f"LEFT JOIN {sql.name(attachment.weights)} w{number} ON w{number}.record = c.{ROW}")
        if attachment.attributes is not None:
            for column in attachment.published:
                parts.append(f"{attribute}.{sql.name(column)} AS {sql.name(_free(column, key, taken=taken))}")
            joins.append(
                f"LEFT JOIN {sql.name(attachment.attributes)} {attribute} ON {attribute}.entity_id = {link}.entity_id"
            )
    if not parts:
        parts = ["TRUE AS present"]
    parts.append(f"c.{ROW}")
    return f"SELECT {', '.join(parts)} FROM {sql.name(relation)} c {' '.join(joins)} WHERE {good}"


def _free(column: str, key: str, *, taken: set[str]) -> str:
    return column if column not in taken else f"{key}_{column}"
