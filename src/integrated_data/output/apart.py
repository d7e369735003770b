"""Who is apart enough from a request to review it: nobody who wrote it or works on it, under any account.

A human being may be on record twice, as an analyst and as an output checker. Accounts are of one human
where either record names the other, through any number of records, or where both bear the same name.
"""

from collections.abc import Collection, Iterable

from integrated_data.model.access import Person


def accounts(people: Iterable[Person], of: str) -> frozenset[str]:
    """Every id under which the human being with this id is on record, itself among them."""
    known = list(people)
    by_id = {p.id: p for p in known}
    found, ahead = {of}, [of]
    while ahead:
        at = ahead.pop()
        person = by_id.get(at)
        linked = {p.id for p in known if at in p.accounts or (person and _name(p) and _name(p) == _name(person))}
        new = (linked | set(person.accounts if person else ())) - found
        found |= new
        ahead += sorted(new)
    return frozenset(found)


def is_one_of(people: Iterable[Person], who: str, *, among: Collection[str]) -> bool:
    """Whether somebody is one of these people, under this or another account."""
    return not accounts(people, who).isdisjoint(among)


def _name(person: Person) -> str:
    return " ".join(person.name.casefold().split())
