"""Hot: the onion's stream layer, AES-256-CTR over whole cells in place.

The cell with counter c owns blocks 84·c … 84·c + 83 of the 128-bit block counter, big endian
(docs/wire.md, section 3). The keystream covers the header too; the caller overwrites it.

1. a run of cells with consecutive counters is one cipher call;
2. the context is moved only when the run does not start where the last one ended;
3. the position is forgotten before the call and known again after it, so that a call that
   raised can never leave cells labelled n under keystream m.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR

from lokinet_node.burst import CELL, CELL_BLOCKS

_NONCE_SIZE = 16
_UNKNOWN = -1


def _context(key: bytes, block: int) -> CipherContext:
    return Cipher(AES256(key), CTR(block.to_bytes(_NONCE_SIZE, "big"))).encryptor()


class Layer:
    """One hop's layer of one direction; adding it and removing it are the same act."""

    __slots__ = ("_context", "_expected", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        # Made at the first run: a path that carries nothing costs its relays no cipher.
        self._context: CipherContext | None = None
        self._expected = _UNKNOWN

    def xor_run(self, run: memoryview, counter: int) -> None:
        """XOR whole cells in place; `counter` (0 ≤ counter < 2^48) is that of the first."""
        context = self._context
        if context is None or counter != self._expected:
            context = self._seek(counter)
        self._expected = _UNKNOWN
        context.update_into(run, run)
        self._expected = counter + len(run) // CELL

    def _seek(self, counter: int) -> CipherContext:
        self._expected = _UNKNOWN
        block = CELL_BLOCKS * counter
        if self._context is None:
            self._context = _context(self._key, block)
        else:
            self._context.reset_nonce(block.to_bytes(_NONCE_SIZE, "big"))
        return self._context


def xor_stream(key: bytes, data: bytes) -> bytes:
    """`data` XOR the AES-256-CTR stream of a key that serves one message; starts at block 0."""
    return _context(key, 0).update(data)


def stream(key: bytes, length: int) -> bytes:
    """The first `length` bytes of that stream."""
    return xor_stream(key, bytes(length))
