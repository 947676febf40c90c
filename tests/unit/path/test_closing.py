"""Whatever ends a path or a build, its hops forget it at once: nothing waits for the expiry."""

from __future__ import annotations

import pytest

from lokinet_node.path.owned import PathFailed, PathLost
from lokinet_node.wire.control import LinkKind
from tests.unit.path.chain import Chain

SECOND = 1_000_000
RELAYS = ("r1", "r2", "r3", "r4")


@pytest.fixture
def chain() -> Chain:
    return Chain("alice", *RELAYS)


def lanes(chain: Chain) -> dict[str, int]:
    """Relay → hops it holds and lanes on its links; nothing for those that hold none."""
    held = {
        name: len(chain[name].transit.hops)
        + len(chain[name].transit._building)
        + sum(len(side.paths) for side in chain[name].sides.values())
        for name in RELAYS
    }
    return {name: count for name, count in held.items() if count}


def test_hops_before_the_one_that_refused_forget_the_build(chain: Chain) -> None:
    chain.names.pop(chain["r4"].router)  # the third hop cannot reach the fourth
    chain.path("alice", *RELAYS)
    (event,) = chain["alice"].own.take_events()
    assert isinstance(event, PathFailed)
    assert event.reason == "no_such_next_hop at hop 3"
    assert lanes(chain) == {}


def test_a_build_nobody_answers_is_taken_back_along_the_way(chain: Chain) -> None:
    mute(chain, "r4")
    chain.path("alice", *RELAYS)
    assert set(lanes(chain)) == {"r1", "r2", "r3", "r4"}, "they wait for an answer"
    chain.now += 10 * SECOND
    chain["alice"].own.tick(chain.now)
    chain.settle()
    assert isinstance(chain["alice"].own.take_events()[0], PathFailed)
    assert lanes(chain) == {}


def test_a_relay_whose_next_hop_is_too_late_takes_the_build_back(chain: Chain) -> None:
    mute(chain, "r4")
    chain.path("alice", *RELAYS)
    chain.now += 10 * SECOND
    chain["r1"].transit.tick(chain.now)  # before the owner has lost its patience
    chain.settle()
    assert isinstance(chain["alice"].own.take_events()[0], PathFailed)
    assert lanes(chain) == {}


def test_when_the_owner_dies_during_a_build_the_hops_forget_it(chain: Chain) -> None:
    mute(chain, "r4")
    chain.path("alice", *RELAYS)
    chain.cut("alice", "r1")
    assert lanes(chain) == {}


def test_a_path_given_up_for_its_silence_is_closed(chain: Chain) -> None:
    path = chain.path("alice", *RELAYS)
    alice = chain["alice"]
    alice.own.take_events()
    alice.send_cells = lambda *_: None  # type: ignore[method-assign]
    while path in alice.own.paths:
        chain.now = alice.own.deadline() or 0
        alice.own.tick(chain.now)
    chain.settle()
    (event,) = alice.own.take_events()
    assert isinstance(event, PathLost)
    assert lanes(chain) == {}


def test_what_was_seen_is_forgotten_when_its_records_have_expired(chain: Chain) -> None:
    first = chain["r1"].transit
    for _ in range(5):
        chain.path("alice", *RELAYS)
        chain.now += 120 * SECOND
    assert len(first._seen) == 5
    first.tick(chain.now)
    assert len(first._seen) == 5, "none has expired"
    chain.now += 1200 * SECOND - 3 * 120 * SECOND
    chain.path("alice", *RELAYS)
    first.tick(chain.now)
    assert len(first._seen) == 3


def mute(chain: Chain, name: str) -> None:
    """This relay takes builds and answers none."""
    send = chain[name].send_message

    def send_message(link, kind, payload, now):  # type: ignore[no-untyped-def]
        if kind != LinkKind.BUILD_REPLY:
            send(link, kind, payload, now)

    chain[name].send_message = send_message  # type: ignore[method-assign]
