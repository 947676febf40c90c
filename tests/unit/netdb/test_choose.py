"""No draw ever breaks a rule of hop choice, and choice goes on when there is little to choose."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.addresses import parse_ipv4
from lokinet_node.base.units import HOUR, SECOND
from lokinet_node.netdb.choose import HopChooser, NoChoice, Rules, Wish
from lokinet_node.netdb.guards import Guards
from lokinet_node.netdb.outages import FIRST_RETRY, Outages
from lokinet_node.netdb.profile import Profile
from tests.unit.netdb.routers import NOW, book_of, contact, router, seeded

if TYPE_CHECKING:
    from lokinet_node.base.ids import RouterID
    from lokinet_node.netdb.book import ContactBook
    from lokinet_node.wire.contact import Contact


@dataclass
class Knowledge:
    """Everything a choice depends on, with `size` routers known."""

    size: int = 20
    rules: Rules = field(default_factory=Rules)
    pinned: frozenset[RouterID] = frozenset()
    seed: int = 1
    book: ContactBook | None = None

    def __post_init__(self) -> None:
        chance = seeded(self.seed)
        self.known = self.book or book_of(contact(index) for index in range(1, self.size + 1))
        self.guards = Guards(chance, pinned=self.pinned)
        self.profile = Profile()
        self.outages = Outages()
        self.hops = HopChooser(
            self.known,
            self.rules,
            guards=self.guards,
            profile=self.profile,
            outages=self.outages,
            chooser=chance,
        )

    def choose(self, wish: Wish | None = None, now: int = NOW) -> list[Contact]:
        hops = self.hops.choose_hops(wish or Wish(), now)
        assert not isinstance(hops, NoChoice), hops.reason
        return hops

    def refusal(self, wish: Wish | None = None, now: int = NOW) -> str:
        choice = self.hops.choose_hops(wish or Wish(), now)
        assert isinstance(choice, NoChoice), choice
        return choice.reason

    def first_hops(self) -> set[RouterID]:
        usable = {c.router: c for c in self.known.fresh(NOW)}
        return {c.router for c in self.guards.firsts(usable, NOW)}

    def second_hops(self) -> set[RouterID]:
        usable = {c.router: c for c in self.known.fresh(NOW)}
        return {c.router for c in self.guards.seconds(usable, NOW)}


def ids(hops: list[Contact]) -> list[RouterID]:
    return [hop.router for hop in hops]


def networks(hops: list[Contact], bits: int) -> set[int]:
    return {parse_ipv4(hop.ip) >> 32 - bits for hop in hops}


def test_no_rule_is_broken_in_5000_draws() -> None:
    blacklist = frozenset({router(1), router(2)})
    exclude = frozenset({router(4), router(5)})
    # Two routers share each /24.
    book = book_of(contact(n, ip=f"10.0.{n // 2}.{n}") for n in range(1, 31))
    rules = Rules(hops=4, unique_range=24, blacklist=blacklist, own=router(3))
    world = Knowledge(book=book, rules=rules)
    allowed = {router(n) for n in range(6, 31)}
    usable = {r: c for n in range(4, 31) if (r := router(n)) and (c := book.get(r))}
    firsts = {c.router for c in world.guards.firsts(usable, NOW)}
    seconds = {c.router for c in world.guards.seconds(usable, NOW)}
    ready: list[RouterID] = []
    seen_last, seen_middle = set(), set()
    for _ in range(5000):
        wish = Wish(exclude=exclude, first_hops=tuple(ready[-6:]))
        hops = world.choose(wish)
        assert len(hops) == len(set(ids(hops))) == 4
        assert set(ids(hops)) <= allowed
        assert len(networks(hops, 24)) == 4
        assert hops[0].router in firsts
        assert hops[1].router in seconds
        ready.append(hops[0].router)
        if len(ready) > 1:
            assert len(set(ready[-6:])) >= 2
        seen_last.add(hops[-1].router)
        seen_middle.add(hops[2].router)
    assert seen_last == seen_middle == allowed


def test_every_last_hop_is_equally_likely_without_reports() -> None:
    world = Knowledge(size=12, rules=Rules(hops=4))
    last = Counter(world.choose()[3].router for _ in range(3000))
    spread = sum((last[router(n)] - 250) ** 2 / 250 for n in range(1, 13))
    assert spread < 31.3  # chi square with 11 degrees of freedom: one seed in a thousand


def test_paths_of_a_small_network_do_not_all_go_through_one_router() -> None:
    common = 0
    for seed in range(200):
        world = Knowledge(size=8, seed=seed)
        paths: list[list[RouterID]] = []
        for _ in range(6):
            wish = Wish(
                avoid_pivots=frozenset(path[-1] for path in paths),
                first_hops=tuple(path[0] for path in paths),
                in_use=tuple(hop for path in paths for hop in path),
            )
            paths.append(ids(world.choose(wish)))
        common += bool(set.intersection(*map(set, paths)))
    assert common < 6, "one in 150; without counting uses it is one in five"


@given(st.integers(5, 8), st.integers(1, 4), st.integers(0, 200), st.integers(0, 8))
@settings(max_examples=150, deadline=None)
def test_small_networks_always_have_a_path_to_every_router(
    size: int, hops: int, seed: int, pivot: int
) -> None:
    world = Knowledge(size=size, rules=Rules(hops=hops), seed=seed)
    wanted = router(1 + (pivot - 1) % size) if pivot else None
    chosen = world.choose(Wish(pivot=wanted, avoid_pivots=frozenset({router(1)})))
    assert len(set(ids(chosen))) == hops
    assert wanted in (None, chosen[-1].router)


def test_first_two_paths_enter_through_different_first_hops() -> None:
    for seed in range(200):
        world = Knowledge(size=8, seed=seed)
        first = world.choose()[0].router
        second = world.choose(Wish(first_hops=(first,)))[0].router
        assert first != second
        third = world.choose(Wish(first_hops=(first, first)))[0].router
        assert third != first


def test_end_of_one_path_never_leaves_a_single_first_hop() -> None:
    world = Knowledge(size=20)
    one, other, *_ = sorted(world.first_hops())
    in_use = Wish(first_hops=(one,) * 5 + (other,))
    assert all(world.choose(in_use)[0].router != one for _ in range(100))
    spread = Wish(first_hops=(one,) * 4 + (other,) * 2)
    assert any(world.choose(spread)[0].router == one for _ in range(100))


def test_first_hop_that_fails_all_the_time_is_not_insisted_on() -> None:
    world = Knowledge(size=20)
    good, *bad = sorted(world.first_hops())
    for _ in range(4):
        world.profile.blame(bad, NOW)
    drawn = Counter(world.choose(Wish(first_hops=(good,)))[0].router for _ in range(300))
    assert drawn[good] > 200
    assert set(drawn) <= world.first_hops()
    healed = NOW + HOUR
    assert all(world.choose(Wish(first_hops=(good,)), healed)[0].router != good for _ in "abcdef")


def test_second_hop_is_one_of_four_whatever_the_last_hop() -> None:
    world = Knowledge(size=30)
    seconds = {world.choose(Wish(pivot=router(n)))[1].router for n in range(1, 31) for _ in "abcde"}
    assert seconds == world.second_hops()


def test_reports_never_move_a_first_hop() -> None:
    world = Knowledge(size=20)
    firsts = world.first_hops()
    for _ in range(1000):
        hops = world.choose()
        world.profile.blame(ids(hops), NOW)
        assert hops[0].router in firsts


def test_reported_router_is_chosen_less_often_and_never_not_at_all() -> None:
    world = Knowledge(size=12)
    bad = router(7)
    for _ in range(100):
        world.profile.blame((bad,), NOW)
    last = Counter(world.choose()[-1].router for _ in range(4000))
    assert 0 < last[bad] < 4000 / 12 / 20
    later = Counter(world.choose(now=NOW + HOUR)[-1].router for _ in range(1000))
    assert later[bad] > 40


def test_router_dead_on_our_own_link_leaves_all_places_and_comes_back() -> None:
    world = Knowledge(size=12)
    dead = world.choose()[0].router
    world.outages.died(dead, NOW)
    assert all(dead not in ids(world.choose()) for _ in range(300))
    assert dead not in ids(world.hops.link_targets(NOW))
    back = NOW + FIRST_RETRY
    assert any(dead == world.choose(now=back)[0].router for _ in range(100))


def test_last_hops_in_use_are_avoided_while_there_are_others() -> None:
    world = Knowledge(size=8)
    avoid = frozenset(router(n) for n in range(1, 7))
    assert all(world.choose(Wish(avoid_pivots=avoid))[-1].router not in avoid for _ in range(200))
    everyone = frozenset(router(n) for n in range(1, 9))
    assert len(world.choose(Wish(avoid_pivots=everyone))) == 4


def test_wanted_last_hop_that_is_a_first_hop_too_is_reached_through_another() -> None:
    world = Knowledge(size=8)
    for first in world.first_hops():
        hops = world.choose(Wish(pivot=first))
        assert hops[-1].router == first
        assert hops[0].router != first
        assert hops[0].router in world.first_hops()


def test_first_hop_is_any_when_no_stored_one_fits() -> None:
    world = Knowledge(size=8)
    firsts = sorted(world.first_hops())
    hops = world.choose(Wish(pivot=firsts[0], exclude=frozenset(firsts[1:])))
    assert hops[0].router not in firsts
    assert world.first_hops() == set(firsts)


def test_second_hop_is_any_when_none_of_the_kept_ones_fits() -> None:
    world = Knowledge(size=12)
    seconds = world.second_hops()
    hops = world.choose(Wish(exclude=frozenset(seconds)))
    assert not set(ids(hops)) & seconds


def test_pinned_first_hops_are_the_only_ones() -> None:
    pinned = frozenset({router(2), router(3), router(99)})
    world = Knowledge(size=10, pinned=pinned)
    assert {world.choose()[0].router for _ in range(100)} == {router(2), router(3)}
    assert set(ids(world.hops.link_targets(NOW))) == {router(2), router(3)}
    world.outages.died(router(2), NOW)
    assert {world.choose()[0].router for _ in range(50)} == {router(3)}
    assert "first hop" in world.refusal(Wish(pivot=router(3)))
    world.outages.died(router(3), NOW)
    assert world.refusal() == "none of the pinned first hops is usable"


def test_path_of_one_hop_is_a_first_hop_or_what_was_asked_for() -> None:
    world = Knowledge(size=10, rules=Rules(hops=1))
    assert {world.choose()[0].router for _ in range(100)} == world.first_hops()
    assert ids(world.choose(Wish(pivot=router(9)))) == [router(9)]
    pinned = Knowledge(size=10, rules=Rules(hops=1), pinned=frozenset({router(1), router(2)}))
    assert ids(pinned.choose(Wish(pivot=router(2)))) == [router(2)]
    assert "not a pinned" in pinned.refusal(Wish(pivot=router(3)))


@pytest.mark.parametrize("hops", [2, 3, 8])
def test_any_number_of_hops_is_filled(hops: int) -> None:
    world = Knowledge(size=8, rules=Rules(hops=hops))
    for _ in range(100):
        assert len(set(ids(world.choose()))) == hops


def test_reasons_say_what_is_missing() -> None:
    assert Knowledge(size=3).refusal() == "3 usable routers, a path has 4 hops"
    shared = book_of(contact(n, ip=f"10.0.{n}.1") for n in range(1, 10))
    crowded = Knowledge(book=shared, rules=Rules(unique_range=16))
    assert crowded.refusal() == (
        "9 usable routers make no path of 4 hops in different /16 networks"
    )
    assert len(Knowledge(book=shared, rules=Rules(unique_range=0)).choose()) == 4
    world = Knowledge(size=8, rules=Rules(blacklist=frozenset({router(8)})))
    assert "is not usable" in world.refusal(Wish(pivot=router(8)))
    assert "is not usable" in world.refusal(Wish(pivot=router(99)))


def test_expired_contacts_are_no_hops() -> None:
    world = Knowledge(size=8)
    assert "0 usable" in world.refusal(now=NOW + 3 * HOUR)


def test_everybody_out_is_tried_again_after_the_first_delay() -> None:
    world = Knowledge(size=8)
    for _ in range(6):
        for n in range(1, 9):
            world.outages.died(router(n), NOW)
            world.outages.linked(router(n), NOW)
    for n in range(1, 9):
        world.outages.died(router(n), NOW)
    assert "0 usable" in world.refusal(now=NOW + SECOND)
    assert world.hops.link_targets(NOW + SECOND) == []
    assert world.outages.is_out(router(1), NOW + FIRST_RETRY)
    assert len(world.choose(now=NOW + FIRST_RETRY)) == 4
    assert len(world.hops.link_targets(NOW + FIRST_RETRY)) == 4


def test_links_go_to_the_bootstrap_until_enough_routers_are_known() -> None:
    book = book_of([])
    book.add_bootstrap(contact(1, issued=NOW - 24 * HOUR), NOW)
    world = Knowledge(book=book)
    assert ids(world.hops.link_targets(NOW)) == [router(1)]
    assert not world.guards.changed
    for n in range(2, 10):
        book.add(contact(n), NOW)
    assert len(world.hops.link_targets(NOW)) == 4
    assert router(1) not in ids(world.hops.link_targets(NOW))


def test_choice_among_thousands_in_one_network_ends_quickly() -> None:
    # 1500 contacts; only 3 networks: without counting, the search would be cubic.
    contacts = [contact(n, ip=f"{n % 3 + 1}.0.0.1") for n in range(1, 301)]
    world = Knowledge(book=book_of(contacts), rules=Rules(unique_range=8))
    assert "different /8" in world.refusal()
