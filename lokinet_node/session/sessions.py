"""All sessions of one `.loki` identity: the room's door.

Data plane: look the index of a record up in `streams`, open the burst with what is found, call
`received` once for the burst, then `session_message` for each record of type 2 in it. To send,
look the session up in `by_remote` and use what its `sending()` says.
Control plane: a body whose index is not in `streams` goes to `handle_cell`; everything else tells
what happened to paths, handles and look-ups. `take_effects` after each call or turn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import Handle
from lokinet_node.burst import BODY
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.session.effects import Drop, Effect, SendCell
from lokinet_node.session.epochs import Epoch
from lokinet_node.session.handshake import MESSAGE_2_HEAD, Identity, Responder
from lokinet_node.session.home import Home
from lokinet_node.session.messages import Answer, CloseReason
from lokinet_node.session.reception import Reception
from lokinet_node.session.routes import own_introductions
from lokinet_node.session.session import Session
from lokinet_node.wire.introset import MAX_INTRODUCTIONS
from lokinet_node.wire.offer import NO_OFFER, Offer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.base.srv import SrvRecord
    from lokinet_node.base.timing import Timing
    from lokinet_node.base.units import Micros
    from lokinet_node.session.admission import Doorkeeper, Grant
    from lokinet_node.session.auth_messages import AuthResult
    from lokinet_node.session.routes import OwnPath
    from lokinet_node.session.streams import ReceiveStream
    from lokinet_node.wire.introset import Introduction, Introset

MOST_SESSIONS = 4096
"""Callers beyond this are not answered; own dials are not limited here."""


class Sessions:
    """One identity's sessions, its introsets and its callers."""

    __slots__ = ("_deadline", "_home", "_reception", "by_remote", "drops", "streams")

    def __init__(
        self, *, identity_secret: bytes, netid: bytes, timing: Timing, entropy: Entropy
    ) -> None:
        """`identity_secret`: the Ed25519 secret of 64 bytes behind the own address."""
        identity = Identity.of(identity_secret)
        self._home = Home(identity, netid, timing, entropy)
        self._reception = Reception(identity, netid, entropy)
        self._deadline: Micros | None = None
        self.by_remote: dict[LokiAddress, Session] = self._home.by_remote
        self.streams: dict[int, ReceiveStream] = self._home.streams
        self.drops: list[int] = self._home.drops
        """What arrived and was dropped, by `Drop`."""

    @property
    def address(self) -> LokiAddress:
        """Our own."""
        return self._home.identity.address

    # --- data plane

    def received(
        self, stream: ReceiveStream, path: OwnPath, now: Micros, *, has_data: bool
    ) -> bool:
        """A burst of this stream came over a path, none or some of it good; before its messages.

        True if effects are waiting, as they do after the first record of a stream.
        """
        epoch = stream.owner
        if epoch is None or not stream.has_news():
            return False
        epoch.last_heard = epoch.session.last_heard = now
        if stream.number > epoch.highest or epoch.heard_first is None:
            epoch.session.heard(stream, epoch, now)
        if has_data and stream.number > epoch.data_came_on:
            epoch.data_came_on = stream.number
            epoch.session.came_by(path.pivot, now)
        return bool(self._home.effects)

    def session_message(
        self, stream: ReceiveStream, content: bytes | memoryview, now: Micros
    ) -> None:
        """The content of one record of type 2."""
        if stream.owner is not None:
            stream.owner.session.message(content, now)

    # --- control plane

    def connect(self, remote: LokiAddress, now: Micros) -> Session:
        """A session with the remote, begun if there is none; SessionReady or SessionFailed follow.

        Harmless to repeat; a session that cannot send at the moment takes it as a sign of need.
        """
        session = self.by_remote.get(remote)
        if session is None:
            session = self._new(remote, now)
        session.connect(now)
        return session

    def authorise(self, remote: LokiAddress, token: str, now: Micros) -> None:
        """Ask the remote to let us in, with this token from now on; an Authorised follows.

        An empty token is none: the answer then says whether one is needed.
        """
        self._home.tokens[remote] = token
        self.connect(remote, now).authorise(now)

    def use_token(self, remote: LokiAddress, token: str) -> None:
        """Ask the remote with this token, when there is a reason to."""
        self._home.tokens[remote] = token

    def keep_door(self, doorkeeper: Doorkeeper) -> None:
        """Ask this one about every caller from now on."""
        self._home.doorkeeper = doorkeeper

    def decided(
        self, remote: LokiAddress, answer: AuthResult, grant: Grant | None, now: Micros
    ) -> None:
        """The answer to AdmissionAsked by its number, or unasked; a grant only with OKAY."""
        session = self.by_remote.get(remote)
        if session is not None:
            session.admission.decided(answer, grant, now)

    def introset_found(
        self, remote: LokiAddress, introset: Introset | None, expires: Micros, now: Micros
    ) -> None:
        """The answer to NeedIntroset; `expires` is that of the sealed introset."""
        session = self.by_remote.get(remote)
        if session is not None:
            session.introset_found(introset, expires, now)

    def paths_changed(self, paths: Iterable[OwnPath], now: Micros) -> None:
        """All own paths that are ready and whose handle is registered."""
        self._home.paths = tuple(paths)
        for session in list(self.by_remote.values()):
            session.paths_changed(now)

    def handle_gone(self, path: OwnPath, handle: Handle, now: Micros) -> None:
        """The pivot of this path said that it does not know this handle of somebody."""
        for session in list(self.by_remote.values()):
            if any(
                one.handle == handle and one.router == path.pivot for one in session.book.remote
            ):
                session.handle_gone(handle, now)

    def new_introset(
        self,
        introductions: Iterable[Introduction],
        now: Micros,
        services: tuple[SrvRecord, ...] = (),
        offer: Offer = NO_OFFER,
    ) -> Introset:
        """An introset to seal and publish; good for callers until it expires.

        Its lifetime is the network's; seal it for as many periods as needed, but make a new one
        for each publication.
        """
        expires = now + self._home.timing.introset_lifetime
        return self._reception.invite(tuple(introductions), expires, now, services, offer)

    def handle_cell(self, path: OwnPath, body: bytes | memoryview, now: Micros) -> None:
        """A body that arrived on an own path and whose index is not in `streams`."""
        if len(body) != BODY:
            self.drops[Drop.UNKNOWN_INDEX] += 1
            return
        handle, index = MESSAGE_2_HEAD.unpack_from(body)
        if index == 0 and handle == path.handle:
            self._knock(path, body, now)
        elif index in self._home.pending:
            self._answered(index, body, now)
        else:
            self.drops[Drop.UNKNOWN_INDEX] += 1

    def tick(self, now: Micros) -> None:
        """Do what is due."""
        for session in [one for one in self.by_remote.values() if one.deadline <= now]:
            session.tick(now)

    def deadline(self) -> Micros | None:
        """When `tick` is wanted next."""
        if self._home.is_rescheduled:
            self._home.is_rescheduled = False
            self._deadline = min((one.deadline for one in self.by_remote.values()), default=None)
        return self._deadline

    def take_effects(self) -> list[Effect]:
        """What the node is asked to do, in order."""
        effects = self._home.effects[:]
        self._home.effects.clear()
        return effects

    def _new(self, remote: LokiAddress, now: Micros) -> Session:
        session = self.by_remote[remote] = Session(remote, self._home, now)
        return session

    def _knock(self, path: OwnPath, body: bytes | memoryview, now: Micros) -> None:
        """A message 1: open it if it is worth it, and answer over a path that leads back."""
        heard = self._reception.hear(body, now)
        match heard:
            case Drop():
                self.drops[heard] += 1
            case Epoch():
                self._repeat(path, heard)
            case Responder():
                self._greet(path, heard, body, now)

    def _greet(
        self, path: OwnPath, caller: Responder, body: bytes | memoryview, now: Micros
    ) -> None:
        opening = caller.opening
        way_back = self._way_back(path, opening.introductions)
        if way_back is None:
            self.drops[Drop.NO_WAY_BACK] += 1
            return
        session = self.by_remote.get(caller.remote)
        if caller.remote == self.address or (session is None and not self._has_room(now)):
            self.drops[Drop.BUSY] += 1
            return
        if session is None:
            session = self._new(caller.remote, now)
        home = self._home
        own = own_introductions(home.paths, opening.introductions, now, MAX_INTRODUCTIONS)
        back, introduction = way_back
        status = session.admission.knocked(now)
        message, keys = caller.answer(introduction.handle, Answer(status, own))
        epoch = session.accept(keys, opening.introductions, now)
        epoch.answer = message
        self._reception.remember(body, opening.date, epoch)
        home.effects.append(SendCell(back, message))

    def _has_room(self, now: Micros) -> bool:
        """For one more caller: those who were not let in make room for it, oldest first.

        Not those about whom a decision is on its way.
        """
        if len(self.by_remote) < MOST_SESSIONS:
            return True
        stranger = next(iter(self._home.strangers), None)
        if stranger is not None:
            self.by_remote[stranger].close(CloseReason.IDLE, now)
        return stranger is not None

    def _repeat(self, path: OwnPath, epoch: Epoch) -> None:
        """A copy of a message 1: the same answer, as long as nobody has used the keys."""
        way_back = None
        if epoch.answer is not None:
            handle = Handle(MESSAGE_2_HEAD.unpack_from(epoch.answer)[0])
            book = epoch.session.book
            way_back = self._way_back(path, [one for one in book.remote if one.handle == handle])
        if way_back is None or epoch.answer is None:
            self.drops[Drop.REPEATED] += 1
        else:
            self._home.effects.append(SendCell(way_back[0], epoch.answer))

    def _way_back(
        self, path: OwnPath, introductions: Iterable[Introduction]
    ) -> tuple[OwnPath, Introduction] | None:
        """An own path that ends where the caller can be reached, best the one it came by."""
        paths = [path, *self._home.paths]
        for one in introductions:
            for own in paths:
                if own.is_ready and own.pivot == one.router:
                    return own, one
        return None

    def _answered(self, index: int, body: bytes | memoryview, now: Micros) -> None:
        session, initiator = self._home.pending[index]
        try:
            answer, keys = initiator.finish(body)
        except CryptoError:
            self.drops[Drop.HANDSHAKE] += 1
            return
        except WireError:
            # It was the remote, and it did not make sense: that handshake is over.
            self.drops[Drop.HANDSHAKE] += 1
            del self._home.pending[index]
            return
        session.answered(answer, keys, now)
