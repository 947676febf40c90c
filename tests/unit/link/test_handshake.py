"""Handshakes: who is linked, who is refused, and why."""

from __future__ import annotations

import itertools
from hashlib import blake2s

import pytest

from lokinet_node.base.errors import LocalProtocolError
from lokinet_node.base.ids import LinkKey
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.burst import DATAGRAM
from lokinet_node.crypto.keys import x25519_keypair
from lokinet_node.link import stamps, table
from lokinet_node.link.handshaker import PATIENCE, VERSION_BURST
from lokinet_node.link.links import Drop, LinkUp, Reason
from lokinet_node.link.stamps import Stamps
from lokinet_node.testing.fakenet import FakeNetwork
from tests.unit.link.world import Node, Tap, feed, linked, mac, two


def test_both_ends_are_told_once_that_the_link_is_up() -> None:
    network, one, other = linked()
    network.run(10 * SECOND)
    assert one.events == [LinkUp(one.link(other))]
    assert other.events == [LinkUp(other.link(one))]
    assert one.link(other).boot_id == other.link(one).local_boot
    assert one.link(other).rtt == other.link(one).rtt == MILLISECOND


def test_messages_told_before_the_link_is_up_arrive_after() -> None:
    network, one, other = two()
    one.connect(other)
    one.tell(other, 3, b"early")
    network.run(SECOND)
    assert other.heard() == [(3, b"early")]


def test_connecting_twice_gives_the_same_link() -> None:
    _, one, other = two()
    assert one.connect(other) is one.connect(other)


def test_a_node_does_not_link_to_itself() -> None:
    _, one, _ = two()
    with pytest.raises(LocalProtocolError):
        one.connect(one)


def test_a_client_is_known_as_one_and_a_router_as_one() -> None:
    network = FakeNetwork()
    client, router = Node(network, 1, is_router=False), Node(network, 2)
    client.connect(router)
    network.run(SECOND)
    assert not router.link(client).claims_router
    assert client.link(router).claims_router


def test_nobody_there_is_told_after_5_s_with_what_waited() -> None:
    network, one, other = two()
    network.leave(other.address)
    one.connect(other)
    one.tell(other, 3, b"waiting")
    network.run(4_900 * MILLISECOND)
    assert one.events == []
    network.run(200 * MILLISECOND)
    assert one.downs() == [Reason.NO_ANSWER]
    assert one.failed() == [(3, b"waiting")]
    assert one.links.by_key == {}
    assert one.links.deadline() is None


def test_tries_are_repeated_with_growing_pauses_and_never_the_same() -> None:
    network, one, other = two()
    network.leave(other.address)
    tap = Tap(network)
    times: list[int] = []
    one.connect(other)
    for _ in range(5000):
        times += [network.now] * (len(tap.of(one, 1)) - len(times))
        network.run(MILLISECOND)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    for pause, least in zip(pauses, [100, 200, 400, 500, 500, 500], strict=False):
        assert least * MILLISECOND <= pause <= (least * 5 // 4 + 1) * MILLISECOND
    assert 9 <= len(times) <= 13
    tries = tap.of(one, 1)
    assert len({data[8:40] for data in tries}) == len(tries)


def test_a_peer_that_starts_late_is_found_soon() -> None:
    network, one, other = two()
    network.freeze(other.address)
    one.connect(other)
    network.run(3 * SECOND)
    network.freeze(other.address, frozen=False)
    took = network.run_until(lambda: other.is_up(one), SECOND)
    assert took < 700 * MILLISECOND


def test_a_peer_whose_key_is_no_key_is_nobody() -> None:
    network, one, other = two()
    one.links.connect(LinkKey(bytes(32)), other.address, network.now)
    one.tick(network.now)
    assert one.downs() == [Reason.NO_ANSWER]
    assert one.links.by_key == {}


# --- refusals


def test_another_version_is_counted_as_such_for_each_type() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.connect(other)
    network.run(SECOND)
    initiation, response = tap.of(one, 1)[0], tap.of(other, 2)[0]
    before = other.drops()
    for data in (initiation, response, *(head.ljust(DATAGRAM, b"\0") for head in (b"\3", b"\5"))):
        feed(other, [data[:1] + b"\2" + data[2:]], one.address)
    assert before == {}
    assert other.drops() == {"VERSION": 4}


def foreign(initiation: bytes) -> bytes:
    return initiation[:1] + b"\2" + initiation[2:]


def test_who_speaks_another_version_is_told_ours_but_not_without_end() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.connect(other)
    network.run(SECOND)
    initiation = foreign(tap.of(one, 1)[0])
    feed(other, [initiation] * 40, one.address)
    network.run(SECOND)
    told = tap.of(other, 5)
    assert told[0] == (b"\5\1\0\0" + initiation[4:8]).ljust(DATAGRAM, b"\0")
    assert len(told) == VERSION_BURST


def test_a_peer_of_another_version_is_named_when_the_attempt_is_over() -> None:
    network, one, other = two()
    tap = Tap(network)
    other.deaf_to |= {1}  # it understands nothing of ours, and answers only as below
    one.connect(other)
    network.run(SECOND // 2)
    answer = b"\5\2\0\0" + tap.of(one, 1)[-1][4:8]
    feed(one, [answer.ljust(DATAGRAM, b"\0")], other.address)
    assert one.downs() == [], "anybody can forge it"
    network.run(2 * PATIENCE)
    assert one.downs() == [Reason.OTHER_VERSION]


@pytest.mark.parametrize("from_elsewhere", [False, True])
def test_a_forged_word_about_versions_ends_nothing(from_elsewhere: bool) -> None:
    network, one, other = two()
    tap = Tap(network)
    other.deaf_to |= {1}
    one.connect(other)
    network.run(SECOND // 2)
    index = bytes(4) if not from_elsewhere else tap.of(one, 1)[-1][4:8]
    address = ("198.51.100.77", 1090) if from_elsewhere else other.address
    feed(one, [(b"\5\2\0\0" + index).ljust(DATAGRAM, b"\0")], address)
    network.run(2 * PATIENCE)
    assert one.downs() == [Reason.NO_ANSWER]


@pytest.mark.parametrize("head", ["00010000", "06010000", "01010100", "04000001", "04010000"])
def test_unknown_types_are_counted(head: str) -> None:
    _, one, other = two()
    feed(other, [bytes.fromhex(head).ljust(DATAGRAM, b"\0")], one.address)
    assert other.drops() == {"UNKNOWN_TYPE": 1}


def test_another_network_is_refused_although_the_keys_are_right() -> None:
    network = FakeNetwork()
    one, other = Node(network, 1), Node(network, 2, netid=b"othernet")
    one.connect(other)
    network.run(6 * SECOND)
    assert one.downs() == [Reason.NO_ANSWER]
    assert set(other.drops()) == {"BAD_HANDSHAKE"}
    assert other.links.by_key == {}


def test_an_initiation_for_somebody_else_is_dropped_without_any_work() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.links.connect(
        LinkKey(x25519_keypair(one.random.randbytes).public), other.address, network.now
    )
    network.run(50 * MILLISECOND)
    assert other.drops() == {"BAD_MAC1": 1}
    assert tap.of(other, 2) == tap.of(other, 3) == []


def test_a_replayed_initiation_is_refused_and_hurts_nobody() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.connect(other)
    network.run(SECOND)
    (initiation,) = tap.of(one, 1)
    link, keypair = other.link(one), other.link(one).current
    tap.clear()
    for address in (one.address, ("198.51.100.77", 5)):
        feed(other, [initiation], address)
    assert tap.of(other, 2) == []
    assert other.drops() == {"STALE_HANDSHAKE": 1, "WRONG_ADDRESS": 1}
    assert (other.link(one), other.link(one).current) == (link, keypair)
    one.send(other, range(5))
    network.run(SECOND)
    assert other.numbers() == list(range(5))


def test_a_replay_after_a_restart_gets_an_answer_but_no_link() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.connect(other)
    network.run(SECOND)
    (initiation,) = tap.of(one, 1)
    network.leave(one.address)
    again = Node(network, 9, static=other.static)
    feed(again, [initiation], ("198.51.100.77", 5))
    assert len(tap.of(again, 2)) == 1
    assert again.links.by_key == {}
    assert again.events == []
    network.run(6 * SECOND)
    again.tick(network.now)
    assert again.links._table.by_index == {}


def test_a_replayed_response_is_unexpected() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.connect(other)
    network.run(SECOND)
    (response,) = tap.of(other, 2)
    feed(one, [response], other.address)
    assert one.drops() == {"UNEXPECTED_RESPONSE": 1}


def test_junk_in_place_of_the_response_does_not_stop_the_true_one() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.connect(other)
    network.run(MILLISECOND * 3 // 4)
    (response,) = tap.of(other, 2)
    for place, name in ((300, "BAD_MAC1"), (1350, "BAD_MAC1")):
        data = bytearray(response)
        data[place] ^= 1
        feed(one, [bytes(data)], other.address)
        assert one.drop(Drop[name]) > 0
    forged = bytearray(response[:1344])
    forged[300] ^= 1
    mac1_key = blake2s(b"mac1----" + one.key).digest()
    feed(one, [bytes(forged) + mac(mac1_key, bytes(forged)) + bytes(16)], other.address)
    feed(one, [response], ("198.51.100.77", 5))
    assert one.drops() == {"BAD_MAC1": 2, "BAD_HANDSHAKE": 1, "WRONG_ADDRESS": 1}
    network.run(SECOND)
    assert one.is_up(other)
    assert len(tap.of(one, 1)) == 1


@pytest.mark.parametrize(("skew", "name"), [(121, "CLOCK"), (-121, "CLOCK"), (119, None)])
def test_dates_more_than_two_minutes_off_are_refused(skew: int, name: str | None) -> None:
    network, one, other = two()
    network.leave(other.address)
    tap = Tap(network)
    one.connect(other)
    (initiation,) = tap.of(one, 1)
    network.now += skew * SECOND
    feed(other, [initiation], one.address)
    assert len(tap.of(other, 2)) == (name is None)
    assert other.drops() == ({} if name is None else {name: 1})


def test_timestamps_grow_even_when_the_clock_stands_still() -> None:
    network, one, other = two()
    network.leave(other.address)
    stamps_seen = []
    for _ in range(3):
        one.links.disconnect(one.connect(other), network.now)
        stamps_seen.append(one.links._handshaker._stamp)
    assert stamps_seen == [network.now, network.now + 1, network.now + 2]


def test_an_up_link_does_not_move_to_another_address() -> None:
    network, one, other = linked()
    impostor = Node(network, 9, static=one.static)
    impostor.connect(other)
    network.run(SECOND)
    assert set(other.drops()) == {"WRONG_ADDRESS"}
    assert other.link(one).address == one.address
    assert not impostor.is_up(other)


def test_offers_nobody_confirms_are_bounded_and_short_lived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table, "UNCONFIRMED", 8)
    network = FakeNetwork()
    router = Node(network, 1)
    for number in range(2, 32):
        client = Node(network, number, is_router=False)
        client.deaf_to = {2}
        client.connect(router)
    network.run(50 * MILLISECOND)
    held = router.links._table
    assert len(held.next) == len(held.by_index) == 8
    for number in range(2, 32):
        network.leave((f"198.51.100.{number}", 1090))
    network.run(5 * SECOND)
    router.tick(network.now)
    assert len(held.next) == len(held.by_index) == 0
    assert router.links.by_key == {}


def test_links_of_strangers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lokinet_node.link.handshaker.LINKS", 3)
    network = FakeNetwork()
    router = Node(network, 1)
    clients = [Node(network, number, is_router=False) for number in range(2, 8)]
    for client in clients:
        client.connect(router)
        network.run(20 * MILLISECOND)
    assert sum(client.is_up(router) for client in clients) == 3
    assert set(router.drops()) == {"TOO_MANY_LINKS"}


def test_stamps_are_strictly_newer_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "CLIENTS", 2)
    seen = Stamps()
    keys = [LinkKey(bytes([number]) * 32) for number in range(4)]
    assert seen.accept(keys[0], 10, is_router=True)
    assert not seen.accept(keys[0], 10, is_router=True)
    assert not seen.accept(keys[0], 9, is_router=True)
    assert seen.accept(keys[0], 11, is_router=True)
    for key in keys[1:]:
        assert seen.accept(key, 10, is_router=False)
    assert seen.accept(keys[1], 10, is_router=False), "pushed out"
    assert not seen.accept(keys[3], 10, is_router=False)
    assert not seen.accept(keys[0], 11, is_router=True), "clients push out no router"


def test_a_handshake_costs_one_round_trip_and_four_datagrams_more_at_most() -> None:
    network, one, other = two()
    tap = Tap(network)
    one.connect(other)
    took = network.run_until(lambda: other.is_up(one), SECOND)
    assert took == 3 * MILLISECOND // 2
    network.run(4 * SECOND)
    assert len(tap.seen) <= 6


def test_disconnecting_is_told_and_forgets_everything() -> None:
    network, one, other = linked()
    link = one.link(other)
    one.tell(other, 3, b"x")
    one.links.disconnect(link, network.now)
    one.links.disconnect(link, network.now)
    one.tick(network.now)
    assert one.downs() == [Reason.CLOSED]
    assert one.failed() == [(3, b"x")]
    assert one.links._table.by_index == {}
    one.links.send_message(link, 3, b"late", network.now)
    one.tick(network.now)
    assert one.failed() == [(3, b"x"), (3, b"late")]
