"""Blame fades, is shared by both ends of a link, and excludes nobody."""

from __future__ import annotations

import pytest

from lokinet_node.base.ids import RouterID
from lokinet_node.base.units import HOUR
from lokinet_node.netdb.profile import FULL_WEIGHT, HALF_LIFE, MOST_BLAME, Profile
from tests.unit.netdb.routers import NOW, router

A, B, C = router(1), router(2), router(3)


def test_reported_link_costs_both_of_its_ends_the_same() -> None:
    profile = Profile()
    profile.blame((A, B), NOW)
    assert profile.weight(A, NOW) == profile.weight(B, NOW) == FULL_WEIGHT // 4
    assert profile.weight(C, NOW) == FULL_WEIGHT


def test_blame_halves_every_thirty_seconds() -> None:
    profile = Profile()
    profile.blame((A,), NOW, amount=4)
    assert profile.of(A, NOW + HALF_LIFE) == pytest.approx(2)
    assert profile.of(A, NOW + 3 * HALF_LIFE) == pytest.approx(0.5)
    profile.blame((A,), NOW + HALF_LIFE, amount=1)
    assert profile.of(A, NOW + 2 * HALF_LIFE) == pytest.approx(1.5)


def test_any_number_of_reports_leaves_a_router_a_chance() -> None:
    profile = Profile()
    for _ in range(1000):
        profile.blame((A,), NOW)
    assert profile.of(A, NOW) == MOST_BLAME
    assert profile.weight(A, NOW) == FULL_WEIGHT // 64
    # A router that was reported without end is as good as any a few minutes later.
    assert profile.weight(A, NOW + HOUR) == FULL_WEIGHT


def test_path_that_came_up_clears_its_hops() -> None:
    profile = Profile()
    profile.blame((A, B), NOW)
    profile.clear((A, C))
    assert profile.weight(A, NOW) == FULL_WEIGHT
    assert profile.weight(B, NOW) < FULL_WEIGHT


def test_reports_about_made_up_routers_do_not_grow_the_profile_without_end() -> None:
    profile = Profile()
    profile.blame((A,), NOW, amount=5)
    for number in range(20_000):
        profile.blame((RouterID(number.to_bytes(32, "big")),), NOW)
    assert len(profile._blame) <= 4096
    assert profile.of(A, NOW) == 5
