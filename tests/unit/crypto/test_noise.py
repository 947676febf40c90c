"""The handshakes agree with published vectors and, both ways, with another implementation."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given
from hypothesis import strategies as st
from noise.connection import Keypair, NoiseConnection

from lokinet_node.base.errors import LocalProtocolError
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.keys import KeyPair, x25519_from_secret, x25519_keypair
from lokinet_node.crypto.noise import IK, IKPSK0, NK, Noise, Pattern

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "noise.json").read_text())["cases"]
# Not used by the network: the one published pattern with a psk in this place.
NKPSK0 = Pattern("NKpsk0", (("psk", *NK.messages[0]), NK.messages[1]))
PATTERNS = {pattern.name: pattern for pattern in (IK, NK, IKPSK0, NKPSK0)}

RANDOM = random.Random(7)
ALICE = x25519_keypair(RANDOM.randbytes)
BOB = x25519_keypair(RANDOM.randbytes)
PSK = RANDOM.randbytes(32)
every_pattern = pytest.mark.parametrize("pattern", [IK, NK, IKPSK0], ids=lambda one: one.name)


def pair(pattern: Pattern, prologue: bytes = b"prologue") -> tuple[Noise, Noise]:
    entropy = RANDOM.randbytes
    psk = PSK if pattern is IKPSK0 else None
    s = None if pattern is NK else ALICE
    return (
        Noise.initiator(pattern, prologue, rs=BOB.public, entropy=entropy, s=s, psk=psk),
        Noise.responder(pattern, prologue, s=BOB, entropy=entropy, psk=psk),
    )


def fixed(secret: str) -> Callable[[int], bytes]:
    return lambda size: bytes.fromhex(secret)[:size]


@pytest.mark.parametrize("case", VECTORS, ids=lambda case: str(case["name"]))
def test_published_vectors_are_met(case: dict[str, Any]) -> None:
    static = x25519_from_secret(bytes.fromhex(case["resp_static"]))
    own = x25519_from_secret(bytes.fromhex(case["init_static"])) if "init_static" in case else None
    psk = bytes.fromhex(case["psk"]) if "psk" in case else None
    pattern, prologue = PATTERNS[case["name"]], bytes.fromhex(case["prologue"])
    initiator = Noise.initiator(
        pattern, prologue, rs=static.public, entropy=fixed(case["init_ephemeral"]), s=own, psk=psk
    )
    responder = Noise.responder(
        pattern, prologue, s=static, entropy=fixed(case["resp_ephemeral"]), psk=psk
    )
    messages = [
        (bytes.fromhex(message["payload"]), bytes.fromhex(message["ciphertext"]))
        for message in case["messages"]
    ]
    for writer, reader, (payload, ciphertext) in zip(
        (initiator, responder), (responder, initiator), messages[:2], strict=True
    ):
        assert writer.write_message(payload) == ciphertext
        assert reader.read_message(ciphertext) == payload
    assert initiator.split() == responder.split()
    assert responder.remote_static == (own.public if own else None)
    # The transport messages that follow show that Split gave the right keys.
    for number, (payload, ciphertext) in enumerate(messages[2:]):
        cipher = ChaCha20Poly1305(initiator.split()[number % 2])
        nonce = bytes(4) + (number // 2).to_bytes(8, "little")
        assert cipher.encrypt(nonce, payload, b"") == ciphertext


def oracle(pattern: Pattern, *, initiates: bool) -> NoiseConnection:
    connection = NoiseConnection.from_name(pattern.protocol)
    if initiates:
        connection.set_as_initiator()
        connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, BOB.public)
        if pattern is not NK:
            connection.set_keypair_from_private_bytes(Keypair.STATIC, ALICE.secret)
    else:
        connection.set_as_responder()
        connection.set_keypair_from_private_bytes(Keypair.STATIC, BOB.secret)
    if pattern is IKPSK0:
        connection.set_psks(PSK)
    connection.set_prologue(b"prologue")
    connection.start_handshake()
    return connection


@every_pattern
def test_our_initiator_agrees_with_another_implementation(pattern: Pattern) -> None:
    initiator, _ = pair(pattern)
    responder = oracle(pattern, initiates=False)
    assert responder.read_message(initiator.write_message(b"one")) == b"one"
    assert initiator.read_message(bytes(responder.write_message(b"two"))) == b"two"
    state = responder.noise_protocol
    assert initiator.split() == (state.cipher_state_decrypt.k, state.cipher_state_encrypt.k)


@every_pattern
def test_our_responder_agrees_with_another_implementation(pattern: Pattern) -> None:
    _, responder = pair(pattern)
    initiator = oracle(pattern, initiates=True)
    assert responder.read_message(memoryview(bytes(initiator.write_message(b"one")))) == b"one"
    assert initiator.read_message(responder.write_message(b"two")) == b"two"
    state = initiator.noise_protocol
    assert responder.split() == (state.cipher_state_encrypt.k, state.cipher_state_decrypt.k)
    assert responder.remote_static == (None if pattern is NK else ALICE.public)


@every_pattern
@given(data=st.data())
def test_junk_is_refused_and_does_not_end_the_handshake(
    pattern: Pattern, data: st.DataObject
) -> None:
    initiator, responder = pair(pattern)
    for writer, reader in ((initiator, responder), (responder, initiator)):
        message = writer.write_message(b"payload")
        junk = bytearray(message)
        junk[data.draw(st.integers(0, len(junk) - 1))] ^= data.draw(st.integers(1, 255))
        short = message[: data.draw(st.integers(0, len(message) - 1))]
        for bad in (bytes(junk), short, data.draw(st.binary(max_size=200))):
            with pytest.raises(CryptoError):
                reader.read_message(bad)
        assert reader.read_message(message) == b"payload"
    assert initiator.split() == responder.split()


@every_pattern
def test_another_prologue_does_not_agree(pattern: Pattern) -> None:
    initiator, _ = pair(pattern, b"one")
    _, responder = pair(pattern, b"two")
    with pytest.raises(CryptoError):
        responder.read_message(initiator.write_message(b""))


@pytest.mark.parametrize("psk", [bytes(32), PSK[:31] + b"\0"])
def test_another_psk_does_not_agree(psk: bytes) -> None:
    initiator, responder = pair(IKPSK0)
    responder.set_psk(psk)
    message = initiator.write_message(b"")
    with pytest.raises(CryptoError):
        responder.read_message(message)
    responder.set_psk(PSK)
    assert responder.read_message(message) == b""


def test_an_ephemeral_of_small_order_is_refused() -> None:
    initiator, responder = pair(NK)
    message = bytes(32) + initiator.write_message(b"")[32:]
    with pytest.raises(CryptoError):
        responder.read_message(message)


@every_pattern
def test_two_handshakes_never_give_the_same_keys(pattern: Pattern) -> None:
    initiator, _ = pair(pattern)
    message = initiator.write_message(b"")
    keys: list[bytes] = []
    for _ in range(2):
        _, responder = pair(pattern)
        responder.read_message(message)
        responder.write_message(b"")
        keys += responder.split()
    assert len(set(keys)) == 4


def test_the_remote_ephemeral_is_what_the_message_begins_with() -> None:
    initiator, responder = pair(IK)
    assert responder.remote_ephemeral is None
    message = initiator.write_message(b"")
    responder.read_message(message)
    assert responder.remote_ephemeral == message[:32]


def test_messages_out_of_turn_are_our_own_mistake() -> None:
    initiator, responder = pair(IK)
    for misuse in (
        lambda: initiator.read_message(bytes(200)),
        lambda: responder.write_message(b""),
        initiator.split,
    ):
        with pytest.raises(LocalProtocolError):
            misuse()
    initiator.write_message(b"")
    with pytest.raises(LocalProtocolError):
        initiator.write_message(b"")


def test_a_missing_key_is_our_own_mistake() -> None:
    own: KeyPair | None = None
    initiator = Noise.initiator(IK, b"", rs=BOB.public, entropy=RANDOM.randbytes, s=own)
    with pytest.raises(LocalProtocolError):
        initiator.write_message(b"")
