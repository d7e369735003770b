"""Laws of roles: nobody may anything by default, a further role takes nothing away, a limit never widens."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from integrated_data.approve.roles import OPERATOR, ROLES, may
from integrated_data.model.people import Action, Role
from integrated_data.model.signing_in import SignedIn, SignInMethod

SOME_ROLES = st.sets(st.sampled_from(Role))
SOME_ACTIONS = st.none() | st.sets(st.sampled_from(Action)).map(tuple)


def somebody(roles: set[Role], *, project: str | None = None, actions: tuple[Action, ...] | None = None) -> SignedIn:
    until = datetime(2026, 6, 15, tzinfo=UTC)
    return SignedIn("ada", tuple(roles), SignInMethod.TOKEN, until, "t", project, actions)


@given(action=st.sampled_from(Action))
def test_without_a_role_nothing_may_be_done(action: Action) -> None:
    assert not may(somebody(set()), action)


@given(roles=SOME_ROLES, more=SOME_ROLES, action=st.sampled_from(Action), actions=SOME_ACTIONS)
def test_a_further_role_takes_nothing_away(
    roles: set[Role], *, more: set[Role], action: Action, actions: tuple[Action, ...] | None
) -> None:
    assert may(somebody(roles | more, actions=actions), action) or not may(somebody(roles, actions=actions), action)


@given(roles=SOME_ROLES, action=st.sampled_from(Action), actions=SOME_ACTIONS, project=st.none() | st.just("P-1"))
def test_a_limited_token_may_no_more_than_its_person(
    roles: set[Role], *, action: Action, actions: tuple[Action, ...] | None, project: str | None
) -> None:
    limited = somebody(roles, project=project, actions=actions)
    assert may(somebody(roles), action) or not may(limited, action)
    assert not may(limited, action) or actions is None or action in actions


def test_who_runs_the_service_cannot_query_decide_or_release_and_who_decides_cannot_query() -> None:
    assert not OPERATOR & {Action.QUERY, Action.DECIDE, Action.CHECK_OUTPUTS, Action.SEE_QUARANTINE, Action.AUDIT}
    assert not ROLES[Action.DECIDE] & ROLES[Action.QUERY]
    assert not ROLES[Action.CHECK_OUTPUTS] & ROLES[Action.REQUEST_OUTPUT]
    assert not ROLES[Action.OPERATE], "no person's role is to run the machine"
