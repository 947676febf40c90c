"""Cells through one link: what arrives, what is dropped, under which name."""

from __future__ import annotations

import struct
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.burst import CELL, DATAGRAM, ROWS, Datagrams
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.flow.replay import WINDOW
from lokinet_node.link.links import Address, Drop
from lokinet_node.testing.fakenet import FakeNetwork, Faults
from tests.unit.link.world import Node, Tap, body, captured, feed, linked

SHORT = Timing(link_rekey=2 * SECOND, link_reject=3 * SECOND)


def test_cells_arrive_whole_and_in_order_both_ways() -> None:
    network, one, other = linked()
    for start in range(0, 450, 45):
        one.send(other, range(start, start + 45))
        other.send(one, [start], path_id=9)
    network.run(SECOND)
    assert other.got == [(7, number, body(number)) for number in range(450)]
    assert one.got == [(9, number, body(number)) for number in range(0, 450, 45)]
    assert (one.drops(), other.drops()) == ({}, {})
    assert one.link(other).cells_out >= 450
    assert other.link(one).cells_in == one.link(other).cells_out


def test_every_datagram_has_the_same_size_whatever_is_in_it() -> None:
    network, one, other = linked()
    tap = Tap(network)
    one.connect(other)
    one.tell(other, 9, bytes(9000))
    one.send(other, [1])
    network.run(20 * SECOND)
    assert {len(data) for _, _, data in tap.seen} == {DATAGRAM}


def test_cells_for_a_link_that_is_not_up_are_dropped_and_counted() -> None:
    network, one, other = linked()
    link = one.link(other)
    network.leave(other.address)
    network.run(6 * SECOND)
    one.links.send_cells(link, one.cells, 0, 3, network.now)
    assert one.drops() == {"NOT_UP": 3}


def test_a_replayed_burst_is_counted_and_dropped() -> None:
    network, one, other = linked()
    datagrams = captured(network, one, other, range(45))
    feed(other, datagrams, one.address)
    assert other.numbers() == list(range(45))
    feed(other, datagrams, one.address)
    feed(other, datagrams[40:], one.address)
    assert other.numbers() == list(range(45))
    assert other.drops() == {"REPLAYED": 50}


def test_a_cell_twice_in_one_burst_is_delivered_once() -> None:
    network, one, other = linked()
    first, second, third = captured(network, one, other, range(3))
    feed(other, [first, second, second, first, third], one.address)
    assert other.numbers() == [0, 1, 2]
    assert other.drops() == {"REPLAYED": 2}


def test_a_cell_older_than_the_window_is_refused_and_one_inside_is_not() -> None:
    network, one, other = linked()
    datagrams = captured(network, one, other, range(WINDOW + 2))
    for start in range(2, WINDOW + 2, 45):
        feed(other, datagrams[start : min(start + 45, WINDOW + 2)], one.address)
    other.got.clear()
    feed(other, datagrams[1:2], one.address)
    assert other.numbers() == []
    assert other.drop(Drop.REPLAYED) == 1
    network, one, other = linked(seed=1)
    datagrams = captured(network, one, other, range(WINDOW))
    feed(other, datagrams[-45:], one.address)
    feed(other, datagrams[:1], one.address)
    assert other.numbers()[-1] == 0


@pytest.mark.parametrize("bad", [[0], [44], [3, 4, 30], list(range(45))])
def test_one_forged_cell_is_one_dropped_cell_and_the_burst_goes_on(bad: list[int]) -> None:
    network, one, other = linked()
    datagrams = captured(network, one, other, range(45))
    forged = list(datagrams)
    for row in bad:
        forged[row] = datagrams[row][:-1] + bytes([datagrams[row][-1] ^ 1])
    feed(other, forged, one.address)
    good = [number for number in range(45) if number not in bad]
    assert other.got == [(7, number, body(number)) for number in good]
    assert other.drops() == {"BAD_TAG": len(bad)}
    # What did not verify was not marked: the true cells still come through.
    feed(other, [datagrams[row] for row in bad], one.address)
    assert sorted(other.numbers()) == list(range(45))


def test_cells_from_elsewhere_are_dropped_and_not_marked() -> None:
    network, one, other = linked()
    datagrams = captured(network, one, other, range(5))
    for address in (("198.51.100.99", 1090), (one.address[0], 1091)):
        feed(other, datagrams, address)
    assert other.drops() == {"WRONG_ADDRESS": 10}
    feed(other, datagrams, one.address)
    assert other.numbers() == list(range(5))


def test_indices_of_nobody_are_counted() -> None:
    network, one, other = linked()
    datagrams = captured(network, one, other, range(4))
    broken = [data[:4] + bytes(4) + data[8:] for data in datagrams[:2]]
    feed(other, [datagrams[2], *broken, datagrams[3]], one.address)
    assert other.numbers() == [2, 3]
    assert other.drops() == {"UNKNOWN_INDEX": 2}


def test_control_cells_between_data_are_taken_by_the_link() -> None:
    network, one, other = linked()
    tap = Tap(network)
    network.freeze(other.address)
    one.send(other, [1, 2])
    one.tell(other, 9, b"gossip")
    one.send(other, [3])
    network.freeze(other.address, frozen=False)
    feed(other, [data for _, _, data in tap.seen], one.address)
    assert other.numbers() == [1, 2, 3]
    assert other.heard() == [(9, b"gossip")]


def test_a_short_control_frame_carries_nothing_of_a_longer_one_before_it() -> None:
    network, one, other = linked()
    one.tell(other, 9, b"\xaa" * 1302)
    network.run(SECOND)
    tap = Tap(network)
    one.tell(other, 9, b"short")
    (data,) = tap.of(one, 4)
    keypair = other.link(one).current
    assert keypair is not None
    _, _, counter = struct.unpack_from("!IIQ", data)
    plain = keypair.opens.open(counter, data[16:])
    assert len(plain) == CELL
    assert plain[16 + 26 :] == b"short".ljust(1302, b"\0")
    assert plain[:16] == bytes(16)


def test_what_is_behind_the_count_is_not_looked_at() -> None:
    network, one, other = linked()
    datagrams = captured(network, one, other, range(4))
    burst = Datagrams()
    data = b"".join(datagrams) + b"\4" * 700
    burst.view[: len(data)] = data
    other.from_wire(burst, 2, one.address, network.now)
    assert other.numbers() == [0, 1]
    other.from_wire(burst, 0, one.address, network.now)
    assert other.drops() == {}


@pytest.mark.parametrize("seed", range(4))
def test_loss_repetition_and_reordering_deliver_nothing_twice(seed: int) -> None:
    faults = Faults(loss=0.05, duplicate=0.2, delay=2 * MILLISECOND, jitter=15 * MILLISECOND)
    network, one, other = linked(seed, faults)
    random = Random(seed)
    said: list[tuple[int, bytes]] = []
    number = 0
    while number < 4000:
        size = random.choice([1, 3, 8, 45])
        one.send(other, range(number, number + size))
        other.send(one, range(number, number + size))
        number += size
        if random.random() < 0.2:
            said.append((9, random.randbytes(random.randrange(6000))))
            one.tell(other, *said[-1])
        network.run(random.randrange(10 * MILLISECOND))
    network.run(10 * SECOND)
    for node in (one, other):
        got = node.numbers()
        assert len(set(got)) == len(got)
        assert 0.9 < len(got) / number < 1
        assert all(content == body(counter) for _, counter, content in node.got)
        assert node.drop(Drop.REPLAYED) > 100
        assert node.drop(Drop.BAD_TAG) == 0
        assert node.downs() == []
        assert node.failed() == []
    assert sorted(other.heard()) == sorted(said)


# --- the fast path against its slow obvious twin


class Twin:
    """The specification of opening, one datagram at a time."""

    def __init__(self, node: Node) -> None:
        self.keypairs = dict(node.links._table.by_index)
        self.seen: dict[int, set[int]] = {index: set() for index in self.keypairs}
        self.got: list[int] = []
        self.drops = [0] * len(Drop)

    def open(self, datagram: bytes, address: Address) -> None:
        word, index, counter = struct.unpack_from("!IIQ", datagram)
        keypair = self.keypairs.get(index)
        if word != 0x04000000:
            self.drops[Drop.UNKNOWN_TYPE] += 1
        elif keypair is None:
            self.drops[Drop.UNKNOWN_INDEX] += 1
        elif keypair.ends.address != address:
            self.drops[Drop.WRONG_ADDRESS] += 1
        elif counter in self.seen[index]:
            self.drops[Drop.REPLAYED] += 1
        else:
            try:
                cell = keypair.opens.open(counter, datagram[16:])
            except CryptoError:
                self.drops[Drop.BAD_TAG] += 1
                return
            self.seen[index].add(counter)
            self.got.append(struct.unpack_from("!QQ", cell)[1])


SEEDS = count()


def two_keypairs() -> tuple[FakeNetwork, Node, Node, list[bytes]]:
    """A link just rekeyed, and cells sealed with the old and with the new keys."""
    network, one, other = linked(next(SEEDS), timing=SHORT)
    before = captured(network, one, other, range(20))
    network.run_until(lambda: other.link(one).previous is not None, 3 * SECOND)
    network.run(5 * MILLISECOND)
    return network, one, other, before + captured(network, one, other, range(20, 40))


PIECES = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 39),
            st.sampled_from(["whole"] * 12 + ["tag", "index", "counter", "type", "body"]),
            st.integers(1, 20),
        ),
        max_size=6,
    ),
    max_size=5,
)


def spoilt(datagram: bytes, how: str) -> bytes:
    place = {"tag": -1, "index": 5, "counter": 15, "type": 0, "body": 700}.get(how)
    if place is None:
        return datagram
    data = bytearray(datagram)
    data[place] ^= 0x40
    return bytes(data)


@settings(max_examples=60, deadline=None)
@given(bursts=PIECES)
def test_bursts_are_opened_like_single_datagrams(bursts: list[list[tuple[int, str, int]]]) -> None:
    _, one, other, pool = two_keypairs()
    other.got.clear()
    before = list(other.links.drops)
    twin = Twin(other)
    for pieces in bursts:
        rows: list[bytes] = []
        for start, how, length in pieces:
            rows += [spoilt(data, how) for data in pool[start : start + length]]
        rows = rows[:ROWS]
        for row in rows:
            twin.open(row, one.address)
        feed(other, rows, one.address)
    assert other.numbers() == twin.got
    assert [now - then for now, then in zip(other.links.drops, before, strict=True)] == twin.drops
