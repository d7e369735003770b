"""A dataset as the public may know it: its catalogue entry without counts, profiles and link quality."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from integrated_data.model.agreement import Agreement, Law


@dataclass(frozen=True)
class Variable:
    """A published column: its name, the engine's type, what it means, its title in the contract (may be empty)."""

    name: str
    type: str
    meaning: str
    title: str

    @property
    def said(self) -> str:
        """What it is, in words."""
        return self.title or self.meaning


@dataclass(frozen=True)
class Notice:
    """What is made public of a dataset. `issued`: day of its first release; `modified`: of its newest."""

    dataset: str
    title: str
    owner: str
    version: str
    contract: str
    issued: date
    modified: date
    variables: tuple[Variable, ...]
    indexes: tuple[str, ...]
    derived_from: tuple[str, ...]
    conditions: tuple[str, ...]

    @property
    def summary(self) -> str:
        """What can be said where nobody wrote a description."""
        names = ", ".join(v.name for v in self.variables)
        linked = f" Linked to the {_listed(self.indexes)} index." if self.indexes else ""
        return f"{self.title}. {len(self.variables)} variables: {names}.{linked}"

    @property
    def provenance(self) -> str:
        """Where the table comes from, and what was done to it."""
        if self.derived_from:
            return f"Derived by the service from {_listed(self.derived_from)}."
        matched = f" Records were matched to the {_listed(self.indexes)} index." if self.indexes else ""
        return (
            f"Delivered by {self.owner} under version {self.contract} of its data contract, standardised and "
            f"validated.{matched} Direct identifiers were removed before publication."
        )


def notice(entry: Mapping[str, Any], *, release: int, days: tuple[date, date], conditions: Sequence[str]) -> Notice:
    """The public part of a catalogue entry; `days`: of the dataset's first release and of this one."""
    return Notice(
        dataset=entry["dataset"],
        title=entry["title"] or entry["dataset"],
        owner=entry["owner"],
        version=f"{entry['contract_version']}+{release}",
        contract=entry["contract_version"],
        issued=days[0],
        modified=days[1],
        variables=tuple(Variable(v["name"], v["type"], v["meaning"], v["title"]) for v in entry["variables"]),
        indexes=tuple(sorted(entry["links"])),
        derived_from=tuple(sorted(entry.get("derived_from", ()))),
        conditions=tuple(conditions),
    )


def conditions(agreed: Mapping[str, Sequence[Agreement]], law: Law, *, day: date) -> list[str]:
    """What the agreements in force ask of every use, a sentence each; commercial terms are not made public.

    `agreed`: the agreements on a dataset and on each that it was derived from; every one of them must be agreed.
    """
    holding = {dataset: [a for a in of if a.in_force(day)] for dataset, of in agreed.items()}
    if not all(holding.values()):
        return ["No project can be granted this dataset today."]
    several = len(holding) > 1
    return [_condition(a, law, of=f"{d}: " if several else "") for d, all_of in holding.items() for a in all_of]


def _condition(agreement: Agreement, law: Law, *, of: str) -> str:
    gateway = law.gateway(agreement.gateway)
    asked, basis = agreement.conditions, gateway.title if gateway else agreement.gateway
    rounding = f", counts are rounded to {asked.rounding}" if asked.rounding > 1 else ""
    made = "" if asked.derived_products else "; nothing made from the data may leave the service"
    return (
        f"{of}Approved projects of {_listed([p.value for p in agreement.purposes])} until {agreement.ends}, under "
        f"{basis}. Accreditation of people: {asked.standing.value if asked.standing.rank else 'as the law asks'}. "
        f"No released cell is about fewer than {asked.minimum_people} people{rounding}{made}."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
