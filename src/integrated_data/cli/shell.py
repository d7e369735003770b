"""`ids shell`: questions at a prompt, sent to a served gateway; works like psql."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from integrated_data.cli import shown
from integrated_data.cli.table_files import write_table
from integrated_data.model.errors import Refusal, UsageRefusal
from integrated_data.site.settings import from_environment

if TYPE_CHECKING:
    from integrated_data.client.remote import Answer, Connection

SHOWN = 50  # rows of an answer that the prompt shows
HELP = """A question ends with ; and may take several lines. Ctrl-C stops it.
\\d [TABLE]        tables, or the columns of one
\\c WORDS          datasets of the catalogue in which the words occur
\\o FILE           write the last answer to .parquet, .csv or .arrow
\\release TITLE    ask for the last answer to leave
\\q                end"""


def add_to(app: typer.Typer) -> None:
    """Add the shell."""
    app.command()(shell)


def shell(
    url: Annotated[str, typer.Argument(metavar="URL", help="The gateway's address, as ids serve names it.")],
    *,
    project: Annotated[str, typer.Option("--project", help="The project that asks.")],
    certificate: Annotated[
        Path | None, typer.Option(help="The certificate it shows, where no known authority vouches for it.")
    ] = None,
) -> None:
    """Ask at a prompt, through a served gateway; the token is read from IDS_TOKEN."""
    from integrated_data.client.remote import connect

    token = from_environment().token
    if token is None:
        raise UsageRefusal("The shell needs a token", next_step="Set IDS_TOKEN; make one with: ids person token add")
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives the prompt its history and keys
    with connect(url, token=token, project=project, certificate=certificate) as service:
        shown.plain(f"{service.me()['person']}, project {project}. \\? tells what there is.")
        Prompt(service).run()


@dataclass
class Prompt:
    """One session at the prompt."""

    service: "Connection"
    read: Callable[[str], str] = input
    last: "Answer | None" = None
    lines: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Read and answer until the end."""
        while True:
            try:
                line = self.read(f"{self.service.project}{'-' if self.lines else '='}> ")
            except EOFError:
                return
            except KeyboardInterrupt:
                self.lines.clear()
                shown.plain("")
                continue
            if line.strip() in ("\\q", "exit", "quit"):
                return
            try:
                self.take(line)
            except Refusal as refusal:
                shown.plain(f"Refused: {refusal}")

    def take(self, line: str) -> None:
        """One line: a command, or a part of a question."""
        if line.startswith("\\") and not self.lines:
            word, _, rest = line.strip().partition(" ")
            self._command(word, rest.strip())
            return
        self.lines.append(line)
        if line.rstrip().endswith(";"):
            sql = "\n".join(self.lines).rstrip().rstrip(";")
            self.lines.clear()
            self._ask(sql)

    def _ask(self, sql: str) -> None:
        begun = time.perf_counter()
        running = self.service.start(sql)
        try:
            self.last = running.answer()
        except KeyboardInterrupt:
            running.cancel()
            shown.plain("Stopped.")
            return
        table = self.last.table
        shown.data(table.column_names, table.slice(0, SHOWN).to_pylist())
        more = f", {SHOWN} of them shown" if table.num_rows > SHOWN else ""
        seconds = time.perf_counter() - begun
        shown.plain(f"query {self.last.query}: {table.num_rows:,} rows{more}, {seconds:.2f} s")

    def _command(self, word: str, rest: str) -> None:
        match word:
            case "\\d" if rest:
                found = [t for t in self.service.tables() if t["name"] == rest]
                shown.table([c for t in found for c in t["columns"]], title=rest)
            case "\\d":
                rows = [{**t, "columns": len(t["columns"])} for t in self.service.tables()]
                shown.table(rows, title="Tables")
            case "\\c":
                shown.table(self.service.search(rest), title="Catalogue")
            case "\\o":
                write_table(self._last().table, Path(rest))
                shown.plain(f"Written: {rest}")
            case "\\release":
                told = self.service.request_release(self._last(), title=rest)
                shown.facts({k: v for k, v in told.items() if k != "findings"}, title="Asked to leave")
            case _:
                shown.plain(HELP)

    def _last(self) -> "Answer":
        if self.last is None:
            raise UsageRefusal("There is no answer yet", next_step="Ask a question first")
        return self.last
