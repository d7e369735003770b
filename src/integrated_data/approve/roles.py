"""What a role may do: one table, asked by the command line and by both serving doors; what is not in it is refused.

A role opens a door and nothing more: whether somebody may query a project, or review an output, is decided
by the facts of that project and output as well.
"""

from collections.abc import Collection, Mapping

from integrated_data.model.access import Person
from integrated_data.model.errors import RoleRefusal
from integrated_data.model.people import Action, Role
from integrated_data.model.signing_in import SignedIn
from integrated_data.model.twins import TWINS

_S, _E, _W, _A, _P, _C, _R = (
    Role.SUPPLIER, Role.ENGINEER, Role.STEWARD, Role.ANALYST, Role.APPROVER, Role.OUTPUT_CHECKER, Role.AUDITOR,
)  # fmt: skip

#: Which roles may do what.
ROLES: Mapping[Action, frozenset[Role]] = {
    Action.LOOK: frozenset(Role),
    Action.DELIVER: frozenset({_S, _E, _W}),
    Action.SEE_FEEDS: frozenset({_S, _E, _W}),
    Action.INDEX: frozenset({_E, _W}),
    Action.MATCH: frozenset({_E, _W}),
    Action.REVIEW_LINKS: frozenset({_E, _W}),
    Action.SEE_REJECTS: frozenset({_S, _E, _W}),
    Action.CANCEL: frozenset({_S, _E, _W}),
    Action.SEE_LINEAGE: frozenset({_E, _W, _R}),
    Action.SEE_QUARANTINE: frozenset({_E, _W}),
    Action.ROLL: frozenset({_W}),
    Action.SETTLE_LOADS: frozenset({_W}),
    Action.AGREE: frozenset({_W, _P}),
    Action.APPLY: frozenset({_A}),
    Action.SEE_PROJECTS: frozenset({_W, _A, _P, _C, _R}),
    Action.DECIDE: frozenset({_W, _P}),  # whose approval it is, `approve/route.py` says
    Action.CLOSE: frozenset({_P}),
    Action.QUERY: frozenset({_A}),
    Action.REQUEST_OUTPUT: frozenset({_A}),
    Action.SEE_OUTPUTS: frozenset({_A, _C, _R}),
    Action.CHECK_OUTPUTS: frozenset({_C}),
    Action.RULE_LANE: frozenset({_C, _W}),
    Action.OPT_OUT: frozenset({_W}),
    Action.ADMINISTER: frozenset({_P}),
    Action.OWN_ACCOUNT: frozenset(Role),
    Action.VERIFY: frozenset({_R, _P, _W}),
    Action.AUDIT: frozenset({_R}),
    Action.SEE_USES: frozenset({_R, _S, _W}),
    Action.FREEZE: frozenset({_W, _P, _R}),  # whose, `approve/freezing.py` says
    Action.THAW: frozenset({_W, _P}),
    Action.SEE_FREEZES: frozenset({_W, _P, _C, _R}),
    Action.SEE_TO_RIGHTS: frozenset({_W}),
    Action.OPERATE: frozenset(),
}

#: Who does of every organisation's data what suppliers and stewards do of their own organisation's alone: engineers
#: look after what runs, auditors after what was done, and approvers stand between organisations.
EVERYWHERE = frozenset({_E, _P, _R})

#: What a token that was made for one project is for.
OF_PROJECT: frozenset[Action] = frozenset({Action.LOOK, Action.QUERY, Action.REQUEST_OUTPUT})

#: What the account that runs the service may do on its machine in production, without a person's token.
OPERATOR: frozenset[Action] = frozenset(
    {
        Action.OPERATE, Action.ADMINISTER, Action.OWN_ACCOUNT, Action.VERIFY, Action.LOOK, Action.FREEZE,
        Action.SEE_FREEZES, Action.SEE_FEEDS,
    }
)  # fmt: skip


def check_may(who: SignedIn, action: Action) -> None:
    """Refuse what none of a person's roles may do, or what their token is not for."""
    if not ROLES[action] & set(who.roles):
        needed = " or ".join(sorted(role.value for role in ROLES[action])) or "none: the operator does it"
        raise RoleRefusal(
            f"{who.person} may not {action.value}",
            why=f"Roles that may: {needed}",
            next_step="Ask somebody with that role, or have it recorded: ids person add FILE",
        )
    of_project = who.project is None or action in OF_PROJECT
    if not of_project or (who.actions is not None and action not in who.actions):
        raise RoleRefusal(
            f"This token is not for it: {action.value}", next_step="Use another one: ids person token add PERSON"
        )


def may(who: SignedIn, action: Action) -> bool:
    """Whether `check_may` would let it pass."""
    try:
        check_may(who, action)
    except RoleRefusal:
        return False
    return True


def check_asks(who: SignedIn, project: str) -> None:
    """Refuse who may not ask questions under a project; about synthetic twins, everybody who may look may ask."""
    if project == TWINS:
        check_may(who, Action.LOOK)
        return
    check_may(who, Action.QUERY)
    check_project(who, project)


def check_project(who: SignedIn, project: str | None) -> None:
    """Refuse a token that was made for one project where another is asked about, or none is named."""
    if who.project is not None and who.project != project:
        raise RoleRefusal(
            f"This token is for project {who.project} alone", next_step="Use another one: ids person token add PERSON"
        )


def check_sees_uses(who: SignedIn, organisation: str, *, owners: Collection[str]) -> None:
    """Refuse somebody who is no auditor and not of an organisation that owns the dataset."""
    if Role.AUDITOR not in who.roles and organisation not in owners:
        raise RoleRefusal(
            f"{who.person} may not see who used this dataset",
            why="Auditors see every use, people of the organisation that owns a dataset the uses of it",
            next_step="Ask an auditor",
        )


def everywhere(person: Person, action: Action) -> bool:
    """Whether somebody has a role in which they may do this of every organisation's data."""
    return bool(ROLES[action] & EVERYWHERE & set(person.roles))


def check_of_owner(person: Person, action: Action, *, dataset: str, owners: Collection[str]) -> None:
    """Refuse somebody who is not of an organisation that owns a dataset, whatever else they may do of their own."""
    if everywhere(person, action) or person.organisation in owners:
        return
    whose = f"It is {' and '.join(sorted(owners))}'s" if owners else "It is on record for no organisation yet"
    raise RoleRefusal(
        f"{person.id} may not {action.value} where dataset {dataset} is concerned",
        why=f"{whose}, and suppliers and stewards see to their own organisation's data alone",
        next_step="Ask somebody of that organisation; whose it is changes by: ids organisation hand-over",
    )
