"""Loading processes of a batch, and whether there is room for one more delivery."""

import contextlib
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from integrated_data.site import machine
from integrated_data.site.batching.plan import Item
from integrated_data.site.settings import Settings

#: Bytes of memory that are left free whatever happens.
FREE_MEMORY = 256 << 20
#: Seconds that a process with nothing left to do may take to end.
PATIENCE = 10.0


@dataclass(frozen=True)
class Lot:
    """What every loading process is given: the installation, settings with its share of the machine, and the folder
    whose files it loads."""

    home: Path
    settings: Settings
    folder: Path

    def start(self) -> "Loader":
        """A new loading process."""
        return Loader(self)


class Loader:
    """One loading process; started anew by its owner when it is gone."""

    def __init__(self, lot: Lot) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "integrated_data.site.batching.loader"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        plain = {"threads", "memory", "production", "actor"}
        settings = {k: v for k, v in asdict(lot.settings).items() if k in plain}
        self._folder = lot.folder
        self._send({"home": str(lot.home), "settings": settings, "folder": str(lot.folder)})

    def _send(self, body: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone: its missing answer tells
            self._process.stdin.write(json.dumps(body) + "\n")
            self._process.stdin.flush()

    def load(self, item: Item) -> dict[str, Any] | None:
        """What became of a delivery; None where the process ended without a word."""
        contract = str(item.contract) if item.contract else None
        files = [f.relative_to(self._folder).as_posix() for f in item.files]
        self._send({"dataset": item.dataset, "files": files, "contract": contract})
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line.endswith("\n") else None

    def end(self) -> None:
        """Let the process end, as nothing is left for it to do."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        self.close()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def memory_has_room() -> bool:
    """Whether the machine has memory left; true where it does not say."""
    left = machine.free_memory()
    return left is None or left >= FREE_MEMORY
