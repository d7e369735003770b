"""A process of a batch: takes one delivery after another, and says what became of each.

It is started by `pool.py`, and reads orders as lines of JSON. When whoever started it is gone it ends at once,
as if it were killed: what it was loading is taken up by the next run.
"""

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

from integrated_data.journey import Handed
from integrated_data.model.errors import BusyRefusal, CancelledRefusal, Refusal, RoomRefusal, StoreRefusal, is_disk_full
from integrated_data.site.arrow_alone import keep_pandas_out
from integrated_data.site.batching.plan import BUSY, Own
from integrated_data.site.kit import read_contract
from integrated_data.site.loading import LoadingSite, open_loading
from integrated_data.site.loads import deliver_alone
from integrated_data.site.places import Places
from integrated_data.site.settings import Settings

#: Seconds between looks whether the process that started this one is still there.
LOOKS = 0.5


def main() -> int:
    """Answer orders until they end."""
    os.umask(0o077)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    threading.Thread(target=_watch, args=(os.getppid(),), daemon=True).start()
    first = json.loads(sys.stdin.readline())
    settings = Settings(home=None, **first["settings"])
    keep_pandas_out()
    with open_loading(Places(Path(first["home"])), settings) as site:
        for line in sys.stdin:
            _answer(answers, _loaded(site, json.loads(line), folder=Path(first["folder"])))
    return 0


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOKS)
    os._exit(1)


def _answer(answers: TextIO, told: dict[str, Any]) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


def _loaded(site: LoadingSite, order: dict[str, Any], *, folder: Path) -> dict[str, Any]:
    """What became of one delivery; whatever it raised, the next is taken."""
    try:
        contract = read_contract(Path(order["contract"])) if order["contract"] else None
        files = [Own(folder, name) for name in order["files"]]
        outcome = deliver_alone(site, order["dataset"], files=files, handed=Handed(contract))
    except (BusyRefusal, StoreRefusal) as refusal:  # nothing is wrong with the delivery: it is tried again
        return {"state": BUSY, "reason": str(refusal)}
    except RoomRefusal as refusal:
        return {"state": "stopped", "reason": refusal.what}
    except CancelledRefusal as refusal:
        return {"state": "cancelled", "reason": str(refusal)}
    except Refusal as refusal:
        return {"state": "refused", "reason": str(refusal)}
    except Exception as error:  # its text may hold values: the kind alone is told
        if is_disk_full(error):
            return {"state": "stopped", "reason": "The disk is full"}
        return {"state": "failed", "reason": f"An unforeseen {type(error).__name__} stopped the load"}
    kept = ("state", "reason", "delivery", "repeated", "read", "good", "quarantined")
    return {k: outcome[k] for k in kept if k in outcome}


if __name__ == "__main__":
    sys.exit(main())
