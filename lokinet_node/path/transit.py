"""Control plane of a relay: builds, closes, breaks, expiries, and what the last hop is told.

1. a build arrives on a link: metered, its slot opened, its expiry and ids checked;
2. passing through: the inner slots go to the next router; the reply comes back, this hop answers
   in front of it and its two lanes exist from then on;
3. last hop: it answers at once, its end lane exists, and a sealed control channel runs to the
   owner;
4. a link goes down or a lane's time is up: the owner's side hears `broken`, the far side `close`.

Nothing here is about who uses the path: handles are names an owner registers at its last hop.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import SECOND
from lokinet_node.burst import Cells
from lokinet_node.crypto.seal import Seal
from lokinet_node.path.control import PathControl
from lokinet_node.path.lanes import EndLane, TransitLane
from lokinet_node.path.meter import BuildMeter
from lokinet_node.path.onion import HopKeys, Record, answer, open_slot
from lokinet_node.wire.control import (
    Blame,
    Broken,
    Build,
    BuildStatus,
    LinkKind,
    encode_blame,
    encode_broken,
    encode_build,
    encode_close,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.ids import PathID, RouterID
    from lokinet_node.base.timing import Timing
    from lokinet_node.base.units import Micros
    from lokinet_node.crypto.keys import KeyPair
    from lokinet_node.path.ports import LinkPort, PathLink
    from lokinet_node.path.pump import CellPump

HANDLES_PER_PATH: Final = 16
SEEN_LIMIT: Final = 65536
"""Ephemerals remembered until their records expire; beyond it builds are refused as busy."""


class BrokenReason(IntEnum):
    """Why a path broke, as its owner reads it."""

    NEXT_HOP_DEAD = 1
    EXPIRED = auto()
    BAD_CONTROL = auto()


@dataclass(slots=True, eq=False)
class Hop:
    """This relay's share of one path."""

    record: Record
    prev_link: PathLink
    prev_id: PathID
    next_link: PathLink | None
    expires: Micros
    keys: HopKeys | None = None
    """None while the reply of the next hop is outstanding."""
    end: EndLane | None = None
    control: PathControl | None = None
    handles: set[int] = field(default_factory=set)
    answer_by: Micros = 0


class Transit:
    """All paths that pass through or end at this router."""

    def __init__(
        self,
        router: RouterID,
        netid: bytes,
        timing: Timing,
        entropy: Entropy,
        port: LinkPort,
        pump: CellPump,
    ) -> None:
        """`onion_keys` starts empty: the node sets it and rotates it."""
        self.onion_keys: Mapping[int, KeyPair] = {}
        self.hops: dict[Hop, None] = {}
        """In the order in which they were made: a seed must repeat a run."""
        self.builds_refused = 0
        self.is_listed = True
        """Whether this router may carry paths at all, which its chain says."""
        self._router = router
        self._netid = netid
        self._timing = timing
        self._entropy = entropy
        self._port = port
        self._pump = pump
        self._meter = BuildMeter()
        self._building: dict[tuple[PathLink, int], Hop] = {}
        self._seen: OrderedDict[bytes, Micros] = OrderedDict()
        self._cells = Cells()
        self._due: Micros | None = None
        self._is_reckoned = False
        """Whether `_due` still holds; data passes without touching it."""

    # --- builds

    def build(self, link: PathLink, message: Build, now: Micros) -> None:
        """A build from a neighbour; WireError when its slot does not open."""
        self._is_reckoned = False
        if not self._meter.admit(link, len(link.paths), is_router=link.claims_router, now=now):
            self.builds_refused += 1
            return
        record = open_slot(message.slots, self._router, self.onion_keys, self._netid, self._entropy)
        refusal = self._refusal(link, message.path_id, record, now)
        lifetime = min(record.expiry_s * SECOND, now + self._timing.path_lifetime)
        hop = Hop(record, link, message.path_id, None, lifetime)
        if refusal is not None:
            self._answer(hop, refusal, None, now)
            return
        self._seen[record.ephemeral] = lifetime
        if record.is_last:
            self._finish(hop, self._answer(hop, BuildStatus.OK, None, now))
        else:
            self._extend(hop, now)

    def _refusal(
        self, link: PathLink, path_id: int, record: Record, now: Micros
    ) -> BuildStatus | None:
        expiry = record.expiry_s * SECOND
        slack = 2 * self._timing.build_timeout
        if not self.is_listed or expiry <= now or expiry > now + self._timing.path_lifetime + slack:
            return BuildStatus.REFUSED
        if record.ephemeral in self._seen or path_id in link.paths or path_id == 0:
            return BuildStatus.DUPLICATE
        if len(self._seen) >= SEEN_LIMIT:
            return BuildStatus.BUSY
        return None

    def _extend(self, hop: Hop, now: Micros) -> None:
        record = hop.record
        next_link = self._port.connect(record.next_router, now)
        if next_link is None or next_link is hop.prev_link:
            self._answer(hop, BuildStatus.NO_SUCH_NEXT_HOP, None, now)
            return
        key = (next_link, record.next_path_id)
        if record.next_path_id in next_link.paths or key in self._building:
            self._answer(hop, BuildStatus.DUPLICATE, None, now)
            return
        hop.next_link = next_link
        hop.answer_by = now + self._timing.build_timeout
        self._building[key] = hop
        onward = encode_build(Build(record.next_path_id, record.next_slots))
        self._port.send_message(next_link, LinkKind.BUILD, onward, now)

    def reply(self, link: PathLink, message: Build, now: Micros) -> bool:
        """A build reply from a next hop; False when it answers no build of this relay."""
        self._is_reckoned = False
        hop = self._building.pop((link, message.path_id), None)
        if hop is None:
            return False
        self._finish(hop, self._answer(hop, BuildStatus.OK, message.slots, now))
        return True

    def undelivered(self, link: PathLink, path_id: int, now: Micros) -> None:
        """A build never reached the next hop."""
        self._is_reckoned = False
        hop = self._building.pop((link, path_id), None)
        if hop is not None:
            self._answer(hop, BuildStatus.NEXT_HOP_UNREACHABLE, None, now)

    def _answer(self, hop: Hop, status: BuildStatus, inner: bytes | None, now: Micros) -> HopKeys:
        slots, keys = answer(hop.record, status, inner)
        message = encode_build(Build(hop.prev_id, slots))
        self._port.send_message(hop.prev_link, LinkKind.BUILD_REPLY, message, now)
        return keys

    def _finish(self, hop: Hop, keys: HopKeys) -> None:
        record = hop.record
        hop.keys = keys
        self.hops[hop] = None
        if hop.next_link is None:
            hop.end = EndLane(
                hop,
                keys.forward_layer,
                keys.backward_layer,
                record.backward_offset,
                record.backward_start,
                hop.prev_link,
                hop.prev_id,
            )
            hop.control = PathControl(keys.control_backward, keys.control_forward)
            hop.prev_link.paths[hop.prev_id] = hop.end
            return
        hop.prev_link.paths[hop.prev_id] = TransitLane(
            hop, keys.forward_layer, record.forward_offset, hop.next_link, record.next_path_id
        )
        hop.next_link.paths[record.next_path_id] = TransitLane(
            hop, keys.backward_layer, record.backward_offset, hop.prev_link, hop.prev_id
        )

    # --- the end of a path

    def close(self, link: PathLink, path_id: int, now: Micros) -> None:
        """`close` from the owner's side: pass it on and forget the path, or the build of one."""
        self._is_reckoned = False
        hop = _hop_of(link.paths.get(path_id)) or self._building_for(link, path_id)
        if hop is None or hop.prev_link is not link or hop.prev_id != path_id:
            return
        self._remove(hop)
        self._tell_next(hop, now)

    def _building_for(self, link: PathLink, path_id: int) -> Hop | None:
        """Take back the build that a neighbour wanted under this id."""
        for key, hop in self._building.items():
            if hop.prev_link is link and hop.prev_id == path_id:
                return self._building.pop(key)
        return None

    def broken(self, link: PathLink, message: Broken, now: Micros) -> bool:
        """`broken` from the next hop: pass the blob towards the owner; False when not ours."""
        self._is_reckoned = False
        hop = _hop_of(link.paths.get(message.path_id))
        if hop is None or hop.next_link is not link:
            return False
        self._remove(hop)
        passed = encode_broken(Broken(hop.prev_id, message.blob))
        self._port.send_message(hop.prev_link, LinkKind.BROKEN, passed, now)
        return True

    def link_down(self, link: PathLink, router: RouterID | None, now: Micros) -> None:
        """A link died: tell the other side of each path that used it."""
        self._is_reckoned = False
        for hop in dict.fromkeys(
            hop for hop in map(_hop_of, link.paths.values()) if hop is not None
        ):
            self._remove(hop)
            if hop.prev_link is link:
                self._tell_next(hop, now)
            else:
                self._report(hop, BrokenReason.NEXT_HOP_DEAD, router or self._router, now)
        for key, hop in list(self._building.items()):
            if hop.next_link is link:
                del self._building[key]
                self._answer(hop, BuildStatus.NEXT_HOP_UNREACHABLE, None, now)
            elif hop.prev_link is link:
                del self._building[key]
                self._tell_next(hop, now)
        self._meter.forget(link)

    def refuse_control(self, hop: Hop, now: Micros) -> None:
        """A control cell with a bad tag closes its path."""
        self._is_reckoned = False
        self._remove(hop)
        self._report(hop, BrokenReason.BAD_CONTROL, self._router, now)

    def tick(self, now: Micros) -> None:
        """Drop what expired; answer for next hops that never did."""
        self._is_reckoned = False
        for hop in [hop for hop in self.hops if hop.expires <= now]:
            self._remove(hop)
        for key, hop in list(self._building.items()):
            if hop.answer_by <= now:
                del self._building[key]
                self._tell_next(hop, now)
                self._answer(hop, BuildStatus.NEXT_HOP_UNREACHABLE, None, now)
        # Nearly in the order of expiry: none is later than the network's lifetime from now.
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        for hop in self._ends():
            self.flush(hop, now)

    def deadline(self) -> Micros | None:
        """When `tick` has something to do; asked after every burst."""
        if not self._is_reckoned:
            self._due = self.reckon()
            self._is_reckoned = True
        return self._due

    def reckon(self) -> Micros | None:
        """The same, from all paths."""
        times = [hop.expires for hop in self.hops]
        times += [hop.answer_by for hop in self._building.values()]
        times += [
            due
            for hop in self._ends()
            if hop.control is not None and (due := hop.control.channel.deadline()) is not None
        ]
        return min(times, default=None)

    # --- what the last hop and its owner say to each other

    def receive_control(
        self, hop: Hop, cells: Cells, row: int, counter: int, now: Micros
    ) -> list[tuple[int, bytes]]:
        """Messages that a control cell completed; the caller flushes when it has answered them."""
        self._is_reckoned = False
        if hop.control is None:
            return []
        try:
            return hop.control.open(cells, row, counter, now)
        except WireError:
            self.refuse_control(hop, now)
            return []

    def send(
        self, hop: Hop, kind: int, payload: bytes, now: Micros, *, sequenced: bool = True
    ) -> None:
        """One control message to the owner of a path that ends here; it leaves at `flush`."""
        self._is_reckoned = False
        if hop.control is not None and hop in self.hops:
            hop.control.channel.send(kind, payload, now, sequenced=sequenced)

    def flush(self, hop: Hop, now: Micros) -> None:
        """Send every control frame that is due on this path."""
        self._is_reckoned = False
        end, control = hop.end, hop.control
        if end is None or control is None or hop not in self.hops:
            return

        def send() -> None:
            if end.wrap(self._cells, 0, 1) is not None:
                self._port.send_cells(end.back_link, self._cells, 0, 1, now)

        control.flush(self._cells, lambda: end.next_counter, send, now)

    def register(self, hop: Hop, handle: int) -> bool:
        """Make a handle lead to this path; False when it is taken or too many."""
        end = hop.end
        if end is None or handle < 2 or len(hop.handles) >= HANDLES_PER_PATH:
            return handle in hop.handles
        owner = self._pump.handles.setdefault(handle, end)
        if owner is not end:
            return False
        hop.handles.add(handle)
        return True

    def release(self, hop: Hop, handle: int) -> None:
        """Forget a handle of this path."""
        if handle in hop.handles:
            hop.handles.discard(handle)
            self._pump.handles.pop(handle, None)

    # --- bookkeeping

    def _ends(self) -> Iterator[Hop]:
        return (hop for hop in list(self.hops) if hop.control is not None)

    def _remove(self, hop: Hop) -> None:
        self.hops.pop(hop, None)
        hop.prev_link.paths.pop(hop.prev_id, None)
        if hop.next_link is not None:
            hop.next_link.paths.pop(hop.record.next_path_id, None)
        for handle in hop.handles:
            self._pump.handles.pop(handle, None)
        hop.handles.clear()

    def _tell_next(self, hop: Hop, now: Micros) -> None:
        if hop.next_link is not None:
            payload = encode_close(hop.record.next_path_id)
            self._port.send_message(hop.next_link, LinkKind.CLOSE, payload, now)

    def _report(self, hop: Hop, reason: BrokenReason, blamed: RouterID, now: Micros) -> None:
        if hop.keys is None:
            return
        blob = Seal(hop.keys.broken).seal(0, encode_blame(Blame(reason, blamed)))
        message = encode_broken(Broken(hop.prev_id, blob))
        self._port.send_message(hop.prev_link, LinkKind.BROKEN, message, now)


def _hop_of(lane: object) -> Hop | None:
    hop = getattr(lane, "hop", None)
    return hop if isinstance(hop, Hop) else None
