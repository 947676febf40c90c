"""What the tests of whole networks share: short lifetimes, a bad network, a pair that talks."""

from __future__ import annotations

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.fakenet import Faults
from lokinet_node.testing.streams import Stream

SHORT = Timing(
    path_lifetime=20 * SECOND,
    path_rotate_before=6 * SECOND,
    path_probe=5 * SECOND,
    build_timeout=3 * SECOND,
    introset_lifetime=20 * SECOND,
    introset_refresh=5 * SECOND,
    lookup_timeout=5 * SECOND,
    contact_lifetime=40 * SECOND,
    contact_refresh=10 * SECOND,
    gossip_interval=SECOND,
    onion_key_rotation=20 * SECOND,
    link_rekey=5 * SECOND,
    link_reject=12 * SECOND,
    session_rekey=15 * SECOND,
    session_idle=25 * SECOND,
    blinding_period=30 * SECOND,
)
"""Everything is renewed several times a minute."""
ROUGH = Faults(loss=0.02, duplicate=0.02, delay=2 * MILLISECOND, jitter=5 * MILLISECOND)
"""Of nine links a packet survives five times in six, and seldom in order."""


def pair(world: World) -> tuple[ClientMachine, ClientMachine]:
    """A service and a client that has resolved it."""
    web, alice = world.client("web"), world.client("alice")
    world.settle()
    world.connect(alice, web)
    return web, alice


def talk(
    world: World, one: ClientMachine, other: ClientMachine, interval: int = 20 * MILLISECOND
) -> tuple[Stream, Stream]:
    """A stream in each direction, both under way."""
    there = Stream(one, other, 2 * one.number, interval=interval)
    world.run(0.4)
    back = Stream(other, one, 2 * one.number + 1, interval=interval)
    world.run(0.6)
    return there, back
