"""A codebook and a file in, a contract with the codebook's words out; through the kit."""

from pathlib import Path

import pytest

from integrated_data.acquire.codebook import read_codebook
from integrated_data.model.contract import Column
from integrated_data.model.errors import ContractRefusal
from integrated_data.model.meanings import Handling, Meaning
from integrated_data.site.kit import infer_contract, open_kit
from integrated_data.site.settings import from_environment
from tests.real_data import real_data

LONG = """Variable,Label,Code,Code label
TENURE,How it is held,1,Owned
TENURE,How it is held,2,Rented
HOURS,Hours in the week,-9,Not applicable
"""
TOGETHER = """[{"Field": "TENURE", "Field name": "How it is held", "Values": "1 = Owned\\r\\n2 = Rented"},
 {"Field": "HOURS", "Field name": "Hours in the week", "Values": "-9 = Not applicable"}]"""


def columns(folder: Path, book: str) -> dict[str, Column]:
    rows = [f"C{i:03d},{1 + i % 2},{-9 if i == 5 else 20 + i % 30}.5".replace("-9.5", "-9") for i in range(80)]
    (folder / "data.csv").write_text("\n".join(["caseno,tenure,hours", *rows]) + "\n")
    (folder / "book").write_text(book)
    with open_kit(from_environment()) as kit:
        labels = read_codebook(folder / "book")
        found = infer_contract(kit, [folder / "data.csv"], dataset="d", owner="o", book=labels)
    return {c.source: c for c in found.columns}


@pytest.mark.parametrize("book", [LONG, TOGETHER])
def test_titles_and_codes_come_from_the_codebook(tmp_path: Path, book: str) -> None:
    found = columns(tmp_path, book)
    assert (found["tenure"].title, found["tenure"].codes) == ("How it is held", (("1", "Owned"), ("2", "Rented")))
    assert (found["tenure"].meaning, found["tenure"].handling) == (Meaning.CODE, Handling.PAYLOAD)
    assert (found["hours"].title, "-9" in found["hours"].missing) == ("Hours in the week", True)


def test_names_in_another_script_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "book").write_text("Variable,Label,Code,Code label\nПол,Sex,1,Male\nВозраст,Age,-9,Not known\n")
    found = {name: (label.title, label.codes) for name, label in read_codebook(tmp_path / "book").items()}
    assert found == {"пол": ("Sex", (("1", "Male"),)), "возраст": ("Age", (("-9", "Not known"),))}


def test_a_file_that_is_no_codebook_is_refused(tmp_path: Path) -> None:
    (tmp_path / "book").write_text("a,b\n1,2\n")
    with pytest.raises(ContractRefusal, match="names no column"):
        read_codebook(tmp_path / "book")


def test_published_codebooks_of_hospital_statistics_are_read() -> None:
    long = read_codebook(real_data("health", "hes_apc_metadata.json"))
    assert long["admidate"].title
    assert len(long["admimeth"].codes) >= 5
    assert len(read_codebook(real_data("health", "apc_dictionary.json"))) > 200
    assert read_codebook(real_data("fraud", "credit_bureau_dictionary.csv"))["bureauscore"].title
