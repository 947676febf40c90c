"""Signing contacts and believing them: where the layout meets the key.

A contact is believed iff its router signed it, for this network, not in the future and not
longer ago than it says itself. docs/wire.md, section 9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.units import MINUTE, Micros
from lokinet_node.crypto.keys import (
    ed25519_public_of,
    ed25519_sign,
    ed25519_verify,
    is_valid_ed25519_point,
)
from lokinet_node.wire.contact import SIGNATURE_SIZE, encode_contact_body, pad_netid

if TYPE_CHECKING:
    from lokinet_node.wire.contact import Contact

CLOCK_TOLERANCE: Final[Micros] = 2 * MINUTE
"""How far a router's clock may be ahead of ours: as for handshakes."""

_LABEL: Final = b"lokinet-testnet contact"


def sign_contact(contact: Contact, identity_secret: bytes) -> bytes:
    """The raw record; LocalProtocolError if the secret (64 bytes) is not the router's own."""
    if ed25519_public_of(identity_secret) != contact.router:
        raise LocalProtocolError("a contact is signed by the router it describes")
    body = encode_contact_body(contact)
    return body + ed25519_sign(identity_secret, _LABEL + body)


def verify_contact(
    contact: Contact, *, netid: bytes, now: Micros, allow_expired: bool = False
) -> None:
    """WireError unless a decoded contact may be believed; expired ones serve as bootstrap only."""
    if contact.netid != pad_netid(netid):
        raise WireError("contact belongs to another network")
    if contact.issued > now + CLOCK_TOLERANCE:
        raise WireError("contact is from the future")
    if contact.expires <= now and not allow_expired:
        raise WireError("contact has expired")
    # libsodium's verification refuses points of small order but not mixed ones.
    if not is_valid_ed25519_point(contact.router):
        raise WireError("contact's router id is no point of the main subgroup")
    body = contact.raw[:-SIGNATURE_SIZE]
    if not ed25519_verify(contact.router, _LABEL + body, contact.signature):
        raise WireError("contact's signature does not hold")
