"""Routes: which are possible, which is best, when to leave one, which paths to ask for."""

from __future__ import annotations

from dataclasses import dataclass

from lokinet_node.base.ids import Handle, RouterID
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.session.routes import AVOIDED, RouteBook, own_introductions
from lokinet_node.wire.introset import Introduction

NOW = 1_000_000 * SECOND
LIFETIME = 1200 * SECOND
FIRST = Handle(2)
A, B, C, D = (RouterID(bytes([n]) * 32) for n in range(1, 5))


@dataclass(eq=False)
class Path:
    pivot: RouterID
    handle: Handle = FIRST
    rtt: int | None = 10 * MILLISECOND
    life_s: int = 1200
    is_ready: bool = True
    is_doubtful: bool = False

    @property
    def expires_s(self) -> int:
        return NOW // SECOND + self.life_s


def introduction(router: RouterID, handle: int = 50, life_s: int = 1200) -> Introduction:
    return Introduction(router, Handle(handle + router[0]), NOW // SECOND + life_s)


def book(*introductions: Introduction) -> RouteBook:
    made = RouteBook(LIFETIME)
    made.learn(introductions)
    return made


def pivots(routes: RouteBook, paths: list[Path], now: int = NOW) -> list[RouterID]:
    return [route.introduction.router for route in routes.routes(paths, now)]


def test_a_route_needs_a_ready_path_and_an_introduction_at_one_pivot() -> None:
    known = book(introduction(A), introduction(B))
    assert pivots(known, [Path(A), Path(C)]) == [A]
    assert pivots(known, [Path(A, is_ready=False)]) == []
    assert pivots(known, []) == []
    assert len(known.routes([Path(A, Handle(3)), Path(A, Handle(4))], NOW)) == 2


def test_expired_halves_make_no_route() -> None:
    assert pivots(book(introduction(A, life_s=0)), [Path(A)]) == []
    assert pivots(book(introduction(A)), [Path(A, life_s=0)]) == []


def test_the_shortest_comes_first_unmeasured_ones_after_it() -> None:
    known = book(introduction(A), introduction(B), introduction(C))
    paths = [Path(A, rtt=None), Path(B, rtt=30 * MILLISECOND), Path(C, rtt=20 * MILLISECOND)]
    assert pivots(known, paths) == [C, B, A]


def test_one_with_less_than_a_tenth_of_its_life_left_comes_after_the_others() -> None:
    known = book(introduction(A, life_s=120), introduction(B, life_s=121))
    assert pivots(known, [Path(A, rtt=1), Path(B)]) == [B, A]
    known = book(introduction(A), introduction(B))
    assert pivots(known, [Path(A, rtt=1, life_s=119), Path(B)]) == [B, A]


def test_the_current_route_is_kept_while_it_is_good_and_is_the_same_object() -> None:
    known = book(introduction(A), introduction(B))
    slow, fast = Path(A, rtt=50 * MILLISECOND), Path(B, rtt=MILLISECOND)
    current = known.choose([slow], NOW, None)
    assert current is not None
    assert known.choose([slow, fast], NOW, current) is current
    known.learn((introduction(B), introduction(A)))
    assert known.choose([slow, fast], NOW, current) is current
    moved = known.choose([fast], NOW, current)
    assert moved is not None
    assert moved.path is fast


def test_a_prolonged_introduction_is_taken_over_without_leaving_the_route() -> None:
    known = book(introduction(A, life_s=300), introduction(B))
    paths = [Path(A), Path(B)]
    current = known.choose(paths, NOW, None)
    assert current is not None
    known.learn((introduction(A, life_s=900), introduction(B)))
    chosen = known.choose(paths, NOW, current)
    assert chosen is not None
    assert chosen.key == current.key
    assert chosen.introduction.expires_s == NOW // SECOND + 900


def test_a_silent_route_comes_last_for_a_while() -> None:
    known = book(introduction(A), introduction(B))
    paths = [Path(A, rtt=1), Path(B)]
    current = known.choose(paths, NOW, None)
    assert current is not None
    known.silent(current, NOW)
    other = known.choose(paths, NOW, current)
    assert other is not None
    assert other.path is paths[1]
    assert known.choose(paths[:1], NOW, current) is current, "better than none"
    assert pivots(known, paths, NOW + AVOIDED) == [A, B]


def test_the_best_routes_are_those_that_nothing_speaks_against_if_there_are_any() -> None:
    known = book(introduction(A), introduction(B), introduction(C))
    paths = [Path(A, rtt=1), Path(B), Path(C)]
    assert [route.path for route in known.best(paths, NOW)] == paths
    known.silent(known.routes(paths, NOW)[0], NOW)
    assert [route.path for route in known.best(paths, NOW)] == paths[1:]
    assert [route.path for route in known.best(paths[:1], NOW)] == paths[:1]
    assert known.best([], NOW) == []


def test_a_gone_handle_is_not_used_for_a_while_unless_the_remote_drops_it() -> None:
    known = book(introduction(A), introduction(B))
    assert known.gone(introduction(A).handle, NOW)
    assert not known.gone(Handle(999), NOW)
    paths = [Path(A), Path(B)]
    assert pivots(known, paths) == [B]
    known.learn((introduction(A), introduction(B)))
    assert pivots(known, paths) == [B], "told again, but just reported gone"
    assert pivots(known, paths, NOW + AVOIDED) == [A, B]
    assert known.gone(introduction(B).handle, NOW)
    assert not known.has_alive(NOW)
    known.learn((introduction(C),))
    known.learn((introduction(A), introduction(B)))
    assert pivots(known, paths) == [A, B]


def test_added_introductions_leave_what_is_known() -> None:
    known = book(introduction(A, life_s=5), introduction(B))
    known.add((introduction(C), introduction(A, life_s=900)))
    assert known.remote == (introduction(C), introduction(A, life_s=900), introduction(B))


def test_paths_are_wanted_to_as_many_pivots_as_asked_for_the_longest_lived_first() -> None:
    known = book(introduction(A, life_s=500), introduction(B, life_s=900), introduction(C))
    assert known.wanted([], NOW, 2) == ((C, B, A), 2)
    assert known.wanted([Path(C)], NOW, 2) == ((B, A), 1)
    assert known.wanted([Path(C), Path(A)], NOW, 2) == ((), 0)
    assert known.wanted([], NOW, 0) == ((), 0)
    assert book(introduction(A)).wanted([], NOW, 2) == ((A,), 1)
    assert book().wanted([], NOW, 2) == ((), 0)
    assert book(introduction(A), introduction(A, 60)).wanted([], NOW, 2) == ((A,), 1)


def test_routes_that_end_soon_fell_silent_or_are_gone_do_not_count_as_covered() -> None:
    known = book(introduction(A), introduction(B), introduction(C))
    paths = [Path(A), Path(B)]
    assert known.wanted([Path(A, life_s=60), paths[1]], NOW, 2) == ((A, C), 1)
    current = known.choose(paths[:1], NOW, None)
    assert current is not None
    known.silent(current, NOW)
    assert known.wanted(paths, NOW, 2)[1] == 1
    known.gone(introduction(B).handle, NOW)
    assert known.wanted(paths, NOW, 2) == ((A, C), 2)
    short = book(introduction(D, life_s=60))
    assert short.wanted([], NOW, 2) == ((), 0), "not worth a path"


def test_the_time_to_look_for_a_successor() -> None:
    known = book(introduction(A, life_s=1000))
    route = known.choose([Path(A)], NOW, None)
    assert route is not None
    early = NOW + 880 * SECOND
    assert known.review_at(route, NOW) == early
    assert known.review_at(route, early) == NOW + 1000 * SECOND


def test_own_introductions_name_first_where_the_remote_has_paths() -> None:
    paths = [Path(A, Handle(5)), Path(B, Handle(6), life_s=600), Path(C, Handle(7), is_ready=False)]
    own = own_introductions(paths, (introduction(B),), NOW, 12)
    assert own == (
        Introduction(B, Handle(6), NOW // SECOND + 600),
        Introduction(A, Handle(5), NOW // SECOND + 1200),
    )
    assert len(own_introductions(paths, (), NOW, 1)) == 1


def test_of_equal_routes_the_one_the_caller_comes_by_is_taken() -> None:
    known = book(introduction(A), introduction(B))
    paths = [Path(A, rtt=MILLISECOND), Path(B, rtt=9 * MILLISECOND)]
    quickest = known.choose(paths, NOW, None)
    assert quickest is not None
    assert quickest.introduction.router == A
    known.way_in = B
    followed = known.choose(paths, NOW, quickest)
    assert followed is not None
    assert followed.introduction.router == B
