"""Run by a Python that has ACRO: an .npz of rows and how often. Prints seconds of pandas' crosstab and of ACRO's."""

import json
import logging
import statistics
import sys
import time

import numpy as np
import pandas as pd

logging.disable(logging.CRITICAL)

from acro import ACRO  # noqa: E402 - it logs while it is imported


def seconds(work, runs):
    """The median of some runs."""
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main(place, runs):
    """Time each table both ways."""
    with np.load(place) as held:
        rows = pd.DataFrame({name: held[name] for name in held.files})
    session = ACRO(suppress=True)
    for name, more in (("counts by two keys", {}), ("sums by two keys", {"values": rows.pay, "aggfunc": "sum"})):
        own = seconds(lambda more=more: pd.crosstab(rows.region, rows.age, **more), runs)
        check = seconds(lambda more=more: session.crosstab(rows.region, rows.age, **more), runs)
        print(json.dumps({"table": name, "pandas seconds": own, "ACRO seconds": check, "times": check / own}))


main(sys.argv[1], int(sys.argv[2]))
