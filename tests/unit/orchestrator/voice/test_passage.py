"""Datagrams followed through a server that closes each anew."""

from __future__ import annotations

from orchestrator.voice.passage import ONWARD_US, followed

MS = 1000


def test_each_packet_is_followed_through_the_server() -> None:
    sent, came = followed(
        [(0, b"a1"), (20 * MS, b"a2")],
        [(3 * MS, b"a1"), (24 * MS, b"a2")],
        [(3 * MS + 50, b"b1"), (24 * MS + 50, b"b2")],
        [(5 * MS, b"b1"), (29 * MS, b"b2")],
    )
    assert sent == [0.0, 0.02]
    assert came == {0: 0.005, 1: 0.029}


def test_packets_lost_on_either_side_of_the_server_did_not_come() -> None:
    sent, came = followed(
        [(0, b"a1"), (20 * MS, b"a2"), (40 * MS, b"a3")],
        [(23 * MS, b"a2"), (43 * MS, b"a3")],
        [(23 * MS + 50, b"b2"), (43 * MS + 50, b"b3")],
        [(45 * MS, b"b3")],
    )
    assert len(sent) == 3
    assert came == {2: 0.045}


def test_what_the_server_did_not_pass_on_takes_no_other_packets_place() -> None:
    _, came = followed(
        [(0, b"a1"), (2 * ONWARD_US, b"a2")],
        [(MS, b"a1"), (2 * ONWARD_US + MS, b"a2")],
        [(2 * ONWARD_US + 2 * MS, b"b2")],
        [(2 * ONWARD_US + 3 * MS, b"b2")],
    )
    assert list(came) == [1]


def test_packets_that_overtake_each_other_keep_their_numbers() -> None:
    _, came = followed(
        [(0, b"a1"), (20 * MS, b"a2")],
        [(25 * MS, b"a2"), (26 * MS, b"a1")],
        [(25 * MS + 50, b"b2"), (26 * MS + 50, b"b1")],
        [(28 * MS, b"b2"), (30 * MS, b"b1")],
    )
    assert came == {1: 0.028, 0: 0.03}


def test_strangers_packets_are_not_counted() -> None:
    sent, came = followed([], [(0, b"c1")], [(1, b"b1")], [(2, b"b1")])
    assert (sent, came) == ([], {})
