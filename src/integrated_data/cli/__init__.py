"""The command line: one file per role, the same names as in the portal.

Exit codes: 0 done; 1 refused or failed, with a reason; 2 usage.
"""


def main() -> None:
    """Run `ids`; imported when it is called, so that the supplier's kit brings no other command along."""
    from integrated_data.cli import app

    app.main()
