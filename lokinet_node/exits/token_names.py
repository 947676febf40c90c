"""What tokens are known by where they must not be: digests under a key that stays in the node.

Tokens may be words somebody thought of: without the key, what a status or a file shows of them
would let anybody try guesses against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.crypto.kdf import blake2s

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

_KEY_SIZE: Final = 32
_DIGEST_SIZE: Final = 16
_DIGITS: Final = 4
"""Enough to tell one's own tokens apart."""


class TokenNames:
    """Names under one key."""

    __slots__ = ("_entropy", "_key")

    def __init__(self, entropy: Entropy) -> None:
        """A new key: names of another run are other names, unless its key is put back."""
        self._entropy = entropy
        self._key = b""

    @property
    def key(self) -> bytes:
        """32 bytes; made when first asked for, as most nodes never see a token."""
        if not self._key:
            self._key = self._entropy(_KEY_SIZE)
        return self._key

    @key.setter
    def key(self, key: bytes) -> None:
        self._key = key

    def name(self, token: str) -> str:
        """32 hexadecimal digits."""
        return blake2s(token.encode(), key=self.key, size=_DIGEST_SIZE).hex()

    def shown(self, name: str) -> str:
        """A name as a status shows it."""
        return name[:_DIGITS]
