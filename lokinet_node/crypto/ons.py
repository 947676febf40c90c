"""ONS names: which ones may be registered, and the hash, key and seal of their records.

    hash  = BLAKE2b-256(name)               the registry's key for the name
    key   = BLAKE2b-256(name, key=hash)     what opens the value: who knows the name can read it
    value = XChaCha20-Poly1305(key, nonce, address 32) 48 | nonce 24

A name is hashed in lower case with its `.loki`. Case is ASCII's: other letters have none here.
The numbers and rules are Lokinet's (oxen-core, oxen_name_system); records made there open here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.names import LOCALHOST, LOKI_SUFFIX
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.kdf import blake2b
from lokinet_node.crypto.seal import TAG_SIZE, open_xchacha, seal_xchacha

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

NAME_HASH_SIZE = 32
ADDRESS_SIZE = 32
NONCE_SIZE = 24
CIPHERTEXT_SIZE = ADDRESS_SIZE + TAG_SIZE
VALUE_SIZE = CIPHERTEXT_SIZE + NONCE_SIZE

MAX_LABEL = 63
"""Characters before `.loki`, the DNS's own limit; such a label has a hyphen."""
MAX_PLAIN_LABEL = 32
"""The same without a hyphen, so that no name looks like a 52-character address."""

RESERVED = frozenset({LOCALHOST, "loki.loki", "snode.loki"})
"""Names with a meaning of their own, or that a search domain would ask for."""

_ALPHANUMERIC = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")


def name_hash(name: str) -> bytes:
    """What the registry files a name under, 32 bytes; any text has one."""
    return blake2b(_folded(name))


def encrypt_value(name: str, address: bytes, entropy: Entropy) -> bytes:
    """The record's value, 72 bytes: an address of 32, sealed for those who know the name."""
    if len(address) != ADDRESS_SIZE:
        raise CryptoError(f"an address has {ADDRESS_SIZE} bytes, not {len(address)}")
    nonce = entropy(NONCE_SIZE)
    return seal_xchacha(_key(name), nonce, address, b"") + nonce


def decrypt_value(name: str, value: bytes) -> bytes:
    """The address in a record's 72 bytes; CryptoError if it is not a value of that name."""
    if len(value) != VALUE_SIZE:
        raise CryptoError(f"a name's value has {VALUE_SIZE} bytes, not {len(value)}")
    return open_xchacha(_key(name), value[CIPHERTEXT_SIZE:], value[:CIPHERTEXT_SIZE], b"")


def validate_name(name: str) -> None:
    """NameSyntaxError with the reason unless the registry takes the name; either case is good."""
    folded = _folded(name).decode(errors="replace")
    if not folded.endswith(LOKI_SUFFIX):
        raise NameSyntaxError(f"{name!r} does not end in {LOKI_SUFFIX}")
    label = folded.removesuffix(LOKI_SUFFIX)
    if problem := _problem(label):
        raise NameSyntaxError(f"{name!r}: {problem}")
    if folded in RESERVED:
        raise NameSyntaxError(f"{name!r} is reserved")


def _problem(label: str) -> str | None:
    """What is wrong with the label, as a clause; the dot of a subdomain is a wrong character."""
    if not label:
        return "nothing stands before .loki"
    if label[0] not in _ALPHANUMERIC or label[-1] not in _ALPHANUMERIC:
        return "a name begins and ends with a letter (a-z) or digit"
    if not set(label) <= _ALPHANUMERIC | {"-"}:
        return "a name has letters (a-z), digits and hyphens only, and no subdomain"
    if label[2:4] == "--" and not label.startswith("xn--"):
        return "'--' in third place is kept for names in punycode (xn--)"
    most = MAX_LABEL if "-" in label else MAX_PLAIN_LABEL
    if len(label) > most:
        what = "a name with a hyphen" if "-" in label else "a name without a hyphen"
        return f"{what} has at most {most} characters before .loki"
    return None


def _key(name: str) -> bytes:
    return blake2b(_folded(name), key=name_hash(name))


def _folded(name: str) -> bytes:
    return name.encode(errors="surrogatepass").lower()
