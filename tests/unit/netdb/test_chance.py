"""Chance is fair: no modulo bias, every order possible, weights respected."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.netdb.chance import Chooser


def chooser(seed: int = 1) -> Chooser:
    return Chooser(random.Random(seed).randbytes)


@given(st.integers(1, 1 << 70), st.integers(0, 1000))
def test_number_is_below_its_bound(bound: int, seed: int) -> None:
    assert 0 <= chooser(seed).below(bound) < bound


def test_numbers_that_do_not_fit_are_drawn_again() -> None:
    # Three bits are needed for 5: 7, 6 and 5 are thrown away, 4 is kept.
    drawn = [7 << 5, 6 << 5, 5 << 5, 4 << 5]
    source = Chooser(lambda size: bytes([drawn.pop(0)]) if size == 1 else b"")
    assert source.below(5) == 4
    assert drawn == []


def test_only_number_below_one_needs_no_entropy() -> None:
    assert Chooser(lambda size: b"" if size == 0 else b"\xff").below(1) == 0


def test_every_number_is_equally_likely() -> None:
    # A modulo of one byte by 192 would make the numbers below 64 twice as likely as the others.
    source = chooser()
    drawn = Counter(source.below(192) // 64 for _ in range(6000))
    assert all(1880 < drawn[third] < 2120 for third in range(3))


@given(st.lists(st.integers(), max_size=20, unique=True), st.integers(0, 25), st.integers(0, 9))
def test_sample_has_no_item_twice_and_none_that_was_not_there(
    items: list[int], count: int, seed: int
) -> None:
    sample = chooser(seed).sample(items, count)
    assert len(sample) == len(set(sample)) == min(count, len(items))
    assert set(sample) <= set(items)


def test_every_order_of_a_shuffle_is_equally_likely() -> None:
    source = chooser()
    orders = Counter(tuple(source.shuffled("abc")) for _ in range(6000))
    assert len(orders) == 6
    assert all(890 < count < 1110 for count in orders.values())


def test_every_item_is_picked() -> None:
    source = chooser()
    assert Counter(source.pick("abcd") for _ in range(400)).keys() == set("abcd")


def test_weighted_order_follows_the_weights_and_loses_no_item() -> None:
    source = chooser()
    weights = {"a": 1, "b": 3, "c": 6}
    orders = [source.order("abc", weights.__getitem__) for _ in range(10_000)]
    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    first = Counter(order[0] for order in orders)
    assert all(abs(first[item] / 10_000 - weight / 10) < 0.02 for item, weight in weights.items())
    # After c has been drawn, a and b are left in the ratio 1 : 3.
    second = Counter(order[1] for order in orders if order[0] == "c")
    assert abs(second["a"] / second.total() - 0.25) < 0.02
