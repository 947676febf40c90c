"""How long things live and how often they are renewed; all durations in microseconds.

The defaults are Lokinet's where it has such a number, else docs/wire.md's. A private network
may shorten them in the `[private-network]` section of its configuration; all nodes of one
network use the same values, because a lifetime that differs would tell its owner apart.
"""

from __future__ import annotations

from dataclasses import dataclass

from lokinet_node.base.units import HOUR, MILLISECOND, MINUTE, SECOND, Micros


@dataclass(frozen=True, slots=True)
class Timing:
    """One network's lifetimes and timers."""

    path_lifetime: Micros = 20 * MINUTE
    """From build to expiry of a path; relays cap what they are asked for at this."""
    path_rotate_before: Micros = 5 * MINUTE
    """A successor is built when a path has this much left."""
    path_probe: Micros = 20 * SECOND
    """Between two round trips that measure a path and show it alive."""
    build_timeout: Micros = 10 * SECOND
    """No answer to a path build for this long: it failed."""
    build_interval: Micros = 100 * MILLISECOND
    """Least pause between two builds of one owner; grows with failures."""
    introset_lifetime: Micros = 20 * MINUTE
    """From signing to expiry of an introset."""
    introset_refresh: Micros = 150 * SECOND
    """Between two publications of the own introset."""
    lookup_timeout: Micros = 10 * SECOND
    """No answer from a node of the DHT for this long: ask the next."""
    contact_lifetime: Micros = 2 * HOUR
    """From signing to expiry of a router's contact."""
    contact_refresh: Micros = 55 * MINUTE
    """A router signs a new contact this often."""
    gossip_interval: Micros = 5 * SECOND
    """Between two exchanges of contacts with a link peer."""
    onion_key_rotation: Micros = HOUR
    """A router makes a new onion key this often; the one before serves as long again."""
    link_rekey: Micros = 2 * MINUTE
    """Age at which a link's initiator starts a new handshake."""
    link_reject: Micros = 3 * MINUTE
    """Age at which a link key is dead."""
    session_rekey: Micros = 10 * MINUTE
    """Age at which a session's initiator starts a new handshake."""
    session_idle: Micros = 40 * MINUTE
    """A session nobody used for this long is forgotten."""
    blinding_period: Micros = 24 * HOUR
    """An address has another blinded key in each period, counted from the Unix epoch."""

    name_cache: Micros = HOUR
    """An address that was found for a name is used for this long, then asked for again."""
    chain_poll: Micros = 30 * SECOND
    """A router asks its chain for the list of routers this often."""

    def problem(self) -> str | None:
        """The first pair of durations that contradict each other, as a sentence; None if none."""
        for shorter, longer in _ORDER:
            if getattr(self, shorter) >= getattr(self, longer):
                return f"{_key(shorter)} must be shorter than {_key(longer)}"
        if self.contact_lifetime > 2 * self.onion_key_rotation:
            return "contact-lifetime must not be longer than two onion-key-rotation"
        if self.name_cache > HOUR:
            return "name-cache must not be longer than an hour, Lokinet's own"
        return None


_ORDER = (
    ("path_rotate_before", "path_lifetime"),
    ("path_probe", "path_lifetime"),
    ("build_timeout", "path_lifetime"),
    ("introset_refresh", "introset_lifetime"),
    ("contact_refresh", "contact_lifetime"),
    ("link_rekey", "link_reject"),
)


def _key(attribute: str) -> str:
    return attribute.replace("_", "-")
