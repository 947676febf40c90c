"""The way a page took, read from the status of both ends."""

from __future__ import annotations

from typing import Any

from orchestrator.page import Route, route_between

NAMES = {f"{letter}.snode": f"router-{letter}" for letter in "abcdefg"}


def path(hops: str, used: int = 0, ready: bool = True) -> dict[str, Any]:
    listed = [{"router": hop, "ip": ""} for hop in hops]
    return {"ready": ready, "hops": listed, "cells_in": used, "cells_out": 0}


def status(paths: list[Any], sessions: list[Any] | None = None) -> dict[str, Any]:
    return {
        "services": {
            "default": {"identity": "s.loki", "paths": paths, "remoteSessions": sessions or []}
        }
    }


def test_the_halves_meet_at_the_pivot() -> None:
    client = status([path("abc"), path("abd")])
    service = status([path("efd")])
    assert route_between(client, service, NAMES) == Route(
        ("router-a", "router-b", "router-d"), ("router-d", "router-f", "router-e")
    )


def test_the_busiest_ready_paths_are_shown() -> None:
    client = status([path("abd", 1), path("bad", 5), path("cbd", 9, ready=False)])
    service = status([path("efd", 2), path("fed", 7)])
    route = route_between(client, service, NAMES)
    assert route == Route(
        ("router-b", "router-a", "router-d"), ("router-d", "router-e", "router-f")
    )


def test_the_paths_of_the_session_itself_come_first() -> None:
    session = {"remote": "s.loki", "paths": [path("gfd")]}
    client = status([path("abd", 100)], [session])
    route = route_between(client, status([path("efd")]), NAMES)
    assert route is not None
    assert route.client_hops == ("router-g", "router-f", "router-d")


def test_without_a_common_pivot_there_is_no_route() -> None:
    assert route_between(status([path("abc")]), status([path("efg")]), NAMES) is None
    assert route_between({}, {}, NAMES) is None


def test_a_router_nobody_named_is_shown_short() -> None:
    route = route_between(status([path("zd")]), status([path("d")]), NAMES)
    assert route is not None
    assert route.client_hops == ("z…", "router-d")
