"""One link: everything two neighbours hold about each other, from first keys until it goes down.

A link is one life of a connection. When the peer restarts, or gives us up, the next link to it is
another object with another boot id, an empty channel and no paths.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from lokinet_node.base.ids import short
from lokinet_node.flow.channel import Channel
from lokinet_node.link.liveness import SIGN_OF_LIFE, Liveness
from lokinet_node.link.timers import SLACK
from lokinet_node.wire.channel import LINK_CAPACITY

if TYPE_CHECKING:
    from lokinet_node.base.ids import LinkKey
    from lokinet_node.base.timing import Timing
    from lokinet_node.base.units import Micros
    from lokinet_node.link.handshake import Started
    from lokinet_node.link.keypair import Keypair
    from lokinet_node.link.macs import MacKeys

Address: TypeAlias = tuple[str, int]
"""IPv4 address as text, and port."""


@dataclass(slots=True, eq=False)
class Attempt:
    """Our own handshake while it waits for its answer."""

    started: Started
    give_up_at: Micros | None
    """None: a new key for a link that is up is asked for until the old one dies."""
    next_at: Micros | None
    """When the next try leaves; None: this one may still be answered, but no other follows."""
    tries: int = 1


@dataclass(slots=True, eq=False, repr=False)
class Link:
    """One end of one link; other rooms read it, only this room writes it (but for `paths`)."""

    key: LinkKey
    """The peer's static key."""
    address: Address
    macs: MacKeys
    liveness: Liveness
    local_boot: bytes
    """The boot id the peer sees from us on this link."""
    claims_router: bool = False
    """What the peer said; only a signed contact with its key makes it a router."""
    is_up: bool = False
    boot_id: bytes = b""
    """The peer's; empty before the first handshake is through."""
    cells_in: int = 0
    cells_out: int = 0
    paths: dict[int, object] = field(default_factory=dict)
    """Path id → whatever the path room keeps there."""
    channel: Channel = field(default_factory=lambda: Channel(LINK_CAPACITY))
    current: Keypair | None = None
    """The keypair we send on."""
    previous: Keypair | None = None
    """Another one that still receives."""
    attempt: Attempt | None = None
    is_foreign: bool = False
    """Something that claimed to be the peer said that it speaks another version; a hint."""
    cookie: tuple[bytes, Micros] | None = None
    """A cookie of the peer's and when it is no longer good."""
    silent_since: Micros | None = None
    """When the first data came after the last thing we sent."""
    pings: dict[bytes, Micros] = field(default_factory=dict)
    """Tokens out, and when they left."""
    wakes_at: Micros | None = None
    """When the room looks at this link at the latest."""

    def __repr__(self) -> str:
        """Who and where, and whether it is up; no ids that could tie captures together."""
        ip, port = self.address
        return f"Link({short(self.key)} at {ip}:{port}, {'up' if self.is_up else 'down'})"

    @property
    def rtt(self) -> Micros | None:
        """Smoothed round trip to the peer."""
        return self.liveness.rtt

    @property
    def last_heard(self) -> Micros:
        """When something valid came last."""
        return self.liveness.last_heard

    def keypairs(self) -> list[Keypair]:
        """Those the link itself holds; the peer's next one waits elsewhere until confirmed."""
        return [keypair for keypair in (self.current, self.previous) if keypair is not None]

    def wants_rekey(self, timing: Timing, now: Micros) -> bool:
        """Whether we, who started the current keypair, should start the next."""
        keypair = self.current
        if keypair is None or not keypair.ends.initiated or self.attempt is not None:
            return False
        return keypair.is_worn or now >= self._rekey_at(keypair, timing)

    def deadline(self, timing: Timing) -> tuple[Micros, Micros]:
        """When there is something to do for this link at the latest, and how much earlier."""
        attempt = self.attempt
        times = []
        if attempt is not None:
            times += [when for when in (attempt.next_at, attempt.give_up_at) if when is not None]
        keypair = self.current
        if keypair is None:
            return min(times), 0
        times.append(keypair.expires)
        if attempt is None and keypair.ends.initiated:
            times.append(self._rekey_at(keypair, timing))
        channel = self.channel.deadline()
        if channel is not None:
            times.append(channel)
        can_wait: list[Micros] = []
        asks_at = self.liveness.deadline()
        if self.liveness.is_asking:
            times.append(asks_at)
        else:
            can_wait.append(asks_at)
        if self.silent_since is not None:
            can_wait.append(self.silent_since + SIGN_OF_LIFE)
        exact = min(times)
        latest = min(can_wait, default=exact) + SLACK
        return (exact, 0) if exact <= latest else (latest, SLACK)

    @staticmethod
    def _rekey_at(keypair: Keypair, timing: Timing) -> Micros:
        return keypair.expires - timing.link_reject + timing.link_rekey
