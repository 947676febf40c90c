"""Key derivation and hashing, as docs/wire.md names them: HKDF-SHA256 and BLAKE2.

`expand` is HKDF-Expand alone (RFC 5869, 2.3): the keys it takes are uniform already. `hkdf` also
extracts. Labels are ASCII and name the use and, where there are two, the direction.
"""

from __future__ import annotations

from hashlib import blake2b as _blake2b
from hashlib import blake2s as _blake2s

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

_HASH = SHA256()


def expand(key: bytes, label: str | bytes, length: int) -> bytes:
    """`length` bytes of HKDF-Expand-SHA256 under a uniform key of at least 32 bytes."""
    info = label.encode("ascii") if isinstance(label, str) else label
    return HKDFExpand(_HASH, length, info).derive(key)


def hkdf(salt: bytes, ikm: bytes, info: str | bytes, length: int) -> bytes:
    """`length` bytes of HKDF-SHA256, extract and expand."""
    text = info.encode("ascii") if isinstance(info, str) else info
    return HKDF(_HASH, length, salt, text).derive(ikm)


def blake2s(data: bytes | memoryview, *, key: bytes = b"", size: int = 32) -> bytes:
    """BLAKE2s (RFC 7693) of `size` bytes, keyed when a key of 1-32 bytes is given."""
    return _blake2s(data, digest_size=size, key=key).digest()


def blake2b(data: bytes, *, key: bytes = b"", size: int = 32) -> bytes:
    """BLAKE2b (RFC 7693) of `size` bytes, keyed when a key of 1-64 bytes is given."""
    return _blake2b(data, digest_size=size, key=key).digest()
