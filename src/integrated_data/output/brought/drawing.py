"""Drawings: an SVG of shapes and short labels (W3C, SVG 1.1), with nothing that runs or that is not drawn."""

import re

from integrated_data.model.output import Finding, Outcome
from integrated_data.output.brought.markup import Part, Unreadable, tree
from integrated_data.output.brought.text import look_at_words, refused

_SPACE = "{http://www.w3.org/2000/svg}"

_SHAPES = frozenset({
    "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "defs", "clipPath",
    "use", "linearGradient", "stop", "pattern", "symbol", "marker", "style", "title", "desc",
})  # fmt: skip

#: Characters of all labels together and of one, and marks that may each stand for one person.
MOST_TEXT, LONGEST_LABEL, MOST_MARKS = 2_000, 120, 1_000

_MARKS = frozenset({"circle", "ellipse", "rect", "path", "use", "line", "polygon", "polyline"})
_SCRIPT = re.compile(r"javascript:|expression\s*\(|@import|<\s*script", re.IGNORECASE)
_OUTSIDE = re.compile(r"data:|https?:|file:|url\s*\(\s*['\"]?(?!#)", re.IGNORECASE)
_DECLARED = re.compile(r"<!DOCTYPE\s+svg\s[^\[<>]*>", re.IGNORECASE)

FOR_PEOPLE = Finding(
    "picture",
    Outcome.REVIEW,
    "A drawing states where its shapes are exactly: people compare it with the figures behind it",
)


def look_at_drawing(content: bytes) -> list[Finding]:
    """What is said of a drawing."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [refused("not what it says", "It is not a drawing in UTF-8")]
    try:
        root = tree(_DECLARED.sub("", text, count=1))
    except Unreadable as unreadable:
        return [refused("hidden text", str(unreadable))]
    if root.tag != f"{_SPACE}svg":
        return [refused("not what it says", "It is not an SVG drawing")]
    return [*_look(root), FOR_PEOPLE]


def _look(root: Part) -> list[Finding]:
    findings: list[Finding] = []
    elements = list(root.iter())
    odd = sorted({e.tag.rpartition("}")[2] for e in elements if not _is_shape(e)})
    if odd:
        findings.append(
            refused("scripts or embedded data", f"It holds more than shapes: {', '.join(odd)[:80]}", cells=len(odd))
        )
    attributes = [(name, value) for e in elements for name, value in e.attrib.items()]
    if any(name.rpartition("}")[2].lower().startswith("on") or _SCRIPT.search(value) for name, value in attributes):
        findings.append(refused("scripts or embedded data", "It holds a script"))
    styles = " ".join(e.text or "" for e in elements if e.tag == f"{_SPACE}style")
    if any(_OUTSIDE.search(value) for _, value in attributes) or _OUTSIDE.search(styles) or _SCRIPT.search(styles):
        findings.append(refused("scripts or embedded data", "It refers to something outside it, or holds it in a code"))
    carried = sorted(
        {n.rpartition("}")[2] for n, value in attributes if n.lower().startswith(("data-", "aria-")) and value}
    )
    if carried:
        reason = "It carries values beside what it draws: save it without descriptions and data attributes"
        findings.append(refused("scripts or embedded data", reason, cells=len(carried)))
    return [*findings, *_look_at_labels(elements), *_look_at_marks(elements)]


def _look_at_labels(elements: list[Part]) -> list[Finding]:
    labels = [
        t.strip() for e in elements if e.tag != f"{_SPACE}style" for t in (e.text or "", e.tail or "") if t.strip()
    ]
    findings = []
    if sum(map(len, labels)) > MOST_TEXT or any(len(label) > LONGEST_LABEL for label in labels):
        findings.append(
            refused("picture with text", "It holds a text, not labels: bring text and tables by themselves")
        )
    return [*findings, *look_at_words(labels)]


def _look_at_marks(elements: list[Part]) -> list[Finding]:
    marks = sum(1 for e in elements if e.tag.removeprefix(_SPACE) in _MARKS)
    if marks <= MOST_MARKS:
        return []
    reason = f"It has more than {MOST_MARKS:,} shapes: one for each row of the data is the data"
    return [refused("embedded rows", reason, cells=marks)]


def _is_shape(element: Part) -> bool:
    return element.tag.startswith(_SPACE) and element.tag.removeprefix(_SPACE) in _SHAPES
