"""Bytes nobody should send: nothing is raised, everything is counted, the link goes on."""

from __future__ import annotations

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.units import SECOND
from lokinet_node.burst import BODY, CELL_HEAD, DATAGRAM
from lokinet_node.wire.channel import Frame, encode_frame
from tests.unit.link.world import Node, Tap, captured, feed, linked, two

SEEDS = count()
WORDS = st.sampled_from(
    [b"\1\1\0\0", b"\2\1\0\0", b"\3\1\0\0", b"\4\0\0\0", b"\4\0\0\1", b"\1\2\0\0", b"\0\0\0\0"]
)
ROWS_OF_JUNK = st.lists(st.tuples(WORDS, st.binary(max_size=64)), min_size=1, max_size=47)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS_OF_JUNK)
def test_junk_is_counted_row_by_row(rows: list[tuple[bytes, bytes]]) -> None:
    network, one, other = two(next(SEEDS))
    feed(one, [(word + data).ljust(DATAGRAM, b"\7") for word, data in rows], other.address)
    one.tick(network.now)
    assert sum(one.links.drops) == len(rows)
    assert one.links.by_key == {}
    assert one.events == []


@settings(max_examples=100, deadline=None)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, 7), st.integers(0, DATAGRAM - 1), st.integers(1, 255)),
        min_size=1,
        max_size=30,
    )
)
def test_changed_genuine_datagrams_never_raise_and_the_link_goes_on(
    edits: list[tuple[int, int, int]],
) -> None:
    network, one, other = two(next(SEEDS))
    tap = Tap(network)
    one.connect(other)
    network.run(SECOND)
    pool = [data for _, _, data in tap.seen] + captured(network, one, other, [1, 2])
    spoilt = []
    for which, place, change in edits:
        data = bytearray(pool[which % len(pool)])
        data[place] ^= change
        spoilt.append(bytes(data))
    for node, peer in ((one, other), (other, one)):
        feed(node, spoilt, peer.address)
    network.run(SECOND)
    assert (one.downs(), other.downs()) == ([], [])
    one.send(other, [7])
    network.run(SECOND)
    assert other.numbers()[-1] == 7


def say(node: Node, peer: Node, path_id: int, counter: int, content: bytes) -> None:
    """An authentic cell with any content."""
    row = node.cells.rows[0]
    CELL_HEAD.pack_into(row, 0, path_id, counter)
    node.cells.bodies[0][:] = content.ljust(BODY, b"\0")
    node.links.send_cells(node.link(peer), node.cells, 0, 1, node.network.now)


@settings(max_examples=100, deadline=None)
@given(frames=st.lists(st.binary(max_size=80), min_size=1, max_size=20))
def test_a_peer_that_says_nonsense_on_the_control_channel_is_counted(frames: list[bytes]) -> None:
    network, one, other = linked(next(SEEDS))
    for frame in frames:
        say(other, one, 0, 0, frame)
    network.run(SECOND)
    assert one.downs() == []
    one.send(other, [7])
    network.run(SECOND)
    assert other.numbers() == [7]


def test_control_cells_with_a_counter_and_pings_of_another_size_are_bad_frames() -> None:
    network, one, other = linked()
    say(other, one, 0, 1, encode_frame(Frame()))
    say(other, one, 0, 0, encode_frame(Frame(kind=1, payload=bytes(7))))
    say(other, one, 0, 0, b"\xff" * BODY)
    network.run(SECOND)
    assert one.drops() == {"BAD_FRAME": 3}


def test_pongs_nobody_asked_for_change_nothing() -> None:
    network, one, other = linked()
    network.run(SECOND)
    before = one.link(other).rtt
    for number in range(20):
        say(other, one, 0, 0, encode_frame(Frame(kind=2, payload=bytes([number]) * 8)))
    network.run(SECOND)
    assert one.link(other).rtt == before
    assert one.drops() == {}


def test_path_ids_and_counters_of_a_peer_are_passed_on_as_they_are() -> None:
    network, one, other = linked()
    edge = (1 << 64) - 1
    say(other, one, edge, edge, b"x")
    network.run(SECOND)
    assert one.got == [(edge, edge, b"x".ljust(BODY, b"\0"))]
