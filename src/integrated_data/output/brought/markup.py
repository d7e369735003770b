"""Parts of workbooks, and drawings, as trees: plain XML in UTF-8, without anything that a reader does not see."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree

Part = ElementTree.Element

_DECLARATION = re.compile(
    r"""\s*<\?xml\s+version=["']1\.[01]["'](\s+encoding=["'](utf-8|us-ascii)["'])?(\s+standalone=["'](yes|no)["'])?\s*\?>""",
    re.IGNORECASE,
)


class Unreadable(Exception):  # noqa: N818 - an answer, caught where the file is looked at
    """Why a part is not read."""


def parsed(part: bytes) -> Part:
    """A part as a tree; raises `Unreadable`."""
    try:
        return tree(part.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("A part of it is not in UTF-8") from None


def tree(text: str) -> Part:
    """A text as a tree: without declarations of its own, which could hide or multiply what it holds."""
    declared = _DECLARATION.match(text)
    bare = text[declared.end() :] if declared is not None else text
    if "<!" in bare.replace("<![CDATA[", "") or "<?" in bare:
        raise Unreadable("It holds comments, declarations or instructions, which nobody sees")
    try:
        return ElementTree.fromstring(bare)  # noqa: S314 - no declaration of an entity is left in it
    except (ElementTree.ParseError, ValueError):
        raise Unreadable("It is not well formed") from None


def name_of(element: Part) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def every(tree: Part, name: str) -> Iterator[Part]:
    """Every element of that name in a tree, whatever its namespace."""
    return (element for element in tree.iter() if name_of(element) == name)
