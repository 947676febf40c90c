"""Routes over a path through an accused router: behind all others, and better than none."""

from __future__ import annotations

from dataclasses import dataclass

from lokinet_node.base.ids import Handle, RouterID
from lokinet_node.base.units import MINUTE, SECOND
from lokinet_node.session.routes import RouteBook, own_introductions
from lokinet_node.wire.introset import Introduction

NOW = 1_700_000_000 * SECOND
A, B = RouterID(b"A" * 32), RouterID(b"B" * 32)


@dataclass(eq=False)
class Path:
    pivot: RouterID
    handle: Handle
    rtt: int | None = SECOND // 50
    is_ready: bool = True
    is_doubtful: bool = False
    expires_s: int = NOW // SECOND + 1200


def book() -> RouteBook:
    made = RouteBook(20 * MINUTE)
    made.learn(
        [Introduction(router, Handle(50 + router[0]), NOW // SECOND + 1200) for router in (A, B)]
    )
    return made


def test_a_route_is_left_when_its_path_becomes_doubtful_and_taken_back_never_in_a_hurry() -> None:
    known, near, far = book(), Path(A, Handle(3), rtt=1), Path(B, Handle(4))
    route = known.choose([near, far], NOW, None)
    assert route is not None
    assert route.path is near
    near.is_doubtful = True
    other = known.choose([near, far], NOW, route)
    assert other is not None
    assert other.path is far
    near.is_doubtful = False
    assert known.choose([near, far], NOW, other) is other, "a route that works is kept"


def test_a_doubtful_route_is_better_than_none() -> None:
    known, only = book(), Path(A, Handle(3), is_doubtful=True)
    route = known.choose([only], NOW, None)
    assert route is not None
    assert route.path is only


def test_a_pivot_reached_over_a_doubtful_path_only_is_still_wanted() -> None:
    known = book()
    paths = [Path(A, Handle(3)), Path(B, Handle(4), is_doubtful=True)]
    assert known.wanted(paths, NOW, 2) == ((B,), 1)


def test_nothing_doubtful_is_introduced_unless_there_is_nothing_else() -> None:
    good, bad = Path(A, Handle(3)), Path(B, Handle(4), is_doubtful=True)
    assert [one.handle for one in own_introductions([bad, good], (), NOW, 12)] == [3]
    assert [one.handle for one in own_introductions([bad], (), NOW, 12)] == [4]


def test_what_was_looked_up_because_the_remote_is_lost_comes_before_what_it_told() -> None:
    known, near, far = book(), Path(A, Handle(3), rtt=1), Path(B, Handle(4))
    route = known.choose([near, far], NOW, None)
    assert route is not None
    assert route.path is near
    known.found([Introduction(B, Handle(90), NOW // SECOND + 1200)])
    moved = known.choose([near, far], NOW, route)
    assert moved is not None
    assert moved.introduction.handle == 90
    assert known.wanted([near], NOW, 2) == ((B, A), 2), "what is old is not enough"
    known.learn(known.remote)
    told = known.choose([near, far], NOW, None)
    assert told is not None
    assert told.path is near, "the remote's own word puts all on one level again"
