"""How people come in: organisations, tokens, the operating procedures everybody accepts."""

import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.approver import person
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_sign_in, opened_store
from integrated_data.cli.shown import ERRORS
from integrated_data.control import people, projects, tokens
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.people import Action, Organisation
from integrated_data.model.signing_in import Token

organisation = typer.Typer(help="Organisations that people belong to.", no_args_is_help=True)
procedures = typer.Typer(help="The security operating procedures that everybody accepts.", no_args_is_help=True)
token = typer.Typer(help="Personal tokens: secrets that stand for a person until a day.", no_args_is_help=True)

PersonId = Annotated[str, typer.Argument(metavar="PERSON", help="The person's id.")]


@dataclass(frozen=True)
class Limits:
    """What a token is limited to."""

    days: Annotated[int, typer.Option(help="For how many days it counts; 90 at most.")] = 30
    project: Annotated[str | None, typer.Option(help="It counts for this project alone.")] = None
    only: Annotated[
        list[str] | None, typer.Option(help="It counts for this alone, as `query`; may be given again.")
    ] = None

    def actions(self) -> tuple[Action, ...] | None:
        """What `only` names; refuses what is no action."""
        if not self.only:
            return None
        if unknown := [word for word in self.only if word not in list(Action)]:
            raise UsageRefusal(
                f"There is no action {unknown[0]}", next_step=f"Actions: {', '.join(a.value for a in Action)}"
            )
        return tuple(Action(word) for word in self.only)


def add_to(app: typer.Typer) -> None:
    """Add the commands of coming in."""
    app.command("sign-in")(taking(sign_in))
    app.add_typer(organisation, name="organisation")
    app.add_typer(procedures, name="procedures")
    person.add_typer(token, name="token")
    person.command("accept-procedures")(person_accept_procedures)
    person.command("ending")(person_ending)
    person.command("password")(person_password)
    person.command("totp")(person_totp)


@organisation.command("add")
@taking
def organisation_add(
    name: Annotated[str, typer.Argument(help="As people and agreements name it.")],
    *,
    suspended: Annotated[bool, typer.Option("--suspended/--active", help="Nobody of it may come in.")] = False,
    call: Call,
) -> None:
    """Add an organisation, or a new state of it; suspending one ends what its people run at once."""
    with opened_store(call.home) as (_, store):
        made = Organisation(name, suspended)
        people.add_organisation(store, made, by=call.actor)
    shown.facts(vars(made), title="Organisation added", json_out=call.json)


@organisation.command("hand-over")
@taking
def organisation_hand_over(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset.")],
    *,
    to: Annotated[str, typer.Option("--to", help="The organisation whose it is from now on.")],
    reason: Annotated[str, typer.Option(help="Why; kept in the audit chain.")],
    call: Call,
) -> None:
    """Hand a dataset over to another organisation: from then on its people deliver it and decide about it."""
    from integrated_data.site import handing_over

    with opened_store(call.home) as (_, store):
        told = handing_over.hand_over(store, dataset, to=to, by=call.actor, reason=reason)
    shown.facts(told, title="Handed over", json_out=call.json)


@organisation.command("list")
@taking
def organisation_list(call: Call) -> None:
    """List organisations."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        known = people.organisations(connection)
    shown.table([vars(o) for o in known], title="Organisations", json_out=call.json)


@procedures.command("set")
@taking
def procedures_set(
    version: Annotated[str, typer.Argument(help="The version's name, as 2026-1.")],
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The text, as a file.")],
    *,
    call: Call,
) -> None:
    """Put operating procedures in force: everybody must accept them before they go on."""
    with opened_store(call.home) as (_, store):
        made = people.put_procedures(store, version, text=files.text_of(file), by=call.actor)
    shown.facts({"version": version, "sha256": made.sha256}, title="In force", json_out=call.json)


@procedures.command("show")
@taking
def procedures_show(call: Call) -> None:
    """Show the operating procedures in force."""
    with opened_store(call.home) as (_, store), store.read() as connection:
        found = people.procedures(connection)
    if call.json:
        shown.document(vars(found) if found else {"version": None})
    elif found is None:
        shown.plain("No operating procedures are in force.")
    else:
        shown.plain(f"{found.text}\n--- version {found.version}, SHA-256 {found.sha256}")


@taking
def person_accept_procedures(
    version: Annotated[str, typer.Argument(help="The version that was read.")], *, call: Call
) -> None:
    """Accept the operating procedures in force, as who acts."""
    acting = call.act(accepting=version)
    with opened_store(call.home) as (_, store), store.read() as connection:
        found = people.procedures(connection)
    if found is None or found.version != version or acting.signed_in is None:
        raise UsageRefusal(
            "This cannot be accepted",
            why="It is not the version in force, or who acts is nobody on record",
            next_step="Read what is in force: ids procedures show",
        )
    shown.facts({"person": acting.actor, "accepted": version}, json_out=call.json)


@taking
def person_ending(
    *, days: Annotated[int, typer.Option(help="How many days to look ahead.", min=0)] = 60, call: Call
) -> None:
    """List accreditations and trainings that have ended or will soon: whose renewal is due."""
    from integrated_data.approve import accredit

    with opened_store(call.home) as (_, store), store.read() as connection:
        until = store.now().date() + timedelta(days=days)
        found = accredit.ending(projects.people(connection), until=until)
    rows = [{"ends": day, "person": p.id, "organisation": p.organisation, "what": what} for day, p, what in found]
    shown.table(rows, title=f"Ended, or ending within {days} days", json_out=call.json)


@taking
def person_password(person_id: PersonId, *, call: Call) -> None:
    """Set a person's password: asked for twice, or read from standard input; never an argument."""
    call.acting.check_own(person_id)
    with opened_sign_in(call.home) as door:
        door.set_password(person_id, secret("Password", new=True), by=call.actor)
    shown.facts({"person": person_id, "password": "set"}, json_out=call.json)


@taking
def person_totp(person_id: PersonId, *, call: Call) -> None:
    """Make the secret of a person's one-time codes; its address for an authenticator is printed once."""
    call.acting.check_own(person_id)
    with opened_sign_in(call.home) as door:
        address = door.set_code(person_id, by=call.actor)
    shown.facts({"person": person_id, "address": address}, title="One-time codes", json_out=call.json)


def sign_in(
    person_id: Annotated[
        str | None, typer.Argument(metavar="PERSON", help="By password and one-time code; else in a browser.")
    ] = None,
    *,
    accepting: Annotated[str | None, typer.Option(help="The version of the procedures that you accept.")] = None,
    call: Call,
) -> None:
    """Sign in; the session's secret is printed for IDS_TOKEN, as in: export IDS_TOKEN=$(ids sign-in)."""
    from integrated_data.site.oidc_flow import at_loopback

    with opened_sign_in(call.home) as door:
        if person_id is not None:
            signed_in = door.by_password(person_id, secret("Password"), code=secret("Code"), accepting=accepting)
        else:
            begun: list[Any] = []

            def opened(redirect: str) -> None:
                begun.append(door.begin_oidc(redirect))
                ERRORS.print(f"Open in a browser: {begun[0].address}", markup=False, soft_wrap=True)

            came = at_loopback(opened)
            signed_in = door.finish_oidc(begun.pop(), came, accepting=accepting)
        made = door.open_session(signed_in)
    if call.json:
        shown.document({"secret": made, "person": signed_in.person, "until": signed_in.until.isoformat()})
    else:
        sys.stdout.write(f"{made}\n")


def secret(asked: str, *, new: bool = False) -> str:
    """A secret that is typed unseen, or the next line of standard input."""
    if sys.stdin.isatty():
        typed: str = typer.prompt(asked, hide_input=True, confirmation_prompt=new)
        return typed
    return sys.stdin.readline().rstrip("\n")


@token.command("add")
@taking
def token_add(
    person_id: PersonId,
    *,
    name: Annotated[str, typer.Option(help="What it is for, as `laptop`.")] = "token",
    limits: Limits,
    call: Call,
) -> None:
    """Make a personal token. Its secret is printed once, and is kept nowhere."""
    from integrated_data.site.signing_in import Wish

    call.acting.check_own(person_id)
    wish = Wish(name, limits.days, limits.project, limits.actions())
    with opened_sign_in(call.home) as door:
        secret, made = door.make_token(person_id, wish, by=call.actor)
    if call.json:
        shown.document({"secret": secret} | _told(made))
        return
    shown.facts(_told(made), title="Token made")
    sys.stdout.write(f"{secret}\n")


@token.command("list")
@taking
def token_list(
    person_id: Annotated[str | None, typer.Argument(metavar="PERSON", help="Of one person; else everybody's.")] = None,
    *,
    call: Call,
) -> None:
    """List tokens and sessions: whose, until when, when they were last used; never their secrets."""
    if call.acting.signed_in is not None:
        person_id = person_id or call.actor
        call.acting.check_own(person_id)
    with opened_store(call.home) as (_, store), store.read() as connection:
        known = tokens.of(connection, person_id)
    shown.table([_told(k) for k in known], title="Tokens", json_out=call.json)


@token.command("revoke")
@taking
def token_revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="The token's id, as `list` gives it.")],
    *,
    call: Call,
) -> None:
    """End a token or session at once; what it runs is stopped."""
    with opened_store(call.home) as (_, store):
        with store.read() as connection:
            known = tokens.get(connection, token_id)
        if known is not None:
            call.acting.check_own(known.person)
        ended = tokens.revoke(store, token_id, by=call.actor)
    shown.facts({"token": token_id, "person": ended.person, "revoked": True}, json_out=call.json)


def _told(known: Token) -> dict[str, Any]:
    return {
        "token": known.id, "person": known.person, "name": known.name, "how": known.how.value,
        "expires": known.expires.isoformat(timespec="seconds"), "project": known.project,
        "only": [a.value for a in known.actions] if known.actions else None,
        "last_used": known.last_used, "revoked": known.revoked,
    }  # fmt: skip
