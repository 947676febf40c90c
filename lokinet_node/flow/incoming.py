"""The receiving half of a control channel: which frames arrived, and messages put together.

A frame counts as arrived only when its content was taken: one whose message finds no place among
the four partial ones is left out, so its sender repeats it. Partial messages are dropped 5 s after
their first frame. A message is delivered once because each of its frames is taken once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.wire.channel import NOTHING, WINDOW
from lokinet_node.wire.control import MESSAGE_LIMIT

if TYPE_CHECKING:
    from lokinet_node.wire.channel import Frame

PARTIALS: Final = 4
"""Incomplete messages kept for one peer."""
PATIENCE: Final[Micros] = 5 * SECOND
"""How long an incomplete message is kept."""


@dataclass(slots=True, eq=False)
class _Partial:
    kind: int
    parts: list[bytes | None]
    dropped_at: Micros
    missing: int
    size: int = 0


class Incoming:
    """One peer's frames in; whole messages out."""

    __slots__ = ("_partials", "acknowledged", "mask", "owed_since")

    def __init__(self) -> None:
        self.acknowledged = 0
        """Every sequence up to this one arrived."""
        self.mask = 0
        """Bit i: sequence acknowledged + 1 + i arrived."""
        self.owed_since: Micros | None = None
        """Since when the peer waits for an acknowledgement."""
        self._partials: dict[int, _Partial] = {}

    def accept(self, frame: Frame, now: Micros) -> tuple[int, bytes] | None:
        """The message this frame completes, if any; WireError when it contradicts the channel."""
        if frame.sequence == 0:
            return None if frame.kind == NOTHING else (frame.kind, bytes(frame.payload))
        ahead = frame.sequence - self.acknowledged - 1
        if ahead >= WINDOW:
            raise WireError("control frame beyond the window")
        self.owed_since = now if self.owed_since is None else self.owed_since
        if ahead < 0 or self.mask >> ahead & 1:
            return None
        self.expire(now)
        whole = (frame.kind, bytes(frame.payload))
        if frame.kind == NOTHING:
            self._partials.pop(frame.message, None)
        elif frame.fragments > 1:
            partial = self._partial(frame, now)
            if partial is None:
                return None
            whole = self._add(partial, frame)
        self._arrived(ahead)
        return whole if whole[0] != NOTHING else None

    def expire(self, now: Micros) -> None:
        """Drop partial messages whose time is over."""
        over = [number for number, partial in self._partials.items() if partial.dropped_at <= now]
        for number in over:
            del self._partials[number]

    def _partial(self, frame: Frame, now: Micros) -> _Partial | None:
        """The message this fragment belongs to; None when there is no place for another one."""
        partial = self._partials.get(frame.message)
        if partial is None:
            if len(self._partials) >= PARTIALS:
                return None
            empty: list[bytes | None] = [None] * frame.fragments
            partial = _Partial(frame.kind, empty, now + PATIENCE, frame.fragments)
            self._partials[frame.message] = partial
        if partial.kind != frame.kind or len(partial.parts) != frame.fragments:
            raise WireError("fragments of one message disagree")
        if partial.parts[frame.fragment] is not None:
            raise WireError("the same fragment came under two numbers")
        if partial.size + len(frame.payload) > MESSAGE_LIMIT:
            raise WireError("message is longer than 16 KiB")
        return partial

    def _add(self, partial: _Partial, frame: Frame) -> tuple[int, bytes]:
        """Kind and content of a message that is complete now, else of nothing."""
        partial.parts[frame.fragment] = bytes(frame.payload)
        partial.size += len(frame.payload)
        partial.missing -= 1
        if partial.missing:
            return NOTHING, b""
        del self._partials[frame.message]
        return partial.kind, b"".join(part for part in partial.parts if part is not None)

    def _arrived(self, ahead: int) -> None:
        """Take in one sequence; what is arrived without a gap moves into `acknowledged`."""
        mask = self.mask | 1 << ahead
        while mask & 1:
            mask >>= 1
            self.acknowledged += 1
        self.mask = mask
