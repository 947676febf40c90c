"""Lanes: what a path id on a link leads to, and all the state a burst touches there.

A relay's path has two lanes, one a direction; its last hop has a forward one that ends here and
writes backward with numbers of its own; an owner has one, backward. Only owner and last hop make
cells, so only they count up; everybody else checks a replay window (docs/wire.md, sections 3, 10).
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from lokinet_node.burst import CELL, CELL_HEAD, COUNTER_LIMIT, ROWS
from lokinet_node.crypto.layers import Layer
from lokinet_node.flow.replay import ReplayWindow

if TYPE_CHECKING:
    from lokinet_node.burst import Cells
    from lokinet_node.path.ports import PathLink

MASK: Final = COUNTER_LIMIT - 1
CELLS_PER_PATH: Final = 1 << 32
"""A path carries no more cells than this in a direction (docs/wire.md, section 3)."""

HANDLES: Final = tuple(Struct("!" + "16xQ1320x" * n) for n in range(ROWS + 1))
"""The handle of each of n cells at a stride of 1344 bytes."""


_put_head = CELL_HEAD.pack_into


def write_heads(cells: Cells, first: int, count: int, path_id: int, counter: int) -> None:
    """Overwrite the headers of a run, after its layers went over them."""
    buffer = cells.buffer
    position = first * CELL
    for number in range(counter, counter + count):
        _put_head(buffer, position, path_id, number)
        position += CELL


class TransitLane:
    """One direction of a path that passes through."""

    __slots__ = ("hop", "layer", "offset", "out_id", "out_link", "window")

    def __init__(
        self, hop: object, key: bytes, offset: int, out_link: PathLink, out_id: int
    ) -> None:
        self.hop = hop
        self.layer = Layer(key)
        self.offset = offset
        self.out_link = out_link
        self.out_id = out_id
        self.window = ReplayWindow()

    def relay(self, cells: Cells, first: int, count: int, counter: int) -> None:
        """XOR this hop's keystream over the run and give it the next link's header."""
        run = cells.span(first, count) if count > 1 else cells.rows[first]
        self.layer.xor_run(run, counter)
        write_heads(cells, first, count, self.out_id, (counter + self.offset) & MASK)


class EndLane:
    """A path's last hop: takes forward cells, makes backward ones from its own counter."""

    __slots__ = (
        "back_id",
        "back_layer",
        "back_link",
        "back_offset",
        "hop",
        "layer",
        "next_counter",
        "remaining",
        "window",
    )

    def __init__(
        self,
        hop: object,
        forward_key: bytes,
        backward_key: bytes,
        backward_offset: int,
        backward_start: int,
        back_link: PathLink,
        back_id: int,
    ) -> None:
        self.hop = hop
        self.layer = Layer(forward_key)
        self.window = ReplayWindow()
        self.back_layer = Layer(backward_key)
        self.back_offset = backward_offset
        self.back_link = back_link
        self.back_id = back_id
        self.next_counter = backward_start
        self.remaining = CELLS_PER_PATH

    def wrap(self, cells: Cells, first: int, count: int) -> int | None:
        """Number, layer and head a run towards the owner; its first counter, None when used up."""
        counter = self.next_counter
        if count > self.remaining or counter + count > COUNTER_LIMIT:
            return None
        self.next_counter = counter + count
        self.remaining -= count
        self.back_layer.xor_run(cells.span(first, count), counter)
        write_heads(cells, first, count, self.back_id, (counter + self.back_offset) & MASK)
        return counter


class OwnerLane:
    """A path's owner: wraps cells for all hops, unwraps what comes back."""

    __slots__ = (
        "backward",
        "forward",
        "link",
        "next_counter",
        "path",
        "path_id",
        "remaining",
        "total_offset",
        "window",
    )

    def __init__(self, path: object, link: PathLink, path_id: int, forward_start: int) -> None:
        self.path = path
        self.link = link
        self.path_id = path_id
        self.forward: list[tuple[Layer, int]] = []
        """(layer, offset of the counter the hop sees against the first hop's), nearest first."""
        self.backward: list[tuple[Layer, int]] = []
        """(layer, what to subtract from the counter on our link), nearest first."""
        self.next_counter = forward_start
        self.remaining = CELLS_PER_PATH
        self.total_offset = (0, 0)
        self.window = ReplayWindow()

    def set_keys(self, hops: list[tuple[bytes, bytes, int, int]]) -> None:
        """Take (forward key, backward key, forward offset, backward offset) of each hop."""
        ahead = behind = 0
        at_last_hop = 0
        for forward_key, backward_key, forward_offset, backward_offset in hops:
            behind = (behind + backward_offset) & MASK
            self.forward.append((Layer(forward_key), ahead))
            self.backward.append((Layer(backward_key), behind))
            at_last_hop = ahead
            ahead = (ahead + forward_offset) & MASK
        self.total_offset = (at_last_hop, behind)

    def counter_at_last_hop(self) -> int:
        """The number the next cell will have when the last hop opens it."""
        return (self.next_counter + self.total_offset[0]) & MASK

    def wrap(self, cells: Cells, first: int, count: int) -> bool:
        """Number, layer for every hop and head a run; False when the path is used up."""
        counter = self.next_counter
        if count > self.remaining:
            return False
        self.next_counter = counter + count
        self.remaining -= count
        run = cells.span(first, count)
        for layer, offset in self.forward:
            layer.xor_run(run, (counter + offset) & MASK)
        write_heads(cells, first, count, self.path_id, counter)
        return True

    def unwrap(self, cells: Cells, first: int, count: int, counter: int) -> int:
        """Remove all layers of a run that came back; the last hop's first counter."""
        run = cells.span(first, count)
        for layer, offset in self.backward:
            layer.xor_run(run, (counter - offset) & MASK)
        return (counter - self.total_offset[1]) & MASK
