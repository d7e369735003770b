"""Documents that people hand in, YAML and JSON, read only where they are no deeper than people write them.

A parser in C calls itself once for each level: a file of 100,000 opening brackets ends the process and not the reading.
So depth is looked at before a document is built: by its brackets and indentation, which is cheap, and where these leave
it open, by the parser's own events, which come one by one.
"""

import json
import re
from typing import Any

import yaml

#: Levels that a document may have, and characters. Contracts have seven levels, and a thousand columns take a megabyte.
DEEPEST, LONGEST = 60, 1 << 26

#: What a line of YAML begins with that may open levels, at most one a character or two.
_OPENING = re.compile(rf"^[ \-?:\t]{{{DEEPEST // 2}}}", re.MULTILINE)


class TooDeepError(yaml.YAMLError, ValueError):
    """A document is nested deeper, or is longer, than people write one."""


def load_yaml(text: str, *, loader: Any = yaml.SafeLoader) -> Any:
    """A YAML document built by a loader that makes plain values alone.

    Raises yaml.YAMLError where it is none, and where it is too deep or too long.
    """
    if len(text) > LONGEST:
        raise TooDeepError("too long")
    if may_be_deep(text) and _depth(text, loader) > DEEPEST:
        raise TooDeepError("too deep")
    try:
        return yaml.load(text, Loader=loader)  # noqa: S506 - the callers' loaders build plain values
    except RecursionError:
        raise TooDeepError("too deep") from None


def load_json(text: str) -> Any:
    """A JSON document. Raises ValueError where it is none, and where it is too deep or too long."""
    if len(text) > LONGEST:
        raise TooDeepError("too long")
    try:
        return json.loads(text)
    except RecursionError:
        raise TooDeepError("too deep") from None


def may_be_deep(text: str) -> bool:
    """Whether a document may be too deep, by how many brackets open and by how its lines begin."""
    return text.count("[") + text.count("{") > DEEPEST or _OPENING.search(text) is not None


def _depth(text: str, loader: Any) -> int:
    """Levels of a document, up to one too many; the parser goes on no further."""
    depth = deepest = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            deepest = max(deepest, depth)
            if depth > DEEPEST:
                break
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return deepest
