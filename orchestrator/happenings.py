"""What happened between two censuses: processes, links, paths, introsets. Pure.

Only what lasts until the next look is seen; what came and went between two looks is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.census import Census, paths_of, service_of
from orchestrator.ops import ObservedProcess

__all__ = ["Happening", "happenings"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing that happened to one node."""

    node: str
    kind: str
    """`process-ended`, `path-lost` …"""
    detail: str


def happenings(before: Census, after: Census) -> list[Happening]:
    """Everything that is different, in the order of the nodes."""
    found: list[Happening] = []
    old, new = before.observed.nodes, after.observed.nodes
    found += [Happening(name, "node-removed", "") for name in old if name not in new]
    for name, node in new.items():
        if name not in old:
            found.append(Happening(name, "node-added", node.address))
        else:
            found += _processes(name, before, after)
        found += _answers(name, before, after)
        if name in before.statuses and name in after.statuses:
            found += _links(name, before, after)
            found += _paths(name, before, after)
            found += _service(name, before, after)
    return found


def _processes(name: str, before: Census, after: Census) -> Iterator[Happening]:
    old = before.observed.nodes[name].processes
    for program, process in after.observed.nodes[name].processes.items():
        known = old.get(program)
        if known is None or known.started_us != process.started_us:
            yield Happening(name, "process-started", f"{program}, pid {process.pid} inside")
        if process.exit_code is not None and (known is None or not _same_end(known, process)):
            yield Happening(name, "process-ended", f"{program} {_ending(process.exit_code)}")


def _same_end(known: ObservedProcess, process: ObservedProcess) -> bool:
    return (known.started_us, known.exit_code) == (process.started_us, process.exit_code)


def _ending(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _answers(name: str, before: Census, after: Census) -> Iterator[Happening]:
    was_silent, is_silent = name in before.errors, name in after.errors
    if is_silent and not was_silent:
        yield Happening(name, "silent", after.errors[name])
    if was_silent and name in after.statuses:
        yield Happening(name, "answers", "")


def _links(name: str, before: Census, after: Census) -> Iterator[Happening]:
    old, new = _linked(name, before), _linked(name, after)
    yield from (Happening(name, "link-down", peer) for peer in sorted(old - new))
    yield from (Happening(name, "link-up", peer) for peer in sorted(new - old))


def _linked(name: str, census: Census) -> set[str]:
    """Who a node is linked to: by name, or by where a peer without a lasting name is."""
    found = set()
    for link in census.statuses[name].get("links") or []:
        if link.get("state") == "up":
            where = str(link.get("address", "")).partition(":")[0]
            router = str(link.get("router"))
            known = census.names.get(router) or census.underlay.get(where)
            found.add(known or census.called(router))
    return found


def _paths(name: str, before: Census, after: Census) -> Iterator[Happening]:
    old, new = _ready_hops(name, before), _ready_hops(name, after)
    yield from (Happening(name, "path-lost", " → ".join(hops)) for hops in sorted(old - new))
    yield from (Happening(name, "path-ready", " → ".join(hops)) for hops in sorted(new - old))
    if old and not new:
        yield Happening(name, "no-path-left", "")


def _ready_hops(name: str, census: Census) -> set[tuple[str, ...]]:
    return {path.hops for path in paths_of(census, name) if path.is_ready}


def _service(name: str, before: Census, after: Census) -> Iterator[Happening]:
    old, new = service_of(before.statuses[name]), service_of(after.statuses[name])
    was, now = (bool((each.get("introset") or {}).get("published")) for each in (old, new))
    if was != now:
        yield Happening(name, "introset-published" if now else "introset-unpublished", "")
    routes = [
        {
            str(session.get("remote")): tuple(session.get("route") or ())
            for session in each.get("remoteSessions") or []
        }
        for each in (old, new)
    ]
    for remote, route in routes[1].items():
        known = routes[0].get(remote)
        hops = " → ".join(after.called(str(hop)) for hop in route)
        if known is None:
            yield Happening(name, "session-opened", f"{after.called(remote)} over {hops}")
        elif route != known:
            yield Happening(name, "session-moved", f"{after.called(remote)} to {hops}")
    for remote in routes[0].keys() - routes[1].keys():
        yield Happening(name, "session-closed", after.called(remote))
