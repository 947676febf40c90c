"""A client's exits: what exits/consumer.py decides, carried out by the client's other parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import MILLISECOND, Micros
from lokinet_node.exits.consumer import Exits
from lokinet_node.exits.exit_range import ExitRange, parse_exit_range
from lokinet_node.exits.ways import Look, Way
from lokinet_node.session import effects as session_effects
from lokinet_node.session.addresses import Remote, remote_loki
from lokinet_node.session.admission import Plea
from lokinet_node.session.auth_messages import AuthCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lokinet_node.base.addresses import Range
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.exits.mapping import Exit
    from lokinet_node.node.paths import PathKeeper
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.ons.verdict import NameAnswer
    from lokinet_node.session.sessions import Sessions

SILENCE: Final[Micros] = 500 * MILLISECOND
"""A ping that is not answered for so long means something: by then another route is tried, too."""


NOT_AN_EXIT: Final = "it is not an exit"


class ClientExits:
    """The exits of one `.loki` address; everything done here is carried out when it returns."""

    def __init__(
        self,
        entropy: Entropy,
        sessions: Sessions,
        keeper: PathKeeper,
        resolve_name: Callable[[str, Micros], NameAnswer | None],
        look_up: Callable[[LokiAddress, Micros], None],
        settle: Callable[[Micros], None],
        note: Callable[[object], None],
    ) -> None:
        """`settle` carries out what sessions want; `note` takes the effects of `Exits`."""
        self.use = Exits(entropy, self, note)
        self._sessions = sessions
        self._keeper = keeper
        self.resolve_name = resolve_name
        self._look_up = look_up
        self._settle = settle
        self._traffic: Traffic | None = None

    def attach(self, traffic: Traffic, own: Range) -> None:
        """Packets of this tun may go through exits; addresses of its own range never do."""
        self._traffic = traffic
        self.use.map_.never += (parse_exit_range(str(own)),)
        if traffic.door is not None:
            traffic.door.consumer = self.use

    # --- what people want

    def start(
        self,
        mappings: Iterable[tuple[Exit | None, ExitRange]],
        tokens: Iterable[tuple[Exit, str]],
        now: Micros,
    ) -> None:
        """What the configuration says."""
        self.use.start(mappings, tokens, now)
        self._settle(now)

    def attempt(self, exit_: Remote, token: str, until: Micros, now: Micros) -> None:
        """Connect an exit without mapping it; an ExitTried will follow."""
        self.use.attempt(exit_, token, until, now)
        self._settle(now)

    def map(self, ranges: Iterable[ExitRange], exit_: Exit | None, now: Micros) -> bool:
        """Use an exit, or with None none, for ranges; False: too many, the last are not mapped."""
        fits = self.use.map(ranges, exit_, now)
        self._settle(now)
        return fits

    def unmap(self, ranges: Iterable[ExitRange], now: Micros) -> list[ExitRange]:
        """Unmap everything inside these ranges; what that was."""
        gone = self.use.unmap(ranges)
        self._settle(now)
        return gone

    def swap(self, old: Exit, new: Exit, now: Micros) -> list[ExitRange]:
        """Put an exit in the place of another; the ranges it gets, none: the old has none."""
        moved = self.use.swap(old, new, now)
        self._settle(now)
        return moved

    # --- what happens

    def take(self, effect: session_effects.Effect, now: Micros) -> None:
        """What sessions say, after it was carried out."""
        match effect:
            case session_effects.SessionReady(remote) | session_effects.SessionEnded(remote):
                self.use.changed(remote_loki(remote), now)
            case session_effects.SessionFailed(remote, reason):
                self.use.failed(remote_loki(remote), reason, now)
            case session_effects.Authorised(remote, code, reason):
                why_not = "" if code is AuthCode.OKAY else reason or code.name.lower()
                self.use.authorised(remote_loki(remote), why_not, now)
            case _:
                pass

    # --- consumer.Ways

    def look(self, remote: Remote, now: Micros) -> Look:
        """How a remote is: its session, and what that knows of the other end."""
        session = self._sessions.by_remote.get(LokiAddress(remote.key))
        if session is None or not session.is_connected:
            return Look(Way.NONE if self._keeper.ready() else Way.BARRED)
        plea = session.admission.plea
        if plea is Plea.REFUSED:
            return Look(Way.REFUSED, session.admission.reason)
        if plea is Plea.ASKING:
            return Look(Way.ASKING)
        if session.offer is None:
            return Look(Way.UNSURE)
        if not session.offer.is_exit:
            return Look(Way.REFUSED, NOT_AN_EXIT)
        silent_since = session.watch.silent_since
        is_silent = silent_since is not None and now - silent_since >= SILENCE
        return Look(Way.SILENT, since=silent_since) if is_silent else Look(Way.OPEN)

    def connect(self, remote: Remote, now: Micros) -> None:
        """Dial, ask again to be let in, or ask whether it is still there."""
        address = LokiAddress(remote.key)
        self._read_introset(address, now)
        self._sessions.connect(address, now).probe(now)

    def use_token(self, remote: Remote, token: str) -> None:
        """Ask this remote with this token from now on."""
        self._sessions.use_token(LokiAddress(remote.key), token)

    def authorise(self, remote: Remote, now: Micros) -> None:
        """Dial, and ask to be let in with the token there is."""
        address = LokiAddress(remote.key)
        self._read_introset(address, now)
        self._sessions.authorise(address, self.use.tokens.get(remote, ""), now)

    def _read_introset(self, address: LokiAddress, now: Micros) -> None:
        """Find out whether one that called us is an exit."""
        session = self._sessions.by_remote.get(address)
        if session is not None and session.offer is None and self._keeper.ready():
            self._look_up(address, now)

    def unreachable(self, remote: Remote) -> None:
        """Packets that wait for this remote are refused."""
        if self._traffic is not None:
            self._traffic.unreachable(remote)
