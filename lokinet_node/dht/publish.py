"""Publication of the own introset: to four holders, over at least two paths, again and again.

1. `changed` says that there are introductions, or other ones: a round starts at once, but at
   least a second after the one before. Without changes a round starts every `introset_refresh`.
2. A round is one introset of one period and its four orders (the first to fourth router closest
   to the blinded key, as the last hop of the asked path sees it). Around the boundary of two
   periods there is a round for each.
3. Orders are spread over the ready paths; a lone path carries two until a second one had a
   second's time to come up. What is not acknowledged is asked again over another path, after
   growing pauses.
4. Published: two holders acknowledged.

The caller tells which paths are ready, passes on answers and losses, and calls `tick` when
`deadline` says so. Every method returns what is to be sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.dht.ask import Ask, PathT, least_used
from lokinet_node.dht.periods import next_change, period_at, periods_around
from lokinet_node.wire.control import ORDERS, Publish, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lokinet_node.base.timing import Timing
    from lokinet_node.netdb.chance import Chooser
    from lokinet_node.wire.control import StoreAnswer

ENOUGH: Final = 2
"""Acknowledgements that make an introset count as published."""

# What we chose.

ROUND_PAUSE: Final[Micros] = SECOND
ORDERS_OF_A_LONE_PATH: Final = 2
SECOND_PATH_WAIT: Final[Micros] = SECOND
ANSWER_WAIT: Final[Micros] = 2 * SECOND
"""After this an order is asked again elsewhere; the first answer may still come and counts."""
FIRST_RETRY: Final[Micros] = 500 * MILLISECOND
LONGEST_RETRY: Final[Micros] = 30 * SECOND


@dataclass(slots=True)
class _Order(Generic[PathT]):
    """One holder of one round."""

    is_acknowledged: bool = False
    failures: int = 0
    request: int | None = None
    """What we wait for, until `next_at`; None: to be asked at `next_at`."""
    path: PathT | None = None
    """The path asked last."""
    next_at: Micros = 0


@dataclass(slots=True)
class _Round(Generic[PathT]):
    """One introset on its way to its holders."""

    period: int
    introset: bytes
    started: Micros
    orders: list[_Order[PathT]] = field(default_factory=lambda: [_Order() for _ in range(ORDERS)])

    def acknowledged(self) -> int:
        return sum(order.is_acknowledged for order in self.orders)

    def used_paths(self) -> list[PathT]:
        """The path of each order that is acknowledged or waits for an answer."""
        return [
            order.path
            for order in self.orders
            if order.path is not None and (order.is_acknowledged or order.request is not None)
        ]


@dataclass(frozen=True, slots=True)
class _Request(Generic[PathT]):
    round: _Round[PathT]
    order: _Order[PathT]
    path: PathT
    sent: Micros


class Publisher(Generic[PathT]):
    """Keeps the introset of one service published."""

    def __init__(
        self,
        *,
        timing: Timing,
        period_length: Micros,
        seal: Callable[[int, Micros], bytes | None],
        chooser: Chooser,
    ) -> None:
        """`seal(period, now)` gives the raw introset; None if there is no introduction now."""
        self._refresh = timing.introset_refresh
        self._lifetime = timing.introset_lifetime
        self._patience = timing.lookup_timeout
        self._period_length = period_length
        self._seal = seal
        self._chooser = chooser
        self._paths: tuple[PathT, ...] = ()
        self._rounds: dict[int, _Round[PathT]] = {}
        self._requests: dict[int, _Request[PathT]] = {}
        # Period -> when the newest introset that counts as published was signed.
        self._published: dict[int, Micros] = {}
        # Periods that had their turn since the last round began.
        self._covered: frozenset[int] = frozenset()
        self._last_round: Micros | None = None
        self._next_round: Micros | None = None
        self._ticked: Micros = 0

    def changed(self, now: Micros) -> list[Ask[PathT]]:
        """There are introductions for the first time, or others than in the last round."""
        soonest = now if self._last_round is None else max(now, self._last_round + ROUND_PAUSE)
        if self._next_round is None or soonest < self._next_round:
            self._next_round = soonest
        return self.tick(now)

    def use_paths(self, paths: Iterable[PathT], now: Micros) -> list[Ask[PathT]]:
        """These paths are ready, and no others: what waits for another is asked again at once."""
        self._paths = tuple(paths)
        for number, request in list(self._requests.items()):
            if request.path not in self._paths:
                del self._requests[number]
                if request.order.request == number:
                    request.order.request = None
                    request.order.next_at = now
        return self.tick(now)

    def answered(self, path: PathT, answer: StoreAnswer, now: Micros) -> list[Ask[PathT]]:
        """An answer came over a path; one that nobody waits for is ignored."""
        request = self._requests.get(answer.request)
        if request is None or request.path != path:
            return []
        del self._requests[answer.request]
        if answer.status is Status.OK:
            request.order.is_acknowledged = True
            request.order.request = None
            self._count(request.round)
        elif request.order.request == answer.request:
            _fail(request.order, now)
        return self.tick(now)

    def failed(self, path: PathT, number: int, now: Micros) -> list[Ask[PathT]]:
        """The message of this request number could not be delivered."""
        request = self._requests.get(number)
        if request is None or request.path != path:
            return []
        del self._requests[number]
        if request.order.request == number:
            _fail(request.order, now)
        return self.tick(now)

    def tick(self, now: Micros) -> list[Ask[PathT]]:
        """Start rounds and ask what is due."""
        self._ticked = now
        if not self._paths:
            return []
        self._forget(now)
        self._start_rounds(now)
        return [ask for round_ in self._rounds.values() for ask in self._asks(round_, now)]

    def deadline(self) -> Micros | None:
        """When `tick` has something to do; None as long as there is no path or nothing to say."""
        if not self._paths or self._next_round is None:
            return None
        change = next_change(self._ticked, self._period_length, self._refresh)
        orders = [
            max(order.next_at, self._room_at(round_))
            for round_ in self._rounds.values()
            for order in round_.orders
            if not order.is_acknowledged
        ]
        return min(self._next_round, change, *orders)

    def published_at(self, now: Micros) -> Micros | None:
        """When the introset was signed that two holders of this period have; None if there is none.

        An introset that has expired is not published.
        """
        signed = self._published.get(period_at(now, self._period_length))
        return signed if signed is not None and now < signed + self._lifetime else None

    def holders(self, now: Micros) -> int:
        """Acknowledgements of the current period's newest round, 0 to 4."""
        round_ = self._rounds.get(period_at(now, self._period_length))
        return round_.acknowledged() if round_ is not None else 0

    def _start_rounds(self, now: Micros) -> None:
        if self._next_round is None:
            return
        wanted = periods_around(now, self._period_length, self._refresh)
        if now >= self._next_round:
            self._covered = frozenset()
            self._last_round = now
            self._next_round = now + self._refresh
        for period in wanted:
            if period not in self._covered:
                introset = self._seal(period, now)
                if introset is not None:
                    self._rounds[period] = _Round(period, introset, now)
        # A period with nothing to say is covered too: `changed` tells when there is something.
        self._covered |= frozenset(wanted)
        self._rounds = {p: round_ for p, round_ in self._rounds.items() if p in wanted}
        self._published = {p: signed for p, signed in self._published.items() if p in wanted}

    def _asks(self, round_: _Round[PathT], now: Micros) -> list[Ask[PathT]]:
        asks = []
        for number, order in enumerate(round_.orders):
            if order.is_acknowledged or now < order.next_at:
                continue
            if order.request is not None:
                # Nobody answered: ask elsewhere at once, and wait longer for the next answer.
                order.request = None
                order.failures += 1
            paths = self._open_paths(round_, now)
            if paths:
                path = least_used(self._chooser, paths, round_.used_paths(), order.path)
                asks.append(self._ask(round_, number, path, now))
        return asks

    def _ask(self, round_: _Round[PathT], number: int, path: PathT, now: Micros) -> Ask[PathT]:
        order = round_.orders[number]
        request = self._chooser.below(1 << 64)
        order.request = request
        order.path = path
        order.next_at = now + _growing(ANSWER_WAIT, order.failures)
        self._requests[request] = _Request(round_, order, path, now)
        return Ask(path, Publish(request, number, round_.introset))

    def _open_paths(self, round_: _Round[PathT], now: Micros) -> list[PathT]:
        """Paths that may carry one more order of a round: a lone one not more than two at first."""
        is_spread = len(self._paths) > 1 or now >= round_.started + SECOND_PATH_WAIT
        if is_spread or len(round_.used_paths()) < ORDERS_OF_A_LONE_PATH:
            return list(self._paths)
        return []

    def _room_at(self, round_: _Round[PathT]) -> Micros:
        """When the next order of a round may leave, going by the paths there are."""
        has_room = self._open_paths(round_, round_.started)
        return round_.started if has_room else round_.started + SECOND_PATH_WAIT

    def _count(self, round_: _Round[PathT]) -> None:
        if round_.acknowledged() >= ENOUGH:
            signed = self._published.get(round_.period, 0)
            self._published[round_.period] = max(signed, round_.started)

    def _forget(self, now: Micros) -> None:
        self._requests = {
            number: request
            for number, request in self._requests.items()
            if now < request.sent + self._patience
        }


def _fail(order: _Order[PathT], now: Micros) -> None:
    order.request = None
    order.next_at = now + _growing(FIRST_RETRY, order.failures)
    order.failures += 1


def _growing(first: Micros, failures: int) -> Micros:
    return min(first << min(failures, 16), LONGEST_RETRY)
