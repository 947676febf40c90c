"""`.loki` and `.snode` names: text to keys and back.

`<52>.loki` is the ed25519 key of a client or service, `<52>.snode` that of a router; the 52
characters are base32z and end in `y` or `o`. Labels left of a `.loki` address are a subdomain:
kept, and ignored when addresses are compared. `.snode` names take no subdomain here.
Case does not matter on the way in; names go out in lower case, without a trailing dot.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lokinet_node.base.base32z import ALPHABET, decode_base32z, encode_base32z
from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.ids import LokiAddress, RouterID

__all__ = [
    "ALPHABET",
    "KEY_TEXT_SIZE",
    "LOCALHOST",
    "LOKI_SUFFIX",
    "RANDOM_SNODE",
    "SNODE_SUFFIX",
    "LokiName",
    "NameSyntaxError",
    "decode_base32z",
    "encode_base32z",
    "format_loki",
    "format_snode",
    "is_localhost",
    "parse_key",
    "parse_loki",
    "parse_snode",
]

KEY_TEXT_SIZE = 52
LOKI_SUFFIX = ".loki"
SNODE_SUFFIX = ".snode"
LOCALHOST = "localhost.loki"
"""The asker's own address, and with any labels before it (`*.localhost.loki`)."""
RANDOM_SNODE = "random.snode"
"""Some router the node knows."""


@dataclass(frozen=True, slots=True)
class LokiName:
    """An address with the labels that stood before it."""

    address: LokiAddress
    subdomain: str = field(default="", compare=False)

    def __str__(self) -> str:
        """The whole name, subdomain included."""
        prefix = self.subdomain + "." if self.subdomain else ""
        return prefix + format_loki(self.address)


def parse_key(text: str) -> bytes:
    """The 32 bytes behind 52 base32z characters, without any suffix."""
    if len(text) != KEY_TEXT_SIZE:
        raise NameSyntaxError(f"an address has {KEY_TEXT_SIZE} characters, not {len(text)}")
    return decode_base32z(text)


def parse_loki(text: str) -> LokiName:
    """`[labels.]<52>.loki`; NameSyntaxError says what is wrong."""
    name = text.lower() if text.isascii() else text
    if not name.endswith(LOKI_SUFFIX):
        raise NameSyntaxError(f"{text!r} does not end in {LOKI_SUFFIX}")
    subdomain, _, key = name[: -len(LOKI_SUFFIX)].rpartition(".")
    if name.startswith(".") or ".." in name:
        raise NameSyntaxError(f"{text!r} has an empty label")
    return LokiName(LokiAddress(parse_key(key)), subdomain)


def parse_snode(text: str) -> RouterID:
    """`<52>.snode`, nothing before it."""
    name = text.lower() if text.isascii() else text
    if not name.endswith(SNODE_SUFFIX):
        raise NameSyntaxError(f"{text!r} does not end in {SNODE_SUFFIX}")
    return RouterID(parse_key(name[: -len(SNODE_SUFFIX)]))


def format_loki(address: LokiAddress) -> str:
    """`<52>.loki` in lower case."""
    return encode_base32z(address) + LOKI_SUFFIX


def format_snode(router: RouterID) -> str:
    """`<52>.snode` in lower case."""
    return encode_base32z(router) + SNODE_SUFFIX


def is_localhost(name: str) -> bool:
    """True for `localhost.loki` and everything under it; `name` is lower case."""
    return name == LOCALHOST or name.endswith("." + LOCALHOST)
