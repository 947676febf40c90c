"""Which exit a destination goes through: ranges mapped to exits, and a pin for each destination.

Rules (Lokinet's, but for the pins it forgets to flush):
- ranges may overlap: the exits of all ranges that hold a destination are its candidates, whatever
  the ranges' sizes. One is chosen at random and pinned: traffic is spread by destination, and a
  destination sees one exit for as long as the pin stands;
- a range mapped to no exit (`null`) takes its destinations from every range that is as wide or
  wider. DIFFERS: Lokinet does not say which of two wins; so a hole can be cut into a range, and
  an exit be mapped inside a hole;
- a packet from the internet is taken only from the exit its source is pinned to;
- an exit that is down is nobody's choice as long as another candidate is up: pins to it move
  there; where there is no other they stay, and what is sent is refused;
- a pin holds as long as its exit is a candidate. Whether it does is judged when it is next looked
  at after a change, in either direction: a change costs the same however many pins there are;
- some destinations have no exit whatever is mapped (`never`): this machine, its links and groups,
  which no exit could reach in the way that was meant.

Pins are bounded: they live in two generations, and a pin nobody asks for while the younger one
fills up is forgotten with the older one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from lokinet_node.base.special import GROUPS, GROUPS6, LOCAL, LOCAL6
from lokinet_node.exits.exit_range import ExitRange, number_of, parse_exit_range
from lokinet_node.netdb.chance import Chooser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.session.addresses import Remote

MOST_PINS: Final = 32_768
"""Destinations of one generation: some 8 MB for both."""
MOST_MAPPINGS: Final = 1024
"""Pairs of range and exit; every one is looked at for each new destination."""

NEVER: Final = tuple(map(parse_exit_range, (*LOCAL, *GROUPS, *LOCAL6, *GROUPS6)))
"""This host, this link, groups; private networks may well be behind an exit."""

Exit: TypeAlias = "Remote | str"
"""An exit, or the name of one whose address is not known yet: nothing can be sent to that."""


class _Stamp:
    """What destinations of one exit are pinned to, until something changes."""

    __slots__ = ("exit", "is_judged")

    def __init__(self, exit_: Exit) -> None:
        self.exit = exit_
        self.is_judged = True
        """Nothing changed since."""


class ExitMap:
    """Ranges, exits and pins of one node."""

    __slots__ = ("_chooser", "_down", "_mappings", "_older", "_pins", "_stamps", "never")

    def __init__(self, entropy: Entropy) -> None:
        self.never: tuple[ExitRange, ...] = NEVER
        """Destinations without exit; set before anything is pinned."""
        self._chooser = Chooser(entropy)
        self._mappings: dict[tuple[ExitRange, Exit | None], None] = {}
        self._down: set[Exit] = set()
        self._pins: dict[bytes, _Stamp] = {}
        self._older: dict[bytes, _Stamp] = {}
        self._stamps: dict[Exit, _Stamp] = {}
        """Of pins judged since the last change; one for each exit."""

    # --- mappings

    def __len__(self) -> int:
        """Pairs of range and exit, `null` included."""
        return len(self._mappings)

    def rows(self) -> list[tuple[ExitRange, Exit | None]]:
        """All of them, in the order they were made."""
        return list(self._mappings)

    def exits(self) -> set[Exit]:
        """Who is mapped to any range."""
        return {one for _, one in self._mappings if one is not None}

    def ranges_of(self, exit_: Exit | None) -> list[ExitRange]:
        """The ranges an exit, or none, is mapped to."""
        return [range_ for range_, one in self._mappings if one == exit_]

    def map(self, range_: ExitRange, exit_: Exit | None) -> bool:
        """Use an exit for a range, or with None no exit; False when there are too many already.

        Destinations that are pinned stay with their exit: connections survive.
        """
        if (range_, exit_) not in self._mappings and len(self._mappings) >= MOST_MAPPINGS:
            return False
        self._mappings[range_, exit_] = None
        self._change()
        return True

    def unmap(self, range_: ExitRange) -> list[ExitRange]:
        """Take away every mapping whose range lies in this one; their ranges, each once."""
        gone = [key for key in self._mappings if range_.covers(key[0])]
        self.remove(gone)
        return list(dict.fromkeys(one for one, _ in gone))

    def remove(self, mappings: Iterable[tuple[ExitRange, Exit | None]]) -> None:
        """Take just these away, which are there."""
        count = len(self._mappings)
        for key in mappings:
            del self._mappings[key]
        if len(self._mappings) < count:
            self._down &= self.exits()
            self._change()

    def swap(self, old: Exit, new: Exit) -> list[ExitRange]:
        """Put one exit wherever another one is; the ranges it gets, none if the old has none."""
        moved = self.ranges_of(old)
        if moved and old != new:
            self._mappings = {
                (range_, new if one == old else one): None for range_, one in self._mappings
            }
            self._down.discard(old)
            self._change()
        return moved

    # --- who answers

    def down(self, exit_: Exit) -> None:
        """Nothing can be sent through this exit at the moment."""
        if exit_ not in self._down and exit_ in self.exits():
            self._down.add(exit_)
            self._change()

    def up(self, exit_: Exit) -> None:
        """It can be used; destinations pinned to others meanwhile stay there."""
        self._down.discard(exit_)
        self._change()

    def is_down(self, exit_: Exit) -> bool:
        """Whether it was said to be down last."""
        return exit_ in self._down

    # --- destinations, as the 4 or 16 bytes that packets carry

    def exit_of(self, destination: bytes) -> Exit | None:
        """The exit of a destination, pinned now if it was not; None: it has none."""
        stamp = self._pins.get(destination)
        if stamp is not None and stamp.is_judged:
            return stamp.exit
        return self._pin(destination)

    def accepts(self, exit_: Exit, source: bytes) -> bool:
        """Whether a packet from this source may come from this exit."""
        pins = self._pins if source in self._pins else self._older
        stamp = pins.get(source)
        if stamp is None or stamp.exit != exit_:
            return False
        if stamp.is_judged:
            return True
        if self._holds(exit_, self.candidates(source)):
            pins[source] = self._stamp(exit_)
            return True
        del pins[source]
        self._older.pop(source, None)
        return False

    def candidates(self, destination: bytes) -> list[Exit]:
        """The exits of all ranges that hold a destination and no `null` range takes it from."""
        number = number_of(destination)
        if self.has_none(number):
            return []
        holding = [(range_, one) for range_, one in self._mappings if range_.holds(number)]
        hole = max((range_.prefix for range_, one in holding if one is None), default=-1)
        found = (one for range_, one in holding if one is not None and range_.prefix > hole)
        return list(dict.fromkeys(found))

    def has_none(self, number: int) -> bool:
        """Whether a destination, as `number_of` gives it, has no exit whatever is mapped."""
        return any(range_.holds(number) for range_ in self.never)

    def pins(self) -> dict[Exit, int]:
        """How many destinations are pinned to each exit, as they were judged last."""
        mapped, counts = self.exits(), dict[Exit, int]()
        for stamp in (self._older | self._pins).values():
            if stamp.exit in mapped:
                counts[stamp.exit] = counts.get(stamp.exit, 0) + 1
        return counts

    def _pin(self, destination: bytes) -> Exit | None:
        stamp = self._pins.get(destination) or self._older.get(destination)
        if stamp is None or not stamp.is_judged:
            candidates = self.candidates(destination)
            if stamp is None or not self._holds(stamp.exit, candidates):
                self._pins.pop(destination, None)
                self._older.pop(destination, None)
                if not candidates:
                    return None
                up = [one for one in candidates if one not in self._down]
                stamp = self._stamp(self._chooser.pick(up or candidates))
        if len(self._pins) >= MOST_PINS and destination not in self._pins:
            self._pins, self._older = {}, self._pins
        self._pins[destination] = self._stamp(stamp.exit)
        return stamp.exit

    def _holds(self, exit_: Exit, candidates: list[Exit]) -> bool:
        """Whether a pin to this exit stands, where these are the candidates."""
        if exit_ not in candidates:
            return False
        return exit_ not in self._down or all(one in self._down for one in candidates)

    def _stamp(self, exit_: Exit) -> _Stamp:
        stamp = self._stamps.get(exit_)
        if stamp is None:
            stamp = self._stamps[exit_] = _Stamp(exit_)
        return stamp

    def _change(self) -> None:
        """Pins are to be judged again."""
        for stamp in self._stamps.values():
            stamp.is_judged = False
        self._stamps.clear()
