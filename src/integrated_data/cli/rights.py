"""What the officers for people's rights do: write a request down, and do one that a colleague wrote down."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, opened_store, places_of
from integrated_data.model.rights import ALL, Right, Scope

right = typer.Typer(
    help="The rights of people whom data are about; two officers see to each request.", no_args_is_help=True
)

Request = Annotated[str, typer.Argument(metavar="REQUEST", help="The request, for instance R-3.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of people's rights."""
    app.add_typer(right, name="right")


@dataclass(frozen=True)
class About:
    """Whom and what a request is about."""

    index: Annotated[str, typer.Option(help="The index of people to find them in.")] = "demographic"
    entity: Annotated[int | None, typer.Option(help="One of the likely entities that an earlier request named.")] = None
    dataset: Annotated[str, typer.Option(help="To object: the dataset; all of them when left out.")] = ALL
    purpose: Annotated[str, typer.Option(help="To object: the purpose; all of them when left out.")] = ALL
    corrected: Annotated[
        Path | None, typer.Option(help="To rectify: YAML of the values that are right, by meaning.")
    ] = None


@right.command()
@taking
def ask(
    kind: Annotated[Right, typer.Argument(metavar="RIGHT", help="access, rectify, object or erase.")],
    identifiers: Annotated[Path, typer.Argument(metavar="FILE", help="YAML of what somebody says of themselves.")],
    *,
    reason: Annotated[str, typer.Option(help="The case, without a name: it stays in the audit chain.")],
    about: About,
    call: Call,
) -> None:
    """Write a request down and find whom it is about; a colleague does it."""
    from integrated_data.site.rights import asking

    values = asking.read_values(files.text_of(identifiers))
    corrected = asking.read_values(files.text_of(about.corrected)) if about.corrected else {}
    scope = Scope(about.dataset, about.purpose)
    wish = asking.Wish(kind, values, reason, about.index, scope, about.entity, corrected)
    with opened_loading(call.home) as site:
        told = asking.ask(site, wish, by=call.actor)
    shown.facts(told, title="Request written down", json_out=call.json)


@right.command("list")
@taking
def list_requests(call: Call) -> None:
    """List the requests and where each stands."""
    from integrated_data.site.rights import asking

    with opened_store(call.home) as (_, store):
        found = [asked.told() for asked in asking.requests(store)]
    shown.table(found, title="Requests", json_out=call.json)


@right.command()
@taking
def access(
    request: Request,
    *,
    out: Annotated[Path, typer.Option(help="Where to write everything that is held about them.")],
    call: Call,
) -> None:
    """Write one file of everything that is held about somebody: it holds identified values, for the officer alone."""
    from integrated_data.site.rights import access as accessing
    from integrated_data.site.rights import doing

    files.to_write(out)
    with opened_loading(call.home) as site:
        told = doing.do(
            site, request, right=Right.ACCESS, by=call.actor,
            work=lambda steps, asked: accessing.access(site, steps, asked=asked, out=out),
        )  # fmt: skip
    shown.facts(told | {"file": str(out)}, title="Access", json_out=call.json)


@right.command()
@taking
def rectify(
    request: Request,
    *,
    notices: Annotated[Path, typer.Option(help="The folder for notices to suppliers: they hold identified values.")],
    call: Call,
) -> None:
    """Correct what the index says of somebody, and write a notice for each supplier who says otherwise."""
    from integrated_data.site.rights import doing, rectifying

    files.folder_to_write(notices)
    with opened_loading(call.home) as site:
        told = doing.do(
            site, request, right=Right.RECTIFY, by=call.actor,
            work=lambda steps, asked: rectifying.rectify(site, steps, asked=asked, notices=notices),
        )  # fmt: skip
    shown.facts(told, title="Rectified", json_out=call.json)


@right.command("object")
@taking
def object_to(request: Request, *, call: Call) -> None:
    """Leave somebody's rows out of every view that their objection reaches, now and from every later delivery."""
    from integrated_data.site.rights import doing, objecting

    with opened_loading(call.home, alone=True, replaying=True) as site:
        told = doing.do(
            site, request, right=Right.OBJECT, by=call.actor,
            work=lambda steps, asked: objecting.object_to(site, steps, asked=asked),
        )  # fmt: skip
    shown.facts(told, title="Objection", json_out=call.json)


@right.command()
@taking
def erase(
    request: Request,
    *,
    doubtful: Annotated[
        bool, typer.Option("--doubtful", help="Rows that may be theirs too, which access shows apart.")
    ] = False,
    call: Call,
) -> None:
    """Take somebody out of everything that the service holds; it goes on where it was cut short."""
    from integrated_data.site.rights import doing, erasing

    with opened_loading(call.home, alone=True, replaying=True) as site:
        told = doing.do(
            site, request, right=Right.ERASE, by=call.actor,
            work=lambda steps, asked: erasing.erase(site, steps, asked=asked, doubtful=doubtful),
        )  # fmt: skip
    shown.facts(told, title="Erased", json_out=call.json)


@right.command()
@taking
def replay(call: Call) -> None:
    """Erase and leave out again whom an older copy of the data, put back by hand, holds again."""
    from integrated_data.site.rights import replaying

    with opened_loading(call.home, alone=True, replaying=True) as site:
        told = replaying.replay(site, by=call.actor)
    shown.table(told, title="Done again", json_out=call.json)


@right.command()
@taking
def proof(
    request: Request,
    *,
    out: Annotated[Path, typer.Option(help="Where to write it.")],
    call: Call,
) -> None:
    """Write the signed proof of a request that is done."""
    from integrated_data.site.rights import doing

    files.to_write(out)
    with opened_store(call.home) as (places, store):
        place = doing.prove(places, store, request=request, out=out)
    shown.facts({"request": request, "proof": str(place)}, title="Proof", json_out=call.json)


@right.command()
@taking
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A proof.")],
    *,
    key: Annotated[Path | None, typer.Option(help="The published key (else the installation's).")] = None,
    call: Call,
) -> None:
    """Verify a proof by the service's public key: no installation is needed where --key is given."""
    from integrated_data.site.rights import proof as proving

    found = proving.verify(file, key=proving.public(None if key else places_of(call.home), key))
    shown.facts(found, title="The proof holds", json_out=call.json)
