"""A command starts at once: what only some commands need is not imported for all of them."""

import subprocess
import sys

from tests.house.tree import holds

HEAVY = ("altair", "duckdb", "fastapi", "numpy", "pandas", "polars", "pyarrow", "scipy", "splink", "sqlglot")
#: What no load of plain text with nothing to match needs: charts, migrations, workbooks, models, solvers, pandas.
NOT_TO_LOAD = (
    "alembic", "altair", "fastapi", "matplotlib", "openpyxl", "pandas", "polars", "pyreadstat", "scipy.optimize",
    "scipy.stats", "splink", "statsmodels",
)  # fmt: skip

#: As `ids deliver` begins; then what makes Arrow look for pandas.
_LOADING = """
import integrated_data.journey.stages, integrated_data.site.loads, integrated_data.site.rights.replaying
from integrated_data.cli import opened, supplier
from integrated_data.site.arrow_alone import keep_pandas_out
keep_pandas_out()
import pyarrow
pyarrow.table({"a": ["x"]})
"""


def _imported(start: str, names: tuple[str, ...]) -> list[str]:
    """Which of some libraries a Python that ran `start` has imported."""
    probe = f"import sys\n{start}\nprint(*[name for name in {names} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()


def test_the_command_line_imports_no_heavy_library() -> None:
    found = _imported("import integrated_data.cli.app", HEAVY)
    holds([f"{name}: import it in the function that needs it" for name in found])


def test_a_load_imports_what_it_uses_alone() -> None:
    found = _imported(_LOADING, NOT_TO_LOAD)
    holds([f"{name}: see who imports it with python -X importtime" for name in found])
