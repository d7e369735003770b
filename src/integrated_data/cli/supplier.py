"""What a supplier does with an installation: encode, deliver. Contracts are in `contracts`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, Completing, Reading, taking
from integrated_data.cli.files import parquet_to_write
from integrated_data.cli.opened import opened_loading, opened_store
from integrated_data.cli.progress import steps
from integrated_data.model.delivery import Completes
from integrated_data.model.errors import DeliveryRefusal, UsageRefusal
from integrated_data.site.databases import file_or_table
from integrated_data.site.settings import from_environment

Files = Annotated[
    list[Any],
    typer.Argument(
        metavar="FILE...", parser=file_or_table, help="The files of one delivery; or a table, postgresql://…"
    ),
]

ContractFile = Annotated[Path | None, typer.Option("--contract", help="A contract (Open Data Contract Standard 3.1).")]

ManifestFile = Annotated[
    Path | None, typer.Option("--manifest", help="SHA-256 checksums of the files, as sha256sum writes them, or JSON.")
]


def add_to(app: typer.Typer) -> None:
    """Add the supplier's commands."""
    app.command()(taking(encode))
    app.command()(taking(deliver))


def encode(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file whose records are encoded.")],
    *,
    secret: Annotated[Path, typer.Option(help="File of the secret shared with the service: 32 random bytes or more.")],
    out: Annotated[Path, typer.Option(help="ENC.parquet to write.")],
    reading: Reading,
    call: Call,
) -> None:
    """Encode people's identifiers under a shared secret, so that records are matched and no name is handed in."""
    from integrated_data.site.encoding import EncodeOrder, encode_file
    from integrated_data.site.kit import open_kit

    order = EncodeOrder(file, parquet_to_write(out, what="Encodings"), secret, reading.id_column, reading.contract)
    with open_kit(from_environment()) as kit, steps("encoding"):
        report = encode_file(kit, order)
    shown.facts(report, title="Encoded", json_out=call.json)


def deliver(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Which dataset the files belong to.")],
    files: Files,
    *,
    contract_file: ContractFile = None,
    manifest_file: ManifestFile = None,
    completing: Completing,
    call: Call,
) -> None:
    """Take one delivery through all stages: acquire, standardise, validate, index, deidentify, publish.

    Mended rows alone complete an earlier delivery, under its contract: name it with --completes.
    """
    from integrated_data.site.handing import handed_with
    from integrated_data.site.loads import deliver_and_refresh

    if completing.withdraw_rest and not completing.completes:
        raise UsageRefusal("It is not said which delivery's rows are withdrawn", next_step="Add --completes DELIVERY")
    completes = Completes(completing.completes, completing.withdraw_rest) if completing.completes else None
    handed = handed_with(contract_file, manifest_file, completes=completes)
    with opened_loading(call.home) as site, steps() as step:
        outcome = deliver_and_refresh(site, dataset, files=files, handed=handed, progress=step)
    outcome["editions"] = editions_after(outcome, call)
    show_outcome(outcome, call.json)


def editions_after(outcome: dict[str, Any], call: Call) -> list[dict[str, Any]]:
    """What is published anew because projects' copies were renewed: the row of each edition."""
    from integrated_data.site.rerunning import after_delivery

    projects = {grant["project"] for grant in outcome["projects_refreshed"]}
    if not projects:
        return []
    with opened_store(call.home) as (places, store), steps("publishing anew"):
        return after_delivery(places, store, projects=projects)


def show_outcome(outcome: dict[str, Any], json: bool) -> None:
    """Print what became of a delivery; one that was not published ends with its reason."""
    if json:
        shown.document(outcome)
    else:
        hidden = ("links", "withheld", "seconds", "projects_refreshed", "editions")
        shown.facts({k: v for k, v in outcome.items() if k not in hidden and v != ""}, title="Delivery")
        shown.links(outcome["links"])
        shown.table([{"column": n, "why": w} for n, w in outcome["withheld"].items()], title="Withheld")
        shown.facts(outcome["seconds"], title="Seconds")
        shown.table(outcome["editions"], title="Published anew")
    if outcome["state"] in ("held", "rejected"):
        raise DeliveryRefusal(
            f"The delivery is {outcome['state']}",
            why=outcome["reason"],
            next_step=f"See the rows: ids quarantine show {outcome['delivery']} --reason TEXT",
        )
