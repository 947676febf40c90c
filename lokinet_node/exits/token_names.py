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

    __slots__ = ("key",)

    def __init__(self, entropy: Entropy) -> None:
        """A new key: names of another run are other names, unless its key is put back."""
        self.key = entropy(_KEY_SIZE)

    def name(self, token: str) -> str:
        """32 hexadecimal digits."""
        return blake2s(token.encode(), key=self.key, size=_DIGEST_SIZE).hex()

    def shown(self, name: str) -> str:
        """A name as a status shows it."""
        return name[:_DIGITS]
