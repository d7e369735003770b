"""Linkage words: indexes, bands, links."""

from dataclasses import dataclass
from enum import StrEnum


class Band(StrEnum):
    """What is decided about a record's best candidate."""

    ACCEPT = "accept"
    CLERICAL = "clerical"
    NONE = "none"


#: How the method of a link begins whose entity no reference source knows: it was seen in deliveries only.
PROVISIONAL = "provisional: "

#: How the name of a dataset begins that the service derives from rows linked to two indexes.
ASSOCIATION = "association_"


#: The dataset that says of people at which dates they are alive and resident.
PRESENCE = "person_presence"

#: How names begin that only the service gives to datasets.
DERIVED = (ASSOCIATION, PRESENCE)


#: The source of what people had corrected about themselves: it stands before what others said until then.
CORRECTIONS = "corrections"


class EntityStatus(StrEnum):
    """Standing of an entity in an index."""

    CURRENT = "current"
    PROVISIONAL = "provisional"  # seen in a delivery only, not in a reference source
    RETIRED = "retired"  # no source says it any more
    ABSORBED = "absorbed"  # found to be another entity, which stands for it


class EntityEvent(StrEnum):
    """What happens to an entity when a new version of its index is made (see `index.life`)."""

    CREATED = "created"
    ABSORBED = "absorbed"
    MERGED = "merged"
    SPLIT = "split"
    RETIRED = "retired"
    REVIVED = "revived"


class LinkDecision(StrEnum):
    """What a person decided about two records, or a record and an entity; it outlives every model."""

    MUST = "must"  # they are one entity
    CANNOT = "cannot"  # they are not


@dataclass(frozen=True)
class IndexDefinition:
    """What an index is: configuration, so that a further index needs no code.

    `key` names the entity column in published tables (`<key>_entity`) and, translated per
    project, in views (`<key>_key`). `attributes` are what an index keeps, most by meaning, of an entity.
    `publishes` are the attributes that may enter published tables (area codes, not names).
    `provisional`: a record that is not found is a real thing that the index does not know yet, and gets
    a provisional entity; of a list that is complete by definition (codes, areas) nothing is missing.
    `named`: a column whose name is that of an attribute is taken for it, whatever it means.
    `one_to_one`: of a file without a contract, no two records are one entity. `coded`: its entities
    name themselves (codes, postcodes), so that nobody decides who is who.
    """

    name: str
    title: str
    key: str
    attributes: tuple[str, ...]
    publishes: tuple[str, ...] = ()
    provisional: bool = False
    coded: bool = False
    named: bool = False
    one_to_one: bool = False


#: Columns of every link table, in order: `ids match` and the stages both write exactly these.
LINK_COLUMNS = ("record_id", "entity_id", "candidate_id", "probability", "band", "method")
