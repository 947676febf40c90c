"""The process of one job: `python -m orchestrator.traffic --network-id ID --job JOB --name NAME`.

1. look whether it can be done, and say so in one line: `{"ok": …}` or `{"error": text}`;
2. do it, and write the figures once a second, until its time is over, it is told to end
   (SIGTERM, SIGINT), or its network does not run any more;
3. write the figures for the last time, with why it ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from orchestrator.backends.opening import open_backend
from orchestrator.checks.network import Network
from orchestrator.directories import is_ours, write_private
from orchestrator.errors import OperatorError
from orchestrator.journal import Owner, read_owner
from orchestrator.networks import Condition, look, places_of
from orchestrator.traffic.calls import Calls
from orchestrator.traffic.charts import Chart
from orchestrator.traffic.jobs import JOB_OPTION, folder_of
from orchestrator.traffic.loads import HttpLoad, Load, load_of
from orchestrator.traffic.requests import Requests
from orchestrator.worlds import LABEL_OPTION

__all__ = ["main"]

WRITE_EVERY_S = 1.0
LOOK_EVERY_S = 2.0
"""Whether the network still runs."""
LOOKS = 2
"""One after the other that do not find it: a look may fall into a change."""


class Work(Protocol):
    """A kind of job."""

    def begin(self) -> None:
        """Whatever can go wrong at once; raises OperatorError or OSError."""

    async def run(self, lasts_s: float | None) -> None:
        """Until the time is over."""

    def sample(self, seconds: float) -> None:
        """Add a point to each chart."""

    def figures(self, seconds: float) -> dict[str, Any]:
        """As JSON, of what was done in that time."""

    @property
    def charts(self) -> Sequence[Chart]:
        """Figures over time."""


def main() -> int:
    """One job to its end."""
    arguments = _arguments()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        places = places_of(arguments.name)
        folder = folder_of(places) / arguments.job
        owner = read_owner(places.journal)
        if owner is None or owner.network_id != arguments.network_id:
            raise OperatorError(f"network {arguments.name!r} is not up")
        load = load_of(_record(folder))
        network = Network.of(open_backend(places))
        work: Work = _work(network, load)
        _allow_sockets()
        work.begin()
    except (OperatorError, OSError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return 1
    print(json.dumps({"ok": arguments.job}), flush=True)
    _hang_up_on_caller()
    try:
        asyncio.run(_job(work, load, owner, folder))
    finally:
        network.backend.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="orchestrator.traffic")
    parser.add_argument(LABEL_OPTION, required=True)
    parser.add_argument(JOB_OPTION, required=True)
    parser.add_argument("--name", required=True)
    return parser.parse_args()


def _record(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "load.json").read_text())
    del record["began"]
    return record


def _work(network: Network, load: Load) -> Work:
    return Requests(network, load) if isinstance(load, HttpLoad) else Calls(network, load)


def _allow_sockets() -> None:
    """As many as this process may have: two a call, one a client."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _hang_up_on_caller() -> None:
    """Nobody reads the pipe any more, and who waits for its end need not."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


async def _job(work: Work, load: Load, owner: Owner, folder: Path) -> None:
    began = time.monotonic()
    ended = "its time is over"
    doing = asyncio.create_task(work.run(load.lasts_s))

    def end(why: str) -> None:
        nonlocal ended
        if not doing.done():
            ended = why
            doing.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, "stopped")

    def write(why: str) -> None:
        seconds = time.monotonic() - began
        work.sample(seconds)
        data = {
            "seconds": round(seconds, 3),
            "ended": why,
            "figures": work.figures(seconds),
            "charts": [chart.data() for chart in work.charts],
        }
        if is_ours(owner.places().state, owner.network_id):
            write_private(folder / "figures.json", json.dumps(data))

    beside: list[Coroutine[Any, Any, None]] = [_every(WRITE_EVERY_S, lambda: write(""))]
    beside.append(_watch(owner, lambda: end("the network went down")))
    watching = [asyncio.create_task(each) for each in beside]
    try:
        with suppress(asyncio.CancelledError):
            await doing
    finally:
        for task in watching:
            task.cancel()
    write(ended)


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        await asyncio.sleep(seconds)
        act()


async def _watch(owner: Owner, gone: Callable[[], None]) -> None:
    """Until the network does not run."""
    missed = 0
    while missed < LOOKS:
        await asyncio.sleep(LOOK_EVERY_S)
        found = await asyncio.to_thread(look, owner)
        missed = 0 if found.condition is Condition.RUNNING else missed + 1
    gone()


if __name__ == "__main__":
    sys.exit(main())
