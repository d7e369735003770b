"""The limits of the house, as a ratchet: they may be tightened, never loosened.

Each check lists every place that breaks it, so that one run shows all there is to mend.
"""

import ast
import re
from statistics import median, quantiles

from tests.house.tree import Function, Module, functions, holds, length, modules

MODULE_LINES, MODULE_LINES_MEDIAN = 400, 150
FUNCTION_LINES, FUNCTION_LINES_P99 = 60, 40
PARAMETERS, POSITIONAL = 6, 2
INHERITANCE = 2
NAMES_FOR_NO_TRADE = {"util", "utils", "helper", "helpers", "common", "misc", "base", "manager"}

SOURCE = modules("src")
ALL = modules("src", "tests", "bench")


def test_modules_are_short() -> None:
    holds([f"{m.path}: {m.lines} lines" for m in ALL if m.lines > MODULE_LINES])
    assert median(m.lines for m in SOURCE) <= MODULE_LINES_MEDIAN


def test_functions_are_short() -> None:
    long = [
        f"{m.at(f)} {f.name}: {length(f)} lines" for m in ALL for f, _ in functions(m) if length(f) > FUNCTION_LINES
    ]
    holds(long)
    assert quantiles((length(f) for m in SOURCE for f, _ in functions(m)), n=100)[98] <= FUNCTION_LINES_P99


def _parameters(function: Function, *, bound: bool) -> tuple[int, int]:
    """All parameters, and those that may be given by position, without self or cls."""
    given = function.args
    positional = len(given.posonlyargs) + len(given.args) - bound
    return positional + len(given.kwonlyargs), positional


def _is_dunder(name: str) -> bool:
    return name.startswith("__") and name.endswith("__") and name != "__init__"


def _functions_of_ours(source: tuple[Module, ...]) -> list[tuple[str, int, int]]:
    """Functions whose shape is ours to choose: not those that the language calls by its own rule."""
    return [
        (f"{m.at(f)} {f.name}", *_parameters(f, bound=bound))
        for m in source
        for f, bound in functions(m)
        if not _is_dunder(f.name)
    ]


def test_functions_take_few_parameters() -> None:
    many = [where for where, count, _ in _functions_of_ours(SOURCE + modules("bench")) if count > PARAMETERS]
    holds(many)


def test_parameters_after_two_are_given_by_name() -> None:
    unnamed = [where for where, _, by_place in _functions_of_ours(SOURCE) if by_place > POSITIONAL]
    holds(unnamed)


def test_inheritance_is_shallow() -> None:
    classes = [node for m in SOURCE for node in ast.walk(m.tree) if isinstance(node, ast.ClassDef)]
    parents = {c.name: [ast.unparse(base).split(".")[-1] for base in c.bases] for c in classes}

    def depth(name: str) -> int:
        return 1 + max((depth(p) for p in parents[name] if p in parents and p != name), default=0)

    holds([f"{name}: {depth(name)} deep" for name in parents if depth(name) > INHERITANCE])


def test_modules_are_named_for_a_trade() -> None:
    holds([str(m.path) for m in ALL if m.path.stem in NAMES_FOR_NO_TRADE])
    holds([str(m.path.parent) for m in ALL if m.path.parent.name in NAMES_FOR_NO_TRADE])


def test_imports_stand_at_the_top() -> None:
    """A lazy import of a heavy library is allowed where the wiring starts things: cli/ and site/."""
    hidden = [
        m.at(node)
        for m in SOURCE
        if not m.under("cli", "site")
        for f, _ in functions(m)
        for node in ast.walk(f)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    holds(hidden)


def test_everything_public_says_what_it_does() -> None:
    silent = []
    for m in SOURCE:
        if ast.get_docstring(m.tree) is None:
            silent.append(str(m.path))
        silent += [f"{m.at(node)} {node.name}" for node in _public(m.tree) if ast.get_docstring(node) is None]
    holds(silent)


def _public(node: ast.Module | ast.ClassDef) -> list[Function | ast.ClassDef]:
    """Public classes, functions and methods; `__init__` and operators are told by their class."""
    found: list[Function | ast.ClassDef] = []
    for child in node.body:
        if isinstance(child, Function | ast.ClassDef) and not child.name.startswith("_"):
            found.append(child)
            if isinstance(child, ast.ClassDef):
                found += _public(child)
    return found


def test_everything_is_typed() -> None:
    untyped = []
    for m in SOURCE:
        for f, bound in functions(m):
            arguments = [*f.args.posonlyargs, *f.args.args][bound:] + f.args.kwonlyargs
            stars = [a for a in (f.args.vararg, f.args.kwarg) if a is not None]
            if f.returns is None or any(a.annotation is None for a in arguments + stars):
                untyped.append(f"{m.at(f)} {f.name}")
    holds(untyped)


def test_one_file_reads_the_environment() -> None:
    readers = {str(m.path) for m in SOURCE for node in ast.walk(m.tree) if _reads_environment(node)}
    assert readers <= {"src/integrated_data/site/settings.py"}


def _reads_environment(node: ast.AST) -> bool:
    words = {"environ", "environb", "getenv", "getenvb"}
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr=word):
            return word in words
        case ast.ImportFrom(module="os", names=names):
            return any(n.name in words for n in names)
        case ast.keyword(arg="envvar"):
            return True
    return False


def test_nothing_is_patched() -> None:
    """Fakes are small real things passed in."""
    words = {"mock", "Mock", "MagicMock", "AsyncMock", "patch", "mocker", "monkeypatch", "MonkeyPatch"}
    patched = []
    for m in modules("tests", "bench"):
        for node in ast.walk(m.tree):
            match node:
                case ast.Name(id=word) | ast.arg(arg=word) | ast.Attribute(attr=word) if word in words:
                    patched.append(m.at(node))
                case ast.Import(names=names) | ast.ImportFrom(names=names):
                    named = {part for n in names for part in n.name.split(".")}
                    named |= set((getattr(node, "module", None) or "").split("."))
                    if named & words:
                        patched.append(m.at(node))
    holds(patched)


PROMISES = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")


def test_nothing_is_only_promised() -> None:
    holds([f"{m.path}: {found[0]}" for m in ALL if (found := PROMISES.search(m.text))])
    unwritten = [
        m.at(node)
        for m in ALL
        for node in ast.walk(m.tree)
        if isinstance(node, ast.Raise) and node.exc and "NotImplemented" in ast.unparse(node.exc)
    ]
    holds(unwritten)
