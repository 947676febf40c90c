"""Floods of handshakes: who gets an answer, what it costs, and what strangers cannot make us do."""

from __future__ import annotations

from random import Random

import pytest

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.burst import DATAGRAM
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.keys import x25519_keypair
from lokinet_node.link import gate
from lokinet_node.link.events import Drop
from lokinet_node.link.gate import AddressRates, Gate, Rate
from lokinet_node.link.macs import (
    COOKIE_LIFE,
    CookieMaker,
    MacKeys,
    add_macs,
    has_mac1,
    mac1_of,
    open_cookie,
)
from lokinet_node.testing.fakenet import FakeNetwork
from lokinet_node.wire.link import MAC1_AT, decode_cookie, encode_initiation
from tests.unit.link.world import Node, Tap, feed

START = 1_000_000 * SECOND
HOME = ("192.0.2.1", 1090)
ELSEWHERE = ("192.0.2.2", 1090)
KEYS = MacKeys.of(b"k" * 32)


def entropy() -> Random:
    return Random(7)


def initiation(sender: int, keys: MacKeys = KEYS, cookie: bytes | None = None) -> bytes:
    """What passes for an initiation as far as the gate looks."""
    return add_macs(encode_initiation(sender, bytes(MAC1_AT - 8)), keys, cookie)


def new_gate() -> tuple[Gate, list[int]]:
    drops = [0] * len(Drop)
    return Gate(KEYS, entropy().randbytes, drops), drops


# --- macs and cookies


def test_mac1_holds_for_the_receiver_alone() -> None:
    datagram = initiation(1)
    assert len(datagram) == DATAGRAM
    assert has_mac1(datagram, KEYS)
    assert not has_mac1(datagram, MacKeys.of(b"j" * 32))
    assert not has_mac1(b"\2" + datagram[1:], KEYS)


def test_a_cookie_is_good_for_its_address_and_two_minutes() -> None:
    maker = CookieMaker(KEYS, entropy().randbytes)
    first = initiation(5)
    reply = maker.reply(5, mac1_of(first), HOME, START)
    assert len(reply) == DATAGRAM
    cookie = open_cookie(decode_cookie(reply), KEYS, mac1_of(first))
    proved = initiation(6, cookie=cookie)
    assert maker.has_mac2(proved, HOME, START + COOKIE_LIFE - 1)
    assert not maker.has_mac2(proved, ELSEWHERE, START)
    assert not maker.has_mac2(proved, (HOME[0], 1091), START)
    assert not maker.has_mac2(first, HOME, START)
    assert not maker.has_mac2(proved, HOME, START + COOKIE_LIFE)


def test_a_cookie_for_another_initiation_does_not_open() -> None:
    maker = CookieMaker(KEYS, entropy().randbytes)
    reply = decode_cookie(maker.reply(5, mac1_of(initiation(5)), HOME, START))
    with pytest.raises(CryptoError):
        open_cookie(reply, KEYS, mac1_of(initiation(6)))
    with pytest.raises(CryptoError):
        open_cookie(reply, MacKeys.of(b"j" * 32), mac1_of(initiation(5)))


# --- rates


def test_a_rate_gives_its_burst_and_then_its_pace() -> None:
    rate = Rate(10, 5)
    assert [rate.take(START) for _ in range(6)] == [True] * 5 + [False]
    assert rate.ready_at() == START + 10
    assert not rate.take(START + 9)
    assert rate.take(START + 10)
    assert not rate.take(START + 10)
    assert not rate.is_full(START + 59)
    assert rate.is_full(START + 60)
    assert [rate.take(START + 1000) for _ in range(6)] == [True] * 5 + [False]


def test_addresses_have_rates_of_their_own_and_a_bounded_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gate, "ADDRESSES", 3)
    rates = AddressRates()
    for _ in range(gate.ADDRESS_BURST):
        assert rates.take("a", START)
    assert not rates.take("a", START)
    assert rates.take("b", START)
    assert rates.take("c", START)
    assert not rates.take("d", START)
    assert not rates.take("d", START + gate.SWEEP_PAUSE - 1)
    assert rates.take("d", START + gate.SWEEP_PAUSE)
    assert [rates.take("a", START + gate.SWEEP_PAUSE) for _ in range(3)] == [True, True, False]


# --- the gate


def test_without_mac1_nothing_happens_at_all() -> None:
    entrance, drops = new_gate()
    for number in range(1000):
        assert entrance.admit(initiation(number, MacKeys.of(b"j" * 32)), HOME, START) is None
    assert drops[Drop.BAD_MAC1] == 1000
    assert entrance.next(START) is None
    assert entrance.deadline() is None


def test_a_few_initiations_pass_in_order_without_a_cookie() -> None:
    entrance, drops = new_gate()
    for number in range(5):
        assert entrance.admit(initiation(number), HOME, START) is None
    assert [entrance.next(START) for _ in range(6)] == [
        *((initiation(number), HOME) for number in range(5)),
        None,
    ]
    assert not any(drops)


def test_a_long_queue_makes_everybody_show_a_cookie() -> None:
    entrance, drops = new_gate()
    for number in range(gate.LONG_QUEUE):
        assert entrance.admit(initiation(number), (f"192.0.2.{number}", 1), START) is None
    first = initiation(77)
    reply = entrance.admit(first, HOME, START)
    assert reply is not None
    assert len(reply) <= len(first)
    assert decode_cookie(reply).receiver == 77
    cookie = open_cookie(decode_cookie(reply), KEYS, mac1_of(first))
    assert entrance.admit(initiation(78, cookie=cookie), ELSEWHERE, START) is not None
    assert entrance.admit(initiation(79, cookie=cookie), HOME, START) is None
    assert drops[Drop.COOKIE_ASKED] == 2
    taken = [entrance.next(START) for _ in range(gate.LONG_QUEUE + 1)]
    assert taken[-1] == (initiation(79, cookie=cookie), HOME)
    later = START + gate.LOAD_LINGERS
    assert entrance.admit(initiation(80), HOME, later - 1) is not None
    assert entrance.admit(initiation(81), HOME, later) is None


def test_one_address_cannot_take_all_and_a_forger_cannot_lock_it_out() -> None:
    entrance, drops = new_gate()
    replies = []
    for number in range(gate.ADDRESS_BURST + 10):
        replies.append(entrance.admit(initiation(number), HOME, START))
        entrance.next(START)
    assert [reply is None for reply in replies] == [True] * gate.ADDRESS_BURST + [False] * 10
    reply = replies[-1]
    assert reply is not None
    last = initiation(gate.ADDRESS_BURST + 9)
    cookie = open_cookie(decode_cookie(reply), KEYS, mac1_of(last))
    for number in range(gate.ADDRESS_BURST):
        assert entrance.admit(initiation(number, cookie=cookie), HOME, START) is None
    assert drops[Drop.RATE] == 0
    assert entrance.admit(initiation(1, cookie=cookie), HOME, START) is None
    assert drops[Drop.RATE] == 1


def test_work_is_bounded_by_time_and_the_queue_by_size() -> None:
    entrance, drops = new_gate()
    cookies: dict[str, bytes] = {}
    maker = entrance._cookies
    for number in range(gate.QUEUE + 20):
        address = (f"192.0.{number // 200}.{number % 200}", 9)
        reply = maker.reply(number, mac1_of(initiation(number)), address, START)
        cookies[address[0]] = open_cookie(decode_cookie(reply), KEYS, mac1_of(initiation(number)))
        entrance.admit(initiation(number, cookie=cookies[address[0]]), address, START)
    assert drops[Drop.QUEUE_FULL] == 20
    done = 0
    while entrance.next(START) is not None:
        done += 1
    assert done == gate.WORK_BURST
    due = entrance.deadline()
    assert due is not None
    assert START < due <= START + gate.WORK_PAUSE
    assert entrance.next(due) is not None
    assert entrance.next(due) is None


# --- the same with whole nodes


def test_a_flood_from_forged_addresses_neither_locks_out_nor_amplifies() -> None:
    network = FakeNetwork()
    router = Node(network, 1)
    attacker = Node(network, 2, is_router=False)
    client = Node(network, 3, is_router=False)
    random = Random(1)
    keys = MacKeys.of(router.key)
    tap = Tap(network)
    network.leave(attacker.address)

    def flood() -> None:
        """45 initiations that look good until their Noise message is read."""
        for _ in range(45):
            junk = add_macs(
                encode_initiation(random.getrandbits(32), random.randbytes(MAC1_AT - 8)), keys
            )
            forged = (f"203.0.{random.randrange(256)}.{random.randrange(256)}", 1)
            flooded.append((forged, junk))
            feed(router, [junk], forged)
        network.poke(router.address)
        network.at(network.now + MILLISECOND, flood)

    flooded: list[tuple[tuple[str, int], bytes]] = []
    flood()
    network.run(20 * MILLISECOND)
    client.connect(router)
    took = network.run_until(lambda: router.is_up(client), 2 * SECOND)
    assert took < 400 * MILLISECOND
    assert len(tap.of(client, 1)) == 2, "one without, one with a cookie"
    answers = [data for source, target, data in tap.seen if target[0].startswith("203.0.")]
    assert 0 < len(answers) <= len(flooded)
    assert {len(data) for data in answers} == {DATAGRAM}
    read = router.drop(Drop.BAD_HANDSHAKE)
    assert read <= gate.WORK_BURST + gate.LONG_QUEUE
    assert router.drop(Drop.COOKIE_ASKED) > len(flooded) - 200
    client.links.send_message(client.link(router), 9, b"hello", network.now)
    network.run(50 * MILLISECOND)
    assert router.heard() == [(9, b"hello")]


def test_a_cookie_that_answers_nothing_of_ours_is_dropped() -> None:
    network = FakeNetwork()
    one, other = Node(network, 1), Node(network, 2)
    network.leave(other.address)
    tap = Tap(network)
    one.connect(other)
    (first,) = tap.of(one, 1)
    maker = CookieMaker(MacKeys.of(other.key), other.random.randbytes)
    index = int.from_bytes(first[4:8], "big")
    good = maker.reply(index, mac1_of(first), one.address, network.now)
    feed(one, [maker.reply(index ^ 1, mac1_of(first), one.address, network.now)], other.address)
    feed(one, [maker.reply(index, bytes(16), one.address, network.now)], other.address)
    feed(one, [good], ("203.0.113.5", 9))
    assert one.drops() == {"BAD_COOKIE": 3}
    assert len(tap.of(one, 1)) == 1
    feed(one, [good], other.address)
    second = tap.of(one, 1)[1]
    assert maker.has_mac2(second, one.address, network.now)
    assert second[8:40] != first[8:40], "a new handshake, not the old one again"
    # A second cookie at once is kept, but we do not let ourselves be driven round in circles.
    index = int.from_bytes(second[4:8], "big")
    feed(one, [maker.reply(index, mac1_of(second), one.address, network.now)], other.address)
    assert len(tap.of(one, 1)) == 2


def test_a_router_with_many_clients_at_once_links_them_all() -> None:
    network = FakeNetwork()
    router = Node(network, 1)
    clients = [
        Node(network, number, is_router=False, static=x25519_keypair(Random(number).randbytes))
        for number in range(2, 102)
    ]
    for client in clients:
        client.connect(router)
    network.run(3 * SECOND)
    assert sum(router.is_up(client) for client in clients) == 100
