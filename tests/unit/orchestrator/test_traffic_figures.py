"""Percentiles, streams and what jobs are told: nothing is sent here."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.traffic.calls import Way
from orchestrator.traffic.charts import Chart, Recent
from orchestrator.traffic.delays import PERCENTILES, Delays
from orchestrator.traffic.loads import HttpLoad, VoipLoad, described, load_of, record_of
from orchestrator.traffic.stream import (
    ARRIVES_WITHIN_US,
    INTERVAL_US,
    PACKET_BYTES,
    WINDOW,
    Incoming,
    Outgoing,
    Packet,
    decode,
    encode,
)

HTTP = HttpLoad(20, 2.5, ("alice", "bob"), "web", 80, "/", 10.0, 30.0)


def delays_of(values: list[int]) -> Delays:
    delays = Delays()
    for value in values:
        delays.add(value)
    return delays


@given(st.lists(st.integers(1, 10**9), min_size=1), st.sampled_from(list(PERCENTILES.values())))
def test_a_percentile_is_half_a_percent_away_from_the_delay_at_most(
    values: list[int], share: float
) -> None:
    exact = sorted(values)[math.ceil(share * len(values)) - 1]
    assert delays_of(values).quantile_us(share) == pytest.approx(exact, rel=0.00503)


@given(st.lists(st.integers(1, 10**7)), st.lists(st.integers(1, 10**7)))
def test_joined_delays_are_those_of_both(one: list[int], other: list[int]) -> None:
    assert Delays.joined([delays_of(one), delays_of(other)]) == delays_of(one + other)


@given(st.lists(st.integers(1, 10**7)), st.lists(st.integers(1, 10**7)))
def test_what_came_since_is_what_was_added(before: list[int], after: list[int]) -> None:
    added, expected = delays_of(before + after).since(delays_of(before)), delays_of(after)
    assert (added.count, added.total_us, added.buckets) == (
        expected.count,
        expected.total_us,
        expected.buckets,
    )
    for share in (0.5, 1.0):
        assert added.quantile_us(share) == pytest.approx(expected.quantile_us(share), rel=0.0101)


def test_a_chart_keeps_the_last_minutes() -> None:
    chart = Chart("one way", "ms")
    for second in range(1000):
        chart.add(second, p50=second / 3)
    data = chart.data()
    assert (data["title"], data["x"], data["y"]) == ("one way", "s", "ms")
    assert data["series"]["p50"][0] == (400, 133.3333)
    assert len(data["series"]["p50"]) == 600


def test_recent_counts_are_those_since_the_last_look() -> None:
    recent = Recent()
    assert list(recent.added(sent=5, lost=1)) == [5, 1]
    assert list(recent.added(sent=9, lost=1)) == [4, 0]
    assert recent.added_delays(delays_of([1, 2])).count == 2
    assert recent.added_delays(delays_of([1, 2, 3])).count == 1


def test_the_largest_is_exact_and_none_are_none() -> None:
    figures = delays_of([10, 123_457]).figures()
    assert (figures["count"], figures["max_ms"]) == (2, 123.457)
    assert Delays().figures() == {"count": 0}
    assert Delays().quantile_us(0.5) == Delays().share_above(1.0) == 0.0


def test_the_share_above_a_limit() -> None:
    delays = delays_of([1000] * 90 + [100_000] * 10)
    assert delays.share_above(50_000) == 0.1
    assert delays.share_above(100_000) == 0.0


@given(st.integers(0, 2**40), st.integers(0, 2**50), st.integers(0, 2**32 - 1), st.booleans())
def test_packets_are_decoded_as_they_were(
    number: int, sent_us: int, source: int, rings: bool
) -> None:
    packet = Packet(source, number, sent_us, rings)
    data = encode(packet)
    assert len(data) == PACKET_BYTES
    assert decode(data) == packet


@given(st.binary(max_size=2 * PACKET_BYTES))
def test_other_bytes_are_no_packets(data: bytes) -> None:
    packet = decode(data)
    assert packet is None or encode(packet)[:2] == data[:2]


def packet(number: int, sent_us: int = 0) -> Packet:
    return Packet(7, number, sent_us, rings=False)


def test_what_is_on_its_way_is_not_lost() -> None:
    outgoing, incoming = Outgoing(), Incoming()
    for turn in range(100):
        number = outgoing.next(turn * INTERVAL_US)
        if number % 10:
            incoming.take(packet(number), turn * INTERVAL_US)
    now = 99 * INTERVAL_US
    assert outgoing.due(now) == 50  # a second of fifty packets may still come
    assert incoming.lost(outgoing.due(now)) == 5
    assert incoming.lost(outgoing.due(now + ARRIVES_WITHIN_US)) == 10


def test_copies_and_strays_are_counted_and_not_received() -> None:
    incoming = Incoming()
    for number in (0, 1, 3, 2, 2, 3 + WINDOW, 3):
        incoming.take(packet(number), 0)
    assert (incoming.received, incoming.duplicates, incoming.reordered) == (5, 2, 1)


def test_a_long_stream_is_remembered_in_a_bounded_room() -> None:
    incoming = Incoming()
    for number in range(10 * WINDOW):
        incoming.take(packet(number), 0)
    assert (incoming.lost(10 * WINDOW), incoming.received) == (0, 10 * WINDOW)
    assert len(incoming.recent) <= 2 * WINDOW


def test_jitter_is_that_of_the_network_and_not_of_a_late_sender() -> None:
    even, uneven = Incoming(), Incoming()
    sent_us, expected, before = 0, 0.0, 0
    for number in range(200):
        sent_us += INTERVAL_US + 3000 * (number % 2)  # every other one is sent late
        even.take(packet(number, sent_us), sent_us + 10_000)
        transit = 10_000 + 4000 * (number % 3)
        uneven.take(packet(number, sent_us), sent_us + transit)
        if number:
            expected += (abs(transit - before) - expected) / 16  # RFC 3550, 6.4.1
        before = transit
    assert even.jitter_us == 0
    assert uneven.jitter_us == pytest.approx(expected)


def test_quality_falls_with_loss_delay_and_what_comes_too_late() -> None:
    def mos(values_ms: list[int], lost: int) -> float:
        way = Way(delays_of([value * 1000 for value in values_ms]), received=1000, lost=lost)
        quality = way.quality()
        assert quality is not None
        return quality[1]

    best = mos([10] * 100, 0)
    assert best > 4.3
    assert best > mos([10] * 100, 50) > mos([10] * 100, 100)
    assert best > mos([300] * 100, 0)
    assert mos([10] * 90 + [60] * 10, 0) == pytest.approx(mos([10] * 90, 111), abs=0.01)
    assert Way().quality() is None


def test_callers_call_everybody_but_themselves_in_turn() -> None:
    load = VoipLoad(5, ("alice", "bob"), ("alice", "web", "mail"), None)
    assert load.pairs() == [
        ("alice", "web"),
        ("bob", "web"),
        ("alice", "mail"),
        ("bob", "mail"),
        ("alice", "web"),
    ]


@pytest.mark.parametrize("load", [HTTP, VoipLoad(3, ("alice",), ("web",), None)])
def test_a_load_is_read_as_it_was_written(load: HttpLoad | VoipLoad) -> None:
    assert load_of(json.loads(json.dumps(record_of(load)))) == load


def test_loads_are_described_in_a_line() -> None:
    assert described(HTTP) == "2.5 requests/s by 20 clients of alice, bob to http://web/ for 30.0 s"
    assert described(VoipLoad(2, ("alice",), ("web",), None)) == "2 calls, alice ↔ web"
