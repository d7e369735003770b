"""Names that stay at home: encoded by a supplier with no installation, matched by the service, by real commands."""

import csv
import secrets
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.journeys.installation import Ran, ids, made
from tests.people import Row, noisy, people

pytestmark = pytest.mark.long

COLUMNS = ("resident_no", "first_name", "surname", "dob", "sex", "postcode", "nhs_number")


def write(rows: list[Row], place: Path) -> Path:
    with place.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for i, r in enumerate(rows):
            writer.writerow([f"R{i:05d}", *(r.get(k) or "" for k in (
                "given_name", "family_name", "date_of_birth", "sex", "postcode")), valid_nhs_number(i)])  # fmt: skip
    return place


def valid_nhs_number(i: int) -> str:
    digits = f"{400_000_000 + i * 10:09d}"
    check = (11 - sum(int(d) * (10 - k) for k, d in enumerate(digits)) % 11) % 11
    return digits + str(check) if check < 10 else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation with an index of 400 people, and what a supplier encoded of 200 of them."""
    folder = tmp_path_factory.mktemp("encoded")
    home, known = made(folder), people(400)
    loaded = ids(home, "reference", "load", "demographic", write(known, folder / "register.csv"),
                 "--source", "register", "--id", "resident_no")  # fmt: skip
    assert loaded.code == 0, loaded.err
    (folder / "secret.key").write_bytes(secrets.token_bytes(32))
    write(noisy(known[:200], seed=3), folder / "sent.csv")
    assert encode(folder).code == 0
    return folder


def encode(folder: Path, *, secret: str = "secret.key", id_column: str = "resident_no") -> Ran:
    return ids(folder / "home", "encode", folder / "sent.csv", "--secret", folder / secret,
               "--out", folder / "sent.parquet", "--id", id_column)  # fmt: skip


def match(folder: Path, file: str, *, index: str = "demographic", secret: str = "secret.key") -> Ran:
    return ids(folder / "home", "match", index, folder / file, "--secret", folder / secret,
               "--out", folder / "links.parquet", "--json")  # fmt: skip


def test_encoded_records_find_their_people_and_the_file_holds_no_name(folder: Path) -> None:
    bytes_sent = (folder / "sent.parquet").read_bytes()
    text = " ".join(str(column.to_pylist()) for column in pq.read_table(folder / "sent.parquet").columns)
    assert not any(name in text or name.encode() in bytes_sent for name in ("Catherine", "CATHERINE", "Underhill"))
    told = match(folder, "sent.parquet").json
    assert (told["records"], told["encoded"]) == (200, True)
    assert told["accepted"] >= 150


def test_another_secret_another_index_and_another_file_are_refused(folder: Path) -> None:
    (folder / "other.key").write_bytes(secrets.token_bytes(32))
    (folder / "short.key").write_bytes(b"secret")
    for ran, why in (
        (match(folder, "sent.parquet", secret="other.key"), "another secret"),
        (match(folder, "sent.parquet", index="business"), "cannot be matched to the business index"),
        (match(folder, "sent.csv"), "cannot be read"),
        (encode(folder, secret="short.key"), "fewer than 32 bytes"),
        (encode(folder, id_column="nhs_number"), "identifies people by itself"),
        (encode(folder, id_column="nobody"), "no column of the name"),
    ):
        assert ran.code in (1, 2)
        assert why in ran.err
