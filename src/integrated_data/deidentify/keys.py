"""Project keys: an entity's id becomes a project's own 63-bit token.

The token is a format-preserving encryption of the id: FF1 of NIST SP 800-38G with AES-256, radix 2,
63 digits, empty tweak, ten rounds. That is a permutation of the 63-bit numbers, so two entities never
share a token, in this delivery or a later one, and nothing has to be remembered to keep it so. The
key is derived per project and per index, so tokens of two projects, or of two indexes of one project,
have nothing in common. Tokens are made here and joined as data; no key and no token enters SQL text.
"""

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from integrated_data.model.errors import IndexRefusal
from integrated_data.vault import Vault

Ids: TypeAlias = NDArray[np.int64]

ROUNDS = 10
HIGH_BITS, LOW_BITS = 31, 32  # the two halves of 63 digits: u = floor(63 / 2), v = 63 - u
CHUNK = 1 << 14  # ids at a time: blocks of a chunk stay in the processor's cache
BLOCK = 16


@dataclass(frozen=True)
class ProjectTokens:
    """Makes the tokens of one project. `key` is the project's own, 32 bytes from the vault."""

    key: bytes = field(repr=False)

    def of(self, index: str, entities: Ids) -> Ids:
        """Tokens of entity ids of an index, in their order: both 0 to 2^63 - 1, one token to one id."""
        ids = np.ascontiguousarray(entities, dtype=np.int64)
        if ids.size and int(ids.min()) < 0:
            raise IndexRefusal(
                f"An entity id of the {index} index is negative",
                next_step="Ids have 63 bits: load the index again",
            )
        key = HKDF(hashes.SHA256(), 32, salt=None, info=f"index/{index}".encode()).derive(self.key)
        return _permute(ids, key)


def project_tokens(vault: Vault, project: str, *, generation: int = 1) -> ProjectTokens:
    """The tokens of a project; its key, of that generation, is made in the vault when first asked for."""
    return ProjectTokens(vault.project_key(project, generation=generation))


def _permute(ids: Ids, key: bytes) -> Ids:
    cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - single blocks: FF1's round function
    # P of FF1, step 5: version 1, method 2, addition 1, radix 2, ten rounds, u, n = 63, t = 0. Its first
    # block is the same for every id, so the chain of the round function starts from its encryption.
    first = bytes([1, 2, 1, 0, 0, 2, ROUNDS, HIGH_BITS]) + (63).to_bytes(4, "big") + (0).to_bytes(4, "big")
    start = np.frombuffer(cipher.update(first), dtype=np.uint64)
    tokens = np.empty_like(ids)
    blocks = np.empty((min(CHUNK, max(ids.size, 1)), 2), dtype=np.uint64)
    sealed = bytearray(blocks.nbytes + BLOCK)
    for begin in range(0, ids.size, CHUNK):
        part = ids[begin : begin + CHUNK].view(np.uint64)
        size = part.size * BLOCK
        a, b = part >> np.uint64(LOW_BITS), part & np.uint64((1 << LOW_BITS) - 1)
        for turn in range(ROUNDS):
            # Q of FF1, step 6i: eleven zero bytes, the round, B in four bytes; exclusive-or with the chain.
            blocks[: part.size, 0] = start[0]
            np.bitwise_xor((b | np.uint64(turn << 32)).byteswap(), start[1], out=blocks[: part.size, 1])
            cipher.update_into(blocks[: part.size].data.cast("B"), sealed)
            y = np.frombuffer(sealed, dtype=">u8", count=size // 8)[::2]
            bits = HIGH_BITS if turn % 2 == 0 else LOW_BITS
            a, b = b, (a + y.astype(np.uint64)) & np.uint64((1 << bits) - 1)
        tokens[begin : begin + CHUNK] = ((a << np.uint64(LOW_BITS)) | b).view(np.int64)
    return tokens
