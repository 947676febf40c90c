"""A publication reaches four holders over two paths, goes on when some fail, and is renewed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import HOUR, MILLISECOND, MINUTE, Micros
from lokinet_node.dht.publish import (
    ANSWER_WAIT,
    FIRST_RETRY,
    LONGEST_RETRY,
    ROUND_PAUSE,
    SECOND_PATH_WAIT,
    Publisher,
)
from lokinet_node.wire.control import Publish, Status, StoreAnswer
from tests.unit.netdb.routers import NOW, seeded

if TYPE_CHECKING:
    from lokinet_node.dht.ask import Ask

TIMING = Timing()
DAY = 24 * HOUR
MIDDAY = NOW // DAY * DAY + DAY // 2
BOUNDARY = NOW // DAY * DAY + DAY


@dataclass
class Service:
    """A publisher with a seal that names its period and instant instead of sealing."""

    has_introductions: bool = True
    seed: int = 1
    sealed: list[tuple[int, Micros]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.publisher: Publisher[str] = Publisher(
            timing=TIMING, period_length=DAY, seal=self._seal, chooser=seeded(self.seed)
        )

    def _seal(self, period: int, now: Micros) -> bytes | None:
        if not self.has_introductions:
            return None
        self.sealed.append((period, now))
        return f"{period} {now}".encode()

    def start(self, now: Micros, *paths: str) -> list[Ask[str]]:
        assert self.publisher.use_paths(paths, now) == []
        return self.publisher.changed(now)

    def answer(self, ask: Ask[str], now: Micros, status: Status = Status.OK) -> list[Ask[str]]:
        return self.publisher.answered(ask.path, StoreAnswer(ask.message.request, status), now)

    def answer_all(self, asks: list[Ask[str]], now: Micros) -> None:
        for ask in asks:
            assert self.answer(ask, now) == []


def orders(asks: list[Ask[str]]) -> list[int]:
    return sorted(ask.message.order for ask in asks)


def introsets(asks: list[Ask[str]]) -> set[bytes]:
    return {ask.message.introset for ask in asks if isinstance(ask.message, Publish)}


def test_four_orders_leave_at_once_spread_over_the_paths() -> None:
    asks = Service().start(MIDDAY, "a", "b")
    assert orders(asks) == [0, 1, 2, 3]
    assert Counter(ask.path for ask in asks) == {"a": 2, "b": 2}
    assert len(introsets(asks)) == 1
    assert len({ask.message.request for ask in asks}) == 4
    many = Service().start(MIDDAY, "a", "b", "c", "d", "e")
    assert len({ask.path for ask in many}) == 4


def test_two_acknowledgements_make_it_published_one_does_not() -> None:
    service = Service()
    asks = service.start(MIDDAY, "a", "b")
    assert service.publisher.published_at(MIDDAY) is None
    service.answer(asks[0], MIDDAY + 1)
    assert service.publisher.published_at(MIDDAY + 1) is None
    # The same acknowledgement again does not count twice.
    service.answer(asks[0], MIDDAY + 1)
    assert service.publisher.published_at(MIDDAY + 1) is None
    service.answer(asks[1], MIDDAY + 2)
    assert service.publisher.published_at(MIDDAY + 2) == MIDDAY
    assert service.publisher.holders(MIDDAY + 2) == 2


def test_published_introset_counts_until_it_expires() -> None:
    service = Service()
    service.answer_all(service.start(MIDDAY, "a", "b"), MIDDAY)
    assert service.publisher.published_at(MIDDAY + TIMING.introset_lifetime - 1) == MIDDAY
    assert service.publisher.published_at(MIDDAY + TIMING.introset_lifetime) is None


def test_nothing_is_said_before_there_is_a_path_and_an_introduction() -> None:
    service = Service(has_introductions=False)
    assert service.publisher.changed(MIDDAY) == []
    assert service.publisher.deadline() is None
    assert service.publisher.use_paths(["a", "b"], MIDDAY) == []
    service.has_introductions = True
    again = MIDDAY + ROUND_PAUSE
    assert service.publisher.changed(MIDDAY + 1) == []
    assert service.publisher.deadline() == again
    assert orders(service.publisher.tick(again)) == [0, 1, 2, 3]


def test_introset_waits_for_a_path() -> None:
    service = Service()
    assert service.publisher.changed(MIDDAY) == []
    assert service.sealed == []
    assert len(service.publisher.use_paths(["a", "b"], MIDDAY + HOUR)) == 4
    assert service.sealed == [(MIDDAY // DAY, MIDDAY + HOUR)]


def test_single_path_carries_two_orders_and_the_second_path_the_others() -> None:
    service = Service()
    first = service.start(MIDDAY, "a")
    assert len(first) == 2
    second = service.publisher.use_paths(["a", "b"], MIDDAY + 1)
    assert {ask.path for ask in second} == {"b"}
    assert orders(first + second) == [0, 1, 2, 3]


def test_single_path_carries_all_when_no_second_one_comes() -> None:
    service = Service()
    first = service.start(MIDDAY, "a")
    assert service.publisher.deadline() == MIDDAY + SECOND_PATH_WAIT
    rest = service.publisher.tick(MIDDAY + SECOND_PATH_WAIT)
    assert orders(first + rest) == [0, 1, 2, 3]


def test_refused_order_is_asked_again_over_another_path_after_a_growing_pause() -> None:
    service = Service()
    asks = service.start(MIDDAY, "a", "b")
    for ask in asks[1:]:
        service.answer(ask, MIDDAY)
    ask, now, pauses = asks[0], MIDDAY, []
    while now < MIDDAY + TIMING.introset_refresh - LONGEST_RETRY:
        assert service.answer(ask, now, Status.UNREACHABLE) == []
        due = service.publisher.deadline()
        assert due is not None
        (again,) = service.publisher.tick(due)
        assert again.message.order == ask.message.order
        assert again.message.request != ask.message.request
        assert again.path != ask.path
        pauses.append(due - now)
        ask, now = again, due
    assert pauses[:3] == [FIRST_RETRY, 2 * FIRST_RETRY, 4 * FIRST_RETRY]
    assert pauses[-1] == LONGEST_RETRY


def test_silent_order_is_asked_elsewhere_and_its_late_acknowledgement_counts() -> None:
    service = Service()
    asks = service.start(MIDDAY, "a", "b")
    service.answer(asks[1], MIDDAY)
    late = MIDDAY + ANSWER_WAIT
    assert service.publisher.deadline() == late
    again = service.publisher.tick(late)
    assert len(again) == 3
    retry = next(ask for ask in again if ask.message.order == asks[0].message.order)
    assert retry.path != asks[0].path
    service.answer(asks[0], late + 1)
    assert service.publisher.published_at(late + 1) == MIDDAY


def test_orders_on_a_lost_path_are_asked_again_at_once() -> None:
    service = Service()
    asks = service.start(MIDDAY, "a", "b")
    lost = [ask.message.order for ask in asks if ask.path == "a"]
    again = service.publisher.use_paths(["b", "c"], MIDDAY + MILLISECOND)
    assert orders(again) == sorted(lost)
    assert {ask.path for ask in again} == {"c"}
    on_lost_path = next(ask for ask in asks if ask.path == "a")
    assert service.answer(on_lost_path, MIDDAY + MILLISECOND) == []
    assert service.publisher.holders(MIDDAY + MILLISECOND) == 0


def test_undeliverable_message_is_asked_again_after_a_pause() -> None:
    service = Service()
    asks = service.start(MIDDAY, "a", "b")
    assert service.publisher.failed(asks[0].path, asks[0].message.request, MIDDAY) == []
    (again,) = service.publisher.tick(MIDDAY + FIRST_RETRY)
    assert again.message.order == asks[0].message.order


def test_answers_nobody_waits_for_are_ignored() -> None:
    service = Service()
    asks = service.start(MIDDAY, "a", "b")
    ask = asks[0]
    other = "b" if ask.path == "a" else "a"
    answer = StoreAnswer(ask.message.request, Status.OK)
    assert service.publisher.answered(other, answer, MIDDAY) == []
    assert service.publisher.failed(other, ask.message.request, MIDDAY) == []
    assert service.publisher.answered(ask.path, StoreAnswer(1, Status.OK), MIDDAY) == []
    assert service.publisher.failed(ask.path, 1, MIDDAY) == []
    assert service.publisher.holders(MIDDAY) == 0


def test_introset_is_renewed_regularly() -> None:
    service = Service()
    service.answer_all(service.start(MIDDAY, "a", "b"), MIDDAY)
    due = service.publisher.deadline()
    assert due == MIDDAY + TIMING.introset_refresh
    assert service.publisher.tick(due - 1) == []
    asks = service.publisher.tick(due)
    assert orders(asks) == [0, 1, 2, 3]
    # The one before is published until the new one is.
    assert service.publisher.published_at(due) == MIDDAY
    service.answer_all(asks, due)
    assert service.publisher.published_at(due) == due


def test_changed_introductions_are_published_at_once_but_not_every_instant() -> None:
    service = Service()
    service.answer_all(service.start(MIDDAY, "a", "b"), MIDDAY)
    later = MIDDAY + MINUTE
    assert len(service.publisher.changed(later)) == 4
    assert service.publisher.changed(later + 1) == []
    assert service.publisher.changed(later + 2) == []
    assert service.publisher.deadline() == later + ROUND_PAUSE
    assert len(service.publisher.tick(later + ROUND_PAUSE)) == 4
    assert [now for _, now in service.sealed] == [MIDDAY, later, later + ROUND_PAUSE]


def test_late_acknowledgements_of_the_round_before_still_count() -> None:
    service = Service()
    first = service.start(MIDDAY, "a", "b")
    service.publisher.changed(MIDDAY)
    assert len(service.publisher.tick(MIDDAY + ROUND_PAUSE)) == 4
    now = MIDDAY + ROUND_PAUSE + 1
    service.answer_all(first[:2], now)
    assert service.publisher.published_at(now) == MIDDAY
    assert service.publisher.holders(now) == 0


def test_two_periods_are_published_for_around_their_boundary() -> None:
    service = Service()
    period = BOUNDARY // DAY
    now = BOUNDARY - 10 * MINUTE
    service.answer_all(service.start(now, "a", "b"), now)
    assert {one for one, _ in service.sealed} == {period - 1}
    served: list[tuple[Micros, set[int]]] = []
    while now < BOUNDARY + 10 * MINUTE:
        due = service.publisher.deadline()
        assert due is not None
        assert due > now
        now = due
        asks = service.publisher.tick(now)
        service.answer_all(asks, now)
        if asks:
            served.append((now, {int(one.split()[0]) for one in introsets(asks)}))
        assert service.publisher.published_at(now) is not None
    # The key of the next period is there before anybody's clock, two minutes ahead, reaches it.
    first = min(instant for instant, periods in served if period in periods)
    assert first <= BOUNDARY - 2 * MINUTE
    last = max(instant for instant, periods in served if period - 1 in periods)
    assert BOUNDARY <= last < BOUNDARY + 2 * MINUTE


@given(st.integers(0, 10_000), st.floats(0, 0.6), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_publication_ends_with_four_holders_whatever_is_lost_on_the_way(
    seed: int, loss: float, count: int
) -> None:
    service = Service(seed=seed)
    chance = seeded(seed + 1)
    names = "abcdefgh"[: count + 1]
    pending = service.start(MIDDAY, *names)
    now = MIDDAY
    for _ in range(400):
        asks, pending = pending, []
        for ask in asks:
            fate = chance.below(1000) / 1000
            if fate >= loss:
                pending += service.answer(ask, now)
            elif fate < loss / 3:
                pending += service.answer(ask, now, Status(1 + chance.below(5)))
            elif fate < loss / 2:
                pending += service.publisher.use_paths(chance.sample(names, count), now)
        if service.publisher.holders(now) == 4 and not pending:
            break
        due = service.publisher.deadline()
        assert due is not None
        assert pending or due > now, "tick left something undone"
        if not pending:
            now = due
            pending = service.publisher.tick(now)
    assert service.publisher.holders(now) == 4
    assert service.publisher.published_at(now) is not None
    assert len(service.publisher._requests) < 100
