"""The supplier's kit as one file, which needs Python and nothing else: a zipped application, made by shiv.

It carries the modules that the kit's commands import and the libraries those need, for one platform and one version of
Python: the engine is native code. At its first start it unpacks itself into the user's own folder; it asks no network.
"""

import ast
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from shiv import __version__ as shiv_version
from shiv.bootstrap.environment import Environment
from shiv.builder import create_archive

import integrated_data
from integrated_data.model.errors import InstallationRefusal, UsageRefusal

#: What the kit's commands import, and what that needs.
LIBRARIES = (
    "annotated-doc", "cffi", "cryptography", "duckdb", "duckdb-extension-httpfs", "et-xmlfile", "fsspec",
    "markdown-it-py", "mdurl", "narwhals", "numpy", "openpyxl", "pyarrow", "pycparser", "Pygments", "pyreadstat",
    "PyYAML", "rich", "shellingham", "sqlglot", "typer",
)  # fmt: skip
#: What these need on Windows besides, with the version: it is not installed elsewhere.
ON_WINDOWS = {"colorama": "0.4.6"}
#: Where the kit begins, and what its commands never come to: who acts, and what an installation needs.
BEGIN = "integrated_data.cli.kit"
NEVER = ("integrated_data.cli.app", "integrated_data.site.acting", "integrated_data.site.places",
         "integrated_data.site.supplying.zipped")  # fmt: skip
#: Parts of libraries that the kit has no use for: tests, headers, sources.
SPARED = re.compile(
    r"(^|/)(tests?|include|__pycache__|adbc_driver_duckdb|f2py|src|bin)/|^\.\./|\.(pyc|pyi|pyx|pxd|pxi|c|h|lib|a)$"
)
#: Native parts of Arrow that speak to servers, and second names of the same file: left out where it can be tried.
SPARED_HERE = re.compile(
    r"^pyarrow/([^/]*(flight|s3|_cpp_tests)[^/]*|libarrow_python(_parquet_encryption)?\.so(\.\d+\.\d+\.\d+)?)$"
)
#: Made the same from the same: the first moment that a zip file can name.
MADE = "1980-01-01 00:00:00"


@dataclass(frozen=True)
class Made:
    """What was made: the file, its size in bytes, how many modules of ours and which libraries it carries."""

    place: Path
    size: int
    modules: int
    libraries: tuple[str, ...]


def needs() -> tuple[str, ...]:
    """The libraries of a kit for another platform, with their versions here, as `name==version`."""
    here = [f"{name}=={_installed(name).version}" for name in LIBRARIES]
    return (*here, *(f"{name}=={version}" for name, version in ON_WINDOWS.items()))


def build(out: Path, *, wheels: Path | None = None) -> Made:
    """Write the kit to `out`. `wheels`: a folder of the libraries' wheels for another platform (else those here).

    The same libraries give the same bytes.
    """
    with tempfile.TemporaryDirectory(prefix="ids-kit-") as folder:
        plain = Path(folder)
        found = modules()
        _copy_ours(found, plain)
        libraries = LIBRARIES if wheels is None else (*LIBRARIES, *ON_WINDOWS)
        for name in libraries:
            if wheels is None:
                _copy_installed(_installed(name), plain)
            else:
                _unpack(_wheel(wheels, name), plain)
        environment = Environment(
            built_at=MADE, shiv_version=shiv_version, entry_point=f"{BEGIN}:main", compile_pyc=False,
            reproducible=True, root="~/.ids-kit",
        )  # fmt: skip
        create_archive([plain], out, "/usr/bin/env python3", "_bootstrap:bootstrap", environment)
    return Made(out, out.stat().st_size, len(found), libraries)


def modules() -> dict[str, Path]:
    """The modules of ours that the kit's commands import, lazily or not, by name."""
    home = Path(integrated_data.__file__).parent
    found: dict[str, Path] = {}
    todo = [BEGIN]
    while todo:
        name = todo.pop()
        place = _place(home, name)
        if place is None or name in found or name in NEVER:
            continue
        found[name] = place
        todo += [name.rpartition(".")[0], *_imports(ast.parse(place.read_text("utf-8")))]
    return dict(sorted(found.items()))


def _place(home: Path, name: str) -> Path | None:
    """Where a module of ours lies; None for one that is not ours."""
    first, _, rest = name.partition(".")
    if first != home.name:
        return None
    base = home.joinpath(*rest.split(".")) if rest else home
    places = (base.with_suffix(".py"), base / "__init__.py") if rest else (base / "__init__.py",)
    return next((p for p in places if p.is_file()), None)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names that a module imports, but for type checkers alone."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=orelse):
                for other in orelse:
                    yield from _imports(other)
            case ast.Import(names=names):
                yield from (n.name for n in names)
            case ast.ImportFrom(module=str(module), names=names):
                yield module
                yield from (f"{module}.{n.name}" for n in names)
            case _:
                yield from _imports(node)


def _copy_ours(found: dict[str, Path], plain: Path) -> None:
    """Our modules, with the data files of their folders."""
    root = Path(integrated_data.__file__).parents[1]
    for place in found.values():
        beside = [f for f in place.parent.iterdir() if f.suffix in (".txt", ".csv")] if place.stem == "__init__" else []
        for file in (place, *beside):
            target = plain / file.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise InstallationRefusal(f"The library {name} is not installed", next_step=f"pip install {name}") from None


def _copy_installed(library: Distribution, plain: Path) -> None:
    for file in library.files or ():
        source = Path(str(library.locate_file(file)))
        spared = SPARED.search(file.as_posix()) or SPARED_HERE.search(file.as_posix())
        if not spared and source.is_file():
            target = plain / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _wheel(folder: Path, name: str) -> Path:
    plain = re.sub(r"[-_.]+", "_", name).lower()
    found = [w for w in sorted(folder.glob("*.whl")) if re.sub(r"[-_.]+", "_", w.name.split("-")[0]).lower() == plain]
    if not found:
        raise UsageRefusal(f"There is no wheel of {name} in the folder", next_step="See what is needed: ids kit needs")
    return found[-1]


def _unpack(wheel: Path, plain: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        for member in packed.infolist():
            if not member.is_dir() and not SPARED.search(member.filename):
                packed.extract(member, plain)


def python_here() -> str:
    """The version of Python that a kit made here runs on."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
