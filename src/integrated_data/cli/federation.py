"""Questions to several installations, each under its own decision: who they are, and asking them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.analyst import Project
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_analysis, opened_store, settings
from integrated_data.model.federation import FederatedAsk, Peer

federation = typer.Typer(help="Questions to installations whose data cannot move.", no_args_is_help=True)


@dataclass(frozen=True)
class Wish:
    """How installations are asked."""

    only: Annotated[list[str] | None, typer.Option(help="Ask this one; may be repeated. All when left out.")] = None
    disjoint: Annotated[bool, typer.Option("--disjoint", help="You vouch that nobody is at two installations.")] = False
    seconds: Annotated[float, typer.Option(min=0.1, max=600.0, help="How long they have to answer.")] = 60.0


def add_to(app: typer.Typer) -> None:
    """Add the commands of federation."""
    app.add_typer(federation, name="federation")


@federation.command("add")
@taking
def add(
    name: Annotated[str, typer.Argument(help="What you call it, as: north.")],
    url: Annotated[str, typer.Argument(help="Its HTTP door, as https://ids.example:8443.")],
    *,
    key: Annotated[Path, typer.Option(help="Its public key, as its ids output key prints it.")],
    certificate: Annotated[
        Path | None, typer.Option(help="The certificate of its door, where it made its own.")
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="It may ask about this project here; may be repeated. All when left out.")
    ] = None,
    call: Call,
) -> None:
    """Ask another installation from now on, and answer it; both sides add each other."""
    from integrated_data.site.federation import peers

    shown_by = files.text_of(certificate) if certificate else ""
    peer = Peer(name, url, files.text_of(key), shown_by, tuple(project or ()))
    with opened_store(call.home) as (places, store):
        found = peers.add(places, store, peer=peer, by=call.actor, production=settings().production)
    shown.facts({"installation": name, "url": url, "key_sha256": found}, json_out=call.json)


@federation.command("list")
@taking
def federation_list(call: Call) -> None:
    """List the installations on record."""
    from integrated_data.site.federation import peers

    with opened_store(call.home) as (places, _):
        rows = [
            {"installation": p.name, "url": p.url, "key_sha256": peers.fingerprint(peers.key_of(p.key))}
            for p in peers.known(places)
        ]
    shown.table(rows, title="Installations", json_out=call.json)


@federation.command("remove")
@taking
def remove(name: Annotated[str, typer.Argument(help="What you call it.")], call: Call) -> None:
    """Ask and answer an installation no more."""
    from integrated_data.site.federation import peers

    with opened_store(call.home) as (places, store):
        peers.remove(places, store, name=name, by=call.actor)
    shown.facts({"removed": name}, json_out=call.json)


@federation.command("ask")
@taking
def ask(
    sql: Annotated[str, typer.Argument(help="One SELECT of keys and named aggregates.")],
    project: Project,
    *,
    wish: Wish,
    call: Call,
) -> None:
    """Ask this and other installations; each decides and checks for itself, and the answer says what it covers."""
    from integrated_data.site.federation import asking

    asked = FederatedAsk(call.actor, project, sql, tuple(wish.only or ()), wish.disjoint)
    with opened_analysis(call.home) as site:
        told = asking.ask(site, asked, seconds=wish.seconds)
    if call.json:
        shown.document(told)
        return
    shown.data(told["columns"], [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]])
    shown.plain(told["label"])
    for part in told["incomplete"]:
        shown.plain(f"Row {part['row'] + 1}, {part['column']}: without {', '.join(part['without'])}")
    shown.table(
        [{k: i[k] for k in ("peer", "state", "reason", "records", "withheld")} for i in told["installations"]],
        title="Installations",
    )
