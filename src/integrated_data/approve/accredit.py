"""Accredit: people, their accreditation and training."""

from collections.abc import Iterable
from datetime import date

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


def ending(people: Iterable[Person], *, until: date) -> list[tuple[date, Person, str]]:
    """What ends by a day, soonest first: accreditations and trainings of people who are not suspended.

    What has ended already is among it. A provisional accreditation ends with its supervisor's as well.
    """
    known = {p.id: p for p in people}
    found = []
    for person in known.values():
        own = person.accreditation
        above = known.get(own.supervisor) if own is not None and own.supervisor else None
        ends = [] if own is None else [(own.ends, "accreditation")]
        if above is not None and above.accreditation is not None:
            ends.append((above.accreditation.ends, "accreditation of the supervisor"))
        if person.trained_until is not None:
            ends.append((person.trained_until, "training"))
        if not person.suspended:
            found += [(day, person, what) for day, what in ends if day <= until]
    return sorted(found, key=lambda f: (f[0], f[1].id, f[2]))
