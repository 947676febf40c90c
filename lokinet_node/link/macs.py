"""The two MACs of handshakes, and cookies: who is spoken to, and who is really where he says.

mac1 costs a stranger the knowledge of our static key; mac2 costs him an answer received at the
address he sends from. A cookie is a MAC of that address under a secret that changes every 120 s,
sent sealed, in a datagram as long as the one it answers. Labels: docs/wire.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

from lokinet_node.base.addresses import parse_ipv4
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.kdf import blake2s
from lokinet_node.crypto.seal import open_xchacha, seal_xchacha
from lokinet_node.wire.link import (
    COOKIE_NONCE_SIZE,
    COOKIE_SIZE,
    MAC1_AT,
    MAC2_AT,
    MAC_SIZE,
    NO_MAC,
    Cookie,
    encode_cookie,
)

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

COOKIE_LIFE: Final[Micros] = 120 * SECOND
_SECRET_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class MacKeys:
    """What the static key of a datagram's receiver gives."""

    mac1: bytes = field(repr=False)
    cookie: bytes = field(repr=False)

    @classmethod
    def of(cls, receiver: bytes) -> MacKeys:
        """Keys for datagrams to the owner of this static key."""
        return cls(blake2s(b"mac1----" + receiver), blake2s(b"cookie--" + receiver))


def add_macs(message: bytes, keys: MacKeys, cookie: bytes | None = None) -> bytes:
    """The whole datagram of a handshake message; mac2 is zero without a cookie."""
    proved = message + blake2s(message, key=keys.mac1, size=MAC_SIZE)
    return proved + (NO_MAC if cookie is None else blake2s(proved, key=cookie, size=MAC_SIZE))


def has_mac1(datagram: bytes, keys: MacKeys) -> bool:
    """Whether the sender knew whom he was speaking to."""
    expected = blake2s(datagram[:MAC1_AT], key=keys.mac1, size=MAC_SIZE)
    return compare_digest(expected, datagram[MAC1_AT:MAC2_AT])


def mac1_of(datagram: bytes) -> bytes:
    """The mac1 of a handshake datagram: what a cookie is bound to."""
    return datagram[MAC1_AT:MAC2_AT]


class CookieMaker:
    """The responder's side: gives cookies and knows them again without remembering any."""

    __slots__ = ("_changes_at", "_entropy", "_keys", "_secret")

    def __init__(self, keys: MacKeys, entropy: Entropy) -> None:
        """`keys` are those of our own static key."""
        self._keys = keys
        self._entropy = entropy
        self._secret = b""
        self._changes_at: Micros = 0

    def has_mac2(self, datagram: bytes, address: tuple[str, int], now: Micros) -> bool:
        """Whether the sender received a cookie of ours at this address."""
        if datagram[MAC2_AT:] == NO_MAC:
            return False
        cookie = self._cookie(address, now)
        expected = blake2s(datagram[:MAC2_AT], key=cookie, size=MAC_SIZE)
        return compare_digest(expected, datagram[MAC2_AT:])

    def reply(self, sender: int, mac1: bytes, address: tuple[str, int], now: Micros) -> bytes:
        """The datagram with the cookie for this address."""
        nonce = self._entropy(COOKIE_NONCE_SIZE)
        sealed = seal_xchacha(self._keys.cookie, nonce, self._cookie(address, now), mac1)
        return encode_cookie(Cookie(sender, nonce, sealed))

    def _cookie(self, address: tuple[str, int], now: Micros) -> bytes:
        if now >= self._changes_at:
            self._secret = self._entropy(_SECRET_SIZE)
            self._changes_at = now + COOKIE_LIFE
        ip, port = address
        place = parse_ipv4(ip).to_bytes(4, "big") + port.to_bytes(2, "big")
        return blake2s(place, key=self._secret, size=COOKIE_SIZE)


def open_cookie(cookie: Cookie, keys: MacKeys, mac1: bytes) -> bytes:
    """The cookie (16 bytes) that answers our datagram with this mac1; CryptoError if none does."""
    return open_xchacha(keys.cookie, cookie.nonce, cookie.sealed, mac1)
