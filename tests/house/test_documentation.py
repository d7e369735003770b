"""What the documents promise is there: commands, targets, links, words, generated pages."""

import ast
import inspect
import pkgutil
import re
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from pathlib import Path

import pytest
from typer.core import TyperOption

from integrated_data import model
from tests.house.pages import PAGES, walk
from tests.house.tree import ROOT, holds, modules, texts

COMMANDS = dict(walk())
GROUPS = {" ".join(path.split()[:n]) for path in COMMANDS for n in range(1, len(path.split()))}


def pages() -> Iterator[tuple[Path, str]]:
    """Every Markdown page of the project."""
    return ((path, text) for path, text in texts() if path.suffix == ".md")


def calls(text: str) -> Iterator[str]:
    """Calls of `ids` in a Markdown text: code spans, and lines of code blocks."""
    yield from re.findall(r"`(ids [^`]+)`", text)
    for line in re.findall(r"^(?: {4,}|\t)?\$? *(ids [a-z].*)$", text, re.MULTILINE):
        yield line.split("  ")[0]


def wrong_call(call: str) -> str | None:
    """Why a call of `ids` cannot be made, or None. Placeholders, options and arguments end its name."""
    words = call.split()
    name = "ids"
    for word in words[1:]:
        if not re.fullmatch(r"[a-z][a-z-]*", word) or name in COMMANDS:
            break
        name += f" {word}"
    if name not in COMMANDS:
        return None if name in GROUPS and name != "ids" else "there is no such command"
    known = {o for p in COMMANDS[name].params if isinstance(p, TyperOption) for o in p.opts} | {"--help"}
    unknown = {w.split("=")[0] for w in re.findall(r"(?<!\S)\[?(--[a-z0-9-]+)", call)} - known
    return f"it takes no {', '.join(sorted(unknown))}" if unknown else None


@pytest.mark.parametrize(
    ("call", "wrong"),
    [
        ("ids init DIR", False),
        ("ids init DIR --nonsense", True),
        ("ids nonsense", True),
        ("ids audit verify --home DIR", False),
        ("ids audit", False),
    ],
)
def test_a_wrong_call_is_seen(call: str, *, wrong: bool) -> None:
    assert (wrong_call(call) is not None) == wrong


def test_documents_name_commands_that_exist() -> None:
    wrong = [
        f"{path}: {call}: {reason}"
        for path, text in pages()
        if path.name != "CHANGELOG.md"
        for call in calls(text)
        if (reason := wrong_call(call))
    ]
    holds(wrong)


def test_messages_name_commands_that_exist() -> None:
    """A refusal's next step must be a step that can be taken."""
    wrong = []
    for m in modules("src"):
        told = {id(n.value) for n in ast.walk(m.tree) if isinstance(n, ast.Expr)}  # docstrings are for developers
        for node in ast.walk(m.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
                said = re.findall(r"(?:^|[:`] ?)(ids [a-z][^`;)\n]*)", node.value)
                wrong += [f"{m.at(node)}: {call}: {why}" for call in said if (why := wrong_call(call))]
    holds(wrong)


def test_every_command_is_told_in_its_help() -> None:
    holds([name for name, command in COMMANDS.items() if not (command.help or "").strip()])
    holds(
        [
            f"{name} {p.opts[0]}"
            for name, command in COMMANDS.items()
            for p in command.params
            if isinstance(p, TyperOption) and not p.help and "--help" not in p.opts
        ]
    )


def test_the_readers_of_each_page_find_every_command() -> None:
    """Each command stands in at least one page written for people, not only in the generated list."""
    written = " ".join(text for path, text in pages() if path.name not in {"commands.md", "CHANGELOG.md"})
    holds([name for name in COMMANDS if name not in written])


@pytest.mark.parametrize("page", PAGES)
def test_generated_pages_are_up_to_date(page: str) -> None:
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == PAGES[page](), "run: make docs"


def test_documents_name_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    wrong = []
    for path, text in pages():
        named = re.findall(r"`make ([a-z-]+)[^`]*`|^ {4}make ([a-z-]+)", text, re.MULTILINE)
        wrong += [f"{path}: make {a or b}" for a, b in named if (a or b) not in targets]
    holds(wrong)


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for path, text in pages():
        for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if "://" not in link and not (ROOT / path.parent / link).exists():
                broken.append(f"{path}: {link}")
    holds(broken)


def test_every_word_of_the_model_is_in_the_glossary() -> None:
    glossary = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    words = set()
    for found in pkgutil.iter_modules(model.__path__):
        module = import_module(f"{model.__name__}.{found.name}")
        for name, word in inspect.getmembers(module, inspect.isclass):
            if word.__module__ == module.__name__ and not name.startswith("_"):
                words.add(name)
                shaped = hasattr(word, "__dataclass_fields__") or hasattr(word, "_fields")
                assert issubclass(word, Enum | Exception) or shaped, name
    holds(sorted(word for word in words if f"`{word}`" not in glossary))


def test_the_glossary_names_only_words_that_exist() -> None:
    glossary = (ROOT / "GLOSSARY.md").read_text(encoding="utf-8")
    classes = {n.name for m in modules("src") for n in ast.walk(m.tree) if isinstance(n, ast.ClassDef)}
    holds(sorted(set(re.findall(r"`([A-Z][A-Za-z]+)`", glossary)) - classes))


def test_documents_name_files_that_exist() -> None:
    """Paths in code spans that begin at a folder of the checkout or of the package."""
    package = ROOT / "src" / "integrated_data"
    tops = {p.name for p in package.iterdir() if p.is_dir()} | {"tests", "docs", "decisions", "bench", "src"}
    missing = []
    for path, text in pages():
        for named in re.findall(r"`([a-z_]+/[\w./-]*)`", text):
            if named.split("/")[0] in tops and not any((b / named).exists() for b in (ROOT, package)):
                missing.append(f"{path}: {named}")
    holds(missing)


@pytest.mark.parametrize(
    "name",
    [
        "README.md", "GLOSSARY.md", "CONTRIBUTING.md", "THREATS.md", "CHANGELOG.md", "LICENSE", "Makefile",
        "pyproject.toml", "requirements.txt", ".ci/run", ".importlinter",
    ],
)  # fmt: skip
def test_the_house_has_its_papers(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def test_continuous_integration_runs_the_two_commands() -> None:
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make check" in run
    assert "make test" in run
    assert "make demo" in readme
    assert "make test" in readme


#: Folders that exist on one machine only; what a test writes as an example would match itself.
MACHINE = re.compile(r"(?<![\w./~-])/(?:home|root|work|Users|private|mnt|tmp/[a-z])/[\w.-]")


def test_nothing_names_a_place_on_one_machine() -> None:
    holds(
        [
            f"{path}:{number}"
            for path, text in texts()
            for number, line in enumerate(text.splitlines(), 1)
            if MACHINE.search(line)
        ]
    )


def test_decisions_are_numbered_one_after_another() -> None:
    """A page's number is that of its title, and no number is left out or given twice."""
    found = sorted((ROOT / "decisions").glob("*.md"))
    titled = [f"{path.name}: {number}" for number, path in enumerate(found, start=1)
              if not path.name.startswith(f"{number:04d}-")
              or not path.read_text(encoding="utf-8").startswith(f"# {number}. ")]  # fmt: skip
    holds(titled)
