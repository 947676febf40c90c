"""Whether the peer of a link is alive (docs/wire.md, section 2).

1. Something that wants an answer or carries data was sent and nothing valid came for
max(3 RTT, 100 ms), or an ICMP error was quoted, or nothing was heard for 5 s: probing begins.
2. Three rounds of pings, max(RTT, 100 ms) apart; anything valid ends it. 3. Nothing within
max(RTT, 100 ms) of the last round: dead. So a killed peer is noticed within 0.4 s of the first
cell sent after it, and an idle one within 5.4 s.

The rounds have 1, 2 and 3 pings, each in a datagram of its own: with single ones a link that loses
every tenth datagram would die within minutes. A receiver that has nothing to say sends a mere
acknowledgement 50 ms after data came, so that one-way traffic is not probed all the time.
Acknowledgements, pings and pongs are no reason to expect an answer.

We may be the one who slept: a step that comes late is repeated once, because the answers may lie
unread in our own socket.
"""

from __future__ import annotations

from typing import Final

from lokinet_node.base.units import MILLISECOND, SECOND, Micros

# What the specification says.

LEAST_PAUSE: Final[Micros] = 100 * MILLISECOND
"""Shortest wait for an answer, however near the peer is."""
PATIENCE_RTTS: Final = 3

# What we chose.

PINGS: Final = (1, 2, 3)
"""Pings in each round."""
IDLE: Final[Micros] = 5 * SECOND
"""An idle peer is asked this often."""
SIGN_OF_LIFE: Final[Micros] = LEAST_PAUSE // 2
"""A receiver of data that said nothing for so long shows that it is there."""
LATE: Final[Micros] = 50 * MILLISECOND
"""A step this much overdue says more about us than about the peer."""


class Liveness:
    """What one end knows about the other's being there."""

    __slots__ = (
        "_due",
        "_excused",
        "_hinted_at",
        "_is_assumed",
        "_round",
        "last_heard",
        "rtt",
        "unanswered_since",
    )

    def __init__(self, now: Micros) -> None:
        self.rtt: Micros | None = None
        """Smoothed round trip."""
        self.last_heard: Micros = now
        """When something valid came."""
        self.unanswered_since: Micros | None = None
        """When the first thing was sent after that."""
        self._is_assumed = False
        self._round = 0
        self._due: Micros = 0
        self._excused = False
        self._hinted_at: Micros = 0

    @property
    def is_asking(self) -> bool:
        """Whether pings are out; nothing valid came since."""
        return self._round > 0

    def sent(self, now: Micros) -> None:
        """Something left that wants an answer or carries data."""
        if self.unanswered_since is None:
            self.unanswered_since = now

    def heard(self, now: Micros) -> None:
        """Something valid came."""
        self.last_heard = now
        self.unanswered_since = None
        self._round = 0

    def assume(self, measured: Micros) -> None:
        """Take the round trip of a handshake, which holds work too, until a ping tells better."""
        if self.rtt is None:
            self.rtt = measured
            self._is_assumed = True

    def sample(self, measured: Micros) -> None:
        """Take in the round trip of a ping; queues make it long, so a short one counts more."""
        if self.rtt is None or self._is_assumed:
            self.rtt = measured
            self._is_assumed = False
        else:
            self.rtt += (measured - self.rtt) // (2 if measured < self.rtt else 8)

    def hint(self, now: Micros) -> int:
        """An ICMP error was quoted: pings to send now; few, because anybody can forge one."""
        if self._round or now - self._hinted_at < LEAST_PAUSE:
            return 0
        self._hinted_at = now
        return self.probe(now)

    def probe(self, now: Micros) -> int:
        """Start asking: pings to send now."""
        self._round = 1
        self._excused = False
        self._due = now + self._pause()
        return PINGS[0]

    def step(self, now: Micros) -> int | None:
        """Pings to send now, or None: the peer is dead."""
        if now < self.deadline():
            return 0
        if self._round == 0:
            return self.probe(now)
        late, self._due = now - self._due, now + self._pause()
        if late > LATE and not self._excused:
            self._excused = True
        elif self._round == len(PINGS):
            return None
        else:
            self._round += 1
            self._excused = False
        return PINGS[self._round - 1]

    def deadline(self) -> Micros:
        """When `step` has something to do."""
        if self._round:
            return self._due
        idle = self.last_heard + IDLE
        if self.unanswered_since is None:
            return idle
        return min(idle, self.unanswered_since + self.patience())

    def patience(self) -> Micros:
        """How long an answer may take before the peer is asked."""
        return max(LEAST_PAUSE, PATIENCE_RTTS * (self.rtt or 0))

    def _pause(self) -> Micros:
        return max(LEAST_PAUSE, self.rtt or 0)
