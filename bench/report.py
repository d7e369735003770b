"""A table on the terminal, the same for every benchmark."""

from collections.abc import Mapping, Sequence


def table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows under their column names; floats with as many places as they deserve."""
    columns = list(dict.fromkeys(c for row in rows for c in row))
    cells = [[_text(row.get(c, "")) for c in columns] for row in rows]
    widths = [max(len(c), *(len(line[i]) for line in cells)) for i, c in enumerate(columns)]
    print(f"\n{title}")
    print("  ".join(c.ljust(w) for c, w in zip(columns, widths, strict=True)))
    for line in cells:
        print("  ".join(value.ljust(w) for value, w in zip(line, widths, strict=True)))


def marks(checks: Mapping[str, bool]) -> bool:
    """Print which marks were met; true when all were."""
    for what, met in checks.items():
        print(f"{'met   ' if met else 'MISSED'}  {what}")
    return all(checks.values())


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5f}" if abs(value) <= 1 else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
