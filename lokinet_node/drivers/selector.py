"""Hot: asyncio's selector, in which the descriptors of packets are served without asyncio.

A lone packet that wakes a node costs more in being handed to its reader than in being relayed:
asyncio makes a handle, queues it, enters a context and looks at its timers. So the link socket and
the tun are watched by an epoll of our own, in which asyncio's is one descriptor among them.
`select` serves them itself, and returns to asyncio only when asyncio has something to do.

1. Whoever is served says whether it gave asyncio work (a future, a stop): `select` returns at once.
2. Packets never keep asyncio waiting: its descriptors are looked at in the same call, and its
   timers end the wait.
3. What a reader raises ends the loop: nobody here could know what is still sound.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from selectors import EpollSelector, SelectorKey
from time import monotonic
from typing import Final

_MOST_EVENTS: Final = 4
"""The link socket, the tun, asyncio, and room."""
_LONGEST_S: Final = 3600.0
"""What epoll takes is bounded."""


class BurstSelector(EpollSelector):
    """An epoll selector with readers of its own."""

    def __init__(self, due: Callable[[], float]) -> None:
        """`due` does what is due and tells how many seconds there is nothing more.

        It is asked before each wait; 0 from it means that asyncio has work.
        """
        super().__init__()
        self._due = due
        self._epoll = select.epoll()
        self._epoll.register(self.fileno(), select.EPOLLIN)
        self._readers: dict[int, Callable[[], bool]] = {}

    def serve(self, descriptor: int, reader: Callable[[], bool]) -> None:
        """Call `reader` whenever the descriptor is readable; True from it: asyncio has work."""
        self._epoll.register(descriptor, select.EPOLLIN)
        self._readers[descriptor] = reader

    def forget(self, descriptor: int) -> None:
        """Serve it no more, if it was served; it is still open."""
        if self._readers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        """Serve readers until asyncio has something to do, at most `timeout` seconds."""
        until = None if timeout is None else monotonic() + timeout
        poll, readers, due = self._epoll.poll, self._readers, self._due
        while True:
            wait = due()
            if until is not None:
                left = until - monotonic()
                if left < wait:
                    wait = left
            is_over = wait <= 0
            for descriptor, _ in poll(0 if is_over else min(wait, _LONGEST_S), _MOST_EVENTS):
                reader = readers.get(descriptor)
                is_over |= reader is None or reader()
            if is_over:
                return super().select(0)

    def close(self) -> None:
        """Give both epolls back; what was served stays open."""
        self._epoll.close()
        super().close()
