"""Sealed files: what goes in comes out, from any position; a changed, cut or swapped byte is refused."""

import io
from pathlib import Path
from typing import BinaryIO

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrated_data.engine import Landed
from integrated_data.engines.duckdb import LONGEST_ROW, DuckDB, Limits
from integrated_data.engines.sealed import CHUNK, FileSealer
from integrated_data.model.contract import Format, Layout
from integrated_data.model.errors import InstallationRefusal, is_interrupt

SIZES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7)


def _seal(sealer: FileSealer, place: Path, data: bytes) -> Path:
    with sealer.write(place) as file:
        file.write(data)
    return place


@pytest.mark.parametrize("size", SIZES)
def test_round_trip_at_chunk_edges(sealer: FileSealer, tmp_path: Path, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    place = _seal(sealer, tmp_path / "a", data)
    with sealer.read(place) as file:
        assert file.read() == data
    assert sealer.size(place) == size


@settings(max_examples=30, deadline=None)
@given(start=st.integers(0, 2 * CHUNK), length=st.integers(0, CHUNK + 5))
def test_any_piece_reads_as_the_plain_bytes(tmp_path_factory: pytest.TempPathFactory, start: int, length: int) -> None:
    data = bytes(i % 253 for i in range(2 * CHUNK + 100))
    sealer = FileSealer(b"k" * 32)
    place = tmp_path_factory.getbasetemp() / "pieces"
    if not place.exists():
        _seal(sealer, place, data)
    with sealer.read(place) as file:
        file.seek(start)
        assert file.read(length) == data[start : start + length]


@pytest.mark.parametrize("position", [0, 9, 20, CHUNK + 40, -1])
def test_a_changed_byte_is_refused(sealer: FileSealer, tmp_path: Path, position: int) -> None:
    place = _seal(sealer, tmp_path / "a", b"x" * (CHUNK + 100))
    sealed = bytearray(place.read_bytes())
    sealed[position] ^= 1
    place.write_bytes(bytes(sealed))
    with pytest.raises(InstallationRefusal), sealer.read(place) as file:
        file.read()


def test_a_file_cut_at_a_chunk_edge_is_refused(sealer: FileSealer, tmp_path: Path) -> None:
    place = _seal(sealer, tmp_path / "a", b"x" * (2 * CHUNK))
    place.write_bytes(place.read_bytes()[: 16 + CHUNK + 16])
    with pytest.raises(InstallationRefusal), sealer.read(place) as file:
        file.read()


def test_nothing_is_left_when_writing_fails(sealer: FileSealer, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), sealer.write(tmp_path / "a") as file:
        file.write(b"half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_plain_bytes_are_not_on_disk(sealer: FileSealer, tmp_path: Path) -> None:
    place = _seal(sealer, tmp_path / "a", b"MARKED-SURNAME" * 100)
    assert b"MARKED" not in place.read_bytes()
    assert place.stat().st_mode & 0o777 == 0o600


def test_what_is_read_in_pieces_is_the_whole_file(sealer: FileSealer, tmp_path: Path) -> None:
    """Chunks end within rows, within quoted fields and within the buffers of the engine's reader."""
    data = b"".join(b'%d,"one\nof %d"\n' % (i, i) for i in range(1_000_000))
    assert len(data) > 2 * LONGEST_ROW + 2 * CHUNK  # more than a buffer of the reader
    place = _seal(sealer, tmp_path / "a", data)
    with sealer.pieces(place) as file:
        assert b"".join(iter(lambda: file.read(3 * CHUNK), b"")) == data
    engine = DuckDB(Limits(), sealer=sealer)
    try:
        engine.load("landed", Landed((place,), Layout(Format.CSV, header=False), columns=("n", "told")))
        (row,) = engine.rows(
            "SELECT count(*) AS n, sum(n::BIGINT) AS total, count(DISTINCT told) AS told, "
            "bool_and(told = concat('one', chr(10), 'of ', n)) AS same FROM landed"
        ).to_pylist()
    finally:
        engine.close()
    assert row == {"n": 1_000_000, "total": 499_999_500_000, "told": 1_000_000, "same": True}


class Interrupted(FileSealer):
    """Reads a text on which somebody presses Ctrl-C."""

    def pieces(self, place: Path) -> BinaryIO:
        data = super().pieces(place).read(-1)
        left = iter([data[: CHUNK // 2], data[CHUNK // 2 : CHUNK]])

        class Reader(io.BytesIO):
            def read(self, _size: int | None = -1) -> bytes:
                piece = next(left, None)
                if piece is None:
                    raise KeyboardInterrupt
                return piece

        return Reader()


def test_ctrl_c_while_a_sealed_file_is_read_is_no_unforeseen_error(tmp_path: Path) -> None:
    sealer = Interrupted(bytes(32))
    place = _seal(sealer, tmp_path / "a", b"n\n" + b"1\n" * CHUNK)
    engine = DuckDB(Limits(), sealer=sealer)
    try:
        with pytest.raises(duckdb.Error) as raised:
            engine.load("landed", Landed((place,), Layout(Format.CSV), columns=("n",)))
            engine.save("SELECT sum(n::INTEGER) AS n FROM landed", tmp_path / "b", sealed=False)
    finally:
        engine.close()
    assert is_interrupt(raised.value)
    assert not is_interrupt(RuntimeError("KeyboardInterrupt: "))
