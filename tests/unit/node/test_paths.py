"""Which paths a client keeps: the pool, what doubt does to it, and paths to pivots of others."""

from __future__ import annotations

import pytest

from lokinet_node.node.paths import PathKeeper, undoubted
from lokinet_node.path.owned import Path, State
from lokinet_node.testing.builders import ClientMachine, World


@pytest.fixture
def client() -> ClientMachine:
    """One whose paths are all up, in a network that stands still until it is run."""
    world = World(seed=5)
    machine = world.client("alice")
    world.settle()
    return machine


def accuse(client: ClientMachine, number: int) -> list[Path]:
    """The last hop of some path says that this router is dead; the paths in doubt."""
    world, own = client.world, client.role.own
    own._doubt(world.routers[number - 1].router, world.network.now)
    return [path for path in own.paths if path.is_doubtful]


def building(keeper: PathKeeper) -> list[Path]:
    return [path for path in keeper.own.paths if path.state is State.BUILDING]


def test_the_pool_has_different_pivots_and_two_first_hops(client: ClientMachine) -> None:
    pool = client.role.keeper.ready()
    assert len(pool) == 6
    assert len({path.pivot for path in pool}) == 6
    assert len({path.routers[0] for path in pool}) >= 2


def test_no_router_is_on_all_paths(client: ClientMachine) -> None:
    paths = client.role.own.paths
    everywhere = set.intersection(*(set(path.routers) for path in paths))
    assert everywhere == set()


def test_doubtful_paths_are_replaced_before_they_are_known_to_be_dead(
    client: ClientMachine,
) -> None:
    keeper, now = client.role.keeper, client.world.network.now
    doubtful = accuse(client, 3)
    assert doubtful
    assert not building(keeper)
    keeper.tick(now)
    assert len(building(keeper)) == len(doubtful)
    assert not set(keeper.lasting(now)) & set(doubtful), "nobody is told of them"
    assert set(keeper.ready()[-len(doubtful) :]) == set(doubtful), "they come last"


def test_accusations_make_a_client_build_its_pool_once_more_and_not_again(
    client: ClientMachine,
) -> None:
    keeper, now = client.role.keeper, client.world.network.now
    for number in range(1, 9):
        accuse(client, number)
        keeper.tick(now)
    assert len(client.role.own.paths) == 2 * keeper.wanted
    deadline = keeper.deadline(now)
    assert deadline is not None
    assert deadline > now, "what must not be built is not waited for"


def test_a_false_accusation_is_forgotten_after_one_round_trip(client: ClientMachine) -> None:
    assert accuse(client, 3)
    client.world.run(0.1)
    assert all(path.is_ready and not path.is_doubtful for path in client.role.own.paths)


def test_all_doubtful_is_as_good_as_none(client: ClientMachine) -> None:
    paths = client.role.keeper.ready()
    assert undoubted(paths) == paths
    paths[0].is_doubtful = True
    assert undoubted(paths) == paths[1:]
    for path in paths:
        path.is_doubtful = True
    assert undoubted(paths) == paths


def test_a_pivot_that_is_wanted_is_built_to_though_a_doubtful_path_ends_there(
    client: ClientMachine,
) -> None:
    keeper, now = client.role.keeper, client.world.network.now
    path = keeper.ready()[0]
    keeper.want(b"somebody", [path.pivot], 1, now)
    assert not building(keeper), "there is a good path already"
    path.is_doubtful = True
    keeper.want(b"somebody", [path.pivot], 1, now)
    assert [(one.pivot, one.purpose) for one in building(keeper)] == [(path.pivot, "session")]
    keeper.want(b"somebody", [path.pivot], 1, now)
    assert len(building(keeper)) == 1, "one is on its way"
