"""The dataset's journey: six stages in order, run to the end, resumed after a kill, explained.

    a dataset    acquire → standardise → validate → index → deidentify → publish
    a reference  acquire → standardise → validate → feed

A stage reads what earlier stages left, does its work through the seam, and returns facts. When it
is done its facts, its audit event and its lineage are written down in one transaction; a job that
was killed begins again at the first stage that is not written down. Every stage writes aside and
renames, so doing it twice leaves the same.

What is named here is imported when it is first asked for: `checking` alone, as the supplier's kit uses it, brings
neither the control store nor the lake along.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from integrated_data.journey.going import Outcome
    from integrated_data.journey.run import Arrived, arrive, deliver, explain, resume
    from integrated_data.journey.settling import accept_held, recheck_held, reject_held
    from integrated_data.journey.stages import REFERENCE_STAGES, STAGES
    from integrated_data.journey.workshop import Feed, Handed, Workshop

__all__ = [
    "REFERENCE_STAGES",
    "STAGES",
    "Arrived",
    "Feed",
    "Handed",
    "Outcome",
    "Workshop",
    "accept_held",
    "arrive",
    "deliver",
    "explain",
    "recheck_held",
    "reject_held",
    "resume",
]

_MODULES = {
    "going": ("Outcome",),
    "run": ("Arrived", "arrive", "deliver", "explain", "resume"),
    "settling": ("accept_held", "recheck_held", "reject_held"),
    "stages": ("REFERENCE_STAGES", "STAGES"),
    "workshop": ("Feed", "Handed", "Workshop"),
}
_WHERE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """What is named above, from its module; kept once it was asked for."""
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = found
    return found
