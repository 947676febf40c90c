"""Voice packets are found among all that a tun carries, and matched at its two ends."""

import struct

import pytest

from orchestrator.checks.wiretap import ETHERNET
from orchestrator.voice.rtp import Heard, Packet, packets_of, stream_of

ALICE, BOB = 0xA11CE, 0xB0B


def voice(source: int, number: int, kind: int = 96) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, number, number * 960, source) + b"sound" * 4


def piece(payload: bytes, segment: int = 0, protocol: int = 17, version: int = 4) -> bytes:
    """As a tun hands it over, with its header before it."""
    offload = struct.pack("=BBHHHH", 0, 5 if segment else 0, 0, segment, 0, 0)
    header = struct.pack("!BB7xB10x", version << 4 | 5, 0, protocol)
    return offload + header + struct.pack("!HHHH", 10_000, 10_002, len(payload) + 8, 0) + payload


def test_a_datagram_is_one_packet() -> None:
    assert list(packets_of(piece(voice(ALICE, 7)))) == [Packet(ALICE, 7)]


def test_on_a_link_it_lies_behind_the_links_header() -> None:
    tunnelled = piece(voice(ALICE, 7))
    linked = tunnelled[:10] + bytes(12) + b"\x08\x00" + tunnelled[10:]
    heard = Heard(ETHERNET)
    heard.add(linked, 1.0)
    heard.add(linked[:43], 2.0)
    assert heard.at == {Packet(ALICE, 7): 1.0}


def test_several_in_one_piece_are_cut_where_its_header_says() -> None:
    parts = [voice(ALICE, number) for number in (65_535, 0, 1)]
    assert list(packets_of(piece(b"".join(parts), segment=len(parts[0])))) == [
        Packet(ALICE, 65_535),
        Packet(ALICE, 0),
        Packet(ALICE, 1),
    ]


@pytest.mark.parametrize(
    "other",
    [
        b"",
        piece(voice(ALICE, 7))[:29],
        piece(voice(ALICE, 7), protocol=6),
        piece(voice(ALICE, 7), version=6),
        piece(voice(ALICE, 7, kind=200)),  # RTCP
        piece(b"SIP/2.0 200 OK" + b" " * 20),
        piece(b"\x00" * 40),
        piece(b"\x80\x60"),
    ],
)
def test_everything_else_is_none(other: bytes) -> None:
    assert list(packets_of(other)) == []


def ends() -> tuple[Heard, Heard]:
    """alice's 100 packets take 5 ms, and bob's 2 ms; each tun carries both."""
    alice, bob = Heard(), Heard()
    for number in range(100):
        at, place = 1000 + number * 0.02, (65_500 + number) % 65_536
        alice.add(piece(voice(ALICE, place)), at)
        bob.add(piece(voice(ALICE, place)), at + 0.005)
        bob.add(piece(voice(BOB, number)), at)
        alice.add(piece(voice(BOB, number)), at + 0.002)
    return alice, bob


def test_each_way_has_its_own_delay() -> None:
    alice, bob = ends()
    there, points = stream_of(alice, bob)
    back, _ = stream_of(bob, alice)
    assert (there.sent, there.came, there.loss) == (100, 100, 0)
    assert there.p50_ms == pytest.approx(5, abs=0.001)
    assert back.p50_ms == pytest.approx(2, abs=0.001)
    assert points[0] == pytest.approx((0, 5), abs=0.001)
    assert points[-1][0] == pytest.approx(1.98)


def test_what_did_not_arrive_is_lost_whichever_it_was() -> None:
    alice, bob = ends()
    for number in (65_500, 65_510, 63):
        del bob.at[Packet(ALICE, number)]
    there, points = stream_of(alice, bob)
    assert (there.sent, there.came, len(points)) == (100, 97, 97)
    assert there.loss == pytest.approx(0.03)
    assert stream_of(bob, alice)[0].loss == 0


def test_a_way_on_which_nothing_arrives_is_all_lost() -> None:
    alice, bob = ends()
    bob.at = {packet: at for packet, at in bob.at.items() if packet.source == BOB}
    there, points = stream_of(alice, bob)
    assert (there.sent, there.came, there.loss, points) == (100, 0, 1, [])


def test_without_a_voice_there_is_nothing() -> None:
    assert stream_of(Heard(), Heard())[0].sent == 0


def test_the_second_sight_of_a_packet_does_not_count() -> None:
    heard = Heard()
    heard.add(piece(voice(ALICE, 1)), 1.0)
    heard.add(piece(voice(ALICE, 1)), 2.0)
    assert heard.at == {Packet(ALICE, 1): 1.0}
