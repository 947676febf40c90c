"""The sums of docs/wire.md, section 1, and of the layouts that have to fill them."""

import random

import pytest

from lokinet_node import burst
from lokinet_node.crypto.kem import KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE
from lokinet_node.crypto.keys import x25519_keypair
from lokinet_node.crypto.noise import IK, IKPSK0, NK, TAG_SIZE, Noise, Pattern
from lokinet_node.session import messages, plaintexts
from lokinet_node.wire import build, channel, contact, control, introset, link
from lokinet_node.wire.offer import NO_OFFER, encode_offer

ENTROPY = random.Random(1).randbytes


def test_datagram_cell_and_body() -> None:
    assert burst.DATAGRAM == 1376 == 16 + 1344 + 16
    assert burst.CELL == 1344 == 8 + 8 + 1328 == 84 * 16
    assert burst.CELL_BLOCKS == 84
    assert burst.BODY == 1328
    assert 20 + 8 + burst.DATAGRAM == 1404
    assert link.CELL_HEADS[1].size == burst.DATAGRAM == burst.LINK_HEADER + 1360
    assert burst.CELL_HEAD.size == burst.CELL_HEADER == 16
    assert burst.ROWS * burst.DATAGRAM <= 65507 - 8 < (burst.ROWS + 1) * burst.DATAGRAM


def test_data_body_and_plaintext() -> None:
    assert plaintexts.PLAINTEXT == 1292
    assert burst.BODY == 8 + 4 + 8 + plaintexts.PLAINTEXT + 16
    assert plaintexts.PLAINTEXT == 1 + 2 + plaintexts.MAX_CONTENT + 9
    assert plaintexts.MAX_CONTENT == 1280


def test_control_frames() -> None:
    assert channel.FRAME_HEADER == 26
    assert channel.LINK_CAPACITY == 1302 == burst.BODY - 26
    assert channel.PATH_CAPACITY == 1278 == 1304 - 26
    assert burst.BODY == 8 + 1304 + 16


def test_path_build() -> None:
    assert build.SLOTS_SIZE == control.SLOTS_SIZE == 8 * 160
    assert 8 + build.SLOTS_SIZE == 1288 <= channel.LINK_CAPACITY
    assert build.REST_SIZE == 1120
    assert (build.RECORD_SIZE, build.ANSWER_SIZE) == (108, 112)


def test_session_message_1() -> None:
    assert (KEM_CIPHERTEXT_SIZE, KEM_PUBLIC_SIZE) == (1088, introset.KEM_KEY_SIZE)
    assert 8 + 4 + 8 + 16 + KEM_CIPHERTEXT_SIZE + 204 == burst.BODY
    assert messages.PAYLOAD_1_SIZE == 108 == 8 + 4 + 1 + 2 * introset.INTRODUCTION_SIZE + 7


def test_session_message_2() -> None:
    assert 8 + 4 + 32 + messages.PAYLOAD_2_SIZE + 16 == burst.BODY
    most = introset.MAX_INTRODUCTIONS * introset.INTRODUCTION_SIZE
    assert 1 + 1 + most <= messages.PAYLOAD_2_SIZE


@pytest.mark.parametrize(
    ("pattern", "payloads", "messages_"),
    [
        (IK, (link.INITIATION_PAYLOAD_SIZE, link.RESPONSE_PAYLOAD_SIZE), (1336, 1332)),
        (NK, (build.RECORD_SIZE, build.ANSWER_SIZE), (build.SLOT - 4, build.SLOT)),
        (IKPSK0, (messages.PAYLOAD_1_SIZE, messages.PAYLOAD_2_SIZE), (204, 1316)),
    ],
    ids=["link", "path build", "session"],
)
def test_handshakes_fill_what_is_left_for_them(
    pattern: Pattern, payloads: tuple[int, int], messages_: tuple[int, int]
) -> None:
    own, theirs = x25519_keypair(ENTROPY), x25519_keypair(ENTROPY)
    initiator = Noise.initiator(
        pattern, b"", rs=theirs.public, entropy=ENTROPY, s=own, psk=bytes(32)
    )
    responder = Noise.responder(pattern, b"", s=theirs, entropy=ENTROPY, psk=bytes(32))
    first = initiator.write_message(bytes(payloads[0]))
    responder.read_message(first)
    second = responder.write_message(bytes(payloads[1]))
    assert (len(first), len(second)) == messages_


def test_link_handshakes_fill_a_datagram() -> None:
    assert (link.INITIATION_PAYLOAD_SIZE, link.RESPONSE_PAYLOAD_SIZE) == (1240, 1284)
    assert burst.DATAGRAM == 4 + 4 + 1336 + 16 + 16
    assert burst.DATAGRAM == 4 + 4 + 4 + 1332 + 16 + 16


def test_contacts_and_introsets_stay_within_their_limits() -> None:
    assert contact.MAX_CONTACT_SIZE == 227
    most = introset.MAX_INTRODUCTIONS * introset.INTRODUCTION_SIZE
    plaintext = 1 + 32 + introset.KEM_KEY_SIZE + introset.GATE_KEY_SIZE + 1 + most
    assert plaintext + introset.MAX_EXTRAS_SIZE == introset.PLAINTEXT_SIZES[-1]
    assert introset.MAX_SERVICES_SIZE + len(encode_offer(NO_OFFER)) <= introset.MAX_EXTRAS_SIZE
    # without services every introset has the smaller size, whatever its introductions
    assert plaintext + 2 <= introset.PLAINTEXT_SIZES[0]
    sealed = 1 + 32 + 8 + 4 + 24 + 2 + introset.PLAINTEXT_SIZES[-1] + TAG_SIZE + 64
    assert sealed <= introset.MAX_SEALED_SIZE == control.INTROSET_LIMIT
