"""The checkout as the house's checks read it: its Python files, parsed once, and its text files."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "integrated_data"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One Python file: its path from the root of the checkout, its text and its syntax tree."""

    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    def under(self, *folders: str) -> bool:
        """Whether the file lies in one of these folders of the package."""
        return any((PACKAGE / folder).relative_to(ROOT) in self.path.parents for folder in folders)

    def at(self, node: ast.stmt | ast.expr) -> str:
        return f"{self.path}:{node.lineno}"


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Python files below these folders of the checkout, in order of path."""
    found = []
    for folder in folders:
        for place in sorted((ROOT / folder).rglob("*.py")):
            text = place.read_text(encoding="utf-8")
            found.append(Module(place.relative_to(ROOT), text, ast.parse(text)))
    return tuple(found)


def functions(module: Module) -> Iterator[tuple[Function, bool]]:
    """Every function and method of a module, and whether it is a method that takes self or cls."""

    def walk(node: ast.AST, in_class: bool) -> Iterator[tuple[Function, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield child, in_class and not _is_static(child)
                yield from walk(child, False)
            else:
                yield from walk(child, isinstance(child, ast.ClassDef))

    yield from walk(module.tree, False)


def _is_static(function: Function) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in function.decorator_list)


def length(function: Function) -> int:
    """Lines from `def` to the function's last line."""
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def texts() -> Iterator[tuple[Path, str]]:
    """Every text file of the checkout that is committed or about to be, with its path from the root."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for path in sorted(set(listed.split("\0")) - {""}):
        try:
            yield Path(path), (ROOT / path).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue


def holds(broken: list[str]) -> None:
    """Fail with every place that breaks a limit."""
    assert not broken, "\n" + "\n".join(broken)
