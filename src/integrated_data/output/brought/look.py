"""Looking at one file that somebody brings: what it is, whether that is what it says, and what it may not hold."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from integrated_data.model.output import Finding, Outcome
from integrated_data.output.brought import kinds
from integrated_data.output.brought.drawing import look_at_drawing
from integrated_data.output.brought.picture import look_at_picture
from integrated_data.output.brought.text import look_at_table, look_at_text, refused
from integrated_data.output.brought.workbook import look_at_workbook

#: Bytes of one file.
LARGEST = 10_000_000

#: Names of files: they leave too.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,60}\.[A-Za-z0-9]{1,12}")

_LOOKS: Mapping[str, Callable[[bytes], list[Finding]]] = {
    kinds.TEXT: look_at_text,
    kinds.WORKBOOK: look_at_workbook,
    kinds.PICTURE: look_at_picture,
    kinds.DRAWING: look_at_drawing,
}

#: What the bytes of each kind begin like; texts begin like nothing that is known.
_BEGINS = {kinds.WORKBOOK: "zip", kinds.PICTURE: "png"}


@dataclass(frozen=True)
class Looked:
    """What was found in one file. `suffix`: the end of its name; a name itself is kept nowhere else than beside it."""

    suffix: str
    sha256: str
    findings: tuple[Finding, ...]

    @property
    def rules(self) -> list[str]:
        """The rules for which it may not even be shown to reviewers."""
        return sorted({f.rule for f in self.findings if f.outcome is Outcome.REFUSE})

    @property
    def refused(self) -> bool:
        """Whether there are any."""
        return bool(self.rules)


def look(name: str, content: bytes) -> Looked:
    """Look at a file; `name` is what it would leave as."""
    suffix = kinds.suffix(name)
    return Looked(suffix, hashlib.sha256(content).hexdigest(), tuple(_findings(name, content, suffix=suffix)))


def _findings(name: str, content: bytes, *, suffix: str) -> list[Finding]:
    if not _NAME.fullmatch(name):
        return [refused("name", "Its name is not plain: letters, digits, - and _, then one dot and its kind")]
    if not content:
        return [refused("size", "It is empty")]
    if len(content) > LARGEST:
        return [refused("size", f"It is larger than {LARGEST // 1_000_000} MB")]
    begins = kinds.beginning(content)
    if suffix not in kinds.KINDS:
        why = kinds.REFUSED.get(suffix, "of a kind that is not known here: bring .csv, .xlsx, .png, .svg or .txt")
        return [refused("kind of file", f"It is {why}" if suffix in kinds.REFUSED else f"It is a file {why}")]
    kind = kinds.KINDS[suffix]
    if begins != _BEGINS.get(kind, ""):
        what = f"like a .{begins} file" if begins else "like no file of that kind"
        why = f": {kinds.REFUSED[begins]}" if begins in kinds.REFUSED else ""
        return [refused("not what it says", f"It is named .{suffix} and begins {what}{why}")]
    if kind == kinds.TABLE:
        return look_at_table(content, separator="\t" if suffix == "tsv" else ",")
    return _LOOKS[kind](content)
