"""The supplier's kit where there is no POSIX: what Windows lacks is taken away, and it still runs.

Windows itself is not at hand; its locks and paths are not tried here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import integrated_data

#: What Python on Windows does not have (its documentation: "Availability: Unix").
LACKING = """
import io, multiprocessing, os, shutil, signal, subprocess, sys, tempfile
import duckdb, numpy, pyarrow.parquet, pyreadstat, rich.progress, typer  # built for this system, they may ask it
class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name in ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "readline", "curses"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Lacking())
for name in ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "readline"):
    sys.modules.pop(name, None)
for name in ("fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getgroups", "setuid", "setgid", "setsid",
             "getpgid", "killpg", "sysconf", "confstr", "chown", "lchown", "fchown", "fchmod", "mkfifo", "mknod",
             "nice", "pread", "pwrite", "posix_fallocate", "posix_fadvise", "sched_getaffinity",
             "uname", "wait", "wait3", "wait4", "O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "getloadavg"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGKILL", "SIGHUP", "SIGALRM", "SIGUSR1", "SIGCHLD", "alarm", "setitimer", "pthread_sigmask"):
    if hasattr(signal, name):
        delattr(signal, name)
sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding="cp1252")
"""
ONE = "import sys; sys.argv[0] = 'ids'; from integrated_data.cli.kit import main; main()"
#: Writes down at the end what was loaded.
TELLS = (
    "import atexit, pathlib; atexit.register(lambda: pathlib.Path('loaded.txt').write_text(' '.join(sys.modules)))\n"
)
WHOLE = "import sys; sys.argv[0] = 'ids'; from integrated_data.cli import main; main()"

#: What belongs to an installation: the kit brings none of it along.
INSTALLATION = ("sqlalchemy", "alembic", "pyiceberg", "splink", "fastapi", "structlog", "altair", "scipy")

PATH = {"PYTHONPATH": str(Path(integrated_data.__file__).parents[1])}


def call(start: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LACKING + start, *words]
    return subprocess.run(
        command, cwd=folder, env=os.environ | PATH, capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [f"{i},19{50 + i % 50}-03-{1 + i % 28:02d},AB{1 + i % 9} {i % 9}CD,{i * 7}" for i in range(60)]
    file = tmp_path / "tâl.csv"
    file.write_text("\n".join(["Cyfeirnod,dyddiad geni ŵ,postcode,taliad", *rows, ""]), "utf-8")
    return file


def test_infer_and_check_run_without_posix(file: Path) -> None:
    told = call(ONE, "contract", "infer", file.name, "--out", "c.yaml", "--json", folder=file.parent)
    assert told.returncode == 0, told.stderr
    assert len(json.loads(told.stdout)["columns"]) == 4
    assert "ŵ" in told.stdout
    held = call(TELLS + ONE, "contract", "check", "c.yaml", file.name, folder=file.parent)
    assert (held.returncode, held.stderr) == (0, "")
    loaded = set((file.parent / "loaded.txt").read_text("utf-8").split())
    assert not loaded.intersection(INSTALLATION), "the kit brings nothing of an installation"
    assert not [m for m in loaded if m.startswith(("integrated_data.control", "integrated_data.lake"))]


@pytest.mark.long
def test_the_whole_command_line_starts_without_posix(file: Path) -> None:
    told = call(WHOLE, "contract", "infer", file.name, "--json", folder=file.parent)
    assert told.returncode == 0, told.stderr
