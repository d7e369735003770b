"""Project keys: a standard permutation of the 63-bit numbers, per project and per index."""

from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from integrated_data.deidentify.keys import ProjectTokens, project_tokens
from integrated_data.model.errors import IndexRefusal
from integrated_data.vault import Vault

TOP = 2**63 - 1


def ff1(key: bytes, digits: list[int], *, radix: int, tweak: bytes = b"") -> list[int]:
    """FF1.Encrypt of NIST SP 800-38G, algorithm 7, step by step; slow, for comparison."""
    n, t = len(digits), len(tweak)
    u, v = n // 2, n - n // 2
    a, b = digits[:u], digits[u:]
    beta = -(-int(np.ceil(v * np.log2(radix) - 1e-12)) // 8)
    d = 4 * -(-beta // 4) + 4
    p = bytes([1, 2, 1]) + radix.to_bytes(3, "big") + bytes([10, u % 256]) + n.to_bytes(4, "big") + t.to_bytes(4, "big")
    for i in range(10):
        q = tweak + bytes((-t - beta - 1) % 16) + bytes([i]) + number(b, radix).to_bytes(beta, "big")
        chained = bytes(16)
        for block in blocks(p + q):
            chained = aes(key, bytes(x ^ y for x, y in zip(chained, block, strict=True)))
        y = int.from_bytes((chained + bytes(0))[:d], "big")
        m = u if i % 2 == 0 else v
        a, b = b, string((number(a, radix) + y) % radix**m, radix, m)
    return a + b


def blocks(data: bytes) -> list[bytes]:
    return [data[i : i + 16] for i in range(0, len(data), 16)]


def aes(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def number(digits: list[int], radix: int) -> int:
    value = 0
    for digit in digits:
        value = value * radix + digit
    return value


def string(value: int, radix: int, length: int) -> list[int]:
    digits = []
    for _ in range(length):
        value, digit = divmod(value, radix)
        digits.append(digit)
    return digits[::-1]


def test_the_slow_reference_gives_the_published_examples() -> None:
    """FF1 samples 1, 2 and 7 of NIST's examples for SP 800-38G."""
    short = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    long = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94")
    digits = [int(c) for c in "0123456789"]
    tweak = bytes.fromhex("39383736353433323130")
    assert "".join(map(str, ff1(short, digits, radix=10))) == "2433477484"
    assert "".join(map(str, ff1(short, digits, radix=10, tweak=tweak))) == "6124200773"
    assert "".join(map(str, ff1(long, digits, radix=10))) == "6657667009"


def test_tokens_are_ff1_of_the_ids() -> None:
    ids = np.array([0, 1, 2, TOP, 2**32, 2**32 - 1, 5_047_000_000_000_000_001], dtype=np.int64)
    key = HKDF(hashes.SHA256(), 32, salt=None, info=b"index/person").derive(b"k" * 32)
    expected = [number(ff1(key, string(int(i), 2, 63), radix=2), 2) for i in ids]
    assert ProjectTokens(b"k" * 32).of("person", ids).tolist() == expected


def test_tokens_are_63_bits_and_never_shared() -> None:
    ids = np.concatenate([np.arange(200_000), TOP - np.arange(200_000)])
    tokens = ProjectTokens(b"k" * 32).of("person", ids)
    assert tokens.dtype == np.int64
    assert tokens.min() >= 0
    assert len(np.unique(tokens)) == len(ids)
    assert abs(float(np.mean(tokens / TOP)) - 0.5) < 0.005


def test_the_same_id_has_one_token_in_whatever_company() -> None:
    tokens = ProjectTokens(b"k" * 32)
    ids = np.random.default_rng(1).integers(0, TOP, 40_000)
    together = tokens.of("person", ids)
    assert np.array_equal(tokens.of("person", ids[17_000:17_100]), together[17_000:17_100])
    assert np.array_equal(tokens.of("person", ids[::-1])[::-1], together)


def test_projects_and_indexes_have_nothing_in_common(tmp_path: Path) -> None:
    vault = Vault.create(tmp_path / "keyring")
    ids = np.arange(10_000)
    made = [
        set(project_tokens(vault, project).of(index, ids).tolist())
        for project in ("P-1", "P-2")
        for index in ("person", "area")
    ]
    assert len(set.union(*made)) == sum(len(one) for one in made)
    again = project_tokens(Vault(tmp_path / "keyring"), "P-1").of("person", ids)
    assert set(again.tolist()) == made[0]


def test_a_destroyed_key_is_gone(tmp_path: Path) -> None:
    vault, ids = Vault.create(tmp_path / "keyring"), np.arange(1000)
    before = project_tokens(vault, "P-1").of("person", ids)
    vault.destroy_project_key("P-1")
    assert not np.intersect1d(before, project_tokens(vault, "P-1").of("person", ids)).size


def test_no_ids_and_wrong_ids() -> None:
    tokens = ProjectTokens(b"k" * 32)
    assert tokens.of("person", np.array([], dtype=np.int64)).size == 0
    with pytest.raises(IndexRefusal):
        tokens.of("person", np.array([-1]))


def test_a_key_does_not_show() -> None:
    assert "6b6b" not in repr(ProjectTokens(b"k" * 32))
    assert "kkk" not in repr(ProjectTokens(b"k" * 32))
