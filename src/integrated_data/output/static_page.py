"""Static pages of HTML that need no script and fetch nothing: how they begin, tables, how they end.

Made to WCAG 2.2 AA: a language, one heading of the first level, a way past what repeats, captions, header cells,
text of at least 4.5 to 1 against white.
"""

from collections.abc import Sequence
from html import escape

_HEAD = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 sans-serif; color: #0b0c0c; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; margin: 1rem 0 2rem; }}
caption {{ text-align: left; font-weight: bold; padding: 0.5rem 0; }}
th, td {{ text-align: left; vertical-align: top; border-bottom: 1px solid #505a5f; padding: 0.5rem; }}
section {{ border-top: 2px solid #0b0c0c; margin-bottom: 2rem; }}
dt {{ font-weight: bold; }}
a {{ color: #1a5a96; text-decoration: underline; }}
a:focus {{ outline: 3px solid #0b0c0c; background: #ffdd00; color: #0b0c0c; }}
.past {{ position: absolute; left: -999rem; }}
.past:focus {{ position: static; }}
</style>
</head>
<body>
<a class="past" href="#main">Skip to what the page says</a>
<main id="main">
<h1>{title}</h1>
<p>{told}</p>"""

#: How every page ends.
CLOSING = "</main>\n</body>\n</html>\n"


def opening(title: str, told: str) -> str:
    """How a page begins: its title, and the sentence under it."""
    return _HEAD.format(title=escape(title), told=escape(told))


def paragraph(text: str) -> str:
    """A paragraph."""
    return f"<p>{escape(text)}</p>"


def table(caption: str, heads: Sequence[str], *, rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column names its rows."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    body = "\n".join(_row(row) for row in rows)
    return (
        f"<table>\n<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )


def _row(row: Sequence[str]) -> str:
    first, *rest = (escape(str(cell)) for cell in row)
    return f'<tr><th scope="row">{first}</th>' + "".join(f"<td>{cell}</td>" for cell in rest) + "</tr>"
