"""Others at work: several nodes download from one, each at a fixed rate, for as long as needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.network import Network, wait_for_line

__all__ = ["RATE", "downloads"]

RATE = 6_250_000
"""Bytes a second of each download: 50 Mbit/s."""
BEGUN = "begun"


@contextmanager
def downloads(network: Network, server: str, nodes: Sequence[str]) -> Iterator[None]:
    """Its /file.bin over Lokinet, over and over until the block ends."""
    page = f"http://{network.report['addresses'][server]}/file.bin"
    fetch = f"curl -sS -o /dev/null --limit-rate {RATE} {page}"
    with ExitStack() as running:
        for node in nodes:
            loop = f"curl -sS -o /dev/null -r 0-0 {page} && echo {BEGUN}; while {fetch}; do :; done"
            wait_for_line(running.enter_context(network.running(node, "sh", "-c", loop)), BEGUN)
        yield
