"""The Noise handshakes of this network (Noise specification, revision 34): IK, NK and IKpsk0.

One cipher suite, 25519_ChaChaPoly_BLAKE2s. One object is one handshake of one side: the two
messages are written and read in turn, then `split` gives the two keys and the object is done.
A message that fails leaves the handshake where it was, so that junk from a stranger cannot end
one that is waiting for its answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2s
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Final, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from lokinet_node.base.errors import LocalProtocolError
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.keys import KeyPair, x25519, x25519_keypair

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy

KEY_SIZE: Final = 32
TAG_SIZE: Final = 16
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Pattern:
    """A handshake whose responder's static key is known beforehand; its tokens by message."""

    name: str
    messages: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def protocol(self) -> bytes:
        """The name that starts the transcript."""
        return f"Noise_{self.name}_25519_ChaChaPoly_BLAKE2s".encode("ascii")


IK: Final = Pattern("IK", (("e", "es", "s", "ss"), ("e", "ee", "se")))
NK: Final = Pattern("NK", (("e", "es"), ("e", "ee")))
IKPSK0: Final = Pattern("IKpsk0", (("psk", "e", "es", "s", "ss"), ("e", "ee", "se")))


class _Symmetric:
    """Chaining key, transcript hash and cipher: the specification's SymmetricState."""

    __slots__ = ("chaining", "count", "key", "transcript")

    def __init__(self, protocol: bytes) -> None:
        name = blake2s(protocol).digest() if len(protocol) > KEY_SIZE else protocol
        self.transcript = name.ljust(KEY_SIZE, b"\0")
        self.chaining = self.transcript
        self.key: bytes | None = None
        self.count = 0

    def copy_from(self, other: _Symmetric) -> None:
        self.transcript, self.chaining = other.transcript, other.chaining
        self.key, self.count = other.key, other.count

    def mix_hash(self, data: bytes) -> None:
        self.transcript = blake2s(self.transcript + data).digest()

    def mix_key(self, material: bytes) -> None:
        self.chaining, self.key = self.derive(material, 2)
        self.count = 0

    def mix_key_and_hash(self, material: bytes) -> None:
        self.chaining, hashed, self.key = self.derive(material, 3)
        self.mix_hash(hashed)
        self.count = 0

    def derive(self, material: bytes, outputs: int) -> list[bytes]:
        """The specification's HKDF: HMAC-BLAKE2s, chained, without info."""
        secret = hmac_digest(self.chaining, material, "blake2s")
        keys = [hmac_digest(secret, b"\1", "blake2s")]
        for number in range(2, outputs + 1):
            keys.append(hmac_digest(secret, keys[-1] + bytes((number,)), "blake2s"))
        return keys

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        data = plaintext
        if self.key is not None:
            cipher = ChaCha20Poly1305(self.key)
            data = cipher.encrypt(self._nonce(), plaintext, self.transcript)
        self.mix_hash(data)
        return data

    def decrypt_and_hash(self, data: bytes) -> bytes:
        plaintext = data
        if self.key is not None:
            cipher = ChaCha20Poly1305(self.key)
            try:
                plaintext = cipher.decrypt(self._nonce(), data, self.transcript)
            except InvalidTag as error:
                raise CryptoError("handshake message does not authenticate") from error
        self.mix_hash(data)
        return plaintext

    def _nonce(self) -> bytes:
        count, self.count = self.count, self.count + 1
        return bytes(4) + count.to_bytes(8, "little")


class Noise:
    """One side of one handshake."""

    __slots__ = (
        "_entropy",
        "_ephemeral",
        "_initiates",
        "_pattern",
        "_psk",
        "_remote_ephemeral",
        "_static",
        "_symmetric",
        "_turn",
        "remote_static",
    )

    def __init__(self, pattern: Pattern, *, initiates: bool, entropy: Entropy) -> None:
        """Use `initiator` or `responder`."""
        self._pattern = pattern
        self._initiates = initiates
        self._entropy = entropy
        self._symmetric = _Symmetric(pattern.protocol)
        self._turn = 0
        self._static: KeyPair | None = None
        self._ephemeral: KeyPair | None = None
        self._remote_ephemeral: bytes | None = None
        self._psk: bytes | None = None
        self.remote_static: bytes | None = None
        """The other side's static key: given to an initiator, learnt by IK's responder."""

    @classmethod
    def initiator(
        cls,
        pattern: Pattern,
        prologue: bytes,
        *,
        rs: bytes,
        entropy: Entropy,
        s: KeyPair | None = None,
        psk: bytes | None = None,
    ) -> Noise:
        """The side that writes first, to the owner of `rs`; `s` is for IK and IKpsk0."""
        noise = cls(pattern, initiates=True, entropy=entropy)
        noise._static, noise.remote_static, noise._psk = s, rs, psk
        noise._start(prologue, rs)
        return noise

    @classmethod
    def responder(
        cls,
        pattern: Pattern,
        prologue: bytes,
        *,
        s: KeyPair,
        entropy: Entropy,
        psk: bytes | None = None,
    ) -> Noise:
        """The side that reads first, with the static key the other side aims at."""
        noise = cls(pattern, initiates=False, entropy=entropy)
        noise._static, noise._psk = s, psk
        noise._start(prologue, s.public)
        return noise

    @property
    def remote_ephemeral(self) -> bytes | None:
        """The other side's ephemeral key, once read: what a replay cache remembers."""
        return self._remote_ephemeral

    def set_psk(self, psk: bytes) -> None:
        """Give the pre-shared key (32 bytes) before the first message."""
        self._psk = psk

    def write_message(self, payload: bytes) -> bytes:
        """The next message of this side, payload sealed in it."""
        tokens = self._next_tokens(writes=True)
        symmetric = self._symmetric
        parts: list[bytes] = []
        for token in tokens:
            if token == "e":
                self._ephemeral = x25519_keypair(self._entropy)
                parts.append(self._ephemeral.public)
                self._mix_ephemeral(self._ephemeral.public)
            elif token == "s":
                parts.append(symmetric.encrypt_and_hash(_known(self._static).public))
            else:
                self._mix_token(token)
        parts.append(symmetric.encrypt_and_hash(payload))
        self._turn += 1
        return b"".join(parts)

    def read_message(self, message: bytes | memoryview) -> bytes:
        """The payload of the other side's next message; CryptoError leaves the state as it was."""
        tokens = self._next_tokens(writes=False)
        before = _Symmetric(b"")
        before.copy_from(self._symmetric)
        remote_static, remote_ephemeral = self.remote_static, self._remote_ephemeral
        try:
            payload = self._read(tokens, bytes(message))
        except CryptoError:
            self._symmetric.copy_from(before)
            self.remote_static, self._remote_ephemeral = remote_static, remote_ephemeral
            raise
        self._turn += 1
        return payload

    def split(self) -> tuple[bytes, bytes]:
        """(initiator's key, responder's key), 32 bytes each, once both messages are through."""
        if self._turn != len(self._pattern.messages):
            raise LocalProtocolError("handshake is not finished")
        first, second = self._symmetric.derive(b"", 2)
        return first, second

    def _start(self, prologue: bytes, responder_static: bytes) -> None:
        self._symmetric.mix_hash(prologue)
        self._symmetric.mix_hash(responder_static)

    def _next_tokens(self, *, writes: bool) -> tuple[str, ...]:
        if self._turn >= len(self._pattern.messages) or writes != (
            self._initiates == (self._turn == 0)
        ):
            raise LocalProtocolError("not this side's turn in the handshake")
        return self._pattern.messages[self._turn]

    def _read(self, tokens: tuple[str, ...], message: bytes) -> bytes:
        symmetric = self._symmetric
        at = 0
        for token in tokens:
            if token == "e":
                self._remote_ephemeral = _take(message, at, KEY_SIZE)
                self._mix_ephemeral(self._remote_ephemeral)
                at += KEY_SIZE
            elif token == "s":
                sealed = _take(message, at, KEY_SIZE + TAG_SIZE)
                self.remote_static = symmetric.decrypt_and_hash(sealed)
                at += len(sealed)
            else:
                self._mix_token(token)
        return symmetric.decrypt_and_hash(message[at:])

    def _mix_ephemeral(self, public: bytes) -> None:
        self._symmetric.mix_hash(public)
        if "psk" in self._pattern.messages[0]:
            self._symmetric.mix_key(public)  # section 9.2: a psk must not fix the first key

    def _mix_token(self, token: str) -> None:
        if token == "psk":
            self._symmetric.mix_key_and_hash(_known(self._psk))
            return
        # "es" is the initiator's ephemeral with the responder's static key, and so on.
        mine, theirs = (token[0], token[1]) if self._initiates else (token[1], token[0])
        own = _known(self._ephemeral if mine == "e" else self._static)
        remote = self._remote_ephemeral if theirs == "e" else self.remote_static
        self._symmetric.mix_key(x25519(own.secret, _known(remote)))


def _take(message: bytes, at: int, size: int) -> bytes:
    if len(message) < at + size:
        raise CryptoError("handshake message is too short")
    return message[at : at + size]


def _known(value: _Value | None) -> _Value:
    if value is None:
        raise LocalProtocolError("handshake lacks a key of its own side")
    return value
