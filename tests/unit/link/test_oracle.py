"""An independent Noise on the other end of the wire: bytes as docs/wire.md says, section 2."""

from __future__ import annotations

import struct
from hashlib import blake2s

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from noise.connection import Keypair as OracleKey
from noise.connection import NoiseConnection

from lokinet_node.base.units import MILLISECOND
from lokinet_node.burst import DATAGRAM
from tests.unit.link.world import Tap, feed, mac, two

PROLOGUE = b"lokinet-testnet link" + b"\1" + b"testnet\0"


def sealing(key: bytes) -> tuple[AESGCM, int]:
    derived = HKDFExpand(SHA256(), 44, b"lokinet-testnet link cell").derive(key)
    return AESGCM(derived[:32]), int.from_bytes(derived[32:], "big")


def test_an_independent_responder_understands_us_and_we_it() -> None:
    network, one, other = two()
    tap = Tap(network)
    network.leave(other.address)
    one.connect(other)
    (initiation,) = tap.of(one, 1)
    assert len(initiation) == DATAGRAM
    assert initiation[:4] == b"\1\1\0\0"
    mac1_key = blake2s(b"mac1----" + other.key).digest()
    assert initiation[1344:1360] == mac(mac1_key, initiation[:1344])
    assert initiation[1360:] == bytes(16)

    oracle = NoiseConnection.from_name(b"Noise_IK_25519_ChaChaPoly_BLAKE2s")
    oracle.set_as_responder()
    oracle.set_prologue(PROLOGUE)
    oracle.set_keypair_from_private_bytes(OracleKey.STATIC, other.static.secret)
    oracle.start_handshake()
    payload = bytes(oracle.read_message(initiation[8:1344]))
    timestamp, role, suite = struct.unpack_from("!QBB", payload)
    assert (timestamp, role, suite) == (network.now, 1, 1)
    assert len(payload) == 1240
    assert payload[18:21] == bytes((0, 1, 0))
    assert payload[21:] == bytes(1219)

    answer = b"\1" + b"the boot" + bytes((0, 1, 0))
    noise = bytes(oracle.write_message(answer.ljust(1284, b"\0")))
    response = b"\2\1\0\0" + b"\xaa\xbb\xcc\xdd" + initiation[4:8] + noise
    response += mac(blake2s(b"mac1----" + one.key).digest(), response) + bytes(16)
    tap.clear()
    feed(one, [response], other.address)
    link = one.link(other)
    assert link.is_up
    assert link.boot_id == b"the boot"

    ping = tap.of(one, 4)[0]
    assert ping[4:16] == b"\xaa\xbb\xcc\xdd" + bytes(8)
    state = oracle.noise_protocol
    aead, mask = sealing(state.cipher_state_decrypt.k)
    cell = aead.decrypt(mask.to_bytes(12, "big"), ping[16:], None)
    assert cell[:16] == bytes(16)
    assert cell[16:20] == b"\1\0\1\0"
    token = cell[42:50]

    aead, mask = sealing(state.cipher_state_encrypt.k)
    frame = b"\2\0\1\0" + bytes(20) + b"\0\x08" + token
    counter = 5
    sealed = aead.encrypt(
        (mask ^ counter).to_bytes(12, "big"), (bytes(16) + frame).ljust(1344, b"\0"), None
    )
    network.now += 7 * MILLISECOND
    feed(
        one, [struct.pack("!4s4sQ", b"\4\0\0\0", initiation[4:8], counter) + sealed], other.address
    )
    assert link.rtt == 7 * MILLISECOND
    assert one.drops() == {}


def test_an_independent_initiator_is_answered_and_up_with_its_first_cell() -> None:
    network, one, other = two()
    tap = Tap(network)
    network.leave(other.address)
    oracle = NoiseConnection.from_name(b"Noise_IK_25519_ChaChaPoly_BLAKE2s")
    oracle.set_as_initiator()
    oracle.set_prologue(PROLOGUE)
    oracle.set_keypair_from_private_bytes(OracleKey.STATIC, other.static.secret)
    oracle.set_keypair_from_public_bytes(OracleKey.REMOTE_STATIC, one.key)
    oracle.start_handshake()
    payload = struct.pack("!QBB", network.now, 0, 1) + b"the boot" + bytes(3)
    message = bytes(oracle.write_message(payload.ljust(1240, b"\0")))
    initiation = b"\1\1\0\0" + b"\x11\x22\x33\x44" + message
    initiation += mac(blake2s(b"mac1----" + one.key).digest(), initiation) + bytes(16)
    feed(one, [initiation], other.address)
    (response,) = tap.of(one, 2)
    assert response[8:12] == b"\x11\x22\x33\x44"
    assert response[1344:1360] == mac(blake2s(b"mac1----" + other.key).digest(), response[:1344])
    answer = bytes(oracle.read_message(response[12:1344]))
    assert (answer[0], len(answer)) == (1, 1284)
    # Nothing leaves on the new keypair before its initiator used it.
    assert not one.is_up(other)
    assert tap.of(one, 4) == []

    aead, mask = sealing(oracle.noise_protocol.cipher_state_encrypt.k)
    sealed = aead.encrypt(mask.to_bytes(12, "big"), bytes(16) + b"\0\0\1".ljust(1328, b"\0"), None)
    feed(one, [b"\4\0\0\0" + response[4:8] + bytes(8) + sealed], other.address)
    assert one.is_up(other)
    assert one.link(other).boot_id == b"the boot"
    assert not one.link(other).claims_router
    assert one.drops() == {}
