"""The ways of packets, read from the status of both ends."""

from __future__ import annotations

from typing import Any

from orchestrator.page import Way, way_between

NAMES = {letter: f"router-{letter}" for letter in "abcdefg"}


def path(hops: str, used: int = 0, ready: bool = True) -> dict[str, Any]:
    return {"ready": ready, "hops": [{"router": hop} for hop in hops], "cells_in": used}


def status(identity: str, paths: list[Any], **routes: str) -> dict[str, Any]:
    sessions = [{"remote": f"{to}.loki", "route": list(route)} for to, route in routes.items()]
    endpoint = {"identity": f"{identity}.loki", "paths": paths, "remoteSessions": sessions}
    return {"services": {"default": endpoint}}


def test_each_direction_goes_over_the_senders_route_and_the_receivers_path_to_its_pivot() -> None:
    client = status("c", [path("abd"), path("cbg")], s="abd")
    service = status("s", [path("efd"), path("fag")], c="fag")
    assert way_between(client, service, NAMES) == Way(
        ("router-a", "router-b", "router-d"), ("router-d", "router-f", "router-e")
    )
    assert way_between(service, client, NAMES) == Way(
        ("router-f", "router-a", "router-g"), ("router-g", "router-b", "router-c")
    )


def test_of_several_paths_to_the_pivot_the_one_that_received_most_is_shown() -> None:
    client = status("c", [], s="abd")
    service = status("s", [path("efd", 2), path("fed", 7), path("aed", 9, ready=False)])
    way = way_between(client, service, NAMES)
    assert way is not None
    assert way.receiver_hops == ("router-d", "router-e", "router-f")


def test_without_a_session_or_a_common_pivot_there_is_no_way() -> None:
    service = status("s", [path("efg")])
    assert way_between(status("c", [path("abg")]), service, NAMES) is None
    assert way_between(status("c", [], s="abc"), service, NAMES) is None
    assert way_between(status("c", [], other="abg"), service, NAMES) is None
    assert way_between({}, {}, NAMES) is None


def test_a_router_nobody_named_is_shown_short() -> None:
    way = way_between(status("c", [], s="zd"), status("s", [path("d")]), NAMES)
    assert way is not None
    assert way.sender_hops == ("z…", "router-d")
