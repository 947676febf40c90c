"""Where strangers knock: own introsets, and how much work a message 1 may cost before it is known.

In this order, cheapest first: 1. an introset of ours that has not expired; 2. the gate MAC, which
only who read that introset can make; 3. a bucket per introduction; 4. a memory of messages seen;
5. KEM and key agreement; 6. the date. The KEM secret goes with its introset: what was recorded
before cannot be opened after.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import MINUTE, SECOND, Micros
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.kdf import blake2s
from lokinet_node.path.meter import Bucket
from lokinet_node.session.effects import Drop
from lokinet_node.session.handshake import (
    HANDLE_SIZE,
    MESSAGE_1_HEAD,
    Identity,
    Invitation,
    Responder,
    invite,
    is_admitted,
)
from lokinet_node.wire.offer import NO_OFFER, Offer

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.srv import SrvRecord
    from lokinet_node.session.epochs import Epoch
    from lokinet_node.wire.introset import Introduction, Introset

# What the specification says.

DATE_TOLERANCE: Final[Micros] = 2 * MINUTE

# What we chose.

INTRODUCTION_RATE: Final = 20
INTRODUCTION_BURST: Final = 60
"""Handshakes a second and at once per introduction: each costs about half a millisecond."""
MOST_SEEN: Final = 32_768
"""Messages remembered: six introductions at full rate for as long as a date is good."""
GRACE: Final[Micros] = 10 * SECOND
"""A message on its way when the introset expired."""


@dataclass(frozen=True, slots=True)
class _Seen:
    forget_at: Micros
    epoch: Epoch


class Reception:
    """All that answering needs, and nothing of sessions."""

    __slots__ = ("_buckets", "_entropy", "_identity", "_invitations", "_netid", "_seen")

    def __init__(self, identity: Identity, netid: bytes, entropy: Entropy) -> None:
        self._identity = identity
        self._netid = netid
        self._entropy = entropy
        self._invitations: dict[bytes, Invitation] = {}
        self._buckets: dict[bytes, Bucket] = {}
        self._seen: dict[bytes, _Seen] = {}

    def invite(
        self,
        introductions: tuple[Introduction, ...],
        expires: Micros,
        now: Micros,
        services: tuple[SrvRecord, ...] = (),
        offer: Offer = NO_OFFER,
    ) -> Introset:
        """A new introset to be sealed and published; honoured until it expires."""
        self._forget(now)
        made = invite(self._identity, introductions, expires, self._entropy, services, offer)
        self._invitations[made.introset_id] = made
        return made.introset

    def hear(self, body: bytes | memoryview, now: Micros) -> Responder | Epoch | Drop:
        """A message 1: somebody new, the epoch an earlier copy of it led to, or why not."""
        handle, _, identifier, _ = MESSAGE_1_HEAD.unpack_from(body)
        invitation = self._invitations.get(identifier)
        if invitation is None or invitation.expires + GRACE <= now:
            return Drop.UNKNOWN_INTROSET
        if not is_admitted(invitation.introset.gate_key, body):
            return Drop.GATE
        if not self._bucket(handle).take(now):
            return Drop.BUSY
        seen = self._seen.get(_name(body))
        if seen is not None and seen.forget_at > now:
            return seen.epoch
        return self._open(invitation, body, now)

    def remember(self, body: bytes | memoryview, date: Micros, epoch: Epoch) -> None:
        """This message 1 was answered and must not lead to keys again."""
        self._seen[_name(body)] = _Seen(date + DATE_TOLERANCE + SECOND, epoch)

    def _open(
        self, invitation: Invitation, body: bytes | memoryview, now: Micros
    ) -> Responder | Drop:
        if len(self._seen) >= MOST_SEEN:
            self._forget(now)
            if len(self._seen) >= MOST_SEEN:
                return Drop.BUSY
        try:
            responder = Responder(self._identity, invitation, self._netid, body, self._entropy)
        except (CryptoError, WireError):
            return Drop.HANDSHAKE
        if abs(responder.opening.date - now) > DATE_TOLERANCE:
            return Drop.DATE
        return responder

    def _bucket(self, handle: int) -> Bucket:
        # The caller has checked that the handle is one of our own paths'.
        name = handle.to_bytes(HANDLE_SIZE, "big")
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = Bucket(INTRODUCTION_RATE, INTRODUCTION_BURST)
        return bucket

    def _forget(self, now: Micros) -> None:
        self._invitations = {
            name: one for name, one in self._invitations.items() if one.expires + GRACE > now
        }
        self._seen = {name: one for name, one in self._seen.items() if one.forget_at > now}
        full = INTRODUCTION_BURST * SECOND // INTRODUCTION_RATE
        self._buckets = {
            name: bucket for name, bucket in self._buckets.items() if bucket.since + full > now
        }


def _name(body: bytes | memoryview) -> bytes:
    """The same for all copies of a message 1, whichever introduction they were sent to."""
    return blake2s(bytes(body[HANDLE_SIZE:]))
