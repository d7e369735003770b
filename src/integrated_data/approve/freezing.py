"""Who may freeze and thaw: stopping is open to more people than letting go on."""

from collections.abc import Collection

from integrated_data.model.errors import RoleRefusal
from integrated_data.model.freezing import Frozen
from integrated_data.model.people import Role
from integrated_data.model.signing_in import SignedIn

#: Who freezes whatever it is of.
ANYWHERE = frozenset({Role.APPROVER, Role.AUDITOR})


def check_may_freeze(who: SignedIn, organisation: str, *, owners: Collection[str]) -> None:
    """Refuse a steward of another organisation than those that own the dataset, or that the person is of."""
    if not ANYWHERE & set(who.roles) and organisation not in owners:
        raise RoleRefusal(
            f"{who.person} may not freeze this",
            why="Stewards freeze what is of their own organisation; approvers and auditors freeze anything",
            next_step="Ask an approver, an auditor or who runs the service",
        )


def check_may_thaw(who: SignedIn, organisation: str, *, kind: Frozen, owners: Collection[str]) -> None:
    """Refuse anybody but an approver, or for a dataset a steward of an organisation that owns it."""
    of_owner = kind is Frozen.DATASET and Role.STEWARD in who.roles and organisation in owners
    if Role.APPROVER not in who.roles and not of_owner:
        raise RoleRefusal(
            f"{who.person} may not thaw this",
            why="Approvers thaw people and datasets, stewards the datasets that their own organisation owns",
            next_step="Ask one of them",
        )
