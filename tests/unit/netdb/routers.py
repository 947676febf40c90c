"""Ready-made signed contacts and seeded entropy for the tests of netdb/ and dht/."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from lokinet_node.base.ids import LinkKey, RouterID
from lokinet_node.base.units import HOUR, SECOND, Micros
from lokinet_node.crypto.keys import KeyPair, ed25519_keypair
from lokinet_node.netdb.book import ContactBook
from lokinet_node.netdb.chance import Chooser
from lokinet_node.netdb.verify import sign_contact
from lokinet_node.wire.contact import Contact, decode_contact

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW: Micros = 1_700_000_000 * SECOND
NETID = b"testnet"
LIFETIME: Micros = 2 * HOUR


@cache
def identity(index: int) -> KeyPair:
    return ed25519_keypair(index.to_bytes(32, "big"))


def router(index: int) -> RouterID:
    return RouterID(identity(index).public)


@cache
def contact(
    index: int,
    *,
    issued: Micros = NOW,
    ip: str | None = None,
    link_key: LinkKey | None = None,
    netid: bytes = NETID,
    lifetime_s: int = 7200,
) -> Contact:
    """Signed contact number `index`; its address is in a /16 of its own unless given."""
    unsigned = Contact(
        netid=netid,
        router=router(index),
        link_key=link_key or LinkKey(index.to_bytes(32, "little")),
        onion_key_id=1,
        onion_key=bytes(32),
        ip=ip or f"{1 + index // 256}.{index % 256}.0.1",
        port=1090,
        issued=issued,
        lifetime_s=lifetime_s,
        version=(0, 1, 0),
        name=f"r{index}",
    )
    return decode_contact(sign_contact(unsigned, identity(index).secret))


def forged(genuine: Contact) -> Contact:
    """The same contact with a signature that does not hold."""
    raw = genuine.raw[:-1] + bytes([genuine.raw[-1] ^ 1])
    return replace(decode_contact(raw))


def book_of(contacts: Iterable[Contact], now: Micros = NOW) -> ContactBook:
    book = ContactBook(netid=NETID, contact_lifetime=LIFETIME)
    for one in contacts:
        assert book.add(one, now)
    return book


def seeded(seed: int) -> Chooser:
    return Chooser(random.Random(seed).randbytes)
