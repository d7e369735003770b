"""What a reviewer does: see a case, say which records are the same. Scores are never shown."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.files import parquet_to_write
from integrated_data.cli.opened import opened_loading
from integrated_data.control import reviews
from integrated_data.model.errors import UsageRefusal
from integrated_data.model.review import Draw

if TYPE_CHECKING:
    from integrated_data.site.loading import LoadingSite
    from integrated_data.site.reviewing import ShownCase

review = typer.Typer(help="Clerical review: people judge links.", no_args_is_help=True)

STOP = "q"


@dataclass(frozen=True)
class Drawing:
    """How a sample is drawn."""

    size: Annotated[int, typer.Option(min=2, max=100_000, help="How many cases to draw.")] = 400
    seed: Annotated[int, typer.Option(help="The same seed draws the same cases.")] = 1
    double: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of cases that two people judge.")] = 0.2

    @property
    def draw(self) -> Draw:
        """The same as the sample takes it."""
        return Draw(self.size, self.seed, self.double)


def add_to(app: typer.Typer) -> None:
    """Add the reviewer's commands."""
    app.add_typer(review, name="review")


@review.command("sample")
@taking
def review_sample(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="The dataset whose links are sampled.")],
    *,
    index: Annotated[str, typer.Option(help="The index it is linked to.")] = "demographic",
    drawing: Drawing,
    compare: Annotated[Path | None, typer.Option(help="Also show the entities of these rival links.")] = None,
    call: Call,
) -> None:
    """Draw a blind sample of a dataset's links, linked and not, and put its cases in the queue."""
    from integrated_data.site import linked, measuring, reviewing

    with opened_loading(call.home) as site:
        rivals = None
        if compare is not None:
            links = linked.link_set(site, dataset, index=index)
            linked.frame(site, links)
            rivals = measuring.rival_links(site, links, place=compare)
        drawn = reviewing.sample(site, reviewing.SampleOrder(dataset, index, drawing.draw, rivals))
    if call.json:
        shown.document(drawn)
        return
    shown.facts({k: v for k, v in drawn.items() if k != "strata"}, title="Review set")
    shown.table(drawn["strata"], title="Strata")


@review.command("clusters")
@taking
def review_clusters(
    index: Annotated[str, typer.Argument(metavar="INDEX", help="The index whose entities are sampled.")],
    *,
    drawing: Drawing,
    call: Call,
) -> None:
    """Draw entities of several records, weakly joined ones first among them, and put them in the queue."""
    from integrated_data.site import clusters

    with opened_loading(call.home) as site:
        drawn = clusters.sample(site, index, draw=drawing.draw)
    shown.facts(drawn, title="Review set", json_out=call.json)


@review.command("progress")
@taking
def review_progress(
    known: Annotated[str | None, typer.Argument(metavar="[SET]", help="A review set; all when left out.")] = None,
    *,
    call: Call,
) -> None:
    """See how far review sets are, and how well two people who judged the same cases agree."""
    from integrated_data.site import measuring

    with opened_loading(call.home) as site:
        rows = measuring.progress(site, known=known)
    shown.table(rows, title="Review sets", json_out=call.json)


@review.command("next")
@taking
def review_next(
    *,
    reason: Annotated[str | None, typer.Option(help="Why you look at records; once a session.")] = None,
    known: Annotated[str | None, typer.Option("--set", help="A review set; all when left out.")] = None,
    call: Call,
) -> None:
    """See the next case and answer it; goes on until you stop. Each record shown is an audit event."""
    from integrated_data.site import reviewing

    with opened_loading(call.home) as site:
        case = reviewing.next_case(site, call.actor, reason=reason, known=known)
        if call.json or not sys.stdin.isatty():
            _show_once(case, json_out=call.json)
            return
        while case is not None and _answered(site, case, person=call.actor):
            case = reviewing.next_case(site, call.actor, known=known)
    if case is None:
        shown.plain("No case waits for you.")


def _show_once(case: "ShownCase | None", *, json_out: bool) -> None:
    if json_out:
        shown.document(case.to_dict() if case else {"case": None})
    elif case is None:
        shown.plain("No case waits for you.")
    else:
        _show(case)
        shown.plain(f"Answer with: ids review decide {case.case} ANSWER")


def _show(case: "ShownCase") -> None:
    lines = [(line.field, line.texts, line.differs) for line in case.lines]
    headings = [str(n) for n in range(1, case.numbers + 1)]
    shown.side_by_side(case.case, lines, headings=headings if case.records else ["the record", *headings])


def _asked(case: "ShownCase") -> str:
    """What a reviewer may type about a case."""
    if case.records:
        return f"One and the same: a all; or who stands apart, of 1–{case.numbers}, such as 2; u unsure; q stop"
    numbers = "1" if case.numbers == 1 else f"1–{case.numbers}, or several such as 1,2"
    return f"The same as the record: {numbers}; n none; u unsure; q stop"


def _answered(site: "LoadingSite", case: "ShownCase", *, person: str) -> bool:
    """Show a case and take its answer from the keyboard; False when the reviewer stops."""
    from integrated_data.site.reviewing import decide

    _show(case)
    while True:
        key = typer.prompt(_asked(case), prompt_suffix=" > ")
        if key.strip().lower() == STOP:
            return False
        try:
            decide(site, reviews.Reply(case.case, key, person))
        except UsageRefusal as refusal:
            shown.plain(str(refusal))
        else:
            return True


@review.command("decide")
@taking
def review_decide(
    case: Annotated[str, typer.Argument(metavar="CASE", help="The case's id, as it was shown.")],
    answer: Annotated[
        str,
        typer.Argument(
            metavar="ANSWER", help="1, or 1,2; none; unsure. Of a cluster: all, or who stands apart, such as 2."
        ),
    ],
    *,
    call: Call,
) -> None:
    """Say which records of a case are the same as its first one, or of a cluster which are one."""
    from integrated_data.site.reviewing import decide

    with opened_loading(call.home) as site:
        stands = decide(site, reviews.Reply(case, answer, call.actor))
    shown.facts({"case": case, "state": str(stands.state), "answer": stands.answer}, json_out=call.json)


@review.command("export")
@taking
def review_export(
    known: Annotated[str, typer.Argument(metavar="SET", help="The review set's id.")],
    out: Annotated[Path, typer.Argument(help="A .parquet file to write, of the identified zone.")],
    *,
    call: Call,
) -> None:
    """Write every case of a set with its answers; holds ids, no names and no scores."""
    from integrated_data.site.reviewing import export

    parquet_to_write(out, what="The cases")
    with opened_loading(call.home) as site:
        told: dict[str, Any] = export(site, known, out=out)
    shown.facts(told, json_out=call.json)
