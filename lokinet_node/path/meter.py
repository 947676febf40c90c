"""How many builds a relay takes (rule: metered before any key agreement).

A token bucket per link and one for the whole node, and a cap on live paths per link. Numbers are
ours: a build costs a relay about 0.3 ms, so the node's rate keeps builds under a fifth of a core.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lokinet_node.base.units import SECOND, Micros

LINK_RATE: Final = 100
LINK_BURST: Final = 200
NODE_RATE: Final = 600
NODE_BURST: Final = 1200
CLIENT_PATHS: Final = 256
ROUTER_PATHS: Final = 8192


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` a second, at most `burst` at once."""

    rate: int
    burst: int
    tokens: float = field(init=False)
    since: Micros = 0

    def __post_init__(self) -> None:
        """Start full."""
        self.tokens = float(self.burst)

    def take(self, now: Micros) -> bool:
        """Take one token if there is one."""
        self.tokens = min(float(self.burst), self.tokens + (now - self.since) * self.rate / SECOND)
        self.since = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


class BuildMeter:
    """Buckets of one relay."""

    def __init__(self) -> None:
        """All full."""
        self._node = Bucket(NODE_RATE, NODE_BURST)
        self._links: dict[object, Bucket] = {}

    def admit(self, link: object, live_paths: int, *, is_router: bool, now: Micros) -> bool:
        """Whether one more build from this link may cost us a key agreement."""
        if live_paths >= (ROUTER_PATHS if is_router else CLIENT_PATHS):
            return False
        bucket = self._links.get(link)
        if bucket is None:
            bucket = self._links[link] = Bucket(LINK_RATE, LINK_BURST)
        return bucket.take(now) and self._node.take(now)

    def forget(self, link: object) -> None:
        """A link is gone."""
        self._links.pop(link, None)
