"""The client role: paths, sessions and the tun behind one `.loki` address.

Everything a client does starts from three places: packets of the tun for a mapped address, names
the resolver asks for, and cells of its own paths. What sessions and paths want of each other they
say as effects; this room carries them out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.units import SECOND
from lokinet_node.node.client_cells import ClientCells
from lokinet_node.node.directory import FIRST_PUBLICATION, Directory
from lokinet_node.node.exits import ClientExits
from lokinet_node.node.flows import SessionFlow, Snodes
from lokinet_node.node.gate import NO_LEAVE, Gate
from lokinet_node.node.names import NameResolved, Names
from lokinet_node.node.paths import PathKeeper, undoubted
from lokinet_node.node.questions import Questions, Resolved
from lokinet_node.path.owned import OwnPaths, Path, PathCleared, PathLost, PathMessage, PathReady
from lokinet_node.path.pump import CellPump
from lokinet_node.session import effects as session_effects
from lokinet_node.session.addresses import Remote, remote_loki
from lokinet_node.session.introset import seal_introset
from lokinet_node.session.sessions import Sessions
from lokinet_node.wire import control as wire
from lokinet_node.wire.control import LinkKind, PathKind
from lokinet_node.wire.introset import Introduction
from lokinet_node.wire.offer import NO_OFFER

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.addresses import Range
    from lokinet_node.base.ground import Ground
    from lokinet_node.base.srv import SrvRecord
    from lokinet_node.base.units import Micros
    from lokinet_node.crypto.keys import KeyPair
    from lokinet_node.dht.lookup import Reason
    from lokinet_node.exits.auth import TokenCheck, Verdict
    from lokinet_node.link.links import Link
    from lokinet_node.netdb.choose import HopChooser, Rules
    from lokinet_node.netdb.guards import Guards
    from lokinet_node.netdb.profile import Profile
    from lokinet_node.node.network import Network
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.ons.verdict import NameAnswer
    from lokinet_node.path.owned import PathEvent
    from lokinet_node.wire.introset import Introset


class ClientRole:
    """One `.loki` address and all it does."""

    def __init__(
        self,
        *,
        identity: KeyPair,
        ground: Ground,
        network: Network,
        keeper: tuple[HopChooser, Profile, Rules, int],
        guards: Guards,
        reachable: bool,
        note: Callable[[object], None],
    ) -> None:
        """`keeper` is what PathKeeper needs: who chooses hops, who weighs them, how many paths."""
        self.address = LokiAddress(identity.public)
        self.own = OwnPaths(ground.netid, ground.timing, ground.entropy, network)
        chooser, profile, rules, paths = keeper
        self.keeper = PathKeeper(
            self.own, network, chooser, profile, ground.timing, wanted=paths, hops=rules.hops
        )
        self.sessions = Sessions(
            identity_secret=identity.secret,
            netid=ground.netid,
            timing=ground.timing,
            entropy=ground.entropy,
        )
        self.directory = Directory(
            ground, self.own, self._seal if reachable else None, self._introset_found
        )
        self.gate = Gate(self.sessions, note)
        self.exits = ClientExits(
            ground.entropy,
            self.sessions,
            self.keeper,
            lambda name, now: self.names.resolve(name, now),
            self.directory.look_up,
            self._settle,
            note,
        )
        self.names = Names(ground, self.own, self.keeper, self._named)
        self.guards = guards
        """First and second hops, for the driver to store whenever they changed."""
        self.services: tuple[SrvRecord, ...] = ()
        """SRV records to publish."""
        self.offer = NO_OFFER
        self.traffic: Traffic | None = None
        self.snodes = Snodes(self.keeper, self._flow_ready)
        self._cells = ClientCells(self.own, self.sessions, self.snodes, self._settle)
        self.pump = CellPump(network, self._cells)
        self._identity = identity
        self._ground = ground
        self._network = network
        self._note = note
        self._now: Micros = 0
        self._questions = Questions(note)
        self._introduced: frozenset[int] = frozenset()

    def attach(self, traffic: Traffic, own: Range) -> None:
        """Packets of a tun with this range are ours; before anything runs."""
        self.traffic = self._cells.traffic = traffic
        self.exits.attach(traffic, own)

    # --- names and flows

    def resolve(self, remote: Remote, now: Micros) -> bytes | None:
        """The mapped address of a remote if it can be reached now; else a Resolved will follow."""
        self._now = now
        if self.traffic is None:
            self._note(Resolved(remote, None, "this node has no tun"))
            return None
        if remote == remote_loki(self.address):
            return self.traffic.addresses.own
        flow = self.traffic.flows.get(remote)
        if flow is not None and flow.is_up:
            return self.traffic.addresses.assign(remote)
        self._questions.ask(remote)
        self.want_flow(remote, now)
        self._settle(now)
        return None

    def resolve_name(self, name: str, now: Micros) -> NameAnswer | None:
        """The answer about an ONS name if it is known; else a NameResolved will follow."""
        answer = self.names.resolve(name, now)
        self._settle(now)
        return answer

    def _named(self, effect: object) -> None:
        if isinstance(effect, NameResolved):
            self.exits.use.named(effect.name, effect.answer, self._now)
        self._note(effect)

    def look_up(self, address: LokiAddress, now: Micros) -> None:
        """Look an introset up, whatever is known of it; an IntrosetSeen will follow."""
        self._now = now
        self.directory.look_up(address, now)
        self._settle(now)

    def want_flow(self, remote: Remote, now: Micros) -> None:
        """Start whatever leads to this remote."""
        if not remote.is_router:
            self._call(LokiAddress(remote.key), now)
            return
        if self._network.book.get_fresh(RouterID(remote.key), now) is None:
            self._failed(remote, "no such router is known")
            return
        flow = self.snodes.want(remote, now)
        if self.traffic is not None:
            self.traffic.flows[remote] = flow

    def _call(self, address: LokiAddress, now: Micros) -> None:
        if self.gate.may_call(address, now):
            self.sessions.connect(address, now)
            return
        self._questions.failed(remote_loki(address), NO_LEAVE)
        if self.traffic is not None:
            self.traffic.refused(remote_loki(address))

    def _flow_ready(self, remote: Remote, now: Micros) -> None:
        if self.traffic is None:
            return
        ip4 = self.traffic.addresses.assign(remote)
        self._questions.found(remote, ip4)
        if ip4 is None:
            self.traffic.failed(remote)
        self.traffic.ready(remote, now)

    def _failed(self, remote: Remote, reason: str) -> None:
        self._questions.failed(remote, reason)
        if self.traffic is not None:
            self.traffic.failed(remote)

    # --- links

    def link_up(self, link: Link, now: Micros) -> None:
        """Nothing to do: builds wait in the link itself."""

    def link_down(self, link: Link, now: Micros) -> None:
        """A first hop died."""
        self.own.link_down(link, now)
        self._settle(now)

    def link_message(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        """Replies to builds, and breaks; routers ask nothing of clients."""
        if kind == LinkKind.BUILD_REPLY:
            self.own.reply(link, wire.decode_build(payload), now)
        elif kind == LinkKind.BROKEN:
            self.own.broken(link, wire.decode_broken(payload), now)
        else:
            raise WireError(f"a client takes no link message of kind {kind}")
        self._settle(now)

    def message_failed(self, link: Link, kind: int, payload: bytes, now: Micros) -> None:
        """Builds that never arrived time out by themselves."""

    # --- effects

    def _settle(self, now: Micros) -> None:
        """Carry out what paths and sessions want, until they want nothing more."""
        self._now = now
        while True:
            events = self.own.take_events()
            wishes = self.sessions.take_effects()
            if not events and not wishes:
                return
            for event in events:
                self._path_event(event, now)
            if any(isinstance(event, PathReady | PathLost | PathCleared) for event in events):
                self._paths_changed(now)
            for wish in wishes:
                self._session_effect(wish, now)
                self.exits.take(wish, now)

    def _path_event(self, event: PathEvent, now: Micros) -> None:
        if isinstance(event, PathMessage):
            self._path_message(event.path, event.kind, event.payload, now)
            return
        if not isinstance(event, PathCleared):
            self.keeper.event(event, now)
            self._note(event)
        if isinstance(event, PathReady):
            self.snodes.path_ready(event.path, now)
        elif isinstance(event, PathLost):
            self.snodes.path_lost(event.path, now)
        self.keeper.tick(now)
        self.names.paths_changed(now)

    def _path_message(self, path: Path, kind: int, payload: bytes, now: Micros) -> None:
        try:
            if kind == PathKind.GONE:
                self.sessions.handle_gone(path, wire.decode_handle(payload), now)
            elif not self.names.message(path, kind, payload, now):
                self.directory.message(path, kind, payload, now)
        except WireError as error:
            self.own.close(path, now, str(error))

    def _paths_changed(self, now: Micros) -> None:
        ready = self.keeper.ready()
        self.sessions.paths_changed(ready, now)
        self.directory.use_paths(undoubted(ready), now)
        lasting = frozenset(path.handle for path in self.keeper.lasting(now) if not path.purpose)
        if lasting == self._introduced or (
            not self._introduced and len(lasting) < min(FIRST_PUBLICATION, self.keeper.wanted)
        ):
            return
        self._introduced = lasting
        self.directory.introductions_changed(now)

    def introductions(self, now: Micros) -> tuple[Introduction, ...]:
        """Where this client can be reached by strangers."""
        return tuple(
            Introduction(path.pivot, path.handle, path.expires_s)
            for path in self.keeper.lasting(now)
            if not path.purpose
        )

    def _seal(self, period: int, now: Micros) -> bytes | None:
        """The own introset with the introductions of this moment."""
        timing = self._ground.timing
        introductions = self.introductions(now)
        if not introductions:
            return None
        introset = self.sessions.new_introset(introductions, now, self.services, self.offer)
        return seal_introset(
            introset,
            self._identity.secret,
            period,
            timing.blinding_period // SECOND,
            now,
            timing.introset_lifetime // SECOND,
            self._ground.entropy,
        )

    def _introset_found(
        self, address: LokiAddress, found: Introset | Reason, signed: Micros
    ) -> None:
        introset = self._questions.looked_up(address, found)
        expires = signed + self._ground.timing.introset_lifetime
        self.sessions.introset_found(address, introset, expires, self._now)

    def _session_effect(self, effect: session_effects.Effect, now: Micros) -> None:
        match effect:
            case session_effects.SendCell(path, body):
                assert isinstance(path, Path), "sessions use the paths they were given"
                self.own.send_body(path, body, now)
            case session_effects.RouteSuspect(path):
                assert isinstance(path, Path), "sessions use the paths they were given"
                self.own.probe(path, now)
            case session_effects.NeedIntroset(remote):
                self.directory.look_up(remote, now)
            case session_effects.NeedPaths(remote, pivots, count):
                self.keeper.want(remote, pivots, count, now)
            case session_effects.SessionReady(remote):
                self._session_ready(remote, now)
                self._note(effect)
            case session_effects.SessionFailed(remote, reason):
                self._failed(remote_loki(remote), reason)
                self._forget(remote, now)
                self._note(effect)
            case session_effects.SessionEnded(remote):
                self._forget(remote, now)
                self._note(effect)
            case session_effects.AdmissionAsked() | session_effects.Authorised():
                self.gate.take(effect, self.traffic, now)

    def token_checked(self, check: TokenCheck, verdict: Verdict, now: Micros) -> None:
        """The driver's answer to a TokenCheck."""
        self.gate.checked(check, verdict, now)
        self._settle(now)

    def _session_ready(self, remote: LokiAddress, now: Micros) -> None:
        session = self.sessions.by_remote.get(remote)
        if session is None:
            return  # it ended in the same turn
        if self.traffic is not None:
            self.traffic.flows[remote_loki(remote)] = SessionFlow(session)
        if session.admission.is_welcome:  # strangers get no address
            self._flow_ready(remote_loki(remote), now)

    def _forget(self, remote: LokiAddress, now: Micros) -> None:
        if self.traffic is not None:
            self.traffic.flows.pop(remote_loki(remote), None)
        self.keeper.want(remote, (), 0, now)

    # --- time

    def tick(self, now: Micros) -> None:
        """Everything that is due."""
        self._now = now
        self.own.tick(now)
        self.keeper.tick(now)
        self.sessions.tick(now)
        self.directory.tick(now)
        self.names.tick(now)
        self.exits.use.tick(now)
        self.gate.tick(now)
        self._settle(now)

    def deadline(self) -> Micros | None:
        """When `tick` has something to do."""
        times = [
            self.own.deadline(),
            self.keeper.deadline(self._now),
            self.sessions.deadline(),
            self.directory.deadline(),
            self.names.deadline(),
            self.exits.use.deadline(),
            self.gate.deadline(),
        ]
        return min((due for due in times if due is not None), default=None)
