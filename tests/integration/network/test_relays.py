"""Who carries a download, seen on every link of the underlay and not believed from a status.

One download is watched by all tests here. Idle nodes talk too (links, gossip, building paths), so
who carries is decided by volume. Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests.integration.network.pages import MARKER, Download, Downloading, offer
from tests.integration.network.real import Network
from tests.integration.network.ways import Way, service_of, way

pytestmark = pytest.mark.anywhere

LINK_PORT = "1090"
CHAIN = "chain"
CHAIN_PORT = 22023
DATAGRAM = 1376
"""docs/wire.md, 1: of every datagram between nodes."""
PACKET = 1280
"""docs/wire.md, 1: most bytes of the page that one cell can carry, and then some."""
RATE = "4M"
"""Bytes a second: captures have room for what comes in a second."""
CARRIES = 0.7
"""Part of the download's cells; acknowledgements are half of them where segments do not merge."""
IDLES = 0.05
ATTEMPTS = 3
TELLS_UDP_GSO = (6, 2)
"""Kernels before this cannot say how a burst of UDP datagrams will be cut."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A download and all that was on the links meanwhile."""

    page: Download
    data: Way
    acknowledgements: Way
    by_node: dict[str, dict[str, Any]]
    by_edge: dict[tuple[str, str], int]
    """Cells from one node to another, as counted where they left."""

    @property
    def least_cells(self) -> int:
        return self.page.size // PACKET


@pytest.fixture(scope="module")
def watched(testnet: Network) -> Watched:
    page = offer(testnet, "watched", 20)
    with Downloading(testnet, "alice", offer(testnet, "first", 1)) as download:
        download.finish(within_s=60)  # from now on there is a session, and its ways are chosen
    for _ in range(ATTEMPTS):
        found = watch_download(testnet, page)
        if found is not None:
            return found
    raise AssertionError(f"the way changed during each of {ATTEMPTS} downloads")


def watch_download(network: Network, page: Download) -> Watched | None:
    """None where an end changed its way meanwhile, as it may at any time."""
    nodes = {row["underlay"]: row["node"] for row in network.programs()}
    before = {node: service_of(network, node) for node in ("alice", "web")}
    chain = next(address for address, node in nodes.items() if node == CHAIN)
    with capturing(network, list(nodes.values()), f"{chain}:{CHAIN_PORT}") as captures:
        with Downloading(network, "alice", page, RATE) as download:
            download.finish(within_s=60)
        seen = {node: finished(capture) for node, capture in captures.items()}
    data, after = way(network, "web", "alice", before)
    acknowledgements, _ = way(network, "alice", "web", before)
    if routes(before) != routes(after):
        return None
    edges = {
        (node, nodes[address]): cells
        for node, capture in seen.items()
        for address, cells in capture["sent"].items()
    }
    return Watched(page, data, acknowledgements, seen, edges)


def test_every_link_was_watched_and_nothing_missed(watched: Watched) -> None:
    assert len(watched.by_node) == 12
    assert {node: seen["lost"] for node, seen in watched.by_node.items() if seen["lost"]} == {}
    talking = {node for node, seen in watched.by_node.items() if seen["sent"] and seen["received"]}
    assert talking == watched.by_node.keys() - {CHAIN}


def test_exactly_the_relays_both_ends_name_carry_the_download(watched: Watched) -> None:
    through = {
        node: (sum(seen["sent"].values()) + sum(seen["received"].values())) / 2
        for node, seen in watched.by_node.items()
        if node.startswith("router-")
    }
    carrying = {node for node, cells in through.items() if cells > CARRIES * watched.least_cells}
    assert carrying == set(watched.data.relays), through
    named = carrying | set(watched.acknowledgements.relays)
    others = {node: cells for node, cells in through.items() if node not in named}
    assert max(others.values(), default=0) < IDLES * watched.least_cells, through


def test_the_download_goes_from_hand_to_hand_along_both_halves(watched: Watched) -> None:
    heavy = {
        edge for edge, cells in watched.by_edge.items() if cells > CARRIES * watched.least_cells
    }
    assert heavy == watched.data.edges, watched.by_edge
    named = heavy | watched.acknowledgements.edges
    others = [cells for edge, cells in watched.by_edge.items() if edge not in named]
    assert max(others) < IDLES * watched.least_cells, watched.by_edge


def test_a_way_is_two_halves_of_four_that_share_the_pivot(watched: Watched) -> None:
    for found in (watched.data, watched.acknowledgements):
        for half in (found.sender_half, found.receiver_half):
            assert len(set(half)) == 4, found
        assert found.sender_half[-1] == found.receiver_half[0], found
        assert 4 <= len(set(found.relays)) <= 7, found


def test_every_datagram_has_the_one_length(watched: Watched) -> None:
    sizes = {node: set(seen["sizes"]) for node, seen in watched.by_node.items()}
    assert sizes.pop(CHAIN) == set()
    assert sizes == {node: {str(DATAGRAM)} for node in sizes}


def test_nothing_but_links_crosses_the_underlay(watched: Watched) -> None:
    strangers = {node: seen["strangers"] for node, seen in watched.by_node.items()}
    assert {node: found for node, found in strangers.items() if found} == {}


def test_only_routers_talk_to_the_chain(watched: Watched) -> None:
    """Now and then, and in the clear: clients must have no reason to."""
    talking = {node for node, seen in watched.by_node.items() if seen["chain"]}
    assert {node for node in talking if not node.startswith("router-")} <= {CHAIN}


def test_nobody_on_the_underlay_sees_the_page(watched: Watched) -> None:
    assert {node: seen["marked"] for node, seen in watched.by_node.items() if seen["marked"]} == {}


def routes(services: dict[str, dict[str, Any]]) -> dict[str, list[list[str]]]:
    return {
        node: [session["route"] for session in service["remoteSessions"]]
        for node, service in services.items()
    }


@contextmanager
def capturing(
    network: Network, nodes: list[str], chain: str
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    with ExitStack() as stack:
        if kernel() < TELLS_UDP_GSO:
            for node in nodes:
                switched = network.execute(
                    node, "ethtool", "-K", "eth0", "tx-udp-segmentation", "off"
                )
                assert switched.returncode == 0, switched.stderr
        yield {
            node: stack.enter_context(
                network.running(node, "capture.py", "eth0", LINK_PORT, MARKER, chain)
            )
            for node in nodes
        }


def kernel() -> tuple[int, int]:
    major, minor = platform.release().split(".")[:2]
    return int(major), int("".join(filter(str.isdigit, minor)))


def finished(capture: subprocess.Popen[str]) -> dict[str, Any]:
    """Let a capture end; what it has seen."""
    out, err = capture.communicate(timeout=20)
    assert capture.returncode == 0, err
    seen: dict[str, Any] = json.loads(out)
    return seen
