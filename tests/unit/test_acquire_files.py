"""Files as suppliers hand them in: landed unchanged, unpacked, recoded, or refused in one sentence."""

import gzip
import hashlib
import io
import re
import zipfile
from datetime import date
from pathlib import Path

import openpyxl
import pytest

from integrated_data.acquire import unpack
from integrated_data.acquire.bytes import Survey
from integrated_data.acquire.land import delivery_id, land
from integrated_data.acquire.prepare import Prepared, prepare
from integrated_data.model.contract import Format
from integrated_data.model.delivery import LandedFile
from integrated_data.model.errors import DeliveryRefusal
from integrated_data.site import foreign
from tests.delivering import SEALER

CSV = b"id,name\n1,Ann\n2,Bob\n"


def landed(folder: Path, name: str, data: bytes) -> LandedFile:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return land([folder / name], folder / "landed", sealer=SEALER)[0]


def prepared(folder: Path, name: str, data: bytes, *, member: str | None = None) -> tuple[Prepared, list[bytes]]:
    """What is prepared of one file, and the plain bytes of each prepared file."""
    file = landed(folder, name, data)
    found = prepare([file], folder / "landed", sealer=SEALER, foreign=foreign, member=member)
    return found, [SEALER.read(place).read() for place in found.places]


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_dot_", "."), data)
    return packed.getvalue()


def workbook(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def test_landing_keeps_the_bytes_and_measures_them(tmp_path: Path) -> None:
    file = landed(tmp_path, "Smith, John pay.CSV", CSV)
    assert file == LandedFile("0.sealed", ".csv", 20, hashlib.sha256(CSV).hexdigest(), 3, encoding="utf-8")
    sealed = tmp_path / "landed" / "0.sealed"
    assert b"Ann" not in sealed.read_bytes()
    assert sealed.stat().st_mode & 0o077 == 0
    assert SEALER.read(sealed).read() == CSV


def test_the_same_files_have_the_same_delivery_id(tmp_path: Path) -> None:
    one, two = landed(tmp_path / "a", "x.csv", CSV), landed(tmp_path / "b", "y.txt", b"other\n")
    assert delivery_id("pay", [one, two]) == delivery_id("pay", [two, one])
    assert delivery_id("pay", [one]) != delivery_id("tax", [one])


@pytest.mark.parametrize(
    ("data", "lines", "encoding", "mixed", "quotes"),
    [
        (b"a\nb\n", 2, "utf-8", False, False),
        (b"a\nb", 2, "utf-8", False, False),
        (b"a\r\nb\r\n", 2, "utf-8", False, False),
        (b"a\rb\r", 2, "utf-8", False, False),
        (b"a\r\nb\n", 2, "utf-8", True, False),
        (b'"a"\n', 1, "utf-8", False, True),
        ("é\n".encode(), 1, "utf-8", False, False),
        ("é\n".encode("cp1252"), 1, "windows-1252", False, False),
        (b"\xef\xbb\xbfa\n", 1, "utf-8-sig", False, False),
        ("a\n".encode("utf-16"), 1, "utf-16", False, False),
        (b"PAR1\n\n", 0, "", False, False),
    ],
)
def test_one_pass_tells_lines_and_encoding(data: bytes, lines: int, encoding: str, mixed: bool, quotes: bool) -> None:
    for size in (1, 2, 3, 1000):
        survey = Survey()
        for i in range(0, len(data), size):
            survey.see(data[i : i + size])
        if size >= 4 or encoding in ("utf-8", "windows-1252"):  # the kind is seen in the first chunk
            assert (survey.lines, survey.encoding, survey.mixed, survey.quotes) == (lines, encoding, mixed, quotes)


def test_plain_text_is_read_where_it_landed(tmp_path: Path) -> None:
    found, plain = prepared(tmp_path, "x.csv", CSV)
    assert plain == [CSV]
    assert [p.name for p in found.places] == ["0.sealed"]
    assert (found.lines, found.quoted) == (3, False)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.csv.gz", gzip.compress(CSV, mtime=0)),
        ("x.csv.gz", gzip.compress(CSV[:9], mtime=0) + gzip.compress(CSV[9:], mtime=0)),
        ("x.zip", zipped(x_dot_csv=CSV)),
        ("x.csv", b"\xef\xbb\xbf" + CSV),
        ("x.csv", CSV.decode().encode("utf-16")),
        ("x.csv", CSV.decode().encode("utf-16-le")),
        ("x.csv", CSV.replace(b"\n", b"\r\n", 1)),
        ("x.xlsx", workbook(("id", "name"), (1, "Ann"), (2, "Bob"))),
        ("x.xlsx", workbook(("List of people",), (), ("id", "name"), (1.0, "Ann"), (2, "Bob"))),
        ("x.zip", zipped(x_dot_xlsx=workbook(("id", "name"), (1, "Ann"), (2, "Bob")))),
    ],
)
def test_packed_and_recoded_files_become_plain(tmp_path: Path, name: str, data: bytes) -> None:
    found, plain = prepared(tmp_path, name, data)
    assert plain == [CSV]
    assert found.lines == 3


def test_windows_text_becomes_utf8(tmp_path: Path) -> None:
    data = "id,name\n1,Zoë €5\n".encode("cp1252")
    assert prepared(tmp_path, "x.csv", data)[1] == ["id,name\n1,Zoë €5\n".encode()]


MIXED = {
    "pay/pay_2026_dot_csv": CSV,
    "READ_dot_ME": b"Ask us\n",
    "notes_dot_pdf": b"%PDF\0\1\2",
    "lookup_dot_csv": b"a,b\n1,2\n",
}


@pytest.mark.parametrize("member", ["pay/pay_2026.csv", "pay_2026.csv", "pay_*.csv", "pay/*"])
def test_of_a_zip_the_file_that_is_named_is_read(tmp_path: Path, member: str) -> None:
    found, plain = prepared(tmp_path, "x.zip", zipped(**MIXED), member=member)
    assert (plain, found.notices) == (
        [CSV], ("Of 4 files in the zip 1 is read, as the contract or --member says",)
    )  # fmt: skip


def test_a_name_that_looks_like_a_pattern_is_a_name_first(tmp_path: Path) -> None:
    _, plain = prepared(
        tmp_path, "x.zip", zipped(**{"pay[1]_dot_csv": CSV, "pay1_dot_csv": b"id\n9\n"}), member="pay[1].csv"
    )
    assert plain == [CSV]


def test_a_zip_with_more_than_its_table_says_how_to_name_it(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefusal, match=r"is not a table.*\. Of a zip, name the file.*--member NAME"):
        prepared(tmp_path / "one", "x.zip", zipped(**MIXED))
    with pytest.raises(DeliveryRefusal, match=r"The zip has no file hay\.csv that holds.*layout\.member"):
        prepared(tmp_path / "two", "x.zip", zipped(**MIXED), member="hay.csv")


def test_a_zip_of_several_files_is_several_tables_in_its_order(tmp_path: Path) -> None:
    data = zipped(b_dot_csv=CSV, a_dot_csv=b"id,name\n3,Cy\n", __MACOSX_slash=b"")
    found, plain = prepared(tmp_path, "x.zip", data)
    assert plain == [CSV, b"id,name\n3,Cy\n"]
    assert found.lines == 5


def test_excel_cells_keep_their_meaning(tmp_path: Path) -> None:
    book = workbook(("born", "sure", "pay", "note"), (date(1990, 2, 1), True, 12.5, "a\nb"), (None, None, 3.0, "c"))
    found, plain = prepared(tmp_path, "x.xlsx", book)
    assert plain == [b'born,sure,pay,note\n1990-02-01,true,12.5,"a\nb"\n,,3,c\n']
    assert found.origin is Format.EXCEL


def calculated(cells: bytes) -> bytes:
    """A workbook of which these cells, as a spreadsheet program writes them, stand in the second row."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(("id", "pay"), (1, 2)))) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, re.sub(rb'<row r="2">.*?</row>', b'<row r="2">' + cells + b"</row>", data))
    return made.getvalue()


def test_a_formula_gives_the_value_that_was_stored_with_it(tmp_path: Path) -> None:
    cells = b'<c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>IF(1=2,1,"")</f><v></v></c>'
    assert prepared(tmp_path, "x.xlsx", calculated(cells))[1] == [b"id,pay\n2,\n"]


def test_formulas_that_were_never_calculated_are_refused(tmp_path: Path) -> None:
    """Their cells would come empty, and nobody would know."""
    shared = b'<c r="A2"><v>1</v></c><c r="B2"><f t="shared" si="0"/></c>'
    for number, data in enumerate([workbook(("id", "pay"), (1, "=A2*2")), calculated(shared)]):
        with pytest.raises(DeliveryRefusal, match="formulas that were never calculated"):
            prepared(tmp_path / str(number), "x.xlsx", data)


def test_what_looks_like_a_formula_in_text_is_text(tmp_path: Path) -> None:
    csv = b'id,note\n1,"=HYPERLINK(""http://x"")"\n2,+1+1\n'
    assert prepared(tmp_path, "x.csv", csv)[1] == [csv]


@pytest.mark.parametrize("name", ["../../up.csv", "/etc/root.csv", "C:\\there.csv", "a/../../b.csv", "link.csv"])
def test_an_archive_whose_members_lead_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("fine..csv", CSV)
        member = zipfile.ZipInfo(name)
        member.external_attr = (0o120777 if name == "link.csv" else 0o100600) << 16
        archive.writestr(member, CSV)
    with pytest.raises(DeliveryRefusal, match="leads out of its folder"):
        prepared(tmp_path / "in", "x.zip", data.getvalue())
    assert [p.name for p in tmp_path.iterdir()] == ["in"]


def test_a_link_that_a_person_names_is_the_file_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_bytes(CSV)
    (tmp_path / "here.csv").symlink_to(tmp_path / "there.csv")
    (found,) = land([tmp_path / "here.csv"], tmp_path / "landed", sealer=SEALER)
    assert found.sha256 == hashlib.sha256(CSV).hexdigest()


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(x_dot_csv=CSV * 1000))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(DeliveryRefusal, match="damaged"):
        prepared(tmp_path, "x.zip", bytes(data))


def packed_zip_with_password() -> bytes:
    data = bytearray(zipped(x_dot_csv=CSV))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.csv.gz", gzip.compress(CSV * 1000, mtime=0)[:-20], "cut short"),
        ("x.csv.gz", gzip.compress(CSV, mtime=0)[:-8] + b"\0" * 8, "damaged"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "empty"),
        ("x.zip", zipped(x_dot_csv=CSV)[:-30], "damaged or cut short"),
        ("x.zip", zipped(), "holds no file"),
        ("x.zip", packed_zip_with_password(), "password"),
        ("x.zip", zipped(x_dot_gz=gzip.compress(CSV, mtime=0)), "archive inside an archive"),
        ("x.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "old Excel"),
        ("x.pdf", b"%PDF-1.7 ...", "not a table"),
        ("x.csv", b"\x89PNG\r\n", "not a table"),
        ("x.csv", b"a,b\n1,\x00\x00\x01\x02\x03\x00zz\n", "not a table"),
        ("x.csv", b"a,b\n1,Ann\n2,B\x00ob and some more\n", "zero bytes, the first at byte 4 of line 3"),
        ("x.xlsx", workbook(("a",), (1,))[:-99], "damaged"),
    ],
)
def test_unreadable_files_are_refused_in_one_sentence(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    with pytest.raises(DeliveryRefusal, match=says) as refusal:
        prepared(tmp_path, name, data)
    assert refusal.value.next_step
    assert not any(value in str(refusal.value) for value in ("Ann", "Bob"))


def test_an_empty_or_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeliveryRefusal, match="empty"):
        landed(tmp_path, "x.csv", b"")
    assert list((tmp_path / "landed").iterdir()) == []
    with pytest.raises(DeliveryRefusal, match="cannot be opened") as refusal:
        land([tmp_path / "Jane Smith.csv"], tmp_path / "landed", sealer=SEALER)
    assert "Jane" not in str(refusal.value)


def test_what_grows_without_measure_is_refused() -> None:
    unpack.check_growth(unpack.GROWTH_FROM, 1)
    with pytest.raises(DeliveryRefusal, match="far more than a table"):
        unpack.check_growth(unpack.GROWTH_FROM + 1, 1)
    with pytest.raises(DeliveryRefusal, match="far more than a table"):
        unpack.check_growth(unpack.MOST_BYTES + 1, unpack.MOST_BYTES)


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("Siân,Ynys Môn\n".encode(), "utf-8"),
        ("Siân,Ynys Môn\n".encode("cp1252"), "windows-1252"),
        ("Siân,Ynys Môn\n".encode() + b"Si\xe2n\n", "utf-8"),  # a damaged line is no reason to misread the others
        ("Siân\n".encode() + b"Si\xe2n,\xf4\n", "windows-1252"),
        ("Siân,Ynys Môn\n".encode()[:-5] + b"\xc3", "utf-8"),
    ],
)
def test_a_few_broken_letters_do_not_change_how_a_file_is_encoded(data: bytes, encoding: str) -> None:
    survey = Survey()
    for place in range(0, len(data), 3):
        survey.see(data[place : place + 3])
    assert survey.encoding == encoding
