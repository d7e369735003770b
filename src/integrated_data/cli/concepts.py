"""Harmonised concepts: what there is, what maps to it and how, and mapping a variable."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import files, shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.opened import opened_store
from integrated_data.control import bodies

concept = typer.Typer(help="Harmonised concepts, which variables of datasets map to.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(metavar="FILE", help="A YAML document.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands about concepts."""
    app.add_typer(concept, name="concept")


@concept.command("list")
@taking
def concept_list(call: Call) -> None:
    """List concepts, with their versions and the variables that map to them."""
    from integrated_data.site.concepts import mappings, registry_of

    with opened_store(call.home) as (places, _):
        registry, mapped = registry_of(places), mappings(places)
    rows = [
        {"concept": c.id, "title": c.title, "versions": [v.version for v in c.versions], "unit": c.newest.unit,
         "codes": len(c.newest.codes), "variables": sum(m.concept == c.id for m in mapped)}
        for c in registry.concepts
    ]  # fmt: skip
    shown.table(rows, title=f"Concepts: {registry.country} {registry.version}", json_out=call.json)


@concept.command("show")
@taking
def concept_show(concept_id: Annotated[str, typer.Argument(metavar="CONCEPT")], call: Call) -> None:
    """Show a concept: its codes, and for each variable that maps to it the SQL that gives them."""
    from integrated_data.site.concepts import concept_of, views

    with opened_store(call.home) as (places, _):
        found, mapped = concept_of(places, concept_id), views(places, concept=concept_id)
    body = bodies.write(found)
    if call.json:
        shown.document({**body, "variables": mapped})
        return
    newest = found.newest
    shown.facts({"title": found.title, "definition": found.definition, "version": newest.version, "unit": newest.unit})
    shown.table([{"code": code, "label": label} for code, label in newest.codes.items()], title="Codes")
    shown.table(mapped, title="Variables, and what to write in a query")


@concept.command("map")
@taking
def concept_map(file: File, call: Call) -> None:
    """Map a variable to a concept; see examples/concept_mapping.yaml."""
    from integrated_data.site.concepts import map_variable

    with opened_store(call.home) as (places, store):
        made = map_variable(places, store, text=files.text_of(file), by=call.actor)
    shown.facts(bodies.write(made), title="Mapped", json_out=call.json)


@concept.command("set")
@taking
def concept_set(file: File, call: Call) -> None:
    """Put another registry of concepts to use."""
    from integrated_data.site.concepts import set_registry

    with opened_store(call.home) as (places, store):
        put = set_registry(places, store, text=files.text_of(file), by=call.actor)
    shown.facts(put, title="Concepts", json_out=call.json)
