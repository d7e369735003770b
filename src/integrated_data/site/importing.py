"""Taking a table that was published elsewhere into the ledger: its query runs as its author's, and is compared."""

import secrets
import shutil
from dataclasses import dataclass
from hashlib import sha256

from integrated_data.control import ledgers, queries, releases
from integrated_data.control.ledgers import Import
from integrated_data.model.errors import OutputRefusal
from integrated_data.model.output import Cell, Signature
from integrated_data.output import earlier, imported, requested
from integrated_data.output import request as requests
from integrated_data.output.check import Checked
from integrated_data.output.compared import FOLDER, adopt, remembered_of
from integrated_data.output.derived import text_of
from integrated_data.output.ledger import Ledger
from integrated_data.site.analysis import AnalysisSite
from integrated_data.site.ledgering import open_ledger
from integrated_data.site.outputs import runner


@dataclass(frozen=True)
class Brought:
    """A table from elsewhere. `datasets`: what it is about; `query`: the id of one that shows it, or none.

    `rounding`: the base to which its counts were rounded.
    """

    content: bytes
    title: str
    source: str
    datasets: tuple[str, ...]
    query: str = ""
    rounding: int = 1


def bring(site: AnalysisSite, brought: Brought, *, by: str) -> Import:
    """Take a table in; proven where its query gives the same figures, else unproven. The file is kept as it came."""
    file = imported.read_file(brought.content)
    if not brought.source.strip() or not brought.title.strip():
        raise OutputRefusal("A table from elsewhere has a title and a source", next_step="Say where it was published")
    number, digest = f"X-{secrets.token_hex(6)}", sha256(brought.content).hexdigest()
    place = site.places.outputs / "imports" / number
    requested.write(place, {"table.csv": brought.content})
    with open_ledger(site.places) as ledger:
        signature, why = _proof(site, ledger, brought=brought, file=file, named=(number, digest))
        made = Import(
            number, brought.title, brought.source, digest, signature.datasets, (signature,), not why, why
        )  # fmt: skip
        adopt(ledger, request=number, place=place)
        ledgers.put_import(site.store, made, by=by)
    shutil.rmtree(place / FOLDER, ignore_errors=True)
    return made


def _proof(
    site: AnalysisSite, ledger: Ledger, *, brought: Brought, file: imported.Published, named: tuple[str, str]
) -> tuple[Signature, str]:
    """What is remembered of a table; its people are written beside it, or why they are not known is said."""
    number, digest = named
    if not brought.query:
        datasets = _known(site, brought.datasets)
        return Signature(datasets, "", (earlier.UNKNOWN,), (), digest), "No query says what it shows"
    with site.store.read() as connection:
        row = queries.get(connection, brought.query)
    project = str(row["project"])
    run = runner(site, project, person=str(row["person"]), asked=(brought.query,))
    checked = requests.recheck(site.store, run, query=brought.query)
    read = _known(
        site,
        (
            *brought.datasets,
            *requests.datasets_of(text_of(row["body"], query=brought.query), site.store, project=project),
        ),
    )
    cells = imported.cells_published(checked, file, rounding=brought.rounding) if checked.shape else "It is not proven"
    if isinstance(cells, str):
        return Signature(read, "", (earlier.UNKNOWN,), (), digest), cells
    why = _write(ledger, checked, project=project, cells=cells, at=(site, number))
    if why:
        return Signature(read, "", (earlier.UNKNOWN,), (), digest), why
    return requests.signature_of(checked, datasets=read, content=digest), ""


def _write(
    ledger: Ledger, checked: Checked, *, project: str, cells: frozenset[Cell], at: tuple[AnalysisSite, str]
) -> str:
    site, number = at
    tables = list(remembered_of(ledger, project, one=checked, published=cells))
    if any(table is None for _, _, table in tables):
        return "The keys of its query's project are older than the ledger"
    for index, unit, table in tables:
        if table is not None:
            ledger.write(site.places.outputs / "imports" / number / FOLDER / index / f"{number}.0-{unit}", table)
    return ""


def _known(site: AnalysisSite, datasets: tuple[str, ...]) -> tuple[str, ...]:
    """The datasets, each once; refuses one that the service does not have, and none at all."""
    with site.store.read() as connection:
        missing = [d for d in datasets if releases.current(connection, d) is None]
    if missing or not datasets:
        raise OutputRefusal(
            f"A table from elsewhere is about datasets of the service, not {', '.join(missing) or 'none'}",
            next_step="Name each with --dataset; see what there is with: ids catalogue search",
        )
    return tuple(sorted(set(datasets)))
