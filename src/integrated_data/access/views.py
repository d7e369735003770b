"""Views: what a project's queries may name, drawn from its active grants and nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from integrated_data.control import releases
from integrated_data.control.store import Store
from integrated_data.model.access import Decision, Grant
from integrated_data.model.errors import AgreementRefusal, Refusal
from integrated_data.model.shaping import Coarsening, as_coarse

_LOWER = {ord(c): ord(c) + 32 for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

LINK = ("_key", "_link_probability", "_link_method")


@dataclass(frozen=True)
class View:
    """One relation a query may read. `place` is its file under the projects folder.

    A scratch table is called with its schema, and is of no dataset: what it rests on stands behind it.
    `coarsen`: how its values were coarsened when it was made. `release`: of its dataset. `absent`: why it cannot
    be read as at the day that is asked about.
    """

    name: str
    dataset: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    place: str
    coarsen: Mapping[str, Coarsening] = field(default_factory=dict)
    release: int = 0
    absent: Refusal | None = field(default=None, compare=False)

    def asked(self, columns: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Split columns of the view into payload columns and the keys whose columns they are."""
        service = {f"{key}{suffix}": key for key in self.keys for suffix in LINK}
        named = set(columns)
        payload = tuple(c for c in self.columns if c in named and c not in service)
        return payload, tuple(k for k in self.keys if any(c in named and service.get(c) == k for c in self.columns))


def lower(name: str) -> str:
    """A name as the engine compares it: ASCII letters in lower case, all others as they are."""
    return name.translate(_LOWER)


def of_grants(grants: Iterable[Grant]) -> Mapping[str, View]:
    """Views by lower-case name; a name in another schema, or of another project, is not among them."""
    views = (View(g.view, g.dataset, g.columns, g.keys, g.place, g.coarsen, g.release) for g in grants)
    return MappingProxyType({lower(v.name): v for v in views})


def finer(read: Sequence[View], decisions: Sequence[Decision]) -> list[str]:
    """Views that show their values less coarsely than the decision on them asks."""
    pairs = zip(read, decisions, strict=True)
    return [v.name for v, decided in pairs if not as_coarse(v.coarsen, decided.coarsen, columns=v.columns)]


def left(store: Store, read: Sequence[View]) -> AgreementRefusal | None:
    """Why views cannot be asked now whose table was taken back from their release; None where they can.

    It is asked when a query begins: one that runs by then ends on the copy it began with.
    """
    with store.read() as connection:
        gone = releases.withdrawn(connection, (view.release for view in read))
    names = sorted(view.name for view in read if view.release in gone)
    if not names:
        return None
    return AgreementRefusal(
        f"View {', '.join(names)} is of a release that was withdrawn",
        why="The copy of the one that is read instead is not there yet",
        next_step="Ask again in a while; else ask the owner of the dataset",
    )
