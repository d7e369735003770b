"""The supplier's kit as one file: run by Python alone, in an empty folder, offline, far from this checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from integrated_data.model.errors import UsageRefusal
from integrated_data.site.supplying import zipped

#: A Python that has no library of ours: the one that the virtual environment was made from.
PYTHON = Path(sys._base_executable)  # type: ignore[attr-defined]

#: Takes the network away where the system lets us: a network of its own, with nothing in it.
OFFLINE = ["unshare", "--map-root-user", "--net"]


def alone(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    there = (
        shutil.which("unshare") and not subprocess.run([*OFFLINE, "true"], capture_output=True, check=False).returncode
    )
    command = [*(OFFLINE if there else []), str(PYTHON), "-I", "ids-kit.pyz", *words]
    home = folder.parent / "home"  # where it unpacks itself; nothing else is in its environment
    home.mkdir(exist_ok=True)
    return subprocess.run(command, cwd=folder, env={"HOME": str(home)}, capture_output=True, text=True, check=False)


def made(folder: Path) -> Path:
    """The kit by `make kit`, with the Python that runs this in place of the one that make sets up."""
    (folder / "ids").write_text(f"#!{sys.executable}\nfrom integrated_data.cli import main\n\nmain()\n")
    (folder / "ids").chmod(0o755)
    checkout = Path(__file__).parents[2]
    command = ["make", "-f", str(checkout / "Makefile"), "kit", "READY=", f"BIN={folder}"]
    path = os.pathsep.join([str(checkout / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "dist" / "ids-kit.pyz"


def test_the_kit_carries_what_its_commands_import_and_nothing_of_an_installation() -> None:
    found = zipped.modules()
    rooms = {name.split(".")[1] for name in found if "." in name}
    assert {"acquire", "standardise", "validate", "vocabulary"} < rooms
    assert not rooms & {
        "access",
        "approve",
        "audit",
        "control",
        "deidentify",
        "lake",
        "output",
        "publish",
        "serving",
        "vault",
    }
    assert "integrated_data.site.kit" in found
    assert "integrated_data.journey.run" not in found


def test_the_kit_for_another_platform_is_made_of_its_wheels(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for need in zipped.needs():
        name, version = need.replace("-", "_").split("==")
        with zipfile.ZipFile(wheels / f"{name}-{version}-cp311-cp311-win_amd64.whl", "w") as wheel:
            wheel.writestr(f"{name}/__init__.py", f"__version__ = {version!r}")
            wheel.writestr(f"{name}/native.pyd", "for Windows")
            wheel.writestr(f"{name}/tests/test_it.py", "not needed")
    made = zipped.build(tmp_path / "kit.pyz", wheels=wheels)
    with zipfile.ZipFile(made.place) as packed:
        names = set(packed.namelist())
    assert {"site-packages/colorama/native.pyd", "site-packages/integrated_data/cli/kit.py", "__main__.py"} < names
    assert "site-packages/integrated_data/index/samples/demographic.csv" in names
    assert not [n for n in names if "test_it" in n]
    before = made.place.read_bytes()
    assert zipped.build(tmp_path / "again.pyz", wheels=wheels).place.read_bytes() == before
    next(wheels.glob("numpy-*")).unlink()
    with pytest.raises(UsageRefusal, match="no wheel of numpy"):
        zipped.build(tmp_path / "kit.pyz", wheels=wheels)


@pytest.mark.long
def test_one_file_infers_asks_and_checks_offline(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    made(tmp_path).rename(folder / "ids-kit.pyz")
    assert (folder / "ids-kit.pyz").stat().st_size < 120 * 2**20
    rows = [f"{i},Ann{'abcde'[i % 5] * 3},Quibble,19{50 + i % 50}-03-{1 + i % 28:02d},AB1 2DE" for i in range(100)]
    (folder / "people.csv").write_text("\n".join(["ref,forename,surname,dob,postcode", *rows, ""]), "utf-8")
    first = alone(
        folder, "contract", "infer", "people.csv", "--out", "c.yaml", "--report", "r.html", "--report", "r.json"
    )
    assert first.returncode == 0, first.stderr
    assert [m["index"] for m in json.loads((folder / "r.json").read_text("utf-8"))["match"]] == [
        "demographic",
        "geography",
    ]
    (folder / "answers.yaml").write_text("owner: Us\nagreed: 'yes'\n", "utf-8")
    told = alone(folder, "contract", "ask", "c.yaml", "--answers", "answers.yaml")
    assert told.returncode == 0, told.stderr
    again = alone(folder, "contract", "check", "c.yaml", "people.csv", "--json", "--report", "checked.html")
    assert (again.returncode, again.stderr) == (0, "")
    assert json.loads(again.stdout)["verdict"] == "would be accepted"
    page = (folder / "checked.html").read_text("utf-8")
    assert "would be accepted" in page
    assert "Quibble" not in page
    refused = alone(folder, "contract", "check", "c.yaml", "nowhere.csv")
    assert refused.returncode == 1
    assert "Refused" in refused.stderr
    with zipfile.ZipFile(folder / "ids-kit.pyz") as packed:
        assert not [n for n in packed.namelist() if n.startswith(("/", "..")) or n.endswith(".pyc")]
