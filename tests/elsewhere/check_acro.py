"""Run by a Python that has ACRO: an .npz of tables and how many. Prints the cells that break each check."""

import json
import logging
import sys

import numpy as np
import pandas as pd

logging.disable(logging.CRITICAL)

from acro import ACRO  # noqa: E402 - it logs while it is imported


def main(place, count):
    """Ask ACRO for the sum of each table, and name the cells of each of its masks."""
    session = ACRO(suppress=False)
    with np.load(place) as held:
        for number in range(count):
            rows = pd.DataFrame({name: held[f"{number}-{name}"] for name in ("region", "kind", "pay")})
            session.crosstab(rows.region, rows.kind, values=rows.pay, aggfunc="sum")
            cells = session.results.get_index(-1).sdc["cells"]
            shown = pd.crosstab(rows.region, rows.kind)
            named = {
                check: [f"{shown.index[row]}|{shown.columns[column]}" for row, column in places]
                for check, places in cells.items()
            }
            print(json.dumps(named))


main(sys.argv[1], int(sys.argv[2]))
