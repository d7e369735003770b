"""The import contracts hold, and each of them sees a planted violation."""

import configparser
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.house.tree import PACKAGE, ROOT

CONFIG = ROOT / ".importlinter"
ROOMS = ("acquire", "standardise", "validate", "index", "deidentify", "publish", "approve")
SEES = (*ROOMS, "vault", "engines")

#: contract, the module that is made to break it, and the line that is planted there.
PLANTED = [
    ("floors", "model/delivery.py", "import integrated_data.control.store"),
    ("floors", "vocabulary/sql.py", "import integrated_data.audit.chain"),
    ("floors", "audit/chain.py", "import integrated_data.control.store"),
    ("floors", "control/store.py", "import integrated_data.lake"),
    ("floors", "publish/__init__.py", "import integrated_data.journey"),
    ("floors", "access/__init__.py", "import integrated_data.output"),
    ("floors", "site/__init__.py", "import integrated_data.cli"),
    ("floors", "site/__init__.py", "import integrated_data.serving"),
    ("floors", "serving/__init__.py", "import integrated_data.cli"),
    ("floors", "serving/__init__.py", "import integrated_data.client"),
    *(("floors", f"{a}/__init__.py", f"import integrated_data.{b}") for a, b in pairwise(ROOMS)),
    ("floors", "attic.py", "'A module on no floor.'"),
    *(("wall", "access/__init__.py", f"import integrated_data.{seen}") for seen in SEES),
    *(("wall", "output/__init__.py", f"import integrated_data.{seen}") for seen in SEES),
    ("analysis", "site/analysis.py", "import integrated_data.site.loading"),
    ("analysis", "site/places.py", "import integrated_data.vault"),
    ("analysis", "site/sandbox.py", "import integrated_data.index"),
    ("spark", "engines/spark_values.py", "import integrated_data.vault"),
    ("spark", "site/spark_running.py", "import integrated_data.engines.duckdb"),
    *(("doors", "serving/__init__.py", f"import integrated_data.{seen}") for seen in SEES if seen != "approve"),
    ("doors", "serving/desk.py", "import integrated_data.site.loading"),
    ("doors", "site/analysis.py", "import integrated_data.vault"),
    ("worker", "site/worker.py", "import integrated_data.control.store"),
    ("worker", "site/worker.py", "import integrated_data.lake"),
    ("keys", "journey/__init__.py", "from integrated_data.vault import Vault"),
    ("keys", "publish/__init__.py", "import integrated_data.vault"),
    ("keys", "cli/__init__.py", "import integrated_data.vault"),
    ("engines", "journey/__init__.py", "from integrated_data.engines import duckdb"),
    ("engines", "validate/__init__.py", "import integrated_data.engines.duckdb"),
    ("engines", "cli/__init__.py", "import integrated_data.engines.duckdb"),
    ("engine-libraries", "validate/__init__.py", "import duckdb"),
    ("engine-libraries", "index/__init__.py", "def train() -> None:\n    import splink"),
    ("engine-libraries", "access/__init__.py", "import duckdb"),
    ("engine-libraries", "serving/__init__.py", "import duckdb"),
    ("memory", "publish/__init__.py", "import sqlalchemy"),
    ("memory", "access/__init__.py", "import sqlite3"),
    ("memory", "serving/__init__.py", "import sqlalchemy"),
    ("specimen", "specimen/__init__.py", "import integrated_data.engine"),
    ("specimen", "specimen/__init__.py", "import integrated_data.index"),
    ("words", "model/event.py", "import pathlib"),
    ("words", "vocabulary/sql.py", "import os"),
    ("cycles", "model/meanings.py", "import integrated_data.model.contract"),
    ("cycles", "engine.py", "import integrated_data.control.store\nimport integrated_data.site"),
]  # fmt: skip


def lint(source: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter over the package in `source`, for some contracts or all."""
    chosen = [part for contract in contracts for part in ("--contract", contract)]
    program = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    return subprocess.run(
        [*program, "--config", str(CONFIG), *chosen],
        cwd=source, env={"PYTHONPATH": str(source), "PATH": ""},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_tree_keeps_every_contract() -> None:
    result = lint(PACKAGE.parent)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_has_a_planted_violation() -> None:
    config = configparser.ConfigParser()
    config.read(CONFIG, encoding="utf-8")
    contracts = {s.rsplit(":", 1)[-1] for s in config.sections() if s.startswith("importlinter:contract:")}
    assert contracts == {contract for contract, _, _ in PLANTED}


@pytest.mark.parametrize(("contract", "module", "line"), PLANTED)
def test_a_planted_violation_is_caught(tmp_path: Path, contract: str, module: str, line: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / PACKAGE.name / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    result = lint(tmp_path, contract)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "0 kept, 1 broken" in result.stdout
