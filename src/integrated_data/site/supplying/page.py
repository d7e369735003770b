"""The kit's report as one page of HTML: no script, nothing fetched from elsewhere, every text escaped.

Made for WCAG 2.2 at level AA: a language and a title, a way past what repeats, headings and landmarks, captions and
header cells of tables, colours of at least 7:1, nothing told by colour alone, tables that scroll and that keys reach.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from integrated_data.vocabulary.pages import page_head

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLES = ".verdict { border-left: 0.5rem solid #0b0c0c; padding: 0.5rem 1rem; font-size: 1.3rem; }"

_FOOT = """</main>
<footer>
<p>Made by the supplier's kit, version {version}, on your own machine. It holds no value of your data; the contract,
which lists codes that stand for “no value”, stays with you.</p>
</footer>
</body>
</html>
"""

#: What the kit cannot know, said with every estimate.
CAUTION = (
    "This is the most that can be expected: people, businesses and addresses that no register knows are found in none, "
    "and slips of the pen lose some. How many people share a name or a birthday was measured in a small sample that is "
    "made up and came with the kit; so no row of yours is in it, unless your file is made up too. Codes of industries "
    "and occupations in the sample are real, but few."
)


def page(report: Mapping[str, Any]) -> str:
    """The page of a report (`supplying.report.report_of`)."""
    rows = report["rows"]
    counts = (
        f"{rows['read']:,} rows were read. {rows['good']:,} would be loaded and {rows['quarantined']:,} "
        f"({rows['share_quarantined']:.1%}) would go to quarantine: up to {report['accepts']['accepted_up_to']:.1%} a "
        f"load is accepted, up to {report['accepts']['held_up_to']:.1%} it waits for a person's decision."
    )
    parts = [
        page_head(
            _text(f"What {report['dataset']} holds"), skip="report", width=70, styles=_STYLES, policy=_POLICY
        ),
        f'<p class="verdict">The file <strong>{_text(report["verdict"])}</strong>.</p>',
        _paragraph(counts), _paragraph(f"It is {report['layout']}."),
        *(_paragraph(f"{notice}.") for notice in report["notices"]),
        *_section("What to fix first", _first(report["first"])),
        *_section("What each column seems to be", _columns(report["columns"])),
        *_section("What breaks", _breaks(report["breaks"])),
        *_section("How well it would match", _match(report["match"])),
        *_section("Questions", _questions(report["questions"])),
        _FOOT.format(version=_text(report["version"])),
    ]  # fmt: skip
    return "\n".join(parts)


def _section(title: str, inside: Iterable[str]) -> list[str]:
    return [f"<h2>{_text(title)}</h2>", *inside]


def _first(steps: Sequence[Mapping[str, Any]]) -> list[str]:
    if not steps:
        return [_paragraph("Nothing needs mending.")]
    listed = "".join(
        f"<li><strong>{_text(s['what'])}.</strong> {_text(s['why'])}. {_text(s['how'])}.</li>\n" for s in steps
    )
    return [f"<ol>\n{listed}</ol>"]


def _columns(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [
        (c["column"], c["seems"], f"{c['how_sure']} ({c['sure']:.0%})", c["read_as"], f"{c['filled']:.1%}",
         f"{c['unreadable']:,}", c["handled"], c["note"])
        for c in columns
    ]  # fmt: skip
    heads = ("Column", "Seems to be", "How sure", "Read as", "Filled", "Unreadable", "What happens to it", "Note")
    return [_table("Columns, in the order of the file", heads, rows=rows, numbers=(4, 5))]


def _breaks(breaks: Sequence[Mapping[str, Any]]) -> list[str]:
    if not breaks:
        return [_paragraph("No row breaks a rule.")]
    rows = [(b["column"] or "the whole row", b["rule"], f"{b['rows']:,}", b["becomes"]) for b in breaks]
    return [_table("Rules that are not kept", ("Column", "Rule", "Rows", "Then"), rows=rows, numbers=(2,))]


def _match(indexes: Sequence[Mapping[str, Any]]) -> list[str]:
    if not indexes:
        return [_paragraph("The file holds nothing by which records are matched.")]
    rows = [
        (one["index"], _span(one["points_to_one"]),
         "; ".join(f"{field} {share:.0%}" for field, share in one["fields"].items()),
         f"{one['sample']['rows_found']:,} rows, of {one['sample']['entities']:,} in the sample")
        for one in indexes
    ]  # fmt: skip
    heads = ("Index", "Rows that point to one entry", "Rows with a usable", "Found in the kit's sample")
    return [_table("Indexes that records are matched to", heads, rows=rows), _paragraph(CAUTION)]


def _span(share: Mapping[str, float]) -> str:
    low, high = share["least"], share["most"]
    return f"{low:.0%}" if round(low, 2) == round(high, 2) else f"{low:.0%} to {high:.0%}"


def _questions(questions: Sequence[Mapping[str, Any]]) -> list[str]:
    if not questions:
        return [_paragraph("None is open.")]
    listed = []
    for one in questions:
        means = {c["answer"]: c["means"] for c in one["choices"]}
        taken = f" So far we take: {means.get(one['guess'], one['guess'])}." if one["guess"] else ""
        choices = f" Answers: {', '.join(means)}." if means else ""
        listed.append(
            f"<li>{_text(one['question'])} <strong>({_text(one['id'])})</strong>{_text(taken + choices)}</li>"
        )
    how = "Answer them at a prompt with “contract ask CONTRACT”; no programmer is needed. The contract is corrected."
    return [_paragraph(how), "<ul>\n" + "\n".join(listed) + "\n</ul>"]


def _table(caption: str, heads: Sequence[str], *, rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    kinds = [' class="number"' if place in numbers else "" for place in range(len(heads))]
    head = "".join(f'<th scope="col"{kind}>{_text(h)}</th>' for h, kind in zip(heads, kinds, strict=True))
    body = ""
    for first, *others in rows:
        cells = "".join(f"<td{kind}>{_text(cell)}</td>" for cell, kind in zip(others, kinds[1:], strict=True))
        body += f'<tr><th scope="row">{_text(first)}</th>{cells}</tr>\n'
    return (
        f'<div class="scroll" role="region" aria-label="{_text(caption)}" tabindex="0">\n<table>\n'
        f"<caption>{_text(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>"
    )


def _paragraph(content: str) -> str:
    return f"<p>{_text(content)}</p>"


def _text(content: object) -> str:
    """Text of the page: escaped, without control characters and marks that turn the direction of writing."""
    plain = "".join(c if c.isprintable() else " " for c in str(content))
    return escape(plain)
