"""Arrow without pandas: where a value is made of Python's own, Arrow asks once whether pandas is there, and imports it.

No command of the loading side hands pandas anything, and to import it takes longer than many a delivery.
"""

import sys
from importlib.abc import MetaPathFinder


class _Without(MetaPathFinder):
    """Finds that a library is not there."""

    def __init__(self, library: str) -> None:
        self._library = library

    def find_spec(self, fullname: str, *_where: object) -> None:
        """Raise ModuleNotFoundError for the library; let others find anything else."""
        if fullname == self._library:
            raise ModuleNotFoundError(fullname, name=fullname)


def keep_pandas_out() -> None:
    """Let Arrow find no pandas in this process, which anything else may still import; nothing where it is there."""
    import pyarrow as pa

    if "pandas" in sys.modules:
        return
    absent = _Without("pandas")
    sys.meta_path.insert(0, absent)
    try:
        pa.array([])
    finally:
        sys.meta_path.remove(absent)
