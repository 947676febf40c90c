"""First and second hops stay: across restarts, reports and absences of routers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import RouterID
from lokinet_node.base.units import HOUR
from lokinet_node.netdb.guards import FIRST_HOPS, LONGEST_LIST, SHORTEST_STAY, Guards
from lokinet_node.wire.contact import Contact
from tests.unit.netdb.routers import NOW, contact, router, seeded


def usable(*indices: int) -> dict[RouterID, Contact]:
    return {router(index): contact(index) for index in indices}


TWENTY = usable(*range(1, 21))


def without(*gone: Contact) -> dict[RouterID, Contact]:
    return {r: c for r, c in TWENTY.items() if c not in gone}


def test_first_hops_are_four_and_stay() -> None:
    guards = Guards(seeded(1))
    first = guards.firsts(TWENTY, NOW)
    assert len(set(first)) == FIRST_HOPS
    assert guards.changed
    for hour in range(100):
        assert guards.firsts(TWENTY, NOW + hour * HOUR) == first


def test_first_hops_survive_a_restart() -> None:
    guards = Guards(seeded(1))
    first, second = guards.firsts(TWENTY, NOW), guards.seconds(TWENTY, NOW)
    again = Guards(seeded(2), stored=guards.dump())
    assert again.firsts(TWENTY, NOW + HOUR) == first
    assert again.seconds(TWENTY, NOW + HOUR) == second
    assert not again.changed


def test_different_nodes_have_different_first_hops() -> None:
    assert len({Guards(seeded(seed)).firsts(TWENTY, NOW)[0] for seed in range(50)}) > 10


def test_absent_first_hop_is_replaced_and_returns_to_its_place() -> None:
    guards = Guards(seeded(1))
    first = guards.firsts(TWENTY, NOW)
    replaced = guards.firsts(without(first[0]), NOW)
    assert replaced[:3] == first[1:]
    assert replaced[3] not in first
    assert guards.firsts(TWENTY, NOW) == first
    # The next absence finds the same replacement, not yet another router.
    assert guards.firsts(without(first[2]), NOW)[3] == replaced[3]


def test_whoever_takes_our_links_down_moves_us_through_a_bounded_list() -> None:
    guards = Guards(seeded(1))
    seen: set[RouterID] = set()
    for round_ in range(200):
        now = NOW + round_ * HOUR
        present = guards.firsts(TWENTY, now)
        victim = present[round_ % FIRST_HOPS]
        seen |= {c.router for c in guards.firsts(without(victim), now)}
    assert len(seen) == FIRST_HOPS + 1


def test_list_is_bounded_when_whole_networks_come_and_go() -> None:
    guards = Guards(seeded(1))
    for generation in range(10):
        indices = range(generation * 10 + 1, generation * 10 + 11)
        assert len(guards.firsts(usable(*indices), NOW + generation)) == FIRST_HOPS
        guards.seconds(usable(*indices), NOW + generation)
    stored = json.loads(guards.dump())
    assert len(stored["first"]) <= LONGEST_LIST
    assert len(stored["second"]) <= LONGEST_LIST


def test_fewer_routers_than_places_are_all_used_and_the_rest_is_filled_later() -> None:
    guards = Guards(seeded(1))
    few = guards.firsts(usable(1, 2), NOW)
    assert {c.router for c in few} == {router(1), router(2)}
    more = guards.firsts(TWENTY, NOW)
    assert more[:2] == few
    assert len(more) == FIRST_HOPS


def test_pinned_first_hops_replace_the_list() -> None:
    pinned = frozenset(router(index) for index in (3, 5, 30))
    guards = Guards(seeded(1), pinned=pinned)
    assert {c.router for c in guards.firsts(TWENTY, NOW)} == {router(3), router(5)}
    assert guards.firsts(usable(1, 2), NOW) == []
    assert not guards.changed


def test_second_hops_change_slowly_and_not_all_at_once() -> None:
    guards = Guards(seeded(1))
    before = {c.router for c in guards.seconds(TWENTY, NOW)}
    assert len(before) == 4
    assert {c.router for c in guards.seconds(TWENTY, NOW + SHORTEST_STAY - 1)} == before
    seen, changes = set(before), 0
    for hour in range(1, 20 * 24):
        after = {c.router for c in guards.seconds(TWENTY, NOW + hour * HOUR)}
        assert len(after) == 4
        changes += len(before - after)
        before = after
        seen |= after
    # A place lasts 30 hours in the mean, so four of them see 64 changes in 20 days.
    assert 40 <= changes <= 90
    assert len(seen) > 15


def test_absent_second_hop_is_stood_in_for_and_comes_back() -> None:
    guards = Guards(seeded(1))
    second = guards.seconds(TWENTY, NOW)
    stand_in = guards.seconds(without(second[0]), NOW)
    assert stand_in[:3] == second[1:]
    assert guards.seconds(TWENTY, NOW) == second


MALFORMED = [
    b"",
    b"\xff",
    b"[]",
    b"{}",
    b'{"version": 2, "first": {}, "second": {}}',
    b'{"version": 1, "first": [], "second": {}}',
    b'{"version": 1, "first": {}}',
    b'{"version": 1, "first": {"x.snode": 1}, "second": {}}',
    b'{"version": 1, "first": {}, "second": {"' + b"y" * 52 + b'.snode": "soon"}}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("stored", MALFORMED)
def test_malformed_store_is_a_wire_error(stored: bytes) -> None:
    with pytest.raises(WireError):
        Guards(seeded(1), stored=stored)


@given(st.binary(max_size=60))
def test_any_stored_bytes_load_or_raise_wire_error(stored: bytes) -> None:
    try:
        Guards(seeded(1), stored=stored)
    except WireError:
        return
    raise AssertionError("60 random bytes are no store")
