"""How long what was found is kept."""

from __future__ import annotations

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import MINUTE
from lokinet_node.ons.cache import NameCache

A, B = LokiAddress(b"a" * 32), LokiAddress(b"b" * 32)


def test_a_name_is_kept_for_its_time_and_no_longer() -> None:
    cache = NameCache(MINUTE)
    cache.keep("web.loki", A, 0)
    assert cache.get("web.loki", MINUTE - 1) == A
    assert cache.get("web.loki", MINUTE) is None
    assert len(cache) == 0
    assert cache.get("other.loki", 0) is None


def test_use_does_not_prolong_a_life() -> None:
    cache = NameCache(MINUTE)
    cache.keep("web.loki", A, 0)
    for second in range(60):
        assert cache.get("web.loki", second * 1_000_000) == A
    assert cache.get("web.loki", MINUTE) is None


def test_the_newest_finding_counts() -> None:
    cache = NameCache(MINUTE)
    cache.keep("web.loki", A, 0)
    cache.keep("web.loki", B, 10)
    assert cache.get("web.loki", MINUTE) == B


def test_the_oldest_makes_room() -> None:
    cache = NameCache(MINUTE, capacity=3)
    for number in range(5):
        cache.keep(f"{number}.loki", A, number)
    assert len(cache) == 3
    assert cache.get("1.loki", 10) is None
    assert cache.get("2.loki", 10) == A
