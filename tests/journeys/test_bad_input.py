"""Bad input: one clear sentence, a non-zero exit code, nothing lost or half-done, and no value from the data."""

import gzip
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from integrated_data.acquire import contracts
from integrated_data.model.meanings import Kind
from tests.journeys.installation import Ran, ids, made

#: Occurs in every bad file, and must never be printed.
MARKED = "Zebulonsson"

HEADER = "person_ref,forename,surname,date_of_birth,postcode,amount\n"


def rows(count: int, *, surname: str = MARKED) -> str:
    return "".join(
        f"R{i:05d},Ann,{surname},19{10 + i % 80}-0{1 + i % 9}-1{i % 9},AB{1 + i % 9} {i % 9}CD,{i}.50\n"
        for i in range(count)
    )


def unterminated(place: Path) -> None:
    lines = rows(400).splitlines(keepends=True)
    lines[50] = f'R99999,Ann,"{MARKED},1980-01-01,AB1 1CD,1.00\n'
    place.write_text(HEADER + "".join(lines))


def truncated_gzip(place: Path) -> None:
    place.write_bytes(gzip.compress((HEADER + rows(2000)).encode())[:-200])


def zip_bomb(place: Path) -> None:
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", HEADER + "0" * 300_000_000)


BAD: list[tuple[str, Callable[[Path], object]]] = [
    ("empty.csv", lambda p: p.write_bytes(b"")),
    ("header-only.csv", lambda p: p.write_text(HEADER)),
    ("not-parquet.parquet", lambda p: p.write_text(MARKED * 100)),
    ("noise.csv", lambda p: p.write_bytes(bytes(range(256)) * 400 + MARKED.encode())),
    ("unterminated.csv", unterminated),
    ("truncated.csv.gz", truncated_gzip),
    ("bomb.zip", zip_bomb),
    ("not-excel.xlsx", lambda p: p.write_text(MARKED)),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("bad"))


def refused(ran: Ran) -> str:
    assert ran.code in (1, 2), ran.out
    said = ran.err.strip()
    assert said.startswith("Refused: "), said
    assert MARKED not in ran.out + ran.err
    assert "Traceback" not in ran.err
    return said


@pytest.mark.parametrize(("name", "write"), BAD, ids=[name for name, _ in BAD])
def test_a_bad_file_is_one_clear_sentence(
    home: Path, tmp_path: Path, name: str, write: Callable[[Path], object]
) -> None:
    file = tmp_path / name
    write(file)
    dataset = name.split(".", maxsplit=1)[0].replace("-", "_")
    refused(ids(home, "deliver", dataset, file))
    assert ids(home, "catalogue", "show", dataset).code == 1, "nothing may be published"


def test_a_missing_file_and_a_missing_installation(home: Path, tmp_path: Path) -> None:
    assert "cannot be opened" in refused(ids(home, "deliver", "nothing", tmp_path / "absent.csv"))
    assert "ids init" in refused(ids(tmp_path / "elsewhere", "deliver", "nothing", tmp_path / "absent.csv"))


def test_a_header_that_drifted_is_named_and_the_old_version_stays(home: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text(HEADER + rows(300))
    second.write_text((HEADER + rows(301)).replace("amount", "sum_paid", 1))
    assert ids(home, "deliver", "drifting", first).code == 0
    assert "column amount" in refused(ids(home, "deliver", "drifting", second))
    shown = ids(home, "catalogue", "show", "drifting", "--json").json
    assert shown["rows"] == 300
    steps = ["acquire", "standardise", "validate", "index", "deidentify", "publish"]
    assert [made["step"] for made in shown["lineage"]] == steps
    assert shown["lineage"][-1]["made"] == ["dataset/drifting"]


@pytest.mark.long
def test_a_contract_that_lies_holds_or_rejects_and_the_rows_can_be_seen(home: Path, tmp_path: Path) -> None:
    file, contract = tmp_path / "lies.csv", tmp_path / "contract.yaml"
    file.write_text(HEADER + rows(270) + "R90000,Ann,Lee,1980-01-01,AB1 1CD,twelve\n" * 30)
    inferred = ids(home, "contract", "infer", file, "--dataset", "lies", "--out", contract)
    assert inferred.code == 0, inferred.err
    promised = contracts.read(contract)
    numbers = tuple(replace(c, kind=Kind.NUMBER, missing=()) if c.name == "amount" else c for c in promised.columns)
    contracts.write(replace(promised, columns=numbers, inferred=False), contract)
    said = refused(ids(home, "deliver", "lies", file, "--contract", contract))
    assert "held" in said
    delivery = said.split("ids quarantine show ")[1].split()[0]
    assert "--reason" in refused_usage(ids(home, "quarantine", "show", delivery))
    seen = ids(home, "quarantine", "show", delivery, "--reason", "checking with the supplier", "--json")
    assert len(seen.json) == 30
    assert {row["raw"] for row in seen.json} == {"twelve"}
    accepted = ids(home, "quarantine", "accept", delivery, "--reason", "agreed with the supplier", "--json")
    assert accepted.code == 0, accepted.err
    assert ids(home, "catalogue", "show", "lies", "--json").json["rows"] == 270


def refused_usage(ran: Ran) -> str:
    assert ran.code == 2
    return ran.err


def test_the_same_file_twice_is_loaded_once(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "twice.csv"
    file.write_text(HEADER + rows(200))
    first = ids(home, "deliver", "twice", file, "--json").json
    again = ids(home, "deliver", "twice", file, "--json").json
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert first["delivery"] == again["delivery"]
    assert ids(home, "audit", "verify").code == 0


def test_nothing_identified_is_in_plain_under_the_installation(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "marked.csv"
    file.write_text(HEADER + rows(300))
    assert ids(home, "deliver", "marked", file).code == 0
    places = [p for p in home.rglob("*") if p.is_file()]
    assert len(places) > 10
    assert not [p for p in places if MARKED.encode() in p.read_bytes() or MARKED.upper().encode() in p.read_bytes()]


def test_a_zip_with_more_than_its_table_is_loaded_by_the_file_that_the_contract_names(
    home: Path, tmp_path: Path
) -> None:
    def packed(year: int) -> Path:
        with zipfile.ZipFile(tmp_path / f"{year}.zip", "w") as archive:
            archive.writestr("about.txt", f"Of {MARKED}, with thanks\n")
            archive.writestr(f"in/pay_{year}.csv", HEADER + rows(200 + year))
        return tmp_path / f"{year}.zip"

    contract = tmp_path / "paid.yaml"
    assert "--member NAME" in refused(ids(home, "deliver", "paid", packed(1)))
    infer = ("contract", "infer", packed(1), "--dataset", "paid", "--member", "pay_*.csv", "--out", contract)
    assert ids(home, *infer).code == 0
    for year in (1, 2):
        told = ids(home, "deliver", "paid", packed(year), "--contract", contract, "--json").json
        assert (told["state"], told["read"]) == ("published", 200 + year)
        assert "Of 2 files in the zip 1 is read, as the contract or --member says" in told["notices"]
