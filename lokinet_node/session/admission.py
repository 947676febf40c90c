"""Who may send packets in a session, at both ends of it.

The end that was called (`is_welcome`): a remote whose packets are not welcome is heard as far as
session messages go, its packets are dropped and it is told so. Who is welcome says the doorkeeper
(`Home.doorkeeper`), also about those whom we call ourselves; without one everybody is.

The end that called (`may_send`): message 2 says whether to ask first. The question is repeated
until it is answered; a refusal stands for a while, then the next packet asks again.

Rules: the last answer counts; it is given once per question and repeated as often as that is.
Rows are screened in batches, by their type and how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Protocol

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.path.meter import Bucket
from lokinet_node.session.auth_messages import UNASKED, Auth, AuthCode, AuthResult, shown
from lokinet_node.session.effects import AdmissionAsked, Authorised
from lokinet_node.session.messages import STATUS_NEEDS_AUTH, STATUS_OK
from lokinet_node.session.packet_addresses import DESTINATION
from lokinet_node.session.plaintexts import (
    CONTENT_AT,
    PLAINTEXT,
    TYPE_EXIT4,
    TYPE_EXIT6,
    TYPE_MESSAGE,
    TYPE_NOTHING,
    Plaintexts,
)
from lokinet_node.wire import ip6

if TYPE_CHECKING:
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.session.home import Home
    from lokinet_node.session.outlet import Outlet

FIRST_WAIT: Final[Micros] = SECOND
LONGEST_WAIT: Final[Micros] = 4 * SECOND
TRIES: Final = 8
"""27 s in all: longer than a slow backend may take."""
REFUSAL_STANDS: Final[Micros] = 10 * SECOND
TELL_PAUSE: Final[Micros] = SECOND
"""Between two results that nobody asked for."""
MESSAGES_ONLY: Final = bytes(
    TYPE_MESSAGE if kind == TYPE_MESSAGE else TYPE_NOTHING for kind in range(256)
)
"""Table for `bytes.translate`: the type byte of everything but a session message goes."""
_NUMBER_SIZE: Final = 4


class Meter(Protocol):
    """Counts what a remote uses."""

    def take(self, count: int, size: int, now: Micros) -> int:
        """How many of `count` packets, `size` bytes in all, may pass: the first ones."""


class Doorkeeper(Protocol):
    """Who decides about callers."""

    def greet(self, remote: LokiAddress, now: Micros) -> Grant | None:
        """What a caller has without asking; None: it has to ask."""

    def recall(self, remote: LokiAddress, now: Micros) -> Grant | None:
        """What one has whom we call ourselves; None: it was a caller once and has no leave now."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Somebody is let in."""

    meter: Meter | None = None
    """None: nothing is counted."""
    is_customer: bool = True
    """May use what this end offers beyond its own packets: its exit."""


CALLED: Final = Grant(is_customer=False)
"""What one has whom we call and who never was a caller."""

QUESTION_BURST: Final = 8
"""Questions of a remote at once, copies too, and one a second: the rest is not heard. Whoever asks
in earnest repeats it. The doorkeeper's own measure is shorter and has an answer."""


class Plea(Enum):
    """Where the end that called stands."""

    OPEN = auto()
    ASKING = auto()
    REFUSED = auto()


class Admission:
    """Both halves, for one session."""

    __slots__ = (
        "_answered",
        "_home",
        "_is_awaited",
        "_is_known",
        "_is_welcome",
        "_meter",
        "_next",
        "_number",
        "_outlet",
        "_pending",
        "_questions",
        "_remote",
        "_tell_at",
        "_tries",
        "is_granted",
        "plea",
        "reason",
        "refused_until",
    )

    def __init__(self, remote: LokiAddress, home: Home, outlet: Outlet) -> None:
        self.is_granted = False
        """The door let the remote in; False also for those we called ourselves."""
        self.plea = Plea.OPEN
        self.reason = ""
        """Why we are refused."""
        self.refused_until: Micros = 0
        self._remote = remote
        self._home = home
        self._outlet = outlet
        self._meter: Meter | None = None
        # The remote's question and what it was told.
        self._pending: int | None = None
        self._is_welcome = home.doorkeeper is None
        self._line_up()
        self._questions = Bucket(1, QUESTION_BURST)
        self._answered = AuthResult(UNASKED, AuthCode.REJECT, "ask to be let in first")
        self._tell_at: Micros = 0
        # Our question.
        self._number = UNASKED
        self._tries = 0
        self._next: Micros | None = None
        self._is_awaited = False
        self._is_known = False

    # --- packets

    @property
    def is_welcome(self) -> bool:
        """Packets of the remote are delivered."""
        return self._is_welcome

    @is_welcome.setter
    def is_welcome(self, is_welcome: bool) -> None:
        self._is_welcome = is_welcome
        self._line_up()

    def _line_up(self) -> None:
        """Among the strangers, who make room for the next caller, or not."""
        strangers = self._home.strangers
        if self._is_welcome or self._pending is not None:
            strangers.pop(self._remote, None)
        else:
            strangers.setdefault(self._remote)

    @property
    def is_open(self) -> bool:
        """Nothing needs to be screened."""
        return self.is_welcome and self.is_customer and self._meter is None

    @property
    def is_customer(self) -> bool:
        """The remote may use what this end offers beyond its own packets: its exit."""
        return self.is_granted or self._home.doorkeeper is None

    @property
    def may_send(self) -> bool:
        """The remote lets us send packets, as far as it told."""
        return self.plea is Plea.OPEN

    def screen(self, plain: Plaintexts, first: int, count: int, now: Micros) -> int:
        """Blank the rows of packets that may not pass; how many rows were blanked at most."""
        passed = 0
        if self.is_welcome and not self.is_customer:
            return _blank_leaving(plain, first, count)
        if self.is_welcome and self._meter is not None:
            passed = self._meter.take(count, plain.content_bytes(first, count), now)
        at = slice((first + passed) * PLAINTEXT, (first + count) * PLAINTEXT, PLAINTEXT)
        types = bytes(plain.view[at])
        kept = types.translate(MESSAGES_ONLY)
        plain.view[at] = kept
        blanked = len(types) - kept.count(TYPE_MESSAGE)
        if blanked and not self.is_welcome and now >= self._tell_at:
            self._tell_at = now + TELL_PAUSE
            code, reason = self._answered.code, self._answered.reason
            self._outlet.tell(AuthResult(UNASKED, code, reason))
        return blanked

    def pass_out(self, plain: Plaintexts, count: int, now: Micros) -> int:
        """How many of the rows 0..count may go to the remote."""
        if not self.is_welcome:
            self.called(now)  # to send is to call, whoever made the session
        if not self.is_welcome:
            return 0
        if self._meter is None:
            return count
        return self._meter.take(count, plain.content_bytes(0, count), now)

    # --- the end that was called

    def knocked(self, now: Micros) -> int:
        """A message 1 was good; the status of its answer."""
        if not self.is_granted and self._home.doorkeeper is not None:
            grant = self._home.doorkeeper.greet(self._remote, now)
            if grant is not None:
                self._let_in(grant)
        return STATUS_OK if self.is_welcome else STATUS_NEEDS_AUTH

    def called(self, now: Micros) -> None:
        """We call the remote ourselves: its packets are wanted, unless it lost its leave."""
        if self.is_welcome or self._home.doorkeeper is None:
            return
        grant = self._home.doorkeeper.recall(self._remote, now)
        if grant is None:
            return
        self._let_in(grant)
        if self._answered.number != UNASKED:
            self._answered = AuthResult(UNASKED, AuthCode.OKAY)
            self._outlet.tell(self._answered)

    def decided(self, answer: AuthResult, grant: Grant | None, now: Micros) -> None:
        """The door's answer to the question that is pending, or UNASKED, of its own accord.

        One to another question comes too late and is nobody's.
        """
        if answer.number not in (UNASKED, self._pending):
            return
        if answer.number == self._pending:
            self._pending = None
        self._answered = answer
        if grant is not None:
            self._let_in(grant)
        else:
            self.is_welcome = self.is_granted = False
        self._tell_at = now + TELL_PAUSE
        self._outlet.tell(answer)

    def _let_in(self, grant: Grant) -> None:
        self.is_welcome, self.is_granted = True, grant.is_customer
        self._meter = grant.meter

    def asked(self, question: Auth, now: Micros) -> None:
        """The remote asks; a question is decided once."""
        if not self._questions.take(now):
            return
        if question.number == self._answered.number and question.number != UNASKED:
            self._outlet.tell(self._answered)
        elif self._home.doorkeeper is None:
            self._answered = AuthResult(question.number, AuthCode.OKAY)
            self._outlet.tell(self._answered)
        elif self._pending is None:
            self._pending = question.number
            self._line_up()
            self._home.effects.append(AdmissionAsked(self._remote, question.token, question.number))

    # --- the end that called

    def is_refused(self, now: Micros) -> bool:
        """What is sent now would be in vain."""
        return self.plea is Plea.REFUSED and now < self.refused_until

    def connect(self, now: Micros) -> None:
        """Somebody wants to send: ask again if the refusal is old."""
        if self.plea is Plea.REFUSED and now >= self.refused_until:
            self._ask(now)

    def authorise(self, now: Micros, *, is_established: bool) -> None:
        """Ask with the token that is in the home now; an Authorised will follow."""
        self._is_awaited = True
        if is_established:
            self._ask(now)

    def established(self, now: Micros) -> None:
        """There is a way to ask; the remote called before our dial, or its message 2, came."""
        if self._is_awaited and self._next is None:
            self._ask(now)

    def welcomed(self, status: int, now: Micros) -> None:
        """Message 2 came."""
        has_news = not self._is_known and bool(self._home.tokens.get(self._remote))
        if status == STATUS_NEEDS_AUTH or has_news:
            if self._next is None:
                self._ask(now, hold=status == STATUS_NEEDS_AUTH)
        elif self._next is None:
            self._is_awaited |= self.plea is not Plea.OPEN
            self._settle(AuthCode.OKAY, "", now)

    def answered(self, result: AuthResult, now: Micros) -> None:
        """The remote says something about letting us in."""
        if result.number == UNASKED or result.number == self._number:
            is_news = self._next is not None or (result.code is AuthCode.OKAY) != self.may_send
            if result.number == UNASKED and self._next is not None:
                return  # it crossed our question
            self._is_awaited |= is_news
            self._settle(result.code, shown(result.reason), now)

    def tick(self, now: Micros) -> None:
        """Repeat the question, or give up."""
        if self._next is None or now < self._next:
            return
        if self._tries == TRIES:
            self._settle(AuthCode.FAILED, "no answer to the request to be let in", now)
            return
        wait = max(FIRST_WAIT, 2 * self._outlet.estimate) << self._tries
        self._next = now + min(LONGEST_WAIT, wait)
        self._tries += 1
        self._outlet.tell(Auth(self._number, self._home.tokens.get(self._remote, "")))

    @property
    def deadline(self) -> Micros | None:
        """When `tick` has something to do."""
        return self._next

    def end(self, reason: str) -> None:
        """The session is over; who waits for an answer hears so."""
        self._home.strangers.pop(self._remote, None)
        if self._is_awaited:
            self._is_awaited = False
            self._home.effects.append(Authorised(self._remote, AuthCode.FAILED, reason))

    def _ask(self, now: Micros, *, hold: bool = True) -> None:
        self._number = int.from_bytes(self._home.entropy(_NUMBER_SIZE), "big") or 1
        self._tries = 0
        self._next = now
        self._is_awaited = True
        if hold:
            self.plea = Plea.ASKING

    def _settle(self, code: AuthCode, reason: str, now: Micros) -> None:
        self._next = None
        if code is AuthCode.OKAY:
            self.plea, self.reason, self._is_known = Plea.OPEN, "", True
        else:
            self.plea, self.reason = Plea.REFUSED, reason or code.name.lower()
            self.refused_until = now + REFUSAL_STANDS
        if self._is_awaited:
            self._is_awaited = False
            self._home.effects.append(Authorised(self._remote, code, self.reason))


def _blank_leaving(plain: Plaintexts, first: int, count: int) -> int:
    """Blank packets to the internet, of one whom we called ourselves and never let in."""
    types = bytes(plain.view[first * PLAINTEXT : (first + count) * PLAINTEXT : PLAINTEXT])
    if TYPE_EXIT4 not in types and TYPE_EXIT6 not in types:
        return 0
    blanked = 0
    for row in range(first, first + count):
        start = row * PLAINTEXT
        at = _DESTINATIONS.get(plain.buffer[start])
        if at is not None and any(plain.buffer[start + at.start : start + at.stop]):
            plain.buffer[start] = TYPE_NOTHING
            blanked += 1
    return blanked


_DESTINATIONS: Final = {
    TYPE_EXIT4: slice(CONTENT_AT + DESTINATION, CONTENT_AT + DESTINATION + 4),
    TYPE_EXIT6: slice(CONTENT_AT + ip6.DESTINATION, CONTENT_AT + ip6.IPV6_HEADER),
}
"""Where records of exits keep the address they go to; zero in those that come from an exit."""
