"""What looks after feeds: deliveries that come by themselves."""

import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import structlog
import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_loading, opened_store, settings
from integrated_data.cli.progress import steps
from integrated_data.cli.supplier import editions_after
from integrated_data.control import feeds
from integrated_data.model.errors import is_disk_full
from integrated_data.model.people import Action

FeedName = Annotated[str | None, typer.Argument(metavar="[FEED]", help="One feed; all when left out.")]

feed = typer.Typer(help="Feeds: deliveries that come by themselves.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of feeds."""
    app.add_typer(feed, name="feed")


@feed.command("add")
@taking
def feed_add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The feed's definition, in YAML.")],
    *,
    contract: Annotated[
        Path | None, typer.Option(help="The contract its dataset is loaded under (else the one on record).")
    ] = None,
    call: Call,
) -> None:
    """Write a feed down: where its files are dropped, how they are called, when they are due."""
    from integrated_data.site.feeding import keeping

    with opened_store(call.home) as (places, store):
        made = keeping.add(places, store, file=file, contract=contract, by=call.actor)
    shown.facts(made, title="Feed", json_out=call.json)


@feed.command("run")
@taking
def feed_run(
    *,
    name: FeedName = None,
    watch: Annotated[float, typer.Option(help="Look again after so many seconds, until stopped (0: look once).")] = 0.0,
    call: Call,
) -> None:
    """Look at the feeds: take what came, tell what did not; once, or again and again."""
    stop = threading.Event()
    if watch > 0:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
    look = _look_on if watch > 0 else _look
    done = look(name, call)
    while watch > 0 and not stop.wait(watch):
        done = look(name, call)
    rows = [row for looked in done for row in (looked["files"] or [{"why": looked["why"], **_short(looked)}])]
    kept = ("feed", "file", "period", "state", "delivery", "why")
    shown.table([{k: row.get(k, "") for k in kept} for row in rows], title="Feeds", json_out=call.json)


def _short(looked: dict[str, Any]) -> dict[str, Any]:
    return {"feed": looked["feed"], "state": "nothing new" if looked["state"] == "looked" else looked["state"]}


def _look_on(name: str | None, call: Call) -> list[dict[str, Any]]:
    """One look of many: on a full disk it says so, and what came is left for the next one."""
    try:
        return _look(name, call)
    except Exception as error:
        if not is_disk_full(error):
            raise
        with suppress(OSError):  # what is said goes to that disk perhaps
            structlog.get_logger().error("feeds wait", why="The disk is full", next="Make room: it looks again")
        return []


def _look(name: str | None, call: Call) -> list[dict[str, Any]]:
    """One look at one feed, or at all of them; what is published anew because of it is made too."""
    from integrated_data.site.feeding.channels import channels
    from integrated_data.site.feeding.looking import Feeder
    from integrated_data.site.feeding.telling import Teller

    told = channels(settings())
    with opened_store(call.home) as (places, store), steps("looking") as step:
        feeder = Feeder(places, store, lambda: opened_loading(call.home), call.actor)
        with store.read() as connection:
            known = feeds.every(connection) if name is None else [feeds.get(connection, name)]
        done = []
        for one in known:
            step(one.definition.id)
            done.append(feeder.look(one))
        Teller(places, store, told, call.actor).tell()
    renewed = [grant for looked in done for row in looked["files"] for grant in row.get("projects_refreshed", [])]
    editions_after({"projects_refreshed": renewed}, call)
    return done


@feed.command("tell")
@taking
def feed_tell(
    *,
    trial: Annotated[bool, typer.Option("--try", help="Send a message that only says that it is a trial.")] = False,
    call: Call,
) -> None:
    """Send alerts that people were not told yet, to where IDS_ALERTS_URL and IDS_ALERTS_MAIL say, at once."""
    from integrated_data.site.feeding.channels import channels
    from integrated_data.site.feeding.telling import Teller

    with opened_store(call.home) as (places, store):
        teller = Teller(places, store, channels(settings()), call.actor)
        rows = teller.try_out() if trial else teller.tell(at_once=True)
    shown.table(rows, title="Alerts sent", json_out=call.json)
    raise typer.Exit(int(any(row["state"] == "not taken" for row in rows)))


@feed.command("status")
@taking
def feed_status(
    *,
    name: FeedName = None,
    seen: Annotated[
        bool, typer.Option("--seen", help="Close what was only to be told, once you have seen it.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="End with exit code 1 while an alert is open: for the machine's monitoring.")
    ] = False,
    call: Call,
) -> None:
    """Show where the feeds stand: what came last, what is due, late, missing, held, and what to know."""
    from integrated_data.site.feeding import keeping

    with opened_store(call.home) as (_, store):
        if name is None:
            rows = keeping.status(store, by=call.actor)
            shown.table(rows, title="Feeds", json_out=call.json)
            raise typer.Exit(int(check and any(row["alerts"] for row in rows)))
        if seen:
            call.acting.check(Action.SETTLE_LOADS)
            keeping.seen(store, name, by=call.actor)
        found = keeping.details(store, name, by=call.actor)
    if call.json:
        shown.document(found)
    else:
        shown.facts({k: v for k, v in found.items() if k not in ("files", "open_alerts")}, title="Feed")
        shown.table(found["open_alerts"], title="Alerts")
        shown.table(found["files"][:20], title="Newest files")
    raise typer.Exit(int(check and bool(found["open_alerts"])))
