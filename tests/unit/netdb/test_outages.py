"""A dead router leaves all choices at once and comes back by itself."""

from __future__ import annotations

from lokinet_node.base.units import MINUTE, SECOND
from lokinet_node.netdb.outages import FIRST_RETRY, FORGIVEN_AFTER, LONGEST_RETRY, Outages
from tests.unit.netdb.routers import NOW, contact, router

A, B = router(1), router(2)


def test_dead_router_is_out_at_once_and_back_after_a_few_seconds() -> None:
    outages = Outages()
    outages.died(A, NOW)
    assert outages.is_out(A, NOW)
    assert outages.out(NOW) == {A}
    assert outages.retry_at(NOW) == NOW + FIRST_RETRY
    assert not outages.is_out(B, NOW)
    assert not outages.is_out(A, NOW + FIRST_RETRY)
    assert outages.out(NOW + FIRST_RETRY) == frozenset()
    assert outages.retry_at(NOW + FIRST_RETRY) is None


def test_delay_doubles_up_to_minutes() -> None:
    outages = Outages()
    now, delays = NOW, []
    for _ in range(40):
        outages.died(A, now)
        retry_at = outages.retry_at(now)
        assert retry_at is not None
        delays.append(retry_at - now)
        now = retry_at
    assert delays[:4] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY, 8 * FIRST_RETRY]
    assert delays[-1] == LONGEST_RETRY
    assert delays == sorted(delays)


def test_one_outage_told_twice_counts_once() -> None:
    outages = Outages()
    outages.died(A, NOW)
    outages.died(A, NOW + SECOND)
    assert outages.retry_at(NOW) == NOW + FIRST_RETRY


def test_router_that_links_to_us_is_back_at_once_but_flapping_costs() -> None:
    outages = Outages()
    outages.died(A, NOW)
    outages.linked(A, NOW + SECOND)
    assert not outages.is_out(A, NOW + SECOND)
    outages.died(A, NOW + 2 * SECOND)
    assert outages.retry_at(NOW + 2 * SECOND) == NOW + 2 * SECOND + 2 * FIRST_RETRY


def test_router_is_back_at_once_with_a_contact_signed_since() -> None:
    outages = Outages()
    outages.died(router(3), NOW)
    outages.reissued(contact(3, issued=NOW - 1), NOW + SECOND)
    assert outages.is_out(router(3), NOW + SECOND)
    outages.reissued(contact(3, issued=NOW + 1), NOW + SECOND)
    assert not outages.is_out(router(3), NOW + SECOND)


def test_old_outages_are_forgiven() -> None:
    outages = Outages()
    for _ in range(5):
        outages.died(A, NOW)
        outages.linked(A, NOW)
    outages.died(A, NOW + FORGIVEN_AFTER)
    assert outages.retry_at(NOW + FORGIVEN_AFTER) == NOW + FORGIVEN_AFTER + FIRST_RETRY


def test_retry_out_of_turn_waits_for_the_first_delay_only() -> None:
    outages = Outages()
    assert outages.may_retry(A, NOW)
    for _ in range(6):
        outages.died(A, NOW)
        outages.linked(A, NOW)
    outages.died(A, NOW)
    assert not outages.may_retry(A, NOW + FIRST_RETRY - 1)
    assert outages.is_out(A, NOW + FIRST_RETRY)
    assert outages.may_retry(A, NOW + FIRST_RETRY)


def test_expired_outages_take_no_memory() -> None:
    outages = Outages()
    outages.died(A, NOW)
    outages.died(B, NOW + 5 * MINUTE)
    outages.expire(NOW + FIRST_RETRY + FORGIVEN_AFTER)
    assert set(outages._outages) == {B}
