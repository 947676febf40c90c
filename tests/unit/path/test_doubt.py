"""What an accusation does to the other paths through the accused: asked at once, none given up."""

from __future__ import annotations

import pytest

from lokinet_node.path.owned import OwnPaths, Path, PathCleared, PathEvent, PathLost, State
from tests.unit.path.chain import Chain

FIRST = ("r1", "r2", "r3")
SHARES = ("r4", "r3", "r5")
"""Another path through the router that will be accused."""
APART = ("r4", "r5", "r6")


@pytest.fixture
def chain() -> Chain:
    return Chain("alice", "r1", "r2", "r3", "r4", "r5", "r6")


def broken(chain: Chain) -> tuple[OwnPaths, Path, Path, list[PathEvent]]:
    """Three paths, then the link between second and third hop of the first one dies."""
    alice = chain["alice"]
    chain.path("alice", *FIRST)
    shares, apart = chain.path("alice", *SHARES), chain.path("alice", *APART)
    alice.own.take_events()
    pinged = []
    alice.own.probe = lambda path, now: pinged.append(path)  # type: ignore[method-assign]
    chain.cut("r2", "r3")
    del alice.own.probe
    assert pinged == [shares]
    return alice.own, shares, apart, alice.own.take_events()


def test_paths_through_the_accused_are_doubtful_and_others_are_not(chain: Chain) -> None:
    _, shares, apart, events = broken(chain)
    (lost,) = events
    assert isinstance(lost, PathLost)
    assert lost.suspects == (chain["r2"].router, chain["r3"].router)
    assert (shares.is_doubtful, apart.is_doubtful) == (True, False)
    assert shares.state is State.READY, "an accusation ends nothing"


def test_a_doubtful_path_is_cleared_by_what_its_last_hop_says(chain: Chain) -> None:
    own, shares, _, _ = broken(chain)
    own.probe(shares, chain.now)
    chain.settle()
    (event,) = own.take_events()
    assert isinstance(event, PathCleared)
    assert event.path is shares
    assert not shares.is_doubtful


def test_a_dead_first_hop_casts_doubt_on_the_paths_it_is_elsewhere_on(chain: Chain) -> None:
    own = chain["alice"].own
    chain.path("alice", "r3", "r1", "r2")
    elsewhere, apart = chain.path("alice", *SHARES), chain.path("alice", *APART)
    own.take_events()
    own.probe = lambda path, now: None  # type: ignore[method-assign]
    chain.cut("alice", "r3")
    assert (elsewhere.is_doubtful, apart.is_doubtful) == (True, False)


def test_a_path_that_merely_expires_accuses_nobody(chain: Chain) -> None:
    own = chain["alice"].own
    path = chain.path("alice", *FIRST)
    chain.now += 60_000_000
    shares = chain.path("alice", *SHARES)
    own.tick(path.expires)
    assert path.state is State.DEAD
    assert not shares.is_doubtful
