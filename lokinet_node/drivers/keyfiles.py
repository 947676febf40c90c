"""Key files in Lokinet's formats, and files of contacts.

    service key    d1:s64:<seed 32 | public 32>1:vi0ee     the version may be missing
    identity.key   64:<seed 32 | public 32>                or the 64 bytes alone
    transport.key, encryption.key
                   64:<secret 32 | public 32>              or the 64 bytes alone
    contacts       (length 2 | contact) ...                docs/wire.md, section 9

Rules: a missing key file is made, an existing one is never written again. A file that is not
what it should be is an OperatorError that says how to go on: nothing here guesses.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lokinet_node.base.errors import OperatorError, WireError
from lokinet_node.crypto.keys import (
    KeyPair,
    ed25519_keypair,
    x25519_from_secret,
    x25519_keypair,
)
from lokinet_node.drivers.files import MAX_CONTACTS_SIZE, read_file, write_new_file
from lokinet_node.wire.bencode import decode_bencode, encode_bencode
from lokinet_node.wire.contact import Contact, decode_records

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.entropy import Entropy

MAX_KEY_FILE_SIZE = 4096
"""Lokinet's limit for a service key file."""

_HALF = 32
_SIZE = 2 * _HALF


@dataclass(frozen=True, slots=True)
class RouterKeys:
    """The three keys of a router."""

    identity: KeyPair
    """Ed25519; its public key is the router id."""
    link: KeyPair
    """X25519, the static key of the router's links."""
    onion: KeyPair
    """X25519, the onion key of the contact made before the first start."""

    @property
    def onion_key_id(self) -> int:
        """The number contacts and builds call that onion key: its first four bytes."""
        return int.from_bytes(self.onion.public[:4], "big")


def service_key(path: str, entropy: Entropy) -> KeyPair:
    """The `.loki` key in a file, made on first use (Ed25519, secret of 64 bytes)."""
    return _keep_or_make(
        path,
        make=lambda: ed25519_keypair(entropy(_HALF)),
        encode=lambda pair: encode_bencode({b"s": pair.secret, b"v": 0}),
        decode=_decode_service,
    )


def router_keys(identity: str, transport: str, encryption: str, entropy: Entropy) -> RouterKeys:
    """The keys in three files, each made on first use."""

    def make_agreement() -> KeyPair:
        return x25519_keypair(entropy)

    return RouterKeys(
        identity=_keep_or_make(
            identity,
            make=lambda: ed25519_keypair(entropy(_HALF)),
            encode=lambda pair: encode_bencode(pair.secret),
            decode=lambda data: _identity(_plain(data)),
        ),
        link=_keep_or_make(transport, make_agreement, _encode_agreement, _decode_agreement),
        onion=_keep_or_make(encryption, make_agreement, _encode_agreement, _decode_agreement),
    )


def read_contacts(path: str) -> list[Contact]:
    """Every contact in a bootstrap file; their signatures are not checked here."""
    try:
        contacts = decode_records(read_file(path, MAX_CONTACTS_SIZE))
    except WireError as error:
        raise OperatorError(
            f"{path}: not a file of contacts: {error}; make it anew from the routers' self.signed"
        ) from error
    if not contacts:
        raise OperatorError(f"{path}: holds no contact")
    return contacts


def _keep_or_make(
    path: str,
    make: Callable[[], KeyPair],
    encode: Callable[[KeyPair], bytes],
    decode: Callable[[bytes], KeyPair],
) -> KeyPair:
    """The key in the file; where there is none, a new one, unless another process is quicker."""
    if not os.path.lexists(path):
        pair = make()
        if write_new_file(path, encode(pair)):
            return pair
    try:
        return decode(read_file(path, MAX_KEY_FILE_SIZE))
    except WireError as error:
        raise OperatorError(
            f"{path}: not a key file: {error}; restore it from a copy, "
            "or move it away to get a new key and address"
        ) from error


def _decode_service(data: bytes) -> KeyPair:
    value = decode_bencode(data)
    if not isinstance(value, dict) or value.get(b"v", 0) != 0:
        raise WireError("no dictionary of version 0")
    secret = value.get(b"s")
    if not isinstance(secret, bytes):
        raise WireError("entry s is missing")
    return _identity(secret)


def _plain(data: bytes) -> bytes:
    """The 64 bytes of a router's key file, raw or bencoded."""
    if len(data) == _SIZE:
        return data
    value = decode_bencode(data)
    if not isinstance(value, bytes):
        raise WireError("no byte string")
    return value


def _identity(secret: bytes) -> KeyPair:
    if len(secret) != _SIZE:
        raise WireError(f"a key of {len(secret)} bytes, not {_SIZE}")
    pair = ed25519_keypair(secret[:_HALF])
    if pair.secret != secret:
        raise WireError("its two halves do not belong together")
    return pair


def _encode_agreement(pair: KeyPair) -> bytes:
    return encode_bencode(pair.secret + pair.public)


def _decode_agreement(data: bytes) -> KeyPair:
    plain = _plain(data)
    if len(plain) != _SIZE:
        raise WireError(f"a key of {len(plain)} bytes, not {_SIZE}")
    pair = x25519_from_secret(plain[:_HALF])
    if pair.public != plain[_HALF:]:
        raise WireError("its two halves do not belong together")
    return pair
