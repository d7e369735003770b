"""Formats of cells that hide what they hold: white on nothing, and numbers that are written as nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from integrated_data.output.brought.markup import Part, every

#: What stands for a value in a number format (ECMA-376, part 1, 18.8.31).
_SHOWS = re.compile(r"[0#?@ymdhsg]", re.IGNORECASE)
_PALE = re.compile(r"([ef][0-9a-f]){3}", re.IGNORECASE)
_WORDS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.')


@dataclass(frozen=True)
class Styles:
    """Which formats of cells hide what they hold, by their place in the workbook's list."""

    hiding: frozenset[int]

    def hides(self, style: str) -> bool:
        """Whether a cell of that style shows nothing of what it holds."""
        return style.isdecimal() and int(style) in self.hiding


def read(tree: Part | None) -> Styles:
    """The formats of a workbook's styles."""
    if tree is None:
        return Styles(frozenset())
    numbers = {n.get("numFmtId"): n.get("formatCode", "") for n in every(tree, "numFmt")}
    white = [_white(font) for font in _children(tree, "fonts")]
    bare = [_bare(fill) for fill in _children(tree, "fills")]
    hiding = {
        place
        for place, style in enumerate(_children(tree, "cellXfs"))
        if _shows_nothing(numbers.get(style.get("numFmtId"), "General"))
        or (_at(white, style.get("fontId")) and _at(bare, style.get("fillId"), otherwise=True))
    }
    return Styles(frozenset(hiding))


def _shows_nothing(code: str) -> bool:
    """Whether a number format writes no value: one that shows none of numbers and text does."""
    sections = [_WORDS.sub("", section) for section in code.split(";")]
    return not all(_SHOWS.search(section) or "general" in section.lower() for section in sections[:1]) or (
        len(sections) > 1 and not any(_SHOWS.search(s) for s in sections)
    )


def _white(font: Part) -> bool:
    colour = next(every(font, "color"), None)
    if colour is None:
        return False
    if colour.get("theme") == "0":
        return True
    shade = (colour.get("rgb") or "000000")[-6:]
    return _PALE.fullmatch(shade) is not None


def _bare(fill: Part) -> bool:
    pattern = next(every(fill, "patternFill"), None)
    return pattern is None or pattern.get("patternType", "none") == "none"


def _children(tree: Part, name: str) -> list[Part]:
    found = next(every(tree, name), None)
    return [] if found is None else list(found)


def _at(facts: Sequence[bool], place: str | None, *, otherwise: bool = False) -> bool:
    number = int(place) if place is not None and place.isdecimal() else 0
    return facts[number] if number < len(facts) else otherwise
