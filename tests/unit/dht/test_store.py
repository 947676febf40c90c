"""A router holds what is signed, fresh, newer and near, and says why not otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.ids import BlindedKey
from lokinet_node.base.units import HOUR, MINUTE, SECOND
from lokinet_node.dht.store import HOLDERS, IntrosetStore
from lokinet_node.wire.control import Status
from tests.unit.dht.introsets import PERIOD, blinded, sealed
from tests.unit.netdb.routers import NOW, book_of, contact, router

LIFETIME = 20 * MINUTE
KEY = BlindedKey(blinded(1, NOW // PERIOD))


def store_of(own: int = 1, routers: int = 6, capacity: int = 100) -> IntrosetStore:
    book = book_of(contact(index) for index in range(1, routers + 1))
    return IntrosetStore(book, router(own), introset_lifetime=LIFETIME, capacity=capacity)


def test_stored_introset_is_found_until_it_expires() -> None:
    store = store_of()
    raw = sealed(1, signed=NOW)
    assert store.store(raw, NOW) is Status.OK
    assert store.find(KEY, NOW) == raw
    assert store.deadline() == NOW + LIFETIME
    assert store.find(KEY, NOW + LIFETIME - 1) == raw
    assert store.find(KEY, NOW + LIFETIME) is None
    assert store.find(BlindedKey(bytes(32)), NOW) is None
    assert store.expire(NOW + LIFETIME) == 1
    assert len(store) == 0
    assert store.deadline() is None


def test_newer_replaces_older_never_the_other_way_round() -> None:
    store = store_of()
    old, new = sealed(1, signed=NOW), sealed(1, signed=NOW + SECOND)
    assert store.store(new, NOW + SECOND) is Status.OK
    assert store.store(old, NOW + SECOND) is Status.STALE
    assert store.find(KEY, NOW + SECOND) == new
    assert store.store(sealed(1, signed=NOW + 2 * SECOND), NOW + SECOND) is Status.OK


def test_same_introset_again_is_acknowledged_but_not_another_of_the_same_instant() -> None:
    store = store_of()
    assert store.store(sealed(1, signed=NOW), NOW) is Status.OK
    assert store.store(sealed(1, signed=NOW), NOW) is Status.OK
    assert store.store(sealed(1, signed=NOW, lifetime_s=1100), NOW) is Status.STALE
    assert len(store) == 1


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", Status.REFUSED),
        (sealed(1, signed=NOW)[:-64] + bytes(64), Status.REFUSED),
        (sealed(1, signed=NOW, lifetime_s=1201), Status.REFUSED),
        (sealed(1, signed=NOW + HOUR), Status.REFUSED),
        (sealed(1, signed=NOW - LIFETIME), Status.STALE),
    ],
    ids=["empty", "bad signature", "lives too long", "from the future", "expired"],
)
def test_introset_that_is_not_to_be_held_is_answered_with_the_reason(
    raw: bytes, status: Status
) -> None:
    store = store_of()
    assert store.store(raw, NOW) is status
    assert len(store) == 0


@given(st.binary(max_size=5000))
def test_any_bytes_are_refused_without_harm(raw: bytes) -> None:
    store = store_of()
    assert store.store(raw, NOW) is Status.REFUSED
    assert len(store) == 0


def test_only_the_eight_closest_routers_hold_an_introset() -> None:
    book = book_of(contact(index) for index in range(1, 21))
    near = [c.router for c in book.closest(KEY, HOLDERS, NOW)]
    raw = sealed(1, signed=NOW)
    for index in range(1, 21):
        store = IntrosetStore(book, router(index), introset_lifetime=LIFETIME)
        expected = Status.OK if router(index) in near else Status.REFUSED
        assert store.store(raw, NOW) is expected


def test_router_moves_up_when_a_closer_one_is_dead() -> None:
    book = book_of(contact(index) for index in range(1, 21))
    ninth = book.closest(KEY, 9, NOW)[-1].router
    store = IntrosetStore(book, ninth, introset_lifetime=LIFETIME)
    raw = sealed(1, signed=NOW)
    assert store.store(raw, NOW) is Status.REFUSED
    assert store.store(raw, NOW, dead={book.closest(KEY, 1, NOW)[0].router}) is Status.OK


def test_router_that_is_not_in_its_own_book_counts_itself() -> None:
    book = book_of(contact(index) for index in range(1, 9))
    near, far = sorted(
        (router(n) for n in range(100, 140)),
        key=lambda r: int.from_bytes(r, "big") ^ int.from_bytes(KEY, "big"),
    )[::39]
    raw = sealed(1, signed=NOW)
    assert IntrosetStore(book, near, introset_lifetime=LIFETIME).store(raw, NOW) is Status.OK
    assert IntrosetStore(book, far, introset_lifetime=LIFETIME).store(raw, NOW) is Status.REFUSED


def test_full_store_renews_what_it_holds_and_is_busy_for_others_until_there_is_room() -> None:
    store = store_of(capacity=2)
    assert store.store(sealed(1, signed=NOW), NOW) is Status.OK
    assert store.store(sealed(2, signed=NOW - MINUTE), NOW) is Status.OK
    assert store.store(sealed(3, signed=NOW), NOW) is Status.BUSY
    assert store.store(sealed(1, signed=NOW + SECOND), NOW + SECOND) is Status.OK
    later = NOW + LIFETIME - MINUTE
    assert store.store(sealed(3, signed=later), later) is Status.OK
    assert len(store) == 2


def test_introsets_of_two_periods_of_one_service_are_two() -> None:
    store = store_of()
    period = NOW // PERIOD
    assert store.store(sealed(1, signed=NOW, period=period), NOW) is Status.OK
    assert store.store(sealed(1, signed=NOW, period=period + 1), NOW) is Status.OK
    assert len(store) == 2
