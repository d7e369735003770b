"""Accredit: people, their accreditation and training."""

from integrated_data.approve.documents import check_ids, read, require
from integrated_data.model.access import Person
from integrated_data.model.agreement import Standing


def read_person(text: str) -> Person:
    """One person from YAML."""
    person = read(Person, text, what="person")
    check_person(person)
    return person


def check_person(person: Person) -> None:
    """Refuse a record that contradicts itself."""
    check_ids("person", id=person.id)
    whole, own = f"Person {person.id}", person.accreditation
    if own is None:
        return
    require(
        own.starts <= own.ends,
        f"{whole}: the accreditation ends before it starts",
        next_step="Correct its dates",
    )
    provisional = own.level is Standing.PROVISIONAL
    require(
        not provisional or bool(own.supervisor),
        f"{whole}: a provisional accreditation names no supervisor",
        next_step="Name a fully accredited person in accreditation.supervisor",
    )
    require(
        own.supervisor != person.id,
        f"{whole}: nobody supervises themselves",
        next_step="Name another supervisor",
    )
