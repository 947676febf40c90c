"""One remote identity: its keys, its routes, and whether it still answers.

A session hangs on no path and no pivot: it sends on one route out of all that own paths and the
remote's introductions make possible, and receives whatever opens. Every event ends in `tick`,
which does all that is due and says in `deadline` when it wants the next one. docs/wire.md, 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MINUTE, SECOND, Micros
from lokinet_node.session.activity import Activity
from lokinet_node.session.admission import Admission
from lokinet_node.session.announce import DOUBTFUL_TRIES, Announcer
from lokinet_node.session.dial import Dial
from lokinet_node.session.effects import NeedIntroset, SessionEnded, SessionFailed
from lokinet_node.session.epochs import Epoch, Epochs
from lokinet_node.session.inbox import Inbox
from lokinet_node.session.messages import Answer, Close, CloseReason, Ping
from lokinet_node.session.outlet import Outlet, Sending
from lokinet_node.session.refused import RefusalLog
from lokinet_node.session.routes import PIVOTS_WANTED, RouteBook, own_introductions
from lokinet_node.session.states import Closed, Connecting, Established, State
from lokinet_node.session.verdict import Condition, Verdict, judge
from lokinet_node.session.watch import Step, Watch
from lokinet_node.session.whereabouts import Whereabouts
from lokinet_node.wire.introset import MAX_INTRODUCTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.base.ids import Handle, LokiAddress, RouterID
    from lokinet_node.session.handshake import Keys
    from lokinet_node.session.home import Home
    from lokinet_node.session.streams import ReceiveStream
    from lokinet_node.wire.introset import Introduction, Introset
    from lokinet_node.wire.offer import Offer

UNCONFIRMED_LIFE: Final[Micros] = MINUTE
"""A caller that does not use its keys is forgotten after this."""
MOST_UNCONFIRMED: Final = 4
REDIAL_PAUSE: Final[Micros] = 10 * SECOND
_ENDS: Final = {Verdict.UNREACHABLE: "unreachable", Verdict.USED_UP: "keys used up"}


class Session:
    """A session with one `.loki` address; `Sessions` hands it what concerns it."""

    __slots__ = (
        "_activity",
        "_home",
        "_inbox",
        "_outlet",
        "_redial_at",
        "_review_at",
        "_whereabouts",
        "admission",
        "announcer",
        "book",
        "deadline",
        "dial",
        "epochs",
        "is_dialler",
        "last_heard",
        "refusals",
        "remote",
        "state",
        "watch",
    )

    def __init__(self, remote: LokiAddress, home: Home, now: Micros) -> None:
        self.remote = remote
        self.state: State = Connecting(now)
        self.is_dialler = False
        """We asked for this session, at least once."""
        self.last_heard: Micros = now
        """The last valid record; written for every burst."""
        self.deadline: Micros = now
        self.epochs = Epochs()
        self.book = RouteBook(home.timing.path_lifetime)
        self.announcer = Announcer()
        self.watch = Watch(home.entropy, now)
        self.dial: Dial | None = None
        self.refusals = RefusalLog()
        """What an exit said last about packets it did not pass on."""
        self._home = home
        self._outlet = Outlet(remote, home, self.epochs, self.book)
        self.admission = Admission(remote, home, self._outlet)
        self._inbox = Inbox(self, home, self._outlet, self._review)
        self._whereabouts = Whereabouts(now)
        self._activity = Activity(now)
        self._redial_at = self._review_at = now

    @property
    def offer(self) -> Offer | None:
        """What the remote's introset says it offers; None before one was found."""
        introset = self._whereabouts.introset
        return None if introset is None else introset.offer

    def sending(self) -> Sending | None:
        """Stream, path and handle to send data with; None while there is no way or no leave."""
        return self._outlet.sending if self.admission.may_send else None

    @property
    def is_connected(self) -> bool:
        """There is a way, whether or not the remote takes our packets."""
        return self._outlet.sending is not None

    # --- events

    def connect(self, now: Micros) -> None:
        """Somebody wants to talk to the remote."""
        self.is_dialler = True
        self._activity.last_used = now
        self.admission.called(now)
        self.admission.connect(now)
        if isinstance(self.state, Connecting) and self.dial is None:
            self._begin_dial(now, is_rescue=False)
        self._review(now)
        self.tick(now)

    def probe(self, now: Micros) -> None:
        """Find out whether the remote is still there, though nothing was sent to it."""
        if isinstance(self.state, Established):
            self.watch.start(now)
            self.tick(now)

    def introset_found(self, introset: Introset | None, expires: Micros, now: Micros) -> None:
        """The answer to NeedIntroset."""
        dial = self.dial
        if introset is not None:
            self._whereabouts.found(introset, expires)
            if dial is not None:
                dial.found(introset, now)
            if self._is_lost or (dial is not None and dial.is_rescue):
                self.book.found(introset.introductions)
        elif dial is not None and dial.introset is None:
            self._dial_failed("no introset", now)
        self._review(now)
        self.tick(now)

    def paths_changed(self, now: Micros) -> None:
        """Own paths came or went; `home.paths` is up to date."""
        had_route = self._outlet.route
        self._review(now)
        if self.dial is not None and self._outlet.route is not had_route:
            self.dial.hurry(now)
        self.tick(now)

    def handle_gone(self, handle: Handle, now: Micros) -> None:
        """A pivot does not know this handle of the remote any more."""
        if self.book.gone(handle, now):
            if self.dial is not None:
                self.dial.hurry(now)
            self._review(now)
            self.tick(now)

    def accept(self, keys: Keys, introductions: Sequence[Introduction], now: Micros) -> Epoch:
        """A message 1 of the remote was good; its keys send nothing before the remote used them."""
        waiting = self.epochs.unconfirmed
        if len(waiting) >= MOST_UNCONFIRMED:
            self.epochs.remove(waiting[0])
        epoch = Epoch(self, self.remote, keys, self._home.streams, now)
        self.epochs.add(epoch)
        self.book.add(introductions)
        self.tick(now)
        return epoch

    def answered(self, answer: Answer, keys: Keys, now: Micros) -> None:
        """Our message 1 was answered."""
        if not answer.is_welcoming:
            self._dial_failed("refused", now)
            return
        if self.dial is not None and self.dial.is_rescue:
            for epoch in self.epochs:
                epoch.is_doubtful = True
        own = self._home.identity.address
        self.epochs.add(Epoch(self, own, keys, self._home.streams, now, confirmed=now))
        if answer.introductions:
            self.book.learn(answer.introductions)
        self.admission.welcomed(answer.status, now)
        self._establish(now)

    def heard(self, stream: ReceiveStream, epoch: Epoch, now: Micros) -> None:
        """The first valid record of an epoch, or of a stream further on than before."""
        epoch.advance(stream.number)
        if epoch.heard_first is None:
            epoch.heard_first = now
        if epoch.confirmed is None:
            epoch.confirmed = now
            epoch.answer = None
            self._establish(now)

    def came_by(self, pivot: RouterID, now: Micros) -> None:
        """The first data of a stream further on than before came over a path to this pivot.

        Who was dialled answers the way the caller comes: both halves then share a pivot, so a
        packet and its answer pass seven relays at most.
        """
        if not self.is_dialler and pivot != self.book.way_in:
            self.book.way_in = pivot
            self._review(now)
            self.tick(now)

    def message(self, content: bytes | memoryview, now: Micros) -> None:
        """A record of type 2."""
        message = self._inbox.take(content, now)
        if isinstance(message, Close):
            self._end("closed by the remote", now)
        elif message is not None:
            self.tick(now)

    def authorise(self, now: Micros) -> None:
        """Ask the remote to let us in; an Authorised will follow."""
        self.admission.authorise(now, is_established=isinstance(self.state, Established))
        self.tick(now)

    def close(self, reason: CloseReason, now: Micros) -> None:
        """Forget the session and tell the remote once."""
        self._outlet.tell(Close(reason))
        self._end(reason.name.lower(), now)

    # --- what is due

    def tick(self, now: Micros) -> None:
        """Everything that is due now."""
        if isinstance(self.state, Closed):
            return
        self._poll(now)
        for epoch in self.epochs.expired(now):
            self.epochs.remove(epoch)
        if now >= self._review_at:
            self._review(now)
        self._go_on_dialling(now)
        match self.state:
            case Connecting(since):
                if self.dial is None and now - since >= UNCONFIRMED_LIFE:
                    self._end("not confirmed", now)
            case Established():
                self._announce(now)
                self.admission.tick(now)
                self._go_on_watching(now)
                if self._is_lost and self.book.has_alive(now):
                    self._ask_where(now)
                elif self.watch.token is None:
                    self._whereabouts.settled()
                self._judge(now)
        self._schedule()

    def _poll(self, now: Micros) -> None:
        """Notice what the data plane did without telling."""
        sent = self.epochs.sent - self._outlet.messages
        received = self.epochs.received - self._inbox.taken
        self._activity.counted(sent, received, now)
        self.watch.poll(sent, self.last_heard, self._outlet.estimate, now)
        self._activity.polled(now, is_waiting=self.watch.is_waiting)

    def _review(self, now: Micros) -> None:
        """Choose the way out again; tell both sides what follows from it."""
        if isinstance(self.state, Closed):
            return
        paths = self._home.paths
        if self._outlet.refresh(now):
            self.watch.moved(now)
        self.announcer.offer(
            own_introductions(paths, self.book.remote, now, MAX_INTRODUCTIONS), now
        )
        is_caller_known = isinstance(self.state, Established)
        self._outlet.wish(PIVOTS_WANTED if self.is_dialler else int(is_caller_known), now)
        self._review_at = self._outlet.review_at(now)

    def _go_on_dialling(self, now: Micros) -> None:
        if self.dial is not None:
            problem = self.dial.go_on(now)
            if problem is not None:
                self._dial_failed(problem, now)

    @property
    def _is_lost(self) -> bool:
        """No way is known, or the one taken does not answer at once."""
        return self._outlet.sending is None or self.watch.is_repeating

    def _ask_where(self, now: Micros) -> None:
        """Look up where the remote is: what it told us lately may have gone where it is not heard.

        Of a session in use only.
        """
        is_wanted = self.dial is None and self._activity.is_busy(now)
        if is_wanted and self._whereabouts.asks(now):
            self._home.effects.append(NeedIntroset(self.remote))

    def _go_on_watching(self, now: Micros) -> None:
        outlet, watch = self._outlet, self.watch
        step = watch.due(now)
        if step is Step.SILENT:
            outlet.avoid(now)
            watch.next_route(now)
            self._review(now)
            self._announce(now)
            step = watch.due(now)
        if step is Step.PING and watch.token is not None:
            watch.pinged(outlet.tell(Ping(watch.token)), outlet.estimate, now)

    def _announce(self, now: Micros) -> None:
        due = self.announcer.due(now)
        if due is not None:
            number = self._outlet.spread(due, now)
            self.announcer.sent(number, self.watch.wait(self._outlet.estimate), now)
            if self.announcer.tries == DOUBTFUL_TRIES:
                self.watch.start(now)

    def _judge(self, now: Micros) -> None:
        """Fresh keys, a rescue or an end, if it is time for one."""
        outlet = self._outlet
        epoch = self.epochs.best()
        condition = Condition(
            epoch=epoch,
            is_own_epoch=epoch is not None and epoch.initiator == self._home.identity.address,
            sealed=0 if outlet.sending is None else outlet.sending.stream.counter,
            is_exhausted=outlet.is_exhausted,
            last_used=self._activity.last_used,
            stranded_since=outlet.stranded_since,
            silent_since=self.watch.silent_since,
            is_silent=self.watch.is_silent,
            has_introductions=self.book.has_alive(now),
        )
        verdict = judge(condition, self._home.timing, now)
        if verdict is Verdict.IDLE:
            self.close(CloseReason.IDLE, now)
        elif verdict in _ENDS:
            self._end(_ENDS[verdict], now)
        elif verdict is not Verdict.FINE and self.dial is None and now >= self._redial_at:
            self._begin_dial(now, is_rescue=verdict is Verdict.RESCUE)
            self._go_on_dialling(now)

    def _schedule(self) -> None:
        due: list[Micros | None] = [self._activity.poll_at, self._review_at]
        if self.dial is not None:
            due.append(self.dial.deadline)
        if isinstance(self.state, Established):
            due += self.watch.deadline, self.announcer.deadline, self.admission.deadline
        self.deadline = min(one for one in due if one is not None)
        self._home.is_rescheduled = True

    # --- changes of state

    def _begin_dial(self, now: Micros, *, is_rescue: bool) -> None:
        """Dial; a rescue trusts nothing known before and looks the introset up."""
        introset = None if is_rescue else self._whereabouts.fresh(now)
        self.dial = Dial(self, self._home, introset, now, is_rescue=is_rescue)

    def _hang_up(self) -> None:
        if self.dial is not None:
            self.dial.close()
            self.dial = None

    def _dial_failed(self, reason: str, now: Micros) -> None:
        self._hang_up()
        if isinstance(self.state, Established):
            self._redial_at = now + REDIAL_PAUSE
        elif self.epochs.unconfirmed:
            # the remote has called meanwhile: leave it its time
            self.is_dialler = False
            self._home.effects.append(SessionFailed(self.remote, reason))
        else:
            self._end(reason, now)

    def _establish(self, now: Micros) -> None:
        """There is an epoch that both ends have."""
        self._hang_up()
        if isinstance(self.state, Connecting):
            self.state = Established(now)
            self._activity.last_used = now
            self.admission.established(now)
        self._inbox.renew()
        self.watch.reset()
        self.announcer.renew(now)
        self._review(now)
        self.tick(now)

    def _end(self, reason: str, now: Micros) -> None:
        if isinstance(self.state, Closed):
            return
        home, before = self._home, self.state
        self.state = Closed(reason)
        self._hang_up()
        self.epochs.clear()
        self.admission.end(reason)
        self._outlet.close(now)
        home.by_remote.pop(self.remote, None)
        home.is_rescheduled = True
        if isinstance(before, Established):
            home.effects.append(SessionEnded(self.remote, reason))
        elif self.is_dialler:
            home.effects.append(SessionFailed(self.remote, reason))
