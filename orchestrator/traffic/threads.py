"""What blocks, in a thread: nothing that was opened there is lost when nobody waits any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["opened"]

Opened = TypeVar("Opened")


async def opened(make: Callable[[], Opened], close: Callable[[Opened], None]) -> Opened:
    """What `make` gives; cancelled before that, it is closed as soon as it is there."""
    making = asyncio.get_running_loop().run_in_executor(None, make)
    try:
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(lambda done: _discard(done, close))
        raise


def _discard(done: asyncio.Future[Opened], close: Callable[[Opened], None]) -> None:
    if not done.cancelled() and done.exception() is None:
        close(done.result())
