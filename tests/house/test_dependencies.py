"""Every library that the code imports is declared, and every declared one is pinned."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.house.tree import ROOT, Module, holds, modules

OURS = {"integrated_data", "tests", "bench"}

#: Scripts that other tools' Pythons run, each with libraries of its own environment.
ELSEWHERE = "elsewhere"


def plain(name: str) -> str:
    """A distribution's name as the package index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(*groups: str) -> set[str]:
    """Distributions that pyproject.toml asks for: always, and with the extras named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for group in groups:
        lines += project["optional-dependencies"][group]
    return {plain(found[0]) for line in lines if (found := re.findall(r"^[A-Za-z0-9._-]+", line))}


def pinned() -> dict[str, str]:
    """Distribution and exact version, as requirements.txt has them."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return {plain(a): b for a, b in (line.split("==") for line in lines if line and line[0] != "#")}


def imported(source: tuple[Module, ...]) -> dict[str, str]:
    """Top-level libraries that a set of modules imports, each with one place."""
    found = {}
    for m in source:
        for node in ast.walk(m.tree):
            match node:
                case ast.Import(names=names):
                    named = [n.name for n in names]
                case ast.ImportFrom(module=str(module), level=0):
                    named = [module]
                case _:
                    continue
            found |= {name.split(".")[0]: m.at(node) for name in named}
    return {k: v for k, v in found.items() if k not in sys.stdlib_module_names | OURS}


def undeclared(source: tuple[Module, ...], allowed: set[str]) -> list[str]:
    """Imports whose distribution is not among those allowed."""
    distributions = packages_distributions()
    return [
        f"{where} imports {library}"
        for library, where in imported(source).items()
        if not {plain(d) for d in distributions.get(library, [library])} & allowed
    ]


def test_the_package_imports_what_it_declares() -> None:
    holds(undeclared(modules("src"), declared("s3", "spark", "sftp", "postgres", "kit")))


def test_the_core_runs_without_spark() -> None:
    """What only the extra brings is imported by the adapters alone."""
    brought = declared("spark") - declared()
    users = [m for m in modules("src") if {"pyspark", "grpc"} & set(imported((m,)))]
    assert {m.path.name for m in users} == {"spark.py", "spark_tasks.py"}
    assert brought == {"grpcio", "pyspark-client"}


def test_the_core_runs_without_sftp() -> None:
    """What only the extra brings is imported by the store of its name alone."""
    assert {m.path.name for m in modules("src") if "asyncssh" in imported((m,))} == {"sftp.py"}


def test_the_core_runs_without_a_database_driver() -> None:
    """What only the extra brings is imported by the source of its name alone."""
    users = {m.path.name for m in modules("src") if "adbc_driver_postgresql" in imported((m,))}
    assert users == {"postgres.py"}


def test_the_core_runs_without_what_zips_the_kit() -> None:
    """What only the extra brings is imported by the one module that zips."""
    assert {m.path.name for m in modules("src") if "shiv" in imported((m,))} == {"zipped.py"}


def test_tests_and_benches_import_what_is_declared() -> None:
    ours = [m for m in modules("tests", "bench") if m.path.parent.name != ELSEWHERE]
    holds(undeclared(ours, declared("dev")))


def test_everything_declared_is_pinned() -> None:
    holds(sorted(declared("dev") - set(pinned())))


def test_pins_are_exact_and_from_the_index() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    holds([line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)])


def test_no_dependency_is_kept_for_nothing() -> None:
    """Each library asked for at run time is imported, or is loaded by name in one place."""
    distributions = packages_distributions()
    used = {plain(d) for library in imported(modules("src")) for d in distributions.get(library, [])}
    source = " ".join(m.text for m in modules("src"))
    loaded = re.findall(r'load_extension\("([a-z]+)"\)', source)
    by_name = {f"duckdb-extension-{extension}" for extension in loaded}
    holds(sorted(declared() - used - by_name))


def test_the_engine_and_its_extensions_are_one_version() -> None:
    versions = {version for name, version in pinned().items() if name.startswith("duckdb")}
    assert versions == {"1.5.5"}
