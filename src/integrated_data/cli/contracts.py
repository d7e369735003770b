"""Contracts: what a supplier does with nothing but this package, before the first delivery."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.files import to_write
from integrated_data.cli.progress import steps
from integrated_data.site.batching.plan import dataset_name
from integrated_data.site.settings import from_environment

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="The files of one delivery.")]

contract = typer.Typer(help="Contracts: the supplier's kit, needs no installation.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the group of contracts."""
    app.add_typer(contract, name="contract")


@contract.command("infer")
@taking
def contract_infer(
    files: Files,
    *,
    dataset: Annotated[str, typer.Option(help="The dataset's name (else from the file's).")] = "",
    owner: Annotated[str, typer.Option(help="Who owns the data.")] = "unknown",
    out: Annotated[Path | None, typer.Option(help="Write the contract here, as YAML.")] = None,
    codebook: Annotated[Path | None, typer.Option(help="Your list of columns and codes (CSV or JSON).")] = None,
    call: Call,
) -> None:
    """Say what each column seems to be, and write a contract that a person can correct."""
    from integrated_data.acquire import contracts
    from integrated_data.acquire.codebook import read_codebook
    from integrated_data.acquire.describe import describe, described_json, layout_sentence
    from integrated_data.site.kit import infer_contract, open_kit

    if out is not None:
        to_write(out)
    book = read_codebook(codebook) if codebook is not None else None
    with open_kit(from_environment()) as kit, steps("reading"):
        found = infer_contract(kit, files, dataset=dataset or dataset_name(files[0]), owner=owner, book=book)
    if out is not None:
        contracts.write(found, out)
    if call.json:
        shown.document(described_json(found) | ({"written": str(out)} if out else {}))
        return
    rows = [vars(row) for row in describe(found)]
    shown.table(rows, title=f"{found.dataset}: {layout_sentence(found.layout)}")
    uses = ", ".join(use.index for use in found.indexes) or "none"
    shown.facts({"matched to": uses, "contract": str(out) if out else "not written; add --out contract.yaml"})


@contract.command("check")
@taking
def contract_check(
    contract_file: Annotated[Path, typer.Argument(metavar="CONTRACT", help="A contract, as YAML.")],
    files: Files,
    *,
    call: Call,
) -> None:
    """Hold a file against a contract: what would be quarantined and whether it would be accepted."""
    from integrated_data.site.kit import check_files, open_kit, read_contract

    with open_kit(from_environment()) as kit, steps("checking"):
        report = check_files(kit, read_contract(contract_file), files=files)
    if call.json:
        shown.document(report)
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
            "verdict",
            "why",
        )
        shown.facts({k: report[k] for k in kept if k in report}, title="Check")
    if report["verdict"] != "would be accepted":
        raise typer.Exit(1)
