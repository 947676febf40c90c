"""The session handshake: both halves needed, both ends known, bound to one introset and network."""

from __future__ import annotations

import hmac
from dataclasses import replace
from hashlib import blake2s
from os import urandom

import pytest
from noise.connection import Keypair, NoiseConnection

from lokinet_node.base.errors import LokinetError, WireError
from lokinet_node.base.ids import Handle, LokiAddress, RouterID
from lokinet_node.burst import BODY
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.kem import decapsulate, kem_keypair
from lokinet_node.crypto.keys import KeyPair, ed25519_keypair, x25519_keypair
from lokinet_node.session.handshake import (
    HANDLE_SIZE,
    MESSAGE_1_HEAD,
    Identity,
    Initiator,
    Invitation,
    Responder,
    invite,
    is_admitted,
    loki_address,
    sign_bit,
)
from lokinet_node.session.introset import introset_digest
from lokinet_node.session.messages import Answer, Opening
from lokinet_node.wire.introset import Introduction

NETID = b"testing"
NOW = 1_700_000_000_000_000
EXPIRES = NOW + 1_200_000_000


def identity(seed: int = 1) -> Identity:
    return Identity.of(ed25519_keypair(bytes([seed]) * 32).secret)


def introduction(number: int) -> Introduction:
    return Introduction(
        RouterID(bytes([number]) * 32), Handle(100 + number), NOW // 1_000_000 + 900
    )


ALICE, WEB = identity(1), identity(2)
OPENING = Opening(NOW, 77, (introduction(1), introduction(2)))


def invitation() -> Invitation:
    return invite(WEB, (introduction(3),), EXPIRES, urandom)


def initiator(invited: Invitation, who: Identity = ALICE, netid: bytes = NETID) -> Initiator:
    return Initiator(who, invited.introset, netid, OPENING, urandom)


def responder(
    invited: Invitation, body: bytes, who: Identity = WEB, netid: bytes = NETID
) -> Responder:
    return Responder(who, invited, netid, body, urandom)


def test_message_one_is_what_an_independent_implementation_reads() -> None:
    invited = invitation()
    body = initiator(invited).body(5)
    ciphertext = body[36:1124]
    kem_key = invited.introset.kem_key
    salt = blake2s(ciphertext + kem_key).digest()
    shared = decapsulate(invited.kem_secret, ciphertext)
    pseudorandom = hmac.digest(salt, shared, "sha256")
    psk = hmac.digest(pseudorandom, b"lokinet-testnet session psk\x01", "sha256")
    oracle = NoiseConnection.from_name(b"Noise_IKpsk0_25519_ChaChaPoly_BLAKE2s")
    oracle.set_as_responder()
    oracle.set_psks(psk=psk)
    oracle.set_keypair_from_private_bytes(Keypair.STATIC, WEB.static.secret)
    introset = (
        b"\x03"
        + WEB.address
        + kem_key
        + invited.introset.gate_key
        + b"\x01"
        + bytes([3]) * 32
        + (103).to_bytes(8, "big")
        + (NOW // 1_000_000 + 900).to_bytes(4, "big")
    )
    digest = blake2s(introset.ljust(2048, b"\0")).digest()
    oracle.set_prologue(
        b"lokinet-testnet session" + b"\x01" + b"testing\0" + digest + kem_key + ciphertext
    )
    oracle.start_handshake()
    payload = bytes(oracle.read_message(body[1124:]))
    assert payload[:8] == NOW.to_bytes(8, "big")
    assert payload[8:13] == (77).to_bytes(4, "big") + b"\x02"
    assert payload[101:] == bytes((ALICE.address[31] >> 7,)) + bytes(6)
    assert body[12:20] == blake2s(digest).digest()[:8]
    mac = blake2s(body[12:20] + body[36:], key=invited.introset.gate_key, digest_size=16)
    assert body[20:36] == mac.digest()


def test_both_ends_agree_on_keys_and_know_each_other() -> None:
    invited = invitation()
    first = initiator(invited)
    body = first.body(5)
    assert len(body) == BODY
    assert MESSAGE_1_HEAD.unpack_from(body)[:3] == (5, 0, invited.introset_id)
    assert is_admitted(invited.introset.gate_key, body)
    second = responder(invited, body)
    assert second.remote == ALICE.address
    assert second.opening == replace(OPENING, sign=sign_bit(ALICE.address))
    message, keys = second.answer(9, Answer(0, (introduction(4),)))
    assert len(message) == BODY
    assert (message[:8], message[8:12]) == ((9).to_bytes(8, "big"), (77).to_bytes(4, "big"))
    answer, ours = first.finish(message)
    assert answer == Answer(0, (introduction(4),))
    assert (ours.send, ours.receive) == (keys.receive, keys.send)
    assert ours.send != ours.receive


def test_the_handle_is_outside_of_what_is_sealed() -> None:
    invited = invitation()
    first = initiator(invited)
    one, other = first.body(5), first.body(6)
    assert one[HANDLE_SIZE:] == other[HANDLE_SIZE:]
    assert responder(invited, other).remote == ALICE.address


def test_two_handshakes_share_no_key_and_hide_the_identity() -> None:
    invited = invitation()
    bodies = [initiator(invited).body(5) for _ in range(2)]
    assert bodies[0][36:68] != bodies[1][36:68]
    assert all(ALICE.static.public not in body for body in bodies)
    assert all(body.find(ALICE.address) < 0 for body in bodies)


def test_a_wrong_kem_secret_fails_though_the_static_key_is_right() -> None:
    invited = invitation()
    body = initiator(invited).body(5)
    thief = replace(invited, kem_secret=kem_keypair()[0])
    with pytest.raises(CryptoError):
        responder(thief, body)


def test_a_wrong_static_key_fails_though_the_kem_secret_is_right() -> None:
    invited = invitation()
    body = initiator(invited).body(5)
    with pytest.raises(CryptoError):
        responder(invited, body, who=identity(3))


def test_who_lacks_the_initiators_secret_cannot_pose_as_it() -> None:
    invited = invitation()
    fraud = Identity(ALICE.address, KeyPair(x25519_keypair(urandom).secret, ALICE.static.public))
    with pytest.raises(CryptoError):
        responder(invited, initiator(invited, who=fraud).body(5))


def test_message_two_by_anyone_but_the_responder_fails_and_harms_nothing() -> None:
    invited = invitation()
    first = initiator(invited)
    message, keys = responder(invited, first.body(5)).answer(9, Answer(0, ()))
    stranger, _ = responder(invited, initiator(invited).body(5)).answer(9, Answer(0, ()))
    changed = message[:-1] + bytes((message[-1] ^ 1,))
    for junk in (stranger, changed, message[:12] + bytes(BODY - 12), message[:40]):
        with pytest.raises(CryptoError):
            first.finish(junk)
    assert first.finish(message)[1].send == keys.receive


def test_another_introset_or_network_fails() -> None:
    invited = invitation()
    body = initiator(invited).body(5)
    moved = replace(invited.introset, introductions=(introduction(9),))
    with pytest.raises(CryptoError):
        responder(replace(invited, digest=introset_digest(moved)), body)
    with pytest.raises(CryptoError):
        responder(invited, body, netid=b"another")


@pytest.mark.parametrize("at", [13, 25, 40, 1123, 1130, 1170, 1327])
def test_every_changed_byte_fails_at_the_gate_and_behind_it(at: int) -> None:
    invited = invitation()
    body = bytearray(initiator(invited).body(5))
    body[at] ^= 1
    assert not is_admitted(invited.introset.gate_key, bytes(body))
    if at >= 36:
        with pytest.raises(CryptoError):
            responder(invited, bytes(body))


def test_the_gate_key_is_needed_to_be_admitted() -> None:
    invited = invitation()
    body = initiator(invited).body(5)
    assert not is_admitted(urandom(16), body)
    assert not is_admitted(invited.introset.gate_key, body[:-1])


def test_each_invitation_has_keys_of_its_own() -> None:
    one, other = invitation(), invitation()
    assert one.introset.kem_key != other.introset.kem_key
    assert one.introset.gate_key != other.introset.gate_key
    assert one.introset_id != other.introset_id
    assert "kem_secret" not in repr(one)


def test_an_address_is_found_again_from_its_static_key_and_sign() -> None:
    signs = set()
    for _ in range(40):
        who = Identity.of(ed25519_keypair(urandom(32)).secret)
        signs.add(sign_bit(who.address))
        assert loki_address(who.static.public, sign_bit(who.address)) == who.address
        other = loki_address(who.static.public, 1 - sign_bit(who.address))
        assert other[:31] == who.address[:31]
        assert other != who.address
    assert signs == {0, 1}


@pytest.mark.parametrize(
    "static",
    [
        b"",
        bytes(31),
        bytes(32),
        (1).to_bytes(32, "little"),
        (2**255 - 20).to_bytes(32, "little"),
        (2**255 - 19).to_bytes(32, "little"),
        b"\xff" * 32,
    ],
)
def test_static_keys_that_are_no_address_are_refused(static: bytes) -> None:
    with pytest.raises(WireError):
        loki_address(static, 0)


def test_random_static_keys_are_an_address_or_a_wire_error() -> None:
    outcomes = set()
    for _ in range(60):
        try:
            loki_address(urandom(31) + b"\x12", 0)
            outcomes.add(True)
        except WireError:
            outcomes.add(False)
    assert False in outcomes


def test_any_bytes_behind_a_good_gate_raise_only_our_errors() -> None:
    invited = invitation()
    for size in (BODY, BODY - 1, 12, 0):
        for _ in range(10):
            with pytest.raises(LokinetError):
                responder(invited, urandom(size))


def test_an_introset_without_a_real_key_is_refused() -> None:
    invited = invitation()
    bad = replace(invited.introset, kem_key=b"\xff" * 1184)
    with pytest.raises(CryptoError):
        Initiator(ALICE, bad, NETID, OPENING, urandom)
    worse = replace(invited.introset, address=LokiAddress(bytes(32)))
    with pytest.raises(CryptoError):
        Initiator(ALICE, worse, NETID, OPENING, urandom)
