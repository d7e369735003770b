"""Documents written from records: sections of sentences and tables, and what a person must still write; two forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

#: Begins what the service cannot know.
TO_WRITE = "A person must write"


@dataclass(frozen=True)
class Section:
    """One section: sentences, a table whose rows have the same columns, and what is left to a person."""

    heading: str
    says: tuple[str, ...] = ()
    rows: tuple[Mapping[str, object], ...] = ()
    to_write: tuple[str, ...] = ()


@dataclass(frozen=True)
class Paper:
    """A document as at a day, made from what was on record then."""

    title: str
    at: date
    basis: str
    sections: tuple[Section, ...]

    def told(self) -> dict[str, Any]:
        """The same as JSON values; `to_write` gathers what is left to people, by section."""
        return {
            "document": self.title, "at": self.at.isoformat(), "basis": self.basis,
            "sections": [
                {
                    "heading": s.heading, "says": list(s.says), "rows": [dict(row) for row in s.rows],
                    "to_write": list(s.to_write),
                }
                for s in self.sections
            ],
            "to_write": {s.heading: list(s.to_write) for s in self.sections if s.to_write},
        }  # fmt: skip


def markdown(paper: Paper) -> str:
    """The document as Markdown (CommonMark with tables)."""
    parts = [f"# {paper.title}", f"As at {paper.at:%Y-%m-%d}. {paper.basis}"]
    for section in paper.sections:
        parts += [f"## {section.heading}", *map(_safe, section.says)]
        if section.rows:
            parts.append(_table(section.rows))
        parts += [f"> **{TO_WRITE}:** {_safe(what)}" for what in section.to_write]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row[c]) for c in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return _cell("; ".join(map(str, value)))
    text = (
        "" if value is None else f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    )
    return _safe(text).replace("|", "\\|").replace("\n", " ")


def _safe(text: str) -> str:
    """Text in which nothing is markup: what people wrote into a form stays what they wrote."""
    return text.replace("\\", "\\\\").replace("<", "&lt;").replace("`", "\\`").replace("[", "\\[")
