"""A small, made-up sample of each index (`specimen/sample.py` writes it), and what it tells of an index's size."""

import csv
from functools import cache
from importlib import resources

#: About how many entities the index of a whole country has: people, businesses and addresses of the United Kingdom
#: (mid-year estimate of 2023; Business population estimates of 2023; addresses with a UPRN and a postcode).
WHOLE = {"demographic": 68_000_000, "business": 5_500_000, "address": 33_000_000}


@cache
def rows(index: str) -> tuple[dict[str, str], ...]:
    """The sample's rows, each by column."""
    text = resources.files("integrated_data.index.samples").joinpath(f"{index}.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))
