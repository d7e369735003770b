"""Other people's tools, each run by a Python of an environment of its own that a variable names."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest


def told_by(variable: str, script: str, *asked: str) -> list[Any]:
    """What a script of this folder prints, a JSON value a line; skips the test where its Python is not named.

    IDS_ACRO: a Python with acro 1.0.2; IDS_ROCRATE: one with roc-validator 0.13 and rocrate 0.16.
    """
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python of an environment of its own")
    command = [python, str(Path(__file__).with_name(script)), *asked]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", "["))]
