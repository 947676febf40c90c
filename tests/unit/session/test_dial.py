"""Dialling alone: which message 1 goes where, and what a new introset changes."""

from __future__ import annotations

from dataclasses import dataclass
from os import urandom
from typing import cast

from lokinet_node.base.ids import Handle, RouterID
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.crypto.keys import ed25519_keypair
from lokinet_node.session.dial import GIVE_UP, MOST_ATTEMPTS, Dial
from lokinet_node.session.handshake import Identity, invite
from lokinet_node.session.home import Home
from lokinet_node.session.routes import Route, RouteBook
from lokinet_node.session.session import Session
from lokinet_node.wire.introset import Introduction, Introset

NOW = 1_700_000_000 * SECOND
EXPIRES_S = NOW // SECOND + 900


@dataclass(eq=False)
class Path:
    pivot: RouterID
    handle: Handle
    rtt: int | None = 40 * MILLISECOND
    is_ready: bool = True
    is_doubtful: bool = False
    expires_s: int = EXPIRES_S


def router(number: int) -> RouterID:
    return RouterID(bytes([number]) * 32)


def introset(*numbers: int) -> Introset:
    who = Identity.of(ed25519_keypair(bytes(32)).secret)
    introductions = tuple(Introduction(router(n), Handle(100 + n), EXPIRES_S) for n in numbers)
    return invite(who, introductions, NOW + GIVE_UP, urandom).introset


def dial(found: Introset | None, *paths: Path) -> tuple[Dial, Home, list[Route]]:
    home = Home(Identity.of(ed25519_keypair(bytes([1]) * 32).secret), b"net", Timing(), urandom)
    home.paths = paths
    made = Dial(cast("Session", None), home, found, NOW, is_rescue=False)
    book = RouteBook(Timing().path_lifetime)
    book.learn(found.introductions if found else ())
    return made, home, book.routes(paths, NOW)


def send(made: Dial, routes: list[Route]) -> tuple[object, bytes]:
    """The next message 1 without waiting for its time."""
    made.hurry(NOW)
    sent = made.send(routes, NOW)
    assert sent is not None
    return sent


def test_on_one_route_the_same_message_is_repeated_at_growing_intervals() -> None:
    made, home, routes = dial(introset(1), Path(router(1), Handle(5)))
    made.asks(NOW)
    times, bodies = [], set()
    now = NOW
    while now < NOW + 10 * SECOND:
        sent = made.send(routes, now)
        if sent is not None:
            times.append(now - NOW)
            bodies.add(sent[1])
        now += 10 * MILLISECOND
    assert times == [0, 500_000, 1_500_000, 3_500_000, 7_500_000]
    assert len(bodies) == 1
    assert len(home.pending) == 1
    assert bodies.pop()[:8] == (101).to_bytes(8, "big")


def test_two_routes_take_turns_each_with_a_message_of_its_own() -> None:
    made, home, routes = dial(
        introset(1, 2), Path(router(1), Handle(5)), Path(router(2), Handle(6))
    )
    sent = [send(made, routes) for _ in range(4)]
    assert [path for path, _ in sent] == [routes[0].path, routes[1].path] * 2
    assert sent[0] == sent[2]
    assert sent[1] == sent[3]
    assert sent[0][1][12:] != sent[1][1][12:]
    assert len(home.pending) == 2


def test_a_new_introset_makes_a_new_message_and_the_old_one_may_still_be_answered() -> None:
    made, home, routes = dial(introset(1), Path(router(1), Handle(5)))
    _, first = send(made, routes)
    again = introset(1)
    made.found(again, NOW)
    _, second = send(made, routes)
    assert first[12:20] != second[12:20]
    assert len(home.pending) == 2
    made.found(again, NOW)
    assert send(made, routes)[1] == second, "the same introset again changes nothing"


def test_attempts_are_limited_and_all_leave_when_the_dial_closes() -> None:
    paths = [Path(router(n), Handle(10 + n)) for n in range(1, 8)]
    made, home, routes = dial(introset(*range(1, 8)), *paths)
    for _ in range(14):
        send(made, routes)
    assert len(home.pending) == MOST_ATTEMPTS
    made.close()
    assert not home.pending


def test_the_introset_is_asked_for_first_and_again_after_three_tries() -> None:
    made, _, _ = dial(None, Path(router(1), Handle(5)))
    assert made.deadline == NOW
    assert made.asks(NOW)
    assert not made.asks(NOW)
    assert made.asks(NOW + 10 * SECOND), "nobody answered the question"
    found = introset(1)
    made.found(found, NOW)
    book = RouteBook(Timing().path_lifetime)
    book.learn(found.introductions)
    routes = book.routes([Path(router(1), Handle(5))], NOW)
    for _ in range(3):
        assert not made.asks(NOW + 20 * SECOND)
        send(made, routes)
    assert made.asks(NOW + 20 * SECOND)


def test_without_a_route_nothing_is_sent_until_there_is_one() -> None:
    made, _, _ = dial(introset(1))
    assert made.send([], NOW) is None
    assert made.deadline > NOW
    made.hurry(NOW + 1)
    assert made.deadline == NOW + 1
