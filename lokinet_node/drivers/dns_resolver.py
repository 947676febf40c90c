"""Questions that wait: for an address, a bought name, an upstream answer.

Rules: what can be answered at once is; questions that need a fact wait for it, all who need the
same one together, and are answered the moment it is known. Everything that waits is bounded; what
is too much gets SERVFAIL at once. Whoever finds facts out has deadlines of his own; the one here
only makes sure that no question waits for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from lokinet_node.base.errors import LokinetError
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.dns.answer import (
    Answer,
    Fact,
    Forward,
    Need,
    NeedAddress,
    NeedContact,
    NeedName,
    NeedRouter,
    NeedServices,
    Zone,
    answer,
    fail,
    resume,
)
from lokinet_node.dns.message import fit_datagram

if TYPE_CHECKING:
    from lokinet_node.base.ids import LokiAddress, RouterID
    from lokinet_node.base.srv import SrvRecord
    from lokinet_node.dns.message import Query
    from lokinet_node.drivers.dns_upstream import Forwarder
    from lokinet_node.drivers.log import Log

MAX_WAITING: Final = 1024
"""Questions that wait for a fact or an upstream answer."""
MAX_SEARCHES: Final = 256
"""Different facts being found out: each may cost lookups and path builds."""


class Asker(Protocol):
    """Who finds facts out; waits until the node is ready. LokinetError: nobody could look."""

    async def address(self, kind: str, key: bytes) -> int | None:
        """The tun address of a `loki` or `snode`; None: there is no such remote."""

    async def name(self, name: str) -> LokiAddress | None:
        """Whose a bought name is; None: nobody's."""

    async def services(self, address: LokiAddress) -> tuple[SrvRecord, ...] | None:
        """What an address publishes; None: it publishes nothing."""

    async def contact(self, router: RouterID) -> str | None:
        """A router's contact in Lokinet's words; None: there is no such router."""

    async def random_router(self) -> RouterID | None:
        """Some router of the network."""


class _Failed(Enum):
    FAILED = auto()


_FAILED: Final = _Failed.FAILED
_Found: TypeAlias = "Fact | Literal[_Failed.FAILED]"


class Resolver:
    """One node's questions."""

    def __init__(
        self, zone: Zone, asker: Asker, forwarder: Forwarder | None, guard: Micros, log: Log
    ) -> None:
        """No fact takes longer than `guard`."""
        self._zone = zone
        self._asker = asker
        self._forwarder = forwarder
        self._guard_s = guard / SECOND
        self._log = log
        self._searches: dict[Need, asyncio.Task[_Found]] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    def begin(self, query: Query, reply: Callable[[bytes], None]) -> None:
        """Answer now, or once what the answer needs is known."""
        found = answer(query, self._zone)
        if isinstance(found, bytes):
            reply(fit_datagram(query, found))
        elif len(self._waiting) >= MAX_WAITING:
            reply(fail(query))
        else:
            task = asyncio.get_running_loop().create_task(self._reply_later(query, found, reply))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)

    async def ask(self, query: Query, *, is_stream: bool) -> bytes:
        """The answer; over a stream it may be as long as it likes."""
        return await self._finished(query, answer(query, self._zone), is_stream=is_stream)

    async def close(self) -> None:
        """Drop every question that waits."""
        tasks: list[asyncio.Task[None] | asyncio.Task[_Found]] = [
            *self._waiting,
            *self._searches.values(),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _reply_later(
        self, query: Query, found: Need | Forward, reply: Callable[[bytes], None]
    ) -> None:
        reply(await self._finished(query, found, is_stream=False))

    async def _finished(self, query: Query, found: Answer, *, is_stream: bool) -> bytes:
        if isinstance(found, Forward):
            passed = None
            if self._forwarder is not None:
                passed = await self._forwarder.ask(query, is_stream=is_stream)
            return fail(query) if passed is None else passed
        while not isinstance(found, bytes):
            fact = await self._fact(found)
            if fact is _FAILED:
                return fail(query)
            found = resume(query, found, fact)
        return found if is_stream else fit_datagram(query, found)

    async def _fact(self, need: Need) -> _Found:
        """Everybody who needs the same fact shares one search."""
        task = self._searches.get(need)
        if task is None:
            if len(self._searches) >= MAX_SEARCHES:
                return _FAILED
            task = asyncio.get_running_loop().create_task(self._search(need))
            self._searches[need] = task
            task.add_done_callback(lambda _: self._searches.pop(need, None))
        return await asyncio.shield(task)

    async def _search(self, need: Need) -> _Found:
        what = type(need).__name__
        try:
            async with asyncio.timeout(self._guard_s):
                return await self._find_out(need)
        except (LokinetError, TimeoutError) as error:
            self._log.debug("dns.unresolved", need=what, reason=str(error) or "timeout")
        except Exception as error:  # a bug of ours must not leave an application hanging
            self._log.error("dns.failed", need=what, error=type(error).__name__)
        return _FAILED

    def _find_out(self, need: Need) -> Awaitable[Fact]:
        match need:
            case NeedAddress(kind, key):
                return self._asker.address(kind, key)
            case NeedName(name):
                return self._asker.name(name)
            case NeedServices(address):
                return self._asker.services(address)
            case NeedContact(router):
                return self._asker.contact(router)
            case NeedRouter():
                return self._asker.random_router()
