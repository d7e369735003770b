"""Protocol Buffers on the wire: what is written is read again, what is no message is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrated_data.serving import wire


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", {}),
        (b"\x08\x96\x01", {1: [150]}),
        (b"\x12\x07testing", {2: [b"testing"]}),
        (b"\x08\x01\x08\x02", {1: [1, 2]}),
        (b"\x0d\x01\x00\x00\x00", {1: [b"\x01\x00\x00\x00"]}),
    ],
)
def test_examples_of_the_encoding(data: bytes, said: object) -> None:
    assert wire.read(data) == said


@pytest.mark.parametrize(
    "data",
    [b"\x08", b"\x12\x05abc", b"\x00\x01", b"\xff" * 11, b"\x0b", b"\x0d\x01", b"\x08\x01" * 10_001],
    ids=lambda d: f"{len(d)} bytes",
)
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(wire.MalformedError):
        wire.read(data)


@given(st.dictionaries(st.integers(1, 1000), st.binary(min_size=1) | st.integers(1, 2**64 - 1)))
def test_what_is_written_is_read(fields: dict[int, bytes | int]) -> None:
    assert wire.read(wire.write(fields)) == {n: [v] for n, v in fields.items()}
    assert wire.unpack(wire.pack("Command", fields)) == wire.Command("Command", {n: [v] for n, v in fields.items()})


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        message = wire.read(data)
        for number in message:
            wire.texts(message, number)
            wire.numbers(message, number)
    except wire.MalformedError:
        pass
