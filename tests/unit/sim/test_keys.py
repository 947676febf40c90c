"""No key and counter meet twice, in any node, whatever happens; and the recorder would see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.flow.replay import ReplayWindow
from lokinet_node.link.keypair import Keypair
from lokinet_node.path.lanes import EndLane, OwnerLane
from lokinet_node.session.streams import SendStream
from lokinet_node.testing.builders import World
from lokinet_node.testing.fakenet import Faults
from lokinet_node.testing.packets import echo
from lokinet_node.testing.recorder import recorded
from lokinet_node.testing.streams import Stream
from tests.unit.sim.networks import ROUGH, SHORT, pair, talk

KINDS = {"seal", "layer", "relay", "noise", "slots", "xchacha"}


def test_nothing_repeats_while_everything_is_lost_doubled_renewed_and_killed() -> None:
    """Three clients on one service, both ways, and a `.snode`; relays die, restart, stand still."""
    with recorded() as recorder:
        world = World(seed=7, timing=SHORT, faults=ROUGH)
        web = world.client("web")
        clients = [world.client(name) for name in ("alice", "bob", "carol")]
        world.settle()
        streams: list[Stream] = []
        for client in clients:
            world.connect(client, web)
            streams += talk(world, client, web, interval=200 * MILLISECOND)
        alice = clients[0]
        alice.send(echo(alice.own, world.connect_router(alice, world.routers[5]), b"x"))
        pivot = world.by_router(world.path(alice, web).routers[-1])
        pivot.kill()
        world.run(4)
        pivot.start()
        stopped = world.by_router(world.path(web, alice).routers[1])
        world.network.stop(stopped.address)
        world.run(2)
        world.network.go_on(stopped.address)
        world.run(3)
        clients[2].kill()
        clients[2].start()
        world.run(10)
    assert recorder.repeats == []
    assert recorder.uses.keys() == KINDS
    assert recorder.uses["seal"] > 10_000
    assert recorder.uses["layer"] > 3_000
    now = world.network.now
    for stream in streams[:4]:
        numbers = [number for _, number, _ in stream.arrivals()]
        assert len(set(numbers)) == len(numbers), f"{stream.name}: a packet came twice"
        assert stream.gap(now - 3 * SECOND, now) < SECOND, f"{stream.name} goes on"


# --- what turns it red


def given_back(name: str) -> Callable[[Any], Any]:
    """A method that takes its numbers and gives them back."""

    def broken(method: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, *arguments: Any) -> Any:
            before = getattr(self, name)
            result = method(self, *arguments)
            setattr(self, name, before)
            return result

        return wrapped

    return broken


def fixed(value: object) -> Callable[[Any], Any]:
    """A method that always answers the same."""
    return lambda method: lambda self, *arguments: value


FAULTS: list[tuple[str, type, str, Callable[[Any], Any]]] = [
    ("seal", Keypair, "reserve", given_back("sent")),
    ("seal", SendStream, "seal_one", given_back("counter")),
    ("seal", SendStream, "seal", given_back("counter")),
    ("seal", OwnerLane, "counter_at_last_hop", fixed(5)),
    ("layer", OwnerLane, "wrap", given_back("next_counter")),
    ("layer", EndLane, "wrap", given_back("next_counter")),
    ("relay", ReplayWindow, "fresh", fixed(True)),
]


@pytest.mark.parametrize(
    ("kind", "owner", "name", "fault"), FAULTS, ids=[f"{c.__name__}.{n}" for _, c, n, _ in FAULTS]
)
def test_the_recorder_sees_a_number_used_twice(
    kind: str,
    owner: type,
    name: str,
    fault: Callable[[Any], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with recorded() as recorder:
        world = World(seed=8, routers=5)
        web, alice = pair(world)
        assert recorder.repeats == []
        monkeypatch.setattr(owner, name, fault(getattr(owner, name)))
        world.network.faults = Faults(duplicate=0.2)
        Stream(alice, web, 1)
        Stream(web, alice, 2)
        world.run(0.1)
    assert any(repeat.startswith(kind) for repeat in recorder.repeats), recorder.repeats[:3]


def test_the_recorder_sees_randomness_that_repeats_after_a_restart() -> None:
    with recorded() as recorder:
        world = World(seed=8, routers=5)
        alice = world.client("alice")
        world.settle()
        alice.kill()
        alice.starts -= 1  # as a process restored from a snapshot
        alice.start()
        world.run(1)
    assert {repeat.partition(":")[0] for repeat in recorder.repeats} >= {"noise", "slots"}
