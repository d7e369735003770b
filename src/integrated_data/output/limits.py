"""The limits that an output is held to, as data: the service's, then whatever agreements and the project make stricter.

Every limit is decided by itself and remembers who set it. Nobody can make one laxer: the service's own
(the defaults of `ReleaseLimits`) are always among those that are compared.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields

from integrated_data.control import projects, releases
from integrated_data.control.store import Store
from integrated_data.model.agreement import Agreement
from integrated_data.model.output import ReleaseLimits, stricter

#: Who set a limit that nobody made stricter.
SERVICE = "the service"


@dataclass(frozen=True)
class HeldTo(ReleaseLimits):
    """Limits with who set each: the service, an agreement or a project. `set_by`: by the limit's name."""

    set_by: Mapping[str, str] = field(default_factory=dict, compare=False)

    def sources(self, limits: Iterable[str]) -> str:
        """Who set these limits, in words."""
        return ", ".join(dict.fromkeys(self.set_by.get(limit, SERVICE) for limit in limits))


def strictest(said: Sequence[tuple[str, ReleaseLimits]]) -> HeldTo:
    """Every limit at its strictest, with who said so first; the service's own are always among them."""
    values: dict[str, float] = {limit.name: getattr(ReleaseLimits(), limit.name) for limit in fields(ReleaseLimits)}
    set_by = dict.fromkeys(values, SERVICE)
    for who, limits in said:
        for name, value in values.items():
            better = stricter(name, value, other=getattr(limits, name))
            if better != value:
                values[name], set_by[name] = better, who
    return HeldTo(**values, set_by=set_by)  # type: ignore[arg-type]


def agreed(store: Store, datasets: Sequence[str]) -> list[Agreement]:
    """Every agreement on some datasets, or on what they were derived from."""
    with store.read() as connection:
        derived = releases.derivations(connection, tuple(datasets))
        every = sorted({*datasets, *(source for of in derived.values() for source in of)})
        return [agreement for dataset in every for agreement in projects.agreements(connection, dataset)]


def held_to(store: Store, datasets: Sequence[str], *, project: str = "") -> HeldTo:
    """The limits of an output from these datasets, of this project if one is named."""
    said = [(f"agreement {a.id} on {a.dataset}", a.conditions.limits) for a in agreed(store, datasets)]
    if project:
        with store.read() as connection:
            said.append((f"project {project}", projects.get_project(connection, project).limits))
    return strictest(said)
