"""A command starts at once: what only some commands need is not imported for all of them."""

import subprocess
import sys

from tests.house.tree import holds

HEAVY = ("altair", "duckdb", "fastapi", "numpy", "pandas", "polars", "pyarrow", "scipy", "splink", "sqlglot")


def test_the_command_line_imports_no_heavy_library() -> None:
    probe = f"import sys, integrated_data.cli; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    holds([f"{name}: import it in the function that needs it" for name in done.stdout.split()])
