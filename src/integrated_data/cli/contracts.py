"""Contracts: what a supplier does with nothing but this package, before the first delivery."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.files import to_write
from integrated_data.cli.progress import steps
from integrated_data.model.errors import UsageRefusal
from integrated_data.site.batching.plan import dataset_name
from integrated_data.site.databases import file_or_table
from integrated_data.site.settings import from_environment

if TYPE_CHECKING:
    from integrated_data.site.kit import Looked

Files = Annotated[
    list[Any],
    typer.Argument(
        metavar="FILE...", parser=file_or_table, help="The files of one delivery; or a table, postgresql://…"
    ),
]

Reports = Annotated[
    list[Path] | None, typer.Option("--report", help="Write a report here, .html or .json; may be repeated.")
]

contract = typer.Typer(help="Contracts: the supplier's kit, needs no installation.", no_args_is_help=True)


@dataclass(frozen=True)
class Named:
    """What a contract is called, and which sheet of a workbook, or file of a zip, it is about."""

    dataset: Annotated[str, typer.Option(help="The dataset's name (else from the file's).")] = ""
    owner: Annotated[str, typer.Option(help="Who owns the data.")] = "unknown"
    sheet: Annotated[str | None, typer.Option(help="The sheet of a workbook, where several hold tables.")] = None
    member: Annotated[
        str | None, typer.Option(help="The file of a zip that holds the table, or a pattern such as 'pay_*.csv'.")
    ] = None


def add_to(app: typer.Typer) -> None:
    """Add the group of contracts."""
    app.add_typer(contract, name="contract")


@contract.command("infer")
@taking
def contract_infer(
    files: Files,
    *,
    named: Named,
    out: Annotated[Path | None, typer.Option(help="Write the contract here, as YAML.")] = None,
    codebook: Annotated[Path | None, typer.Option(help="Your list of columns and codes (CSV or JSON).")] = None,
    report: Reports = None,
    call: Call,
) -> None:
    """Say what each column seems to be, and write a contract that a person can correct."""
    from integrated_data.acquire import contracts
    from integrated_data.acquire.codebook import read_codebook
    from integrated_data.acquire.describe import describe, described_json, layout_sentence
    from integrated_data.site.kit import infer_delivered, look_at, open_kit

    to_report = _reports_to_write(report)
    if out is not None:
        to_write(out)
    book = read_codebook(codebook) if codebook is not None else None
    dataset = named.dataset or dataset_name(files[0])
    with open_kit(from_environment()) as kit, steps("reading"):
        delivered = kit.delivered(files, None, sheet=named.sheet, member=named.member)
        found = infer_delivered(kit, delivered, dataset=dataset, owner=named.owner, book=book)
        if to_report:
            _write_reports(look_at(kit, found, delivered=delivered), to_report)
    if out is not None:
        contracts.write(found, out)
    if call.json:
        shown.document(
            described_json(found) | {"notices": list(delivered.notices)} | ({"written": str(out)} if out else {})
        )
        return
    rows = [vars(row) for row in describe(found)]
    shown.table(rows, title=f"{found.dataset}: {layout_sentence(found.layout)}")
    uses = ", ".join(use.index for use in found.indexes) or "none"
    for notice in delivered.notices:
        shown.plain(f"{notice}.")
    shown.facts({"matched to": uses, "contract": str(out) if out else "not written; add --out contract.yaml"})


@contract.command("check")
@taking
def contract_check(
    contract_file: Annotated[Path, typer.Argument(metavar="CONTRACT", help="A contract, as YAML.")],
    files: Files,
    *,
    report: Reports = None,
    call: Call,
) -> None:
    """Hold a file against a contract: what would be quarantined and whether it would be accepted."""
    from integrated_data.site.kit import checked_json, look_at, open_kit, read_contract

    to_report = _reports_to_write(report)
    held = read_contract(contract_file)
    with open_kit(from_environment()) as kit, steps("checking"):
        looked = look_at(kit, held, delivered=kit.delivered(files, held))
        _write_reports(looked, to_report)
    told = checked_json(looked)
    if call.json:
        shown.document(told)
    else:
        kept = (
            "dataset",
            "layout",
            "read",
            "good",
            "quarantined",
            "by_rule",
            "unread",
            "drift",
            "notices",
            "verdict",
            "why",
        )
        shown.facts({k: told[k] for k in kept if k in told}, title="Check")
    if told["verdict"] != "would be accepted":
        raise typer.Exit(1)


@contract.command("ask")
@taking
def contract_ask(
    contract_file: Annotated[Path, typer.Argument(metavar="CONTRACT", help="A contract, as YAML; it is corrected.")],
    *,
    answers: Annotated[
        Path | None, typer.Option(help="Answers by question (YAML or JSON), instead of at the prompt.")
    ] = None,
    call: Call,
) -> None:
    """Ask what inference could not know, and write the answers into the contract. With --json: list the questions."""
    from integrated_data.acquire import contracts
    from integrated_data.acquire.questions import answered, open_questions
    from integrated_data.site.supplying.asking import answers_in, ask

    held = contracts.read(contract_file)
    asked = open_questions(held)
    if answers is not None:
        given = answers_in(answers)
    elif call.json:
        given = {}
    else:
        given = ask(asked, read=lambda: typer.prompt("Answer", default="", show_default=False), tell=shown.plain)
    told = answered(held, given)
    if given:
        contracts.write(told, to_write(contract_file))
    left = open_questions(told)
    if call.json:
        shown.document({"answered": sorted(given), "open": [q.plain for q in left]})
    else:
        shown.plain(f"{len(given)} answers are in the contract; {len(left)} questions are open.")


def _reports_to_write(report: list[Path] | None) -> list[Path]:
    """Reports that can be written, each by its ending; refuses others before anything is read."""
    for place in report or []:
        if place.suffix.lower() not in (".html", ".json"):
            raise UsageRefusal("A report is HTML or JSON", next_step="Let its name end in .html or .json")
    return [to_write(place) for place in report or []]


def _write_reports(looked: "Looked", places: list[Path]) -> None:
    from integrated_data.site.supplying.page import page
    from integrated_data.site.supplying.report import report_of

    if not places:
        return
    told = report_of(looked)
    for place in places:
        text = page(told) if place.suffix.lower() == ".html" else json.dumps(told, indent=2, ensure_ascii=False) + "\n"
        place.write_text(text, "utf-8")
