"""The command line: one file per role, the same names as in the portal.

Exit codes: 0 done; 1 refused or failed, with a reason; 2 usage.
"""

from integrated_data.cli.app import main

__all__ = ["main"]
