"""Mumble's messages and packets, and a client's side of a connection, in memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.voice.mumble import packets
from orchestrator.voice.mumble.messages import (
    Kind,
    Malformed,
    framed,
    frames,
    number,
    packed,
    text,
    unpacked,
)
from orchestrator.voice.mumble.ocb2 import Box
from orchestrator.voice.mumble.packets import Sound, ping_time, sound_of
from orchestrator.voice.mumble.session import MumbleSession

KEY, ONE, OTHER = b"k" * 16, b"c" * 16, b"s" * 16
CRYPT_SETUP = framed(Kind.CRYPT_SETUP, packed((1, KEY), (2, ONE), (3, OTHER)))
SYNC = framed(Kind.SERVER_SYNC, packed((1, 42), (2, 72_000), (3, "welcome")))


def joined() -> tuple[MumbleSession, Box]:
    """A client that is in, and the server's box for it."""
    session = MumbleSession("alice")
    assert list(session.received(CRYPT_SETUP + SYNC)) == []
    return session, Box(KEY, OTHER, ONE)


def from_server(session: int, sequence: int, opus: bytes) -> bytes:
    """A voice packet as a server passes it on: with who said it, and one byte numbers only."""
    return bytes((packets.OPUS, session, sequence, len(opus))) + opus


def test_a_message_is_what_protobuf_makes_of_it() -> None:
    # protobuf.dev/programming-guides/encoding: field 1 = 150, field 2 = "testing"
    data = bytes.fromhex("089601120774657374696e67")
    assert packed((1, 150), (2, "testing")) == data
    fields = unpacked(data)
    assert (number(fields, 1), text(fields, 2)) == (150, "testing")
    assert (number(fields, 2), text(fields, 1)) == (None, "")


def test_fixed_widths_are_skipped() -> None:
    data = bytes.fromhex("2d0000404131") + bytes(8) + packed((7, 9))
    assert unpacked(data) == {7: 9}


@given(st.binary(max_size=64))
def test_any_bytes_are_fields_or_malformed(data: bytes) -> None:
    try:
        unpacked(data)
    except Malformed:
        return


@given(st.binary(max_size=64))
def test_any_bytes_are_a_packet_or_malformed(data: bytes) -> None:
    try:
        sound_of(data)
        ping_time(data)
    except Malformed:
        return


def test_frames_are_taken_off_whole() -> None:
    buffer = bytearray(framed(3, b"abc") + framed(0, b"") + framed(5, b"long")[:-1])
    assert list(frames(buffer)) == [(3, b"abc"), (0, b"")]
    buffer += b"g"
    assert list(frames(buffer)) == [(5, b"long")]
    assert not buffer
    with pytest.raises(Malformed):
        list(frames(bytearray(b"\0\0\xff\xff\xff\xff")))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 16383, 16384, 2**21, 2**28 - 1, 2**28, 2**40])
def test_numbers_of_every_size_come_back(value: int) -> None:
    assert ping_time(packets.ping(value)) == value


def test_numbers_are_written_as_mumble_writes_them() -> None:
    # mumble-protocol.readthedocs.io, "Variable length integer encoding"
    assert packets.ping(0x12) == bytes.fromhex("2012")
    assert packets.ping(0x1234) == bytes.fromhex("209234")
    assert packets.ping(0x123456) == bytes.fromhex("20d23456")
    assert packets.ping(0x1234567) == bytes.fromhex("20e1234567")
    assert packets.ping(0x12345678) == bytes.fromhex("20f012345678")
    assert packets.ping(0x123456789A) == bytes.fromhex("20f4000000123456789a")


def test_a_sound_says_who_speaks_and_whether_it_is_the_last() -> None:
    assert sound_of(from_server(7, 4, b"opus")) == Sound(7, 4, b"opus", False)
    assert packets.sound(4, b"opus", True) == bytes((packets.OPUS, 4, 0xA0, 4)) + b"opus"
    assert sound_of(packets.ping(5)) is None
    with pytest.raises(Malformed):
        sound_of(from_server(7, 4, b"opus")[:-1])


def test_who_is_let_in_may_talk() -> None:
    session = MumbleSession("alice")
    (version, _), (kind, asked) = frames(bytearray(session.hello()))
    assert (version, kind) == (Kind.VERSION, Kind.AUTHENTICATE)
    assert (text(unpacked(asked), 1), number(unpacked(asked), 5)) == ("alice", 1)
    assert list(session.received(CRYPT_SETUP)) == []
    assert not session.is_ready
    for byte in SYNC:  # however it is cut
        assert list(session.received(bytes((byte,)))) == []
    assert session.is_ready
    assert session.number == 42


def test_why_somebody_is_not_let_in() -> None:
    session = MumbleSession("alice")
    list(session.received(framed(Kind.REJECT, packed((1, 5), (2, "Username in use")))))
    assert session.refusal == "Username in use"


def test_voice_goes_through_tls_until_a_datagram_came_back() -> None:
    session, server = joined()
    message, is_datagram = session.voice(2, b"opus", False)
    assert not is_datagram
    assert list(frames(bytearray(message))) == [(Kind.TUNNEL, packets.sound(2, b"opus", False))]
    ping = server.opened(session.udp_ping(1234))
    assert session.datagram(server.sealed(ping)) is None
    message, is_datagram = session.voice(4, b"opus", True)
    assert is_datagram
    assert server.opened(message) == packets.sound(4, b"opus", True)


def test_voice_is_heard_either_way() -> None:
    session, server = joined()
    said = from_server(7, 4, b"opus")
    assert list(session.received(framed(Kind.TUNNEL, said))) == [Sound(7, 4, b"opus", False)]
    assert session.datagram(server.sealed(said)) == Sound(7, 4, b"opus", False)
    assert session.datagram(b"nobody knows") is None
    assert session.refused == 1


def test_a_server_that_lost_its_place_is_told() -> None:
    session, server = joined()
    list(session.received(framed(Kind.CRYPT_SETUP, b"")))
    ((kind, body),) = frames(bytearray(session.answers()))
    assert (kind, unpacked(body)) == (Kind.CRYPT_SETUP, {2: ONE})
    assert session.answers() == b""
    for _ in range(200):
        server.sealed(b"")
    list(session.received(framed(Kind.CRYPT_SETUP, packed((3, server.own_nonce)))))
    assert session.datagram(server.sealed(from_server(7, 4, b"x"))) == Sound(7, 4, b"x", False)


def test_a_ping_tells_what_came() -> None:
    session, server = joined()
    session.datagram(server.sealed(packets.ping(1)))
    ((kind, body),) = frames(bytearray(session.ping(99)))
    assert (kind, unpacked(body)) == (Kind.PING, {1: 99, 2: 1, 3: 0, 4: 0})
