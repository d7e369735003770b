"""Manifests as senders write them, held against what landed."""

import hashlib
import json
from pathlib import Path

import pytest

from integrated_data.acquire import manifest
from integrated_data.acquire.land import land
from integrated_data.model.errors import DeliveryRefusal
from tests.delivering import SEALER

FILES = {"Zebulonsson pay.csv": b"id\n1\n", "two.csv": b"id\n2\n"}
SUMS = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
FIRST, SECOND = SUMS.values()

WRITTEN = {
    "sha256sum": "".join(f"{s}  {n}\n" for n, s in SUMS.items()),
    "binary, in a folder": "".join(f"{s} *data/{n}\n" for n, s in SUMS.items()),
    "Windows": "\ufeff" + "".join(f"{s.upper()}  C:\\out\\{n}\r\n" for n, s in SUMS.items()),
    "BSD": "".join(f"SHA256 ({n}) = {s}\n" for n, s in SUMS.items()),
    "JSON": json.dumps({"files": [{"name": n, "sha256": s, "bytes": 5} for n, s in SUMS.items()]}),
    "JSON list": json.dumps([{"name": n, "sha256": s} for n, s in SUMS.items()]),
}

WRONG = [
    # a manifest, and what is said of it
    (f"{SECOND}  Zebulonsson pay.csv\n{FIRST}  two.csv\n", "File 1 of the delivery does not match the checksum"),
    (f"{FIRST}  Zebulonsson pay.csv\n", "File 2 of the delivery is not in the manifest"),
    (WRITTEN["sha256sum"] + f"{FIRST}  three.csv\n", "1 of the 3 files that the manifest names did not come"),
    (WRITTEN["JSON"].replace('"bytes": 5', '"bytes": 6', 1), "5 bytes, where 6 were promised"),
    (f"{FIRST}  two.csv\n{SECOND}  out/two.csv\n", "names a file twice"),
    ("d41d8cd98f00b204e9800998ecf8427e  Zebulonsson pay.csv\n", "Line 1 of the manifest cannot be read"),
    ("", "names no file"), ("{", "no valid JSON"), ('{"name": 1}', "no list of files"),
    ('[{"name": "two.csv"}]', "Entry 1 of the manifest cannot be read"),
    ('[{"name": "two.csv", "sha256": "' + FIRST + '", "bytes": true}]', "Entry 1 of the manifest cannot be read"),
]  # fmt: skip


def held(folder: Path, text: str) -> None:
    """Hold the files against a manifest of this text."""
    places = [folder / name for name in FILES]
    for place, data in zip(places, FILES.values(), strict=True):
        place.write_bytes(data)
    (folder / "manifest").write_text(text, "utf-8")
    landed = land(places, folder / "landed", sealer=SEALER)
    manifest.check(manifest.read(folder / "manifest"), names=[p.name for p in places], landed=landed)


@pytest.mark.parametrize("text", WRITTEN.values(), ids=WRITTEN)
def test_files_that_are_what_was_promised_pass(tmp_path: Path, text: str) -> None:
    held(tmp_path, text)


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_files_that_are_not_are_told_by_their_place_and_never_by_name(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DeliveryRefusal, match=said) as refusal:
        held(tmp_path, text)
    assert "Zebulonsson" not in str(refusal.value)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", None], ids=["no text", "absent"])
def test_a_manifest_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "manifest").write_bytes(data)
    with pytest.raises(DeliveryRefusal, match="cannot be read"):
        manifest.read(tmp_path / "manifest")
