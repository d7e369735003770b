"""What an analyst does: find data, ask questions through the gate."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, HowRun, Sampled, taking
from integrated_data.cli.opened import opened_analysis, opened_store
from integrated_data.cli.table_files import table_to_write, write_table
from integrated_data.control import catalogue as searched
from integrated_data.control import jobs, releases
from integrated_data.model.agreement import Purpose
from integrated_data.model.catalogue import Wanted, facets_of
from integrated_data.model.errors import ContractRefusal, UsageRefusal
from integrated_data.model.estimate import Estimate, Estimator, Fit
from integrated_data.model.query import EngineName
from integrated_data.model.twins import LABEL, TWINS
from integrated_data.publish.exports.about import Format

if TYPE_CHECKING:
    from integrated_data.access.asked import Question
    from integrated_data.access.gateway import Answer
    from integrated_data.site.analysis import AnalysisSite

Project = Annotated[str, typer.Option("--project", help="The project that asks.")]

#: Rows of a result that a terminal shows; --out takes them all.
SHOWN = 50

DAYS = ["%Y-%m-%d"]

catalogue = typer.Typer(help="The catalogue of published datasets.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the analyst's commands."""
    app.add_typer(catalogue, name="catalogue")
    app.command()(taking(query))
    app.command()(taking(estimate))
    app.command()(taking(scratch))


def query(
    sql: Annotated[
        str, typer.Argument(help="One SELECT over the project's views, or CREATE or DROP TABLE scratch.NAME.")
    ],
    project: Annotated[str, typer.Option("--project", help="The project that asks.")] = "",
    *,
    twin: Annotated[
        bool, typer.Option("--twin", help="Ask the synthetic twins of all published tables instead; needs no project.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write .parquet, .csv or .arrow instead.")] = None,
    how: HowRun,
    call: Call,
) -> None:
    """Ask a question through the gate; runs in a sandbox that sees the project's files alone."""
    from integrated_data.access.asked import Question

    if bool(project) == twin or project == TWINS:
        raise UsageRefusal("A query is asked in a project, or of the twins", next_step="Give --project P, or --twin")
    if twin and how.engine is EngineName.SPARK:
        raise UsageRefusal("The twins are asked of DuckDB alone", next_step="Leave out --engine spark")
    if out is not None:
        table_to_write(out)
    with opened_analysis(call.home, engine=how.engine) as site:
        question = Question(call.actor, TWINS if twin else project, sql, as_at=how.as_at)
        if how.sensitivity:
            _show_sensitivity(site, question, measures=tuple(how.measure or ()), out=out, json_out=call.json)
            return
        answer = site.gateway.ask(question)
    _show(answer, out=out, json_out=call.json)


def estimate(
    estimator: Annotated[Estimator, typer.Argument(help="The model.")],
    formula: Annotated[str, typer.Argument(help="Over columns of the query: 'income ~ age + C(wave) * region'.")],
    *,
    sql: Annotated[str, typer.Argument(help="One SELECT over the project's views.")],
    project: Project,
    sampled: Sampled,
    call: Call,
) -> None:
    """Fit a model over the rows of a query, in its sandbox; the table can be asked to leave like any other."""
    from integrated_data.access.asked import Question

    asked = Estimate(estimator, formula, **vars(sampled))
    with opened_analysis(call.home) as site:
        answer = site.gateway.ask(Question(call.actor, project, sql, Fit(asked)))
    _show(answer, out=None, json_out=call.json)


def scratch(project: Project, call: Call) -> None:
    """List a project's scratch tables: who made them from what, how large they are, until when they are kept."""
    with opened_analysis(call.home) as site:
        site.gateway.tables(call.actor, project)  # refuses who may not query the project now
        assert site.gateway.shelf is not None
        held = site.gateway.shelf.tables(project, at=site.store.now()).values()
    rows = [
        {"table": f"scratch.{t.name}", "by": t.person, "from": ", ".join(o.view for o in t.origins), "rows": t.rows,
         "bytes": t.bytes, "until": t.until.date().isoformat()}
        for t in held
    ]  # fmt: skip
    shown.table(rows, title="Scratch tables", json_out=call.json)


def _show(answer: "Answer", *, out: Path | None, json_out: bool) -> None:
    from integrated_data.access.twins import is_synthetic

    if answer.refusal is not None:
        raise answer.refusal
    table = answer.table
    assert table is not None
    if out is not None:
        write_table(table, out)
        shown.facts(
            {
                "query": answer.query,
                "rows": table.num_rows,
                "seconds": answer.seconds,
                "written": str(out),
                **({"synthetic": LABEL} if is_synthetic(table) else {}),
            },
            json_out=json_out,
        )
        return
    synthetic = {"synthetic": LABEL} if is_synthetic(table) else {}
    if json_out:
        shown.document({**synthetic, "query": answer.query, "seconds": answer.seconds, "rows": table.to_pylist()})
        return
    shown.data(table.column_names, table.slice(0, SHOWN).to_pylist())
    if synthetic:
        sys.stdout.write(f"{LABEL}\n")
    more = f", {SHOWN} of them shown; --out FILE takes all" if table.num_rows > SHOWN else ""
    sys.stdout.write(f"query {answer.query}: {table.num_rows:,} rows{more}, {answer.seconds:.2f} s\n")


def _show_sensitivity(
    site: "AnalysisSite", question: "Question", *, measures: tuple[str, ...], out: Path | None, json_out: bool
) -> None:
    from integrated_data.access.sensitivity import Runs
    from integrated_data.access.sensitivity import sensitivity as run_again

    found = run_again(site.gateway, question, runs=Runs(measures=measures))
    if found.answer.refusal is not None:
        raise found.answer.refusal
    assert found.table is not None
    if out is not None:
        write_table(found.table, out)
    told = {"query": found.answer.query, "seconds": found.answer.seconds, "unseen": found.unseen}
    steps = found.by_threshold.to_pylist() if found.by_threshold is not None else []
    if json_out:
        shown.document({**told, "rows": found.table.to_pylist(), "by_threshold": steps})
        return
    shown.data(found.table.column_names, found.table.slice(0, SHOWN).to_pylist())
    shown.table(steps[:SHOWN], title="By threshold of the link probability")
    shown.facts(told)


@catalogue.command("search")
@taking
def catalogue_search(
    *,
    words: Annotated[list[str] | None, typer.Argument(help="Words to look for; every dataset when left out.")] = None,
    facet: Annotated[
        list[str] | None,
        typer.Option(help="FACET=VALUE: owner, index, meaning, concept, period or condition; may be repeated."),
    ] = None,
    since: Annotated[datetime | None, typer.Option(formats=DAYS, help="Only what tells of this day or later.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=DAYS, help="Only what tells of this day or before.")] = None,
    most: Annotated[int, typer.Option(min=1, help="Datasets to show.")] = 100,
    call: Call,
) -> None:
    """Search datasets and variables, the best first, and tell what would narrow the search."""
    wanted = Wanted(
        " ".join(words or []), facets_of(facet or []), since.date() if since else None,
        until.date() if until else None, most,
    )  # fmt: skip
    with opened_store(call.home) as (_, store), store.read() as connection:
        day = store.now().date()
        found = searched.search(connection, wanted, day=day)
        counts = searched.facets(connection, wanted, day=day)
    if call.json:
        shown.document({**counts, "found": found})
        return
    shown.table(found, title="Catalogue")
    narrower = [{"facet": f, "values": [f"{v} ({n:,})" for v, n in of.items()]} for f, of in counts["facets"].items()]
    if counts["datasets"] > 1:
        shown.table(narrower, title=f"{counts['datasets']:,} datasets; narrow them with --facet FACET=VALUE")


@catalogue.command("show")
@taking
def catalogue_show(dataset: str, call: Call) -> None:
    """Show a dataset: its variables, what they mean across datasets, its link quality, what is withheld."""
    from integrated_data.access.twins import Twins
    from integrated_data.site.concepts import views

    with opened_store(call.home) as (places, store), store.read() as connection:
        release = releases.get(connection, dataset)
        lineage = jobs.lineage_of(connection, release.delivery)
    entry = dict(
        release.entry, release=release.id, published=release.at, lineage=[_made(e) for e in lineage if _told(e)]
    )
    entry |= {"synthetic_twin": Twins(places.twins).told(dataset), "concepts": views(places, dataset=dataset)}
    if call.json:
        shown.document(entry)
        return
    variables, withheld, links = entry.pop("variables"), entry.pop("withheld"), entry.pop("links")
    made, concepts = entry.pop("lineage"), entry.pop("concepts")
    shown.facts(entry, title=dataset)
    shown.table([{k: v for k, v in variable.items() if k != "title"} for variable in variables], title="Variables")
    if concepts:
        shown.table(concepts, title="Harmonised concepts, and what to write in a query")
    shown.links(links)
    shown.table(withheld, title="Withheld until a steward releases them")
    shown.table(made, title="Lineage")


def _told(event: dict[str, Any]) -> bool:
    """Whether an event tells what a step read and made."""
    return event["eventType"] == "COMPLETE" and bool(event["inputs"] or event["outputs"])


def _made(event: dict[str, Any]) -> dict[str, Any]:
    """A step of a load as lineage tells it: what it read and what it made."""
    step = event["job"]["name"].rsplit("/", 1)[-1]
    ends = {end: [d["name"] for d in event[end]] for end in ("inputs", "outputs")}
    return {"step": step, "at": event["eventTime"], "read": ends["inputs"], "made": ends["outputs"]}


@catalogue.command("joinable")
@taking
def catalogue_joinable(dataset: str, call: Call) -> None:
    """List what a dataset is joinable with: by which index, and about how many entities they share."""
    from integrated_data.site.joinable import joinable

    with opened_store(call.home) as (places, store):
        with store.read() as connection:
            releases.get(connection, dataset)
        rows = joinable(places, store, dataset=dataset)
    shown.table(rows, title=f"Joinable with {dataset}", json_out=call.json)


@catalogue.command("request")
@taking
def catalogue_request(
    datasets: Annotated[list[str], typer.Argument(metavar="DATASET...", help="What the project needs.")],
    *,
    column: Annotated[list[str] | None, typer.Option(help="DATASET.VARIABLE that it needs; may be repeated.")] = None,
    purpose: Annotated[Purpose | None, typer.Option(help="What for; else the first that all owners permit.")] = None,
    call: Call,
) -> None:
    """Draft an application for datasets, with what their owners ask; complete it, then: ids project add FILE."""
    from integrated_data.site.requesting import application

    with opened_store(call.home) as (places, store):
        text = application(places, store, datasets=datasets, by=call.actor, columns=column or (), purpose=purpose)
    if call.json:
        shown.document({"application": text})
    else:
        sys.stdout.write(text)


@catalogue.command("export")
@taking
def catalogue_export(
    out: Annotated[Path, typer.Argument(help="A .json file to write; a folder for croissant.")],
    *,
    form: Annotated[Format, typer.Option("--format", help="plain: entries as they are; else metadata alone.")] = (
        Format.PLAIN
    ),
    about: Annotated[Path | None, typer.Option(help="YAML of what the service does not know by itself.")] = None,
    schema: Annotated[
        Path | None, typer.Option(help="The UK exchange model's LinkML file; an export that breaks it is not written.")
    ] = None,
    call: Call,
) -> None:
    """Write the whole catalogue: as it is, or for catalogues elsewhere."""
    (files.folder_to_write if form is Format.CROISSANT else files.to_write)(out)
    if form is Format.PLAIN:
        if about or schema:
            raise UsageRefusal("Entries as they are take no more files", next_step="Name a --format, such as dcat")
        _export_plain(out, call=call)
        return
    if about is None:
        raise UsageRefusal(
            f"The {form} export needs addresses that the service does not know",
            next_step="Write them in a file like examples/catalogue.yaml and give it with --about",
        )
    from integrated_data.site import cataloguing

    told = cataloguing.read_about(files.text_of(about))
    with opened_store(call.home) as (places, store):
        found = cataloguing.notices(places, store)
    written = cataloguing.export(form, out, found=found, about=told, schema=schema)
    shown.facts({"datasets": len(found), "written": [str(place) for place in written]}, json_out=call.json)


def _export_plain(out: Path, *, call: Call) -> None:
    import json as plain

    with opened_store(call.home) as (_, store), store.read() as connection:
        entries = [dict(r.entry, release=r.id, published=r.at) for r in releases.all_current(connection)]
    out.write_text(plain.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    shown.facts({"datasets": len(entries), "written": str(out)}, json_out=call.json)


@catalogue.command("check")
@taking
def catalogue_check(
    file: Annotated[Path, typer.Argument(help="Metadata in JSON or YAML: one resource or a list.")],
    schema: Annotated[Path, typer.Argument(help="A LinkML schema, such as the UK exchange model's.")],
    *,
    call: Call,
) -> None:
    """Check metadata, anybody's, against a LinkML schema: what is looked at, and what is not, is in the answer."""
    from integrated_data.publish.exports import linkml
    from integrated_data.site import cataloguing

    found = cataloguing.problems(cataloguing.load(file), linkml.read(schema))
    if found:
        raise ContractRefusal(f"{file.name} breaks the schema: {'; '.join(found)}", next_step="Correct it")
    told = {"problems": "none found", "looked_at": linkml.CHECKED, "not_looked_at": linkml.UNCHECKED}
    shown.facts(told, json_out=call.json)
