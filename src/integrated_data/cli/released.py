"""Releases as signed files: written for whoever asks, verified by anybody."""

from pathlib import Path
from typing import Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.call import Call, taking
from integrated_data.cli.checker import RequestId, check_sees, output, plain
from integrated_data.cli.files import to_write
from integrated_data.cli.opened import opened_store
from integrated_data.model.errors import UsageRefusal


def add_to(app: typer.Typer) -> None:  # noqa: ARG001 - they join the group of the checkers' commands
    """Add the commands about released files to the group `output`."""
    for command in (crate, key, verify):
        output.command()(command)


@taking
def crate(request_id: RequestId, out: Annotated[Path, typer.Option(help="The file to write.")], *, call: Call) -> None:
    """Write a release as one signed file (a Five Safes RO-Crate) that anybody can verify."""
    import shutil

    from integrated_data.site import verifying

    with opened_store(call.home) as (places, store):
        check_sees(store, request_id, call=call)
        to_write(out)
        shutil.copy(verifying.crate(places, store, request=request_id), out)
    shown.facts({"request": request_id, "crate": str(out)}, json_out=call.json)


@taking
def key(call: Call) -> None:
    """Print the public key that released files are verified with."""
    from integrated_data.site import verifying

    with opened_store(call.home) as (places, _):
        pem = verifying.public_key(places)
    if call.json:
        shown.document({"signing_key": pem})
        return
    shown.plain(pem)


@taking
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A released file (.zip).")],
    *,
    key: Annotated[Path | None, typer.Option(help="The service's public key (PEM).")] = None,
    register: Annotated[Path | None, typer.Option(help="register.json: its key, and what was withdrawn.")] = None,
    call: Call,
) -> None:
    """Verify a released file without the service or its data: every byte is as it was released, or say what is not."""
    from integrated_data.site import verifying

    if (key is None) == (register is None):
        raise UsageRefusal("A file is verified by a key", next_step="Give --key KEY or --register REGISTER.JSON")
    found = verifying.verify(file, key=key, register=register)
    shown.facts({"verified": True} | {k: plain(v) for k, v in found.items()}, title="Verified", json_out=call.json)
