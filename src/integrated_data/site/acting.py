"""Who acts in a call from this machine: a person with a token, one named in a trial, or the service's own account."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from integrated_data.approve import roles
from integrated_data.model.errors import RoleRefusal, SignInRefusal
from integrated_data.model.people import Action, Role
from integrated_data.model.signing_in import SignedIn, SignInMethod
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings

#: How the account that runs the service is called in the audit chain.
SYSTEM = "system:"


@dataclass(frozen=True)
class Acting:
    """Who acts. `signed_in` None: the account that runs the service, or in a trial a name that nobody bears."""

    actor: str
    signed_in: SignedIn | None
    production: bool

    def check(self, action: Action) -> None:
        """Refuse what who acts may not do."""
        if self.signed_in is not None:
            roles.check_may(self.signed_in, action)
        elif self.production and action not in roles.OPERATOR:
            raise RoleRefusal(
                f"The account of the service may not {action.value}",
                why="In production only a person may, and shows who they are",
                next_step="Set IDS_TOKEN to a token of theirs: export IDS_TOKEN=$(ids sign-in)",
            )

    def check_known(self) -> None:
        """Refuse a name that nobody on record bears; the account that runs the service has no need to be."""
        if self.signed_in is None and not self.actor.startswith(SYSTEM):
            raise RoleRefusal(
                "Who is named is not on record",
                why="Requests are shown to people on record alone",
                next_step="Name somebody of: ids person list, or have them recorded: ids person add FILE",
            )

    def check_project(self, project: str | None) -> None:
        """Refuse a token that was made for another project."""
        if self.signed_in is not None:
            roles.check_project(self.signed_in, project)

    def sees(self, *teams: Collection[str], others: Collection[Role] = ()) -> bool:
        """Whether `check_team` would let it pass."""
        if self.signed_in is None or set(others) & set(self.signed_in.roles):
            return True
        return all(self.actor in team for team in teams)

    def check_team(self, *teams: Collection[str], others: Collection[Role] = ()) -> None:
        """Refuse somebody who is not on every one of these teams, unless they have one of the roles `others`."""
        if not self.sees(*teams, others=others):
            raise RoleRefusal(
                f"{self.actor} is not on the team of this project", next_step="Ask its lead to amend the team"
            )

    def check_own(self, person: str) -> None:
        """Refuse to touch the sign-in of somebody else: only they do, and the account that runs the service."""
        if self.signed_in is not None and person != self.actor:
            raise RoleRefusal(
                f"{self.actor} may not act for somebody else, nor change how they sign in",
                next_step="Let them do it; the operator on the machine of the service may set up a sign-in",
            )

    def check_not_own(self, person: str) -> None:
        """Refuse somebody who writes their own roles or accreditation."""
        if self.signed_in is not None and person == self.actor:
            raise RoleRefusal("Nobody writes their own record", next_step="Ask somebody else who administers people")


def who_acts(places: Places, settings: Settings, *, named: str | None, accepting: str | None = None) -> Acting:
    """Who acts: by IDS_TOKEN, by name in a trial, else the account that runs the service; raises the refusal.

    `accepting`: the version of the operating procedures that they accept now.
    """
    if named is not None and settings.production:
        raise SignInRefusal(
            "A name on the command line is not believed",
            why="Production settings are on",
            next_step="Set IDS_TOKEN to a token: export IDS_TOKEN=$(ids sign-in)",
        )
    actor = named or settings.actor
    if settings.token is None and actor.startswith(SYSTEM):
        return Acting(actor, None, settings.production)
    from integrated_data.site.signing_in import open_sign_in

    door = open_sign_in(places, settings)
    if settings.token is not None:
        signed_in = door.by_bearer(settings.token, accepting=accepting)
        if named not in (None, signed_in.person):
            raise SignInRefusal("The token is not of who is named", next_step="Leave out --as, or unset IDS_TOKEN")
        return Acting(signed_in.person, signed_in, settings.production)
    if not door.knows(actor):
        return Acting(actor, None, settings.production)
    return Acting(actor, door.admitted(actor, how=SignInMethod.NAMED, accepting=accepting), settings.production)


def as_actor(settings: Settings, acting: Acting | None) -> Settings:
    """Settings under which what is done is done by who acts."""
    return settings if acting is None else replace(settings, actor=acting.actor)
