"""An edition as one static page of HTML: no script, nothing fetched from elsewhere.

Made for WCAG 2.2 at level AA: a language and a title (3.1.1, 2.4.2), a way past what repeats (2.4.1), headings
and landmarks (1.3.1), captions and header cells of tables (1.3.1), a text for every drawing (1.1.1), colours of
at least 7:1 (1.4.3), text that reflows (1.4.10), tables that scroll and can be reached by keys (2.1.1).
"""

import base64
from collections.abc import Iterable, Sequence
from html import escape

from integrated_data.model.output import Role
from integrated_data.output.formats.archive import legible
from integrated_data.output.formats.publication import SHORTHAND, Grid, Publication, Sheet, harmless
from integrated_data.vocabulary.pages import page_head

#: Rows of a table that the page shows; the files hold all of them.
MOST_ROWS = 1_000

_STYLES = """dt { font-weight: bold; }
img { max-width: 100%; height: auto; }"""


def write(publication: Publication, *, files: Sequence[str]) -> bytes:
    """The page. `files`: names of the files that lie beside it."""
    parts = [page_head(_escape(publication.title), skip="figures", width=60, styles=_STYLES)]
    if publication.summary:
        parts.append(f"<p>{_escape(publication.summary)}</p>")
    parts.append(_listed(publication.facts))
    parts += [_section(sheet, number=n) for n, sheet in enumerate(publication.sheets, start=1)]
    if publication.marks:
        meanings = [(mark.value, SHORTHAND[mark]) for mark in publication.marks]
        parts += ["<h2>Shorthand</h2>", _listed(meanings)]
    if publication.notes:
        notes = "".join(f"<li>{_escape(note)}</li>\n" for note in publication.notes)
        parts += ["<h2>Notes</h2>", f"<ol>\n{notes}</ol>"]
    for heading, name, grid in (
        ("Quality", "quality", publication.quality), ("Revisions", "revisions", publication.revisions),
    ):  # fmt: skip
        if grid.rows:
            parts += [f"<h2>{heading}</h2>", _grid(grid, name=name)]
    linked = "".join(f'<li><a href="{_escape(file)}">{_escape(file)}</a></li>\n' for file in files)
    parts += ["<h2>Files</h2>", f"<ul>\n{linked}</ul>", "</main>", "</body>", "</html>", ""]
    return "\n".join(parts).encode()


def _section(sheet: Sheet, *, number: int) -> str:
    title = f"Table {number}: {sheet.title}"
    parts = [f"<section>\n<h2>{_escape(title)}</h2>"]
    if sheet.svg:
        drawn = base64.b64encode(sheet.svg).decode()
        parts.append(f'<p><img src="data:image/svg+xml;base64,{drawn}" alt="{_escape(sheet.told)}"></p>')
    figures = [c.role is Role.FIGURE for c in sheet.columns]
    heads = [not figure and sheet.proven for figure in figures]
    rows = [line.values for line in sheet.lines[:MOST_ROWS]]
    parts.append(_table(title, sheet.headings, rows=rows, heads=heads))
    if len(sheet.lines) > MOST_ROWS:
        parts.append(f"<p>The first {MOST_ROWS} of {len(sheet.lines)} rows are shown; the files hold all of them.</p>")
    return "\n".join([*parts, "</section>"])


def _grid(grid: Grid, *, name: str) -> str:
    heads = [place == 0 for place in range(len(grid.headings))]
    shown = _table(grid.title, grid.headings, rows=grid.rows[:MOST_ROWS], heads=heads)
    if len(grid.rows) <= MOST_ROWS:
        return shown
    return f"{shown}\n<p>{MOST_ROWS} of {len(grid.rows)} rows are shown; the spreadsheets hold all {name}.</p>"


def _table(
    caption: str, headings: Sequence[str], *, rows: Iterable[Sequence[str | int | float]], heads: Sequence[bool]
) -> str:
    head = "".join(f'<th scope="col">{_escape(h)}</th>' for h in headings)
    body = "\n".join(_row(row, heads=heads) for row in rows)
    return (
        f'<div class="scroll" role="region" aria-label="{_escape(caption)}" tabindex="0">\n'
        f"<table>\n<caption>{_escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _row(row: Sequence[str | int | float], *, heads: Sequence[bool]) -> str:
    cells = []
    for value, head in zip(row, heads, strict=True):
        text = _escape(harmless(value))
        kind = "" if isinstance(value, str) else ' class="number"'
        cells.append(f'<th scope="row">{text}</th>' if head else f"<td{kind}>{text}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _listed(facts: Iterable[tuple[str, str]]) -> str:
    inside = "".join(f"<dt>{_escape(name)}</dt><dd>{_escape(text)}</dd>\n" for name, text in facts)
    return f"<dl>\n{inside}</dl>"


def _escape(text: str) -> str:
    return escape(legible(text))
