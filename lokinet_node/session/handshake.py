"""The two messages by which two addresses agree on session keys and prove who they are.

Noise IKpsk0 between the X25519 forms of the two `.loki` keys, its psk from ML-KEM-768: an
eavesdropper has to break both, an impostor needs the identity key. Introset and KEM transcript
are in the prologue, so that a message made for another introset fails. Handles are outside
everything sealed: pivots and paths may change without the session noticing.

    message 1   handle 8 | index 4: zero | introset id 8 | gate MAC 16 | KEM 1088 | Noise 204
    message 2   handle 8 | index 4: of message 1 | Noise 1316

Each function raises CryptoError or WireError for what a stranger may send, nothing else.
docs/wire.md, section 8.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field, replace
from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import LokiAddress
from lokinet_node.burst import BODY
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.kdf import blake2s, hkdf
from lokinet_node.crypto.kem import (
    KEM_CIPHERTEXT_SIZE,
    KemSecret,
    decapsulate,
    encapsulate,
    kem_keypair,
)
from lokinet_node.crypto.keys import (
    KeyPair,
    ed25519_public_of,
    ed25519_to_x25519_public,
    ed25519_to_x25519_secret,
)
from lokinet_node.crypto.noise import IKPSK0, Noise
from lokinet_node.session.introset import introset_digest, introset_id
from lokinet_node.session.messages import (
    Answer,
    Opening,
    decode_answer,
    decode_opening,
    encode_answer,
    encode_opening,
)
from lokinet_node.wire.contact import pad_netid
from lokinet_node.wire.introset import GATE_KEY_SIZE, Introduction, Introset
from lokinet_node.wire.offer import NO_OFFER, Offer

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.srv import SrvRecord
    from lokinet_node.base.units import Micros

VERSION: Final = 1
HANDLE_SIZE: Final = 8
GATE_MAC_SIZE: Final = 16
MESSAGE_1_HEAD: Final = Struct("!QI8s16s")
"""handle, index (0), introset id, gate MAC."""
MESSAGE_2_HEAD: Final = Struct("!QI")
"""handle, index."""

_NOISE_1_AT: Final = MESSAGE_1_HEAD.size + KEM_CIPHERTEXT_SIZE
_SIGN_SHIFT: Final = 7
_FIELD: Final = 2**255 - 19
_PROLOGUE: Final = b"lokinet-testnet session"
_PSK_LABEL: Final = b"lokinet-testnet session psk"


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own `.loki` address and the static key that stands for it in the handshake."""

    address: LokiAddress
    static: KeyPair

    @classmethod
    def of(cls, secret: bytes) -> Identity:
        """From the Ed25519 secret of 64 bytes."""
        address = ed25519_public_of(secret)
        static = KeyPair(ed25519_to_x25519_secret(secret), ed25519_to_x25519_public(address))
        return cls(LokiAddress(address), static)


@dataclass(frozen=True, slots=True)
class Keys:
    """What the handshake ends in: a secret of 32 bytes for each direction."""

    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Invitation:
    """An introset of ours with its KEM secret: what answering a message 1 takes."""

    introset: Introset
    digest: bytes
    kem_secret: KemSecret = field(repr=False)
    expires: Micros

    @property
    def introset_id(self) -> bytes:
        """The name message 1 knows it by."""
        return introset_id(self.digest)


def invite(
    identity: Identity,
    introductions: tuple[Introduction, ...],
    expires: Micros,
    entropy: Entropy,
    services: tuple[SrvRecord, ...] = (),
    offer: Offer = NO_OFFER,
) -> Invitation:
    """A new introset with a KEM key and gate key of its own."""
    kem_secret, kem_key = kem_keypair()
    gate_key = entropy(GATE_KEY_SIZE)
    introset = Introset(identity.address, kem_key, gate_key, introductions, services, offer)
    return Invitation(introset, introset_digest(introset), kem_secret, expires)


class Initiator:
    """One handshake we started; lives until message 2 or until it is given up."""

    __slots__ = ("_message", "_noise", "index", "introductions")

    def __init__(
        self,
        identity: Identity,
        introset: Introset,
        netid: bytes,
        opening: Opening,
        entropy: Entropy,
    ) -> None:
        """CryptoError when the introset's keys are none; the sign of `opening` is set here."""
        digest = introset_digest(introset)
        ciphertext, shared = encapsulate(introset.kem_key)
        self._noise = Noise.initiator(
            IKPSK0,
            _prologue(netid, digest, introset.kem_key, ciphertext),
            s=identity.static,
            rs=ed25519_to_x25519_public(introset.address),
            psk=_psk(ciphertext, introset.kem_key, shared),
            entropy=entropy,
        )
        self.index = opening.index
        """Of the cell that will carry message 2."""
        self.introductions = opening.introductions
        """The ways back that message 1 offers."""
        opening = replace(opening, sign=sign_bit(identity.address))
        sealed = ciphertext + self._noise.write_message(encode_opening(opening))
        identifier = introset_id(digest)
        mac = _gate_mac(introset.gate_key, identifier, sealed)
        self._message = MESSAGE_1_HEAD.pack(0, 0, identifier, mac)[HANDLE_SIZE:] + sealed

    def body(self, handle: int) -> bytes:
        """Message 1 for one of the remote's introductions; the same but for the handle."""
        return handle.to_bytes(HANDLE_SIZE, "big") + self._message

    def finish(self, body: bytes | memoryview) -> tuple[Answer, Keys]:
        """Take message 2; one that fails leaves the handshake waiting for the real one."""
        payload = self._noise.read_message(body[MESSAGE_2_HEAD.size :])
        send, receive = self._noise.split()
        return decode_answer(payload), Keys(send, receive)


class Responder:
    """One message 1 that opened: who wrote it, and the answer it may get."""

    __slots__ = ("_noise", "opening", "remote")

    def __init__(
        self,
        identity: Identity,
        invitation: Invitation,
        netid: bytes,
        body: bytes | memoryview,
        entropy: Entropy,
    ) -> None:
        """Open message 1, whose gate MAC was checked; both secrets must agree or it fails."""
        message = bytes(body)
        ciphertext = message[MESSAGE_1_HEAD.size : _NOISE_1_AT]
        kem_key = invitation.introset.kem_key
        shared = decapsulate(invitation.kem_secret, ciphertext)
        self._noise = Noise.responder(
            IKPSK0,
            _prologue(netid, invitation.digest, kem_key, ciphertext),
            s=identity.static,
            psk=_psk(ciphertext, kem_key, shared),
            entropy=entropy,
        )
        self.opening = decode_opening(self._noise.read_message(message[_NOISE_1_AT:]))
        self.remote = loki_address(self._noise.remote_static or b"", self.opening.sign)

    def answer(self, handle: int, answer: Answer) -> tuple[bytes, Keys]:
        """Message 2 for one introduction of message 1, and the keys; once per handshake."""
        head = MESSAGE_2_HEAD.pack(handle, self.opening.index)
        message = head + self._noise.write_message(encode_answer(answer))
        receive, send = self._noise.split()
        return message, Keys(send, receive)


def is_admitted(gate_key: bytes, body: bytes | memoryview) -> bool:
    """Whether whoever wrote message 1 has seen the introset it names: one hash, no key exchange."""
    if len(body) != BODY:
        return False
    _, _, identifier, mac = MESSAGE_1_HEAD.unpack_from(body)
    sealed = bytes(body[MESSAGE_1_HEAD.size :])
    return hmac.compare_digest(mac, _gate_mac(gate_key, identifier, sealed))


def loki_address(static: bytes, sign: int) -> LokiAddress:
    """The `.loki` key whose X25519 form is `static`, given its top bit; WireError if none is.

    The map of RFC 7748, 4.1: y = (u - 1) / (u + 1). It loses the sign of x, and both signs belong
    to who knows the secret of one, so that the bit may be the peer's word.
    """
    u = int.from_bytes(static, "little")
    if len(static) != 32 or u >= _FIELD - 1:
        raise WireError("static key is not the form of a .loki key")
    y = (u - 1) * pow(u + 1, -1, _FIELD) % _FIELD
    address = (y | sign << 255).to_bytes(32, "little")
    try:
        matches = ed25519_to_x25519_public(address) == static
    except CryptoError:
        matches = False
    if not matches:
        raise WireError("static key is not the form of a .loki key")
    return LokiAddress(address)


def sign_bit(address: LokiAddress) -> int:
    """The bit of a `.loki` key that its X25519 form leaves out."""
    return address[-1] >> _SIGN_SHIFT


def _prologue(netid: bytes, digest: bytes, kem_key: bytes, ciphertext: bytes) -> bytes:
    return b"".join((_PROLOGUE, bytes((VERSION,)), pad_netid(netid), digest, kem_key, ciphertext))


def _psk(ciphertext: bytes, kem_key: bytes, shared: bytes) -> bytes:
    return hkdf(blake2s(ciphertext + kem_key), shared, _PSK_LABEL, 32)


def _gate_mac(gate_key: bytes, identifier: bytes, sealed: bytes) -> bytes:
    return blake2s(identifier + sealed, key=gate_key, size=GATE_MAC_SIZE)
