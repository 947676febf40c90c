"""The Noise IK handshake of a link, message by message (docs/wire.md, section 2).

    initiator  start ──────────► initiation ──► hear     responder
               finish ◄───────── response ◄──── answer

Functions of keys and bytes: who may do what and when is the handshaker's business. Each attempt is
a new handshake; nothing of one is used in another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node import __version__
from lokinet_node.base.constants import MAX_NETID_SIZE
from lokinet_node.base.ids import LinkKey
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.noise import IK, Noise
from lokinet_node.link.keypair import HandshakeKeys
from lokinet_node.link.macs import MacKeys, add_macs, mac1_of
from lokinet_node.wire.link import (
    VERSION,
    InitiationPayload,
    Response,
    ResponsePayload,
    Role,
    decode_initiation,
    decode_initiation_payload,
    decode_response_payload,
    encode_initiation,
    encode_initiation_payload,
    encode_response,
    encode_response_payload,
)

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.units import Micros
    from lokinet_node.crypto.keys import KeyPair

_LABEL: Final = b"lokinet-testnet link"


def _agent() -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in __version__.split(".")[:3])
    return major, minor, patch


AGENT: Final = _agent()


class Identity:
    """What this node is on all its links."""

    __slots__ = ("entropy", "macs", "prologue", "role", "static")

    def __init__(self, static: KeyPair, role: Role, netid: bytes, entropy: Entropy) -> None:
        """`netid` is padded to 8 bytes with zeros."""
        self.static = static
        self.role = role
        self.entropy = entropy
        self.prologue = _LABEL + bytes((VERSION,)) + netid.ljust(MAX_NETID_SIZE, b"\0")
        self.macs = MacKeys.of(static.public)


@dataclass(frozen=True, slots=True)
class Started:
    """An initiation on its way: what its answer is read with."""

    noise: Noise = field(repr=False)
    index: int
    mac1: bytes
    has_cookie: bool
    sent_at: Micros


@dataclass(frozen=True, slots=True)
class Heard:
    """An authentic initiation, not yet judged."""

    noise: Noise = field(repr=False)
    key: LinkKey
    sender: int
    payload: InitiationPayload


@dataclass(frozen=True, slots=True)
class Start:
    """What goes into one initiation."""

    peer: LinkKey
    macs: MacKeys
    index: int
    boot_id: bytes
    timestamp: Micros
    cookie: bytes | None


def start(me: Identity, what: Start, now: Micros) -> tuple[Started, bytes]:
    """A new attempt and its datagram; CryptoError when the peer's key is none."""
    noise = Noise.initiator(IK, me.prologue, s=me.static, rs=what.peer, entropy=me.entropy)
    payload = InitiationPayload(what.timestamp, me.role, what.boot_id, AGENT)
    message = noise.write_message(encode_initiation_payload(payload))
    datagram = add_macs(encode_initiation(what.index, message), what.macs, what.cookie)
    started = Started(noise, what.index, mac1_of(datagram), what.cookie is not None, now)
    return started, datagram


def hear(me: Identity, datagram: bytes) -> Heard:
    """Read an initiation; CryptoError if it does not authenticate, WireError for its payload."""
    sender, message = decode_initiation(datagram)
    noise = Noise.responder(IK, me.prologue, s=me.static, entropy=me.entropy)
    payload = decode_initiation_payload(noise.read_message(message))
    if noise.remote_static is None:
        raise CryptoError("handshake shows no static key")
    return Heard(noise, LinkKey(noise.remote_static), sender, payload)


def answer(me: Identity, heard: Heard, index: int, boot_id: bytes) -> tuple[HandshakeKeys, bytes]:
    """The keys, and the response's datagram."""
    payload = encode_response_payload(ResponsePayload(boot_id, AGENT))
    message = heard.noise.write_message(payload)
    response = Response(index, heard.sender, message)
    datagram = add_macs(encode_response(response), MacKeys.of(heard.key))
    initiator, responder = heard.noise.split()
    return HandshakeKeys(send=responder, receive=initiator), datagram


def finish(started: Started, response: Response) -> tuple[HandshakeKeys, ResponsePayload]:
    """The keys on the initiator's side; CryptoError or WireError leave the attempt waiting."""
    payload = decode_response_payload(started.noise.read_message(response.noise))
    initiator, responder = started.noise.split()
    return HandshakeKeys(send=initiator, receive=responder), payload
