"""The exits a node uses: which are mapped, how they are, and what becomes of packets meanwhile.

Rules:
- an exit is in use while a range is mapped to it or somebody tries it. It is kept connected: it is
  asked now and then whether it is there, and what was lost is dialled again, at growing intervals;
- `attempt` connects an exit without mapping it, so nothing changes for other traffic until it is
  known to work. What comes of it is an ExitTried, before the deadline given;
- an exit that cannot be used for PATIENCE is down: connections through it fail at once, by ICMP,
  and destinations move to another exit where there is one. It is up again when it answers;
- the name of an exit stands in its place until its address is known; nothing leaves meanwhile.

Effects: ExitTried, ExitsChanged, ExitUp, ExitDown (exits/ways.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeGuard

from lokinet_node.base.units import MILLISECOND, SECOND, Micros
from lokinet_node.exits.exit_range import ExitRange, number_of
from lokinet_node.exits.mapping import Exit, ExitMap
from lokinet_node.exits.token_names import TokenNames
from lokinet_node.exits.ways import (
    UNKNOWN,
    ExitDown,
    ExitsChanged,
    ExitTried,
    ExitUp,
    Failure,
    Look,
    Way,
    Ways,
)
from lokinet_node.ons.verdict import Found
from lokinet_node.session.addresses import Remote, remote_loki
from lokinet_node.wire.ip import HOST_UNKNOWN, HOST_UNREACHABLE, PROHIBITED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.ons.verdict import NameAnswer

PATIENCE: Final[Micros] = 3 * SECOND
"""How long packets wait for an exit that is being connected; a failover takes less."""
POLL: Final[Micros] = 250 * MILLISECOND
CALM_POLL: Final[Micros] = SECOND
"""How often exits are looked at: while one is not up, and otherwise."""
FIRST_PAUSE: Final[Micros] = SECOND
LONGEST_PAUSE: Final[Micros] = 8 * SECOND
"""Between two dials, or two looks at a name."""
PROBE_PAUSE: Final[Micros] = 15 * SECOND
"""Between two questions to an exit whether it is still there, though nothing is sent to it."""
NO_INTROSET: Final = "no introset"
"""Why a session fails that leads nowhere (session/session.py)."""


@dataclass(slots=True, eq=False)
class _Use:
    """One exit, or the name of one."""

    exit: Exit
    look: Look = UNKNOWN
    until: Micros | None = None
    """When the attempt that is under way ends; None: there is none."""
    is_asked: bool = False
    """That attempt's question is out."""
    is_let_in: bool = False
    """It was answered so; the attempt is over when packets can pass, too."""
    former: str = field(default="", repr=False)
    """The token before that attempt; empty: there was none."""
    is_up: bool = False
    bad_since: Micros | None = None
    next_try: Micros = 0
    tries: int = 0
    problem: str = ""
    """Why the last dial failed."""

    def pause(self, now: Micros) -> None:
        """Wait before the next try."""
        self.next_try = now + min(LONGEST_PAUSE, FIRST_PAUSE << min(self.tries, 8))
        self.tries += 1


class Exits:
    """All exits of one node."""

    def __init__(self, entropy: Entropy, ways: Ways, note: Callable[[object], None]) -> None:
        """`note` takes the effects."""
        self.map_ = ExitMap(entropy)
        self.tokens: dict[Exit, str] = {}
        """What to ask with; never shown."""
        self.token_names = TokenNames(entropy)
        """What to show instead."""
        self._ways = ways
        self._note = note
        self._uses: dict[Exit, _Use] = {}
        self._ranges: tuple[ExitRange, ...] = ()
        self._next: Micros | None = None

    # --- packets; door.Consumer

    def exit_for(self, destination: bytes) -> Remote | None:
        """The exit that takes packets to this address now; None: `refusal` says why."""
        found = self.map_.exit_of(destination)
        return found if is_remote(found) and not self.map_.is_down(found) else None

    def accepts(self, remote: Remote, source: bytes) -> bool:
        """Whether a packet from this address may come from this exit."""
        return self.map_.accepts(remote, source)

    def may_report(self, source: bytes) -> bool:
        """Whether an ICMP error of this address may come from an exit: not from one of ours."""
        return not self.map_.has_none(number_of(source))

    def refusal(self, destination: bytes) -> int:
        """The code of an ICMP unreachable for what `exit_for` gives no exit."""
        found = self.map_.exit_of(destination)
        if found is None:
            return HOST_UNKNOWN
        use = self._uses.get(found)
        is_refused = use is not None and use.look.way is Way.REFUSED
        return PROHIBITED if is_refused else HOST_UNREACHABLE

    # --- what people want

    def start(
        self,
        mappings: Iterable[tuple[Exit | None, ExitRange]],
        tokens: Iterable[tuple[Exit, str]],
        now: Micros,
    ) -> None:
        """What the configuration says; names are looked up until they are found."""
        for exit_, token in tokens:
            self._keep_token(exit_, token)
            if isinstance(exit_, str):
                self._use(exit_, now)
        for exit_or_none, range_ in mappings:
            if self.map_.map(range_, exit_or_none) and exit_or_none is not None:
                self._use(exit_or_none, now)
        for use in list(self._uses.values()):
            self._review(use, now)
        self._changed()

    def attempt(self, exit_: Remote, token: str, until: Micros, now: Micros) -> None:
        """Connect an exit, with this token if it is not empty; an ExitTried follows.

        A token that led to nothing is forgotten: what is mapped goes on with the one before.
        """
        use = self._use(exit_, now)
        if use.until is None:
            use.former = self.tokens.get(exit_, "")
        use.until, use.is_asked, use.is_let_in, use.problem = until, False, False, ""
        if token:
            self._keep_token(exit_, token)
        self._review(use, now)

    def map(self, ranges: Iterable[ExitRange], exit_: Exit | None, now: Micros) -> bool:
        """Use an exit, or with None none, for ranges; False: too many, the last are not mapped."""
        fits = all(self.map_.map(range_, exit_) for range_ in ranges)
        if exit_ is not None and exit_ in self.map_.exits():
            self._review(self._use(exit_, now), now)
        self._changed()
        return fits

    def unmap(self, ranges: Iterable[ExitRange]) -> list[ExitRange]:
        """Unmap everything inside these ranges; what that was."""
        gone = [one for range_ in ranges for one in self.map_.unmap(range_)]
        self._drop_unused()
        self._changed()
        if not gone and not self._ranges:
            # Nothing was mapped: a guard that an earlier run left may wait for this.
            self._note(ExitsChanged(()))
        return gone

    def remove(self, mappings: Iterable[tuple[ExitRange, Exit | None]]) -> None:
        """Take just these mappings away, which are there."""
        self.map_.remove(mappings)
        self._drop_unused()
        self._changed()

    def swap(self, old: Exit, new: Exit, now: Micros) -> list[ExitRange]:
        """Put an exit in the place of another; the ranges it gets, none: the old has none."""
        moved = self.map_.swap(old, new)
        if moved:
            self._review(self._use(new, now), now)
            self._drop_unused()
            self._changed()
        return moved

    # --- what happens

    def changed(self, remote: Remote, now: Micros) -> None:
        """A session came about or ended."""
        use = self._uses.get(remote)
        if use is not None:
            self._review(use, now)

    def authorised(self, remote: Remote, reason: str, now: Micros) -> None:
        """A remote said whether it lets us in; the reason is empty if it does."""
        use = self._uses.get(remote)
        if use is None:
            return
        use.is_let_in = use.is_asked and not reason
        self._review(use, now)
        if reason and use.is_asked and use.look.way is Way.REFUSED:
            self._tried(use, Failure.REFUSED, use.look.reason, now)

    def failed(self, remote: Remote, reason: str, now: Micros) -> None:
        """No session with a remote came about."""
        use = self._uses.get(remote)
        if use is None:
            return
        use.problem = reason
        self._review(use, now)
        if use.is_asked:
            failure = Failure.NOT_FOUND if reason == NO_INTROSET else Failure.NO_FLOW
            self._tried(use, failure, reason, now)

    def named(self, name: str, answer: NameAnswer, now: Micros) -> None:
        """What a name stands for; one of ours gives its ranges and its token to the address."""
        use = self._uses.get(name)
        if use is None:
            return
        if not isinstance(answer, Found):
            use.problem = str(answer)
            return
        exit_ = remote_loki(answer.address)
        token = self.tokens.pop(name, None)
        if token is not None and exit_ not in self.tokens:
            self._keep_token(exit_, token)
        del self._uses[name]
        self.swap(name, exit_, now)

    def tick(self, now: Micros) -> None:
        """Look after every exit in use."""
        if self._next is None or now < self._next:
            return
        for use in list(self._uses.values()):
            self._review(use, now)
        is_calm = all(use.look.way is Way.OPEN and use.until is None for use in self._uses.values())
        self._next = now + (CALM_POLL if is_calm else POLL) if self._uses else None

    def deadline(self) -> Micros | None:
        """When `tick` has something to do."""
        return self._next

    # --- what there is to see

    def rows(self) -> list[tuple[Exit, Look, str]]:
        """Each exit in use, how it is, and what went wrong last."""
        return [(use.exit, use.look, use.problem) for use in self._uses.values()]

    # --- one exit

    def _keep_token(self, exit_: Exit, token: str) -> None:
        self.tokens[exit_] = token
        if not token:
            del self.tokens[exit_]
        if is_remote(exit_):
            self._ways.use_token(exit_, token)

    def _use(self, exit_: Exit, now: Micros) -> _Use:
        use = self._uses.get(exit_)
        if use is None:
            use = self._uses[exit_] = _Use(exit_, next_try=now)
            self._next = now
        return use

    def _drop_unused(self) -> None:
        """Forget exits nobody uses any more; a name with a token is still looked up."""
        mapped = self.map_.exits()
        for exit_, use in list(self._uses.items()):
            is_awaited = use.until is not None or (exit_ in self.tokens and not is_remote(exit_))
            if exit_ not in mapped and not is_awaited:
                del self._uses[exit_]

    def _review(self, use: _Use, now: Micros) -> None:
        """Look at one exit and do what follows."""
        exit_ = use.exit
        if is_remote(exit_):
            use.look = self._ways.look(exit_, now)
            self._go_on(use, exit_, now)
        elif now >= use.next_try:
            use.pause(now)
            answer = self._ways.resolve_name(str(exit_), now)
            if answer is not None:
                self.named(str(exit_), answer, now)
                return
        self._judge(use, now)
        if use.is_let_in and use.look.way is Way.OPEN:
            self._tried(use, None, "", now)
        elif use.is_let_in and use.look.way is Way.REFUSED:
            self._tried(use, Failure.REFUSED, use.look.reason, now)

    def _go_on(self, use: _Use, exit_: Remote, now: Micros) -> None:
        """Dial or ask where that is due; end an attempt whose time is over."""
        way = use.look.way
        if use.until is not None and now >= use.until:
            failure = Failure.NO_PATH if way is Way.BARRED else Failure.NO_FLOW
            self._tried(use, failure, use.problem, now)
        elif way is Way.BARRED:
            pass
        elif use.until is not None and not use.is_asked:
            use.is_asked = True
            use.pause(now)
            self._ways.authorise(exit_, now)
        elif way in (Way.NONE, Way.REFUSED, Way.UNSURE) and now >= use.next_try:
            use.pause(now)
            self._ways.connect(exit_, now)
        elif way is Way.OPEN and now >= use.next_try:
            use.next_try = now + PROBE_PAUSE
            self._ways.connect(exit_, now)

    def _tried(self, use: _Use, failure: Failure | None, reason: str, now: Micros) -> None:
        """An attempt is over; an exit that is not mapped is of no more use."""
        assert is_remote(use.exit), "names are not attempted"
        use.until, use.is_asked, use.is_let_in = None, False, False
        if failure is not None and self.tokens.get(use.exit, "") != use.former:
            self._keep_token(use.exit, use.former)
            if failure is Failure.REFUSED and use.exit in self.map_.exits():
                self._ways.authorise(use.exit, now)
        self._note(ExitTried(use.exit, failure, reason))
        self._drop_unused()

    def _judge(self, use: _Use, now: Micros) -> None:
        """Say that a mapped exit is up or down, when it has become so."""
        is_mapped = use.exit in self.map_.exits()
        if use.look.way is Way.OPEN:
            use.tries, use.bad_since, use.problem = 0, None, ""
            if is_mapped and not use.is_up:
                use.is_up = True
                self.map_.up(use.exit)
                self._note(ExitUp(use.exit))
            return
        if use.bad_since is None:
            use.bad_since = now if use.look.since is None else use.look.since
        if self._next is not None:
            self._next = min(self._next, now + POLL)
        is_hopeless = use.look.way is Way.REFUSED or now - use.bad_since >= PATIENCE
        if is_hopeless and is_mapped and not self.map_.is_down(use.exit):
            use.is_up = False
            self.map_.down(use.exit)
            self._note(ExitDown(use.exit, use.look.reason or use.problem or use.look.way.value))
            if is_remote(use.exit):
                self._ways.unreachable(use.exit)

    def _changed(self) -> None:
        """Tell what is led through exits, if that is something else now."""
        mapped = [range_ for range_, exit_ in self.map_.rows() if exit_ is not None]
        ranges = tuple(sorted(set(mapped)))
        if ranges != self._ranges:
            self._ranges = ranges
            self._note(ExitsChanged(ranges))


def is_remote(exit_: Exit | None) -> TypeGuard[Remote]:
    """Whether an exit is known by its address."""
    return exit_ is not None and not isinstance(exit_, str)
