"""A folder's payments.csv loaded into DuckDB by dlt, the way its documentation calls the quickest: Arrow, then Parquet.

Prints processor seconds, seconds and the most memory (MiB) of the load as a JSON line. dlt[duckdb,parquet] 1.31.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

folder, home = Path(sys.argv[1]), Path(sys.argv[2])
os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(home / "own")}

import dlt  # noqa: E402 - it reads the environment when it is imported
from dlt.sources.filesystem import filesystem, read_csv_duckdb  # noqa: E402


def used() -> float:
    """Processor seconds of this process and of those it started."""
    both = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


home.mkdir(parents=True)
destination = dlt.destinations.duckdb(str(home / "delivered.duckdb"))
pipeline = dlt.pipeline("payments", pipelines_dir=str(home), destination=destination, dataset_name="loaded")
before, began = used(), time.perf_counter()
rows = filesystem(bucket_url=folder.as_uri(), file_glob="payments.csv") | read_csv_duckdb(use_pyarrow=True)
pipeline.run(rows.with_name("payments"), loader_file_format="parquet").raise_on_failed_jobs()
cpu, seconds = used() - before, time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps({"cpu": cpu, "seconds": seconds, "memory": memory}))
