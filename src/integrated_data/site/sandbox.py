"""Where a worker runs: in a bubblewrap sandbox, or, where there is none, in a plain process.

In the sandbox a worker sees the interpreter, the libraries, the files of its job and an empty
scratch folder, read-only but for the last; no network, no other process, no user of the machine, no
environment. Where bubblewrap cannot run, the plain process keeps what the engine locks by itself
(`site/worker.py`), says so on every start, and production refuses it.
"""

import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

import integrated_data
from integrated_data.model.errors import InstallationRefusal

PACKAGE = Path(integrated_data.__file__).parent
LIBRARIES = ("/lib", "/lib32", "/lib64", "/usr/lib", "/usr/lib32", "/usr/lib64")
NOBODY = "65534"

#: A worker that fits no model needs no numpy, which pyarrow would load: a third of its start.
BARE = "import sys; sys.modules['numpy'] = None; "
START = "import integrated_data.site.worker as w; w.leave(w.main())"


@dataclass(frozen=True)
class Launch:
    """How to start one worker. `places`: the job's files as the worker will name them, in order."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    places: tuple[str, ...]
    scratch: str


class Isolation(Protocol):
    """A way to run a worker apart."""

    @property
    def name(self) -> str:
        """What it is called in the log: bubblewrap or process."""
        ...

    def launch(self, files: tuple[Path, ...], scratch: Path, *, fits: bool = False) -> Launch:
        """How to start a worker that may read `files` and write under `scratch`. `fits`: it fits a model."""
        ...


@dataclass(frozen=True)
class Bubblewrap:
    """Runs a worker under `bwrap`."""

    program: str
    more: tuple[str, ...] = ("--disable-userns",)  # no sandbox within: known from version 0.8 on
    name: str = "bubblewrap"

    def launch(self, files: tuple[Path, ...], scratch: Path, *, fits: bool = False) -> Launch:
        """See `Isolation.launch`; refuses files that lie where the interpreter's own are shown."""
        for file in files:
            _check_apart(file)
        places = tuple(f"/project/{number}.parquet" for number in range(len(files)))
        arguments = self.enclosure()
        for file, place in zip(files, places, strict=True):
            arguments += ["--ro-bind", str(file), place]
        arguments += ["--bind", str(scratch), "/scratch", "--chdir", "/", "--remount-ro", "/"]
        return Launch((*arguments, "--", sys.executable, *worker(fits)), {}, places, "/scratch")

    def enclosure(self) -> list[str]:
        """The sandbox itself, with the interpreter and the libraries in it and nothing else."""
        arguments = [
            self.program, "--unshare-all", "--unshare-user", *self.more, "--die-with-parent",
            "--new-session", "--clearenv", "--cap-drop", "ALL", "--uid", NOBODY, "--gid", NOBODY,
            "--hostname", "worker", "--dev", "/dev",
            "--setenv", "PYTHONPATH", "/service", "--setenv", "LC_ALL", "C.UTF-8",
            "--ro-bind", str(Path(sys.executable).resolve()), sys.executable,
        ]  # fmt: skip
        for place in _system_places():
            real = ["--symlink", str(place.readlink())] if place.is_symlink() else ["--ro-bind", str(place)]
            arguments += [*real, str(place)]
        return [*arguments, "--ro-bind", str(PACKAGE), "/service/integrated_data"]


@dataclass(frozen=True)
class PlainProcess:
    """Runs a worker as a process of its own, without an environment: weaker, for trials only."""

    name: str = "process"

    def launch(self, files: tuple[Path, ...], scratch: Path, *, fits: bool = False) -> Launch:
        """See `Isolation.launch`."""
        environment = {"PYTHONPATH": str(PACKAGE.parent), "LC_ALL": "C.UTF-8"}
        return Launch((sys.executable, *worker(fits)), environment, tuple(str(f) for f in files), str(scratch))


def worker(fits: bool) -> tuple[str, ...]:
    """The interpreter's arguments."""
    return ("-s", "-P", "-B", "-c", START if fits else BARE + START)


def choose(*, production: bool, program: str | None = None) -> Isolation:
    """Bubblewrap where it runs; else a plain process, with a warning, or a refusal in production.

    `program`: which `bwrap` to use instead of the one on the path.
    """
    found, why = program or shutil.which("bwrap"), "bubblewrap is not installed"
    if found is not None:
        for sandbox in (Bubblewrap(found), Bubblewrap(found, more=())):
            why = _why_not(sandbox)
            if not why:
                return sandbox
    if production:
        raise InstallationRefusal(
            "Queries cannot be run in a sandbox", why=why,
            next_step="Install bubblewrap and allow user namespaces, or unset IDS_PRODUCTION for a trial",
        )  # fmt: skip
    structlog.get_logger().warning(
        "queries run without a sandbox",
        why=why,
        kept="a separate process with a locked engine",
        fit_for="trials only",
    )
    return PlainProcess()


def _why_not(sandbox: Bubblewrap) -> str:
    """Start the sandbox once with nothing to do; returns why it cannot run, or an empty text."""
    probe = [*sandbox.enclosure(), "--", sys.executable, "-S", "-c", "pass"]
    try:
        done = subprocess.run(probe, env={}, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start ({type(error).__name__})"
    return "" if done.returncode == 0 else "bubblewrap may not make a namespace on this machine"


def _system_places() -> tuple[Path, ...]:
    """The interpreter and the libraries: what every worker sees, and nothing that is ours to keep."""
    paths = sysconfig.get_paths()
    wanted = [Path(p) for p in LIBRARIES]
    wanted += [Path(sys.prefix) / "pyvenv.cfg"]
    wanted += [Path(paths[k]) for k in ("stdlib", "platstdlib", "purelib", "platlib")]
    wanted += [Path(sys.base_prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"]
    wanted += sorted((Path(sys.base_prefix) / "lib").glob("libpython*.so*"))
    wanted += [Path("/etc/ld.so.cache")]
    return tuple(dict.fromkeys(p for p in wanted if p.exists() or p.is_symlink()))


def _check_apart(file: Path) -> None:
    real = file.resolve()
    if any(real.is_relative_to(place.resolve()) for place in (*_system_places(), PACKAGE) if place.is_dir()):
        raise InstallationRefusal(
            "The installation lies inside the interpreter's own folders, which every worker sees",
            next_step="Move the installation to a folder of its own",
        )
