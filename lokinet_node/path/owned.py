"""Paths of our own: built, registered, measured, and given up.

A path is Building until its reply opened, Registering until its last hop knows our handle, then
Ready; Dead for ever after. It is known to the session room by what it offers: a pivot, a handle,
an expiry and a round-trip time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import Handle, PathID, RouterID
from lokinet_node.base.units import SECOND
from lokinet_node.burst import Cells
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.seal import Seal
from lokinet_node.path.control import PathControl
from lokinet_node.path.lanes import OwnerLane
from lokinet_node.path.onion import BuildFailed, HopChoice, build_slots
from lokinet_node.path.own_path import Path as Path
from lokinet_node.path.own_path import PathCleared as PathCleared
from lokinet_node.path.own_path import PathEvent as PathEvent
from lokinet_node.path.own_path import PathFailed as PathFailed
from lokinet_node.path.own_path import PathLost as PathLost
from lokinet_node.path.own_path import PathMessage as PathMessage
from lokinet_node.path.own_path import PathReady as PathReady
from lokinet_node.path.own_path import State as State
from lokinet_node.wire.control import (
    Broken,
    Build,
    LinkKind,
    PathKind,
    Status,
    decode_blame,
    decode_registered,
    encode_build,
    encode_close,
    encode_handle,
    encode_token,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.timing import Timing
    from lokinet_node.base.units import Micros
    from lokinet_node.path.ports import LinkPort, PathLink
    from lokinet_node.wire.contact import Contact

EXPIRY_STEPS: Final = 20
"""Expiries are rounded down to a twentieth of the network's lifetime, so that they tell little."""
PROBE_TRIES: Final = 2
"""Unanswered pings after which a path is dead."""


class OwnPaths:
    """Every path this node owns."""

    def __init__(self, netid: bytes, timing: Timing, entropy: Entropy, port: LinkPort) -> None:
        """`port` reaches the first hops."""
        self.paths: dict[Path, None] = {}
        """In the order in which they were begun: a seed must repeat a run."""
        self.built = self.attempts = self.timeouts = self.failures = 0
        self._netid = netid
        self._timing = timing
        self._entropy = entropy
        self._port = port
        self._cells = Cells()
        self._events: list[PathEvent] = []
        self._due: Micros | None = None
        self._is_reckoned = False
        """Whether `_due` still holds; data passes without touching it."""

    def take_events(self) -> list[PathEvent]:
        """What happened since the last call."""
        events, self._events = self._events, []
        return events

    # --- building

    def build(self, contacts: Sequence[Contact], now: Micros, purpose: str = "") -> Path | None:
        """Start a path through these routers; None when the first hop cannot be linked to."""
        self._is_reckoned = False
        link = self._port.connect(contacts[0].router, now)
        if link is None:
            return None
        step = max(SECOND, self._timing.path_lifetime // EXPIRY_STEPS)
        expires = (now + self._timing.path_lifetime) // step * step
        path_ids = [self._random_id() for _ in contacts]
        choices = [HopChoice(c.router, c.onion_key_id, c.onion_key) for c in contacts]
        pending, slots = build_slots(
            choices, path_ids, -(-expires // SECOND), self._netid, self._entropy
        )
        path = Path(
            tuple(contacts),
            self._port,
            link,
            PathID(path_ids[0]),
            Handle(self._random_id()),
            pending,
            now,
            expires,
            purpose=purpose,
        )
        self.paths[path] = None
        self.attempts += 1
        message = encode_build(Build(path.path_id, slots))
        self._port.send_message(link, LinkKind.BUILD, message, now)
        return path

    def _random_id(self) -> int:
        return max(2, int.from_bytes(self._entropy(8), "big"))

    def reply(self, link: PathLink, message: Build, now: Micros) -> bool:
        """A build reply on a link; False when it answers no build of ours."""
        self._is_reckoned = False
        path = self._building_on(link, message.path_id)
        if path is None:
            return False
        try:
            path.keys = path.pending.read_reply(message.slots)
        except BuildFailed as failure:
            # The hop that answered says it could not go on: it or the one after it.
            suspects = path.routers[failure.hop_index : failure.hop_index + 2]
            reason = f"{failure.status.name.lower()} at hop {failure.hop_index + 1}"
            self._fail(path, reason, suspects, now)
            return True
        except WireError as error:
            self._fail(path, str(error), path.routers, now)
            return True
        self._install(path, now)
        return True

    def _building_on(self, link: PathLink, path_id: int) -> Path | None:
        for path in self.paths:
            if path.path_id == path_id and path.link is link and path.state is State.BUILDING:
                return path
        return None

    def _install(self, path: Path, now: Micros) -> None:
        pending, keys = path.pending, path.keys
        lane = OwnerLane(path, path.link, path.path_id, pending.forward_start)
        lane.set_keys(
            [
                (key.forward_layer, key.backward_layer, forward, backward)
                for key, forward, backward in zip(
                    keys, pending.forward_offsets, pending.backward_offsets, strict=True
                )
            ]
        )
        path.lane = lane
        path.control = PathControl(keys[-1].control_forward, keys[-1].control_backward)
        path.link.paths[path.path_id] = lane
        path.state = State.REGISTERING
        path.rtt = now - path.started
        path.last_heard = now
        path.probe_at = now + self._timing.path_probe
        self.send(path, PathKind.REGISTER, encode_handle(path.handle), now)

    # --- ends

    def _fail(self, path: Path, reason: str, suspects: tuple[RouterID, ...], now: Micros) -> None:
        self.failures += 1
        self._forget(path)
        self._tell(path, now)
        self._events.append(PathFailed(path, reason, suspects))

    def _lose(
        self, path: Path, reason: str, suspects: tuple[RouterID, ...], now: Micros | None = None
    ) -> None:
        """Give a path up; with an instant, the last suspect stands accused from then on."""
        was_ready = path.state is State.READY
        self._forget(path)
        if now is not None:
            self._doubt(suspects[-1], now)
        event = PathLost if was_ready else PathFailed
        self._events.append(event(path, reason, suspects))

    def _doubt(self, accused: RouterID, now: Micros) -> None:
        """Ask every other path through this router whether it is alive."""
        for path in list(self.paths):
            if path.state is State.READY and accused in path.routers:
                path.is_doubtful = True
                self.probe(path, now)

    def _forget(self, path: Path) -> None:
        path.state = State.DEAD
        self.paths.pop(path, None)
        path.link.paths.pop(path.path_id, None)

    def close(self, path: Path, now: Micros, reason: str = "closed") -> None:
        """Give a path up; its hops are told."""
        self._is_reckoned = False
        if path.state is State.DEAD:
            return
        self._tell(path, now)
        self._lose(path, reason, ())

    def _tell(self, path: Path, now: Micros) -> None:
        """Let the hops forget a path: those that took part know nothing of its end."""
        if path.link.is_up:
            self._port.send_message(path.link, LinkKind.CLOSE, encode_close(path.path_id), now)

    def broken(self, link: PathLink, message: Broken, now: Micros) -> bool:
        """`broken` from a first hop; False when it names no path of ours."""
        self._is_reckoned = False
        lane = link.paths.get(message.path_id)
        if not isinstance(lane, OwnerLane) or not isinstance(lane.path, Path):
            return False
        path = lane.path
        self._lose(path, *self._verdict(path, message), now)
        return True

    @staticmethod
    def _verdict(path: Path, message: Broken) -> tuple[str, tuple[RouterID, ...]]:
        """Reason and suspects; the last of them is the one accused."""
        for number, key in enumerate(path.keys):
            try:
                blame = decode_blame(Seal(key.broken).open(0, message.blob))
            except (CryptoError, WireError):
                continue
            pair = path.routers[number : number + 2]
            return f"hop {number + 1} reports code {blame.reason}", pair
        # Not sealed by any hop: only the first hop can have made it up.
        return "broken without proof", path.routers[:1]

    def link_down(self, link: PathLink, now: Micros) -> None:
        """A first hop died."""
        self._is_reckoned = False
        for path in [path for path in self.paths if path.link is link]:
            if path.state is State.BUILDING:
                self._fail(path, "link to the first hop is down", path.routers[:1], now)
            else:
                self._lose(path, "link to the first hop is down", path.routers[:1], now)

    # --- talking to the last hop

    def send(
        self, path: Path, kind: int, payload: bytes, now: Micros, *, sequenced: bool = True
    ) -> None:
        """One control message to the last hop; it leaves at once."""
        self._is_reckoned = False
        if path.control is not None:
            path.control.channel.send(kind, payload, now, sequenced=sequenced)
            self._flush(path, now)

    def _flush(self, path: Path, now: Micros) -> None:
        lane, control = path.lane, path.control
        if lane is None or control is None or path.state is State.DEAD:
            return

        def send() -> None:
            if lane.wrap(self._cells, 0, 1):
                self._port.send_cells(path.link, self._cells, 0, 1, now)

        control.flush(self._cells, lane.counter_at_last_hop, send, now)

    def send_body(self, path: Path, body: bytes, now: Micros) -> None:
        """One whole cell body of a session (1328 bytes) over this path."""
        self._cells.bodies[0][:] = body
        path.carry(self._cells, 1, now)

    def receive_control(
        self, path: Path, cells: Cells, row: int, counter: int, now: Micros
    ) -> None:
        """A control cell from the last hop."""
        self._is_reckoned = False
        control = path.control
        if control is None:
            return
        try:
            messages = control.open(cells, row, counter, now)
        except WireError as error:
            self.close(path, now, str(error))
            return
        path.last_heard = now
        path.probes = 0
        if path.is_doubtful:
            path.is_doubtful = False
            self._events.append(PathCleared(path))
        for kind, payload in messages:
            self._message(path, kind, payload, now)
        if control.channel.rtt is not None:
            path.rtt = control.channel.rtt
        self._flush(path, now)

    def _message(self, path: Path, kind: int, payload: bytes, now: Micros) -> None:
        if kind == PathKind.PING:
            self.send(path, PathKind.PONG, payload, now, sequenced=False)
        elif kind == PathKind.REGISTERED:
            try:
                registered = decode_registered(payload)
            except WireError as error:
                self.close(path, now, str(error))
                return
            if path.state is not State.REGISTERING or registered.handle != path.handle:
                return
            if registered.status is not Status.OK:
                self.close(path, now, "handle refused")
                return
            path.state = State.READY
            self.built += 1
            self._events.append(PathReady(path))
        elif kind != PathKind.PONG:
            self._events.append(PathMessage(path, kind, payload))

    # --- time

    def probe(self, path: Path, now: Micros) -> None:
        """Ask the last hop for a sign of life now; two unanswered ones end the path."""
        self._is_reckoned = False
        if path.state is State.READY and path.probe_at > now + self._patience(path):
            self._probe(path, now)

    def _patience(self, path: Path) -> Micros:
        return max(4 * (path.rtt or 0), SECOND // 2)

    def _probe(self, path: Path, now: Micros) -> None:
        path.probes += 1
        path.probe_at = now + self._patience(path)
        self.send(path, PathKind.PING, encode_token(now), now, sequenced=False)

    def tick(self, now: Micros) -> None:
        """Time out builds, expire paths, probe the quiet ones, retransmit."""
        self._is_reckoned = False
        for path in list(self.paths):
            if path.expires <= now:
                self._lose(path, "expired", ())
            elif path.state is State.BUILDING:
                if path.started + self._timing.build_timeout <= now:
                    self.timeouts += 1
                    self._fail(path, "no answer to the build", path.routers, now)
            elif path.state is State.REGISTERING and self._unanswered(path):
                self._fail(path, "last hop does not answer", path.routers[-1:], now)
            elif path.probe_at <= now:
                if path.probes >= PROBE_TRIES:
                    self._tell(path, now)
                    self._lose(path, "no answer to probes", path.routers)
                elif path.probes == 0 and path.last_heard + self._timing.path_probe > now:
                    path.probe_at = path.last_heard + self._timing.path_probe
                else:
                    self._probe(path, now)
            else:
                self._flush(path, now)

    def _unanswered(self, path: Path) -> bool:
        return path.control is not None and bool(path.control.channel.take_failed())

    def deadline(self) -> Micros | None:
        """When `tick` has something to do; asked after every burst."""
        if not self._is_reckoned:
            self._due = self.reckon()
            self._is_reckoned = True
        return self._due

    def reckon(self) -> Micros | None:
        """The same, from all paths."""
        times: list[Micros] = []
        for path in self.paths:
            times.append(path.expires)
            if path.state is State.BUILDING:
                times.append(path.started + self._timing.build_timeout)
                continue
            times.append(path.probe_at)
            due = path.control.channel.deadline() if path.control is not None else None
            if due is not None:
                times.append(due)
        return min(times, default=None)
