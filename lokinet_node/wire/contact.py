"""Contacts: what a router signs about itself, bytes to values and back.

    version 1 | netid 8 | router id 32 | link key 32 | onion key id 4 | onion key 32 | IPv4 4 |
    port 2 | issued 8 (instant) | lifetime 4 (seconds) | agent version 3 | name length 1 |
    name ≤ 32 printable ASCII | signature 64

A decoded contact keeps the bytes it came from, because those are what the signature covers and
what goes on to others. Decoding says nothing about signature, network or age: netdb/verify.py
does. A record in a file or message is its length in 2 bytes and the contact. docs/wire.md,
section 9.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.base.addresses import Endpoint, format_ipv4, parse_ipv4
from lokinet_node.base.constants import MAX_NETID_SIZE
from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import KEY_SIZE, LinkKey, RouterID
from lokinet_node.base.units import SECOND, Micros

if TYPE_CHECKING:
    from collections.abc import Iterable

# What the specification says.

CONTACT_VERSION: Final = 1
MAX_NAME_SIZE: Final = 32
SIGNATURE_SIZE: Final = 64

_FIXED: Final = Struct("!B8s32s32sI32sIHQI3sB")
_LENGTH: Final = Struct("!H")

MIN_CONTACT_SIZE: Final = _FIXED.size + SIGNATURE_SIZE
MAX_CONTACT_SIZE: Final = MIN_CONTACT_SIZE + MAX_NAME_SIZE


@dataclass(frozen=True, slots=True)
class Contact:
    """One router as it describes itself; `raw` is the signed record, empty before signing."""

    netid: bytes
    """8 bytes, zero padded."""
    router: RouterID
    link_key: LinkKey
    onion_key_id: int
    onion_key: bytes
    """32 bytes: the X25519 key that path builds are sealed to."""
    ip: str
    port: int
    issued: Micros
    lifetime_s: int
    version: tuple[int, int, int]
    name: str
    signature: bytes = field(default=b"", repr=False)
    raw: bytes = field(default=b"", repr=False)

    @property
    def address(self) -> Endpoint:
        """Where the router's link socket is."""
        return Endpoint(self.ip, self.port)

    @property
    def expires(self) -> Micros:
        """The first instant at which the contact is no longer good."""
        return self.issued + self.lifetime_s * SECOND


def pad_netid(netid: bytes) -> bytes:
    """The 8 bytes that stand for a network in contacts and prologues."""
    if len(netid) > MAX_NETID_SIZE:
        raise LocalProtocolError(f"a netid has at most {MAX_NETID_SIZE} bytes")
    return netid.ljust(MAX_NETID_SIZE, b"\0")


def encode_contact_body(contact: Contact) -> bytes:
    """Everything before the signature; LocalProtocolError for values that do not fit."""
    name = contact.name.encode("utf-8")
    if len(name) > MAX_NAME_SIZE or not _is_printable(name):
        raise LocalProtocolError(f"a name is at most {MAX_NAME_SIZE} printable ASCII characters")
    if len(contact.router) != KEY_SIZE or len(contact.link_key) != KEY_SIZE:
        raise LocalProtocolError("router id and link key have 32 bytes")
    head = _FIXED.pack(
        CONTACT_VERSION,
        pad_netid(contact.netid),
        contact.router,
        contact.link_key,
        contact.onion_key_id,
        contact.onion_key,
        parse_ipv4(contact.ip),
        contact.port,
        contact.issued,
        contact.lifetime_s,
        bytes(contact.version),
        len(name),
    )
    return head + name


def decode_contact(data: bytes | memoryview) -> Contact:
    """The contact that `data` is, whole; WireError otherwise. The signature is not checked."""
    raw = bytes(data)
    if not MIN_CONTACT_SIZE <= len(raw) <= MAX_CONTACT_SIZE:
        raise WireError(f"a contact of {len(raw)} bytes")
    (version, netid, router, link_key, onion_key_id, onion_key, *rest) = _FIXED.unpack_from(raw)
    ip, port, issued, lifetime_s, agent, name_size = rest
    name = raw[_FIXED.size : -SIGNATURE_SIZE]
    if version != CONTACT_VERSION:
        raise WireError(f"contact version {version} is not ours")
    if len(name) != name_size or not _is_printable(name):
        raise WireError("contact has a malformed name")
    if port == 0:
        raise WireError("contact has no port")
    return Contact(
        netid=netid,
        router=RouterID(router),
        link_key=LinkKey(link_key),
        onion_key_id=onion_key_id,
        onion_key=onion_key,
        ip=format_ipv4(ip),
        port=port,
        issued=issued,
        lifetime_s=lifetime_s,
        version=(agent[0], agent[1], agent[2]),
        name=name.decode("ascii"),
        signature=raw[-SIGNATURE_SIZE:],
        raw=raw,
    )


def encode_records(records: Iterable[bytes]) -> bytes:
    """Raw signed contacts, one after the other, each with its length before it."""
    return b"".join(_LENGTH.pack(len(raw)) + raw for raw in records)


def decode_records(data: bytes | memoryview) -> list[Contact]:
    """All contacts of a file or message; WireError if one of them is malformed or cut short."""
    raw = bytes(data)
    contacts: list[Contact] = []
    at = 0
    while at < len(raw):
        start = at + _LENGTH.size
        if start > len(raw):
            raise WireError("contact record is cut short")
        at = start + int.from_bytes(raw[at:start], "big")
        if at > len(raw):
            raise WireError("contact record is cut short")
        contacts.append(decode_contact(raw[start:at]))
    return contacts


def _is_printable(name: bytes) -> bool:
    """Names reach terminals and logs, so nothing in them may steer one."""
    return all(0x20 <= byte < 0x7F for byte in name)
