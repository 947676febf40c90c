"""Mapped addresses: one per remote, in order, stable, taken over from the least recently used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.addresses import format_ipv4, parse_ipv4, parse_range
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.session.addresses import AddressMap, Remote, remote_loki, remote_router


def loki(number: int) -> Remote:
    return remote_loki(LokiAddress(number.to_bytes(32, "big")))


def snode(number: int) -> Remote:
    return remote_router(RouterID(number.to_bytes(32, "big")))


def ip(text: str) -> bytes:
    return parse_ipv4(text).to_bytes(4, "big")


def text(ip4: bytes | None) -> str | None:
    return None if ip4 is None else format_ipv4(int.from_bytes(ip4, "big"))


def addresses(own: str) -> AddressMap:
    return AddressMap(parse_range(own))


def test_addresses_are_given_out_in_order_from_the_own_one_and_stay() -> None:
    book = addresses("172.16.0.1/16")
    assert [text(book.assign(loki(n))) for n in range(3)] == [
        "172.16.0.2",
        "172.16.0.3",
        "172.16.0.4",
    ]
    assert text(book.assign(loki(1))) == "172.16.0.3"
    assert book.remote_of(ip("172.16.0.3")) == loki(1)
    assert book.address_of(loki(1)) == ip("172.16.0.3")
    assert book.remote_of(ip("172.16.0.9")) is None
    assert book.address_of(loki(9)) is None


def test_a_router_and_a_client_with_the_same_key_are_two_remotes() -> None:
    book = addresses("172.16.0.1/16")
    assert book.assign(loki(5)) != book.assign(snode(5))
    assert str(loki(5)).endswith(".loki")
    assert str(snode(5)).endswith(".snode")
    assert str(snode(5))[:52] == str(loki(5))[:52]


def test_own_network_and_broadcast_addresses_are_never_mapped() -> None:
    book = addresses("10.0.0.5/29")
    given_out = [text(book.assign(loki(n))) for n in range(5)]
    assert given_out == ["10.0.0.6", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]
    for n in range(5, 40):
        assert text(book.assign(loki(n))) in given_out


def test_a_full_range_takes_the_address_of_the_remote_touched_least_recently() -> None:
    book = addresses("10.0.0.1/29")
    first, second, third = (book.assign(loki(n)) for n in range(3))
    assert first is not None
    assert third is not None
    book.assign(loki(3)), book.assign(loki(4))
    book.touch(first)
    assert book.assign(loki(10)) == second
    assert book.address_of(loki(1)) is None, "the stale entry must go both ways"
    assert book.remote_of(second or b"") == loki(10)
    assert book.address_of(loki(0)) == first
    assert book.assign(loki(11)) == third
    assert len(book.by_ip) == len(book.by_remote) == 5


def test_where_addresses_rest_a_stranger_gets_none_before_that() -> None:
    book = addresses("10.0.0.1/29")
    book.rest = 2
    given = [book.assign(loki(n)) for n in range(5)]
    assert None not in given
    assert book.left == 0
    assert book.assign(loki(9)) is None
    book.period = 1
    book.assign(loki(0))
    assert book.assign(loki(9)) is None
    book.period = 2
    assert book.assign(loki(9)) == given[1], "that of the first one is in use"
    assert book.address_of(loki(1)) is None
    book.release(loki(3))
    assert book.left == 1
    assert book.assign(loki(1)) == given[3], "what was released is free at once"


def test_pinned_addresses_are_never_taken_over() -> None:
    book = addresses("10.0.0.1/29")
    book.pin(ip("10.0.0.4"), loki(99))
    assert [text(book.assign(loki(n))) for n in range(5)] == [
        "10.0.0.2",
        "10.0.0.3",
        "10.0.0.5",
        "10.0.0.6",
        "10.0.0.2",
    ]
    assert text(book.assign(loki(99))) == "10.0.0.4"
    assert book.remote_of(ip("10.0.0.4")) == loki(99)


def test_a_pin_moves_whoever_was_there() -> None:
    book = addresses("10.0.0.1/29")
    book.assign(loki(0)), book.assign(loki(1))
    book.pin(ip("10.0.0.2"), loki(1))
    assert book.by_ip == {ip("10.0.0.2"): loki(1)}
    assert text(book.assign(loki(0))) != "10.0.0.2"
    book.pin(ip("10.0.0.2"), loki(1))
    assert book.by_remote[loki(1)] == ip("10.0.0.2")


def test_a_released_address_is_free_again_unless_it_is_pinned() -> None:
    book = addresses("10.0.0.1/30")
    first = book.assign(loki(0))
    book.release(loki(0))
    book.release(loki(7))
    assert (book.by_ip, book.by_remote) == ({}, {})
    assert book.assign(loki(1)) == first
    book.release(loki(1))
    book.pin(ip("10.0.0.2"), loki(2))
    book.release(loki(2))
    assert book.address_of(loki(2)) == ip("10.0.0.2")


def test_with_every_address_pinned_there_is_none_to_give() -> None:
    book = addresses("10.0.0.1/30")
    book.pin(ip("10.0.0.2"), loki(0))
    assert book.assign(loki(1)) is None
    assert book.assign(loki(0)) == ip("10.0.0.2")


@pytest.mark.parametrize("wrong", ["10.0.0.0", "10.0.0.1", "10.0.0.7", "10.0.1.2"])
def test_unmappable_addresses_cannot_be_pinned(wrong: str) -> None:
    with pytest.raises(OperatorError, match=f"mapaddr {wrong}"):
        addresses("10.0.0.1/29").pin(ip(wrong), loki(0))


def test_contradicting_pins_are_refused() -> None:
    book = addresses("10.0.0.1/29")
    book.pin(ip("10.0.0.2"), loki(0))
    with pytest.raises(OperatorError, match="already mapped to"):
        book.pin(ip("10.0.0.2"), loki(1))
    with pytest.raises(OperatorError, match="already mapped to another"):
        book.pin(ip("10.0.0.3"), loki(0))
    assert book.by_ip == {ip("10.0.0.2"): loki(0)}


@pytest.mark.parametrize("own", ["10.0.0.1/31", "10.0.0.1/32", "10.0.0.0/24", "10.0.0.255/24"])
def test_ranges_without_room_are_refused(own: str) -> None:
    with pytest.raises(OperatorError):
        addresses(own)


class SlowMap:
    """The obvious twin: a list of (ip, remote), the most recently touched last."""

    def __init__(self) -> None:
        self.entries: list[tuple[int, Remote]] = []
        self.last = 1

    def assign(self, remote: Remote) -> int:
        for entry in self.entries:
            if entry[1] == remote:
                break
        else:
            taken = [number for number, _ in self.entries]
            order = [(self.last + step - 1) % 6 + 1 for step in range(1, 7)]
            free = [number for number in order if number != 1 and number not in taken]
            if free:
                self.last = free[0]
                entry = (free[0], remote)
            else:
                entry = (self.entries.pop(0)[0], remote)
        self.entries = [other for other in self.entries if other != entry] + [entry]
        return entry[0]


@given(st.lists(st.integers(0, 9), max_size=60))
def test_the_map_equals_its_slow_twin(dialled: list[int]) -> None:
    book, slow = addresses("10.0.0.1/29"), SlowMap()
    for number in dialled:
        assert book.assign(loki(number)) == ip(f"10.0.0.{slow.assign(loki(number))}")
        assert {ip4: remote for remote, ip4 in book.by_remote.items()} == book.by_ip
        assert book.by_ip == {ip(f"10.0.0.{n}"): remote for n, remote in slow.entries}
