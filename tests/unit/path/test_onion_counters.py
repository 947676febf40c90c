"""Counters of a path: offsets uniform in 48 bits, starts from which no hop's counter wraps."""

import random
from itertools import accumulate

import pytest

from lokinet_node.base.ids import RouterID
from lokinet_node.burst import COUNTER_LIMIT
from lokinet_node.crypto.kdf import expand
from lokinet_node.crypto.keys import x25519_keypair
from lokinet_node.path.onion import (
    PATH_CELLS,
    HopChoice,
    PendingBuild,
    build_slots,
    choose_start,
)

RANDOM = random.Random(6)
CHOICES = [
    HopChoice(RouterID(RANDOM.randbytes(32)), i, x25519_keypair(RANDOM.randbytes).public)
    for i in range(8)
]


def build(length: int, seed: int) -> PendingBuild:
    entropy = random.Random(seed).randbytes
    return build_slots(CHOICES[:length], range(1, length + 1), 1, b"testnet", entropy)[0]


def test_offsets_fill_the_48_bits_evenly() -> None:
    """Four equal bins of 960 offsets: more than 5 sigma off the mean of 240 is no chance."""
    offsets: list[int] = []
    for seed in range(60):
        pending = build(8, seed)
        offsets += pending.forward_offsets + pending.backward_offsets
    assert all(0 <= offset < COUNTER_LIMIT for offset in offsets)
    assert len(set(offsets)) == len(offsets)
    for quarter in range(4):
        count = sum(offset >> 46 == quarter for offset in offsets)
        assert abs(count - 240) < 5 * (960 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("length", range(1, 9))
def test_no_hop_s_counter_wraps_while_the_path_lives(length: int) -> None:
    for seed in range(5):
        pending = build(length, seed)
        forward = accumulate(pending.forward_offsets[:-1], initial=pending.forward_start)
        backward = accumulate(reversed(pending.backward_offsets), initial=pending.backward_start)
        for total in [*forward, *backward]:
            assert total % COUNTER_LIMIT + PATH_CELLS - 1 < COUNTER_LIMIT


def test_a_start_from_which_some_counter_would_wrap_is_drawn_again() -> None:
    offsets = [5, COUNTER_LIMIT - 10]
    edge = COUNTER_LIMIT - PATH_CELLS
    draws = [edge + 1, edge - 4, 4, edge - 5, 7]  # own, second and third counter would wrap
    assert choose_start(offsets, lambda _: draws.pop(0).to_bytes(6, "big")) == edge - 5
    assert draws == [7]


def test_starts_are_drawn_against_the_counters_that_hops_will_see() -> None:
    """The forward sums begin at the first hop, the backward ones at the last."""
    slot_keys = [bytes((7,)) * 32, bytes((8,)) * 32]
    offsets = [expand(key, "lokinet-testnet path offsets", 12) for key in slot_keys]
    first_forward = int.from_bytes(offsets[0][:6], "big")
    first_backward, last_backward = (int.from_bytes(both[6:], "big") for both in offsets)
    wraps = COUNTER_LIMIT - 1
    draws = [
        *slot_keys,
        *(((wraps - offset) % COUNTER_LIMIT).to_bytes(6, "big") for offset in (first_forward, 0)),
        (1).to_bytes(6, "big"),
        *(
            ((wraps - offset) % COUNTER_LIMIT).to_bytes(6, "big")
            for offset in (0, last_backward, first_backward + last_backward)
        ),
        ((wraps - first_backward) % COUNTER_LIMIT).to_bytes(6, "big"),
    ]

    def entropy(size: int) -> bytes:
        return draws.pop(0) if draws else RANDOM.randbytes(size)

    pending, _ = build_slots(CHOICES[:2], (1, 2), 1, b"testnet", entropy)
    assert pending.forward_start == 1
    assert pending.backward_start == (wraps - first_backward) % COUNTER_LIMIT
