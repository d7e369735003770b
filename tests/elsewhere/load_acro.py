"""Run by a Python that has ACRO: the folder of a package. Prints what ACRO's own loader reads of it as JSON."""

import json
import logging
import sys

logging.disable(logging.CRITICAL)

from acro.record import load_records  # noqa: E402 - it logs while it is imported

records = load_records(sys.argv[1])
print(
    json.dumps(
        {
            key: {
                "status": record.status, "type": record.output_type, "sdc": record.sdc, "fair": record.fair,
                "command": record.command, "comments": record.comments, "exception": record.exception,
                "outcome": record.outcome.to_dict(), "output": [table.to_dict("list") for table in record.output],
                "told": len(str(record)),
            }
            for key, record in records.results.items()
        }
    )
)  # fmt: skip
