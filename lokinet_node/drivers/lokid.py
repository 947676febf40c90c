"""A router's chain over HTTP: names as paths ask for them, the list of routers now and then.

    lokid = Lokid(endpoint, poll, heard, told, log)
    lokid.ask(name_hash)              returns at once; told(name_hash, says) follows, always

Rules: each question is one POST of JSON-RPC to /json_rpc over a connection of its own, with a limit
on time and on size; what is not a whole good reply is no answer. At most a few questions run at a
time, the others wait their turn within their own time. The list is asked for every `poll`, every
second until the chain was heard once. That the chain went away or came back is logged once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import SECOND
from lokinet_node.drivers.http_post import post
from lokinet_node.ons.desk import NO_WORD, PATIENCE, ChainSays
from lokinet_node.wire.control import Status
from lokinet_node.wire.oxend import (
    decode_list_reply,
    decode_name_reply,
    encode_list_call,
    encode_name_call,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from lokinet_node.base.addresses import Endpoint
    from lokinet_node.base.units import Micros
    from lokinet_node.drivers.log import Log
    from lokinet_node.wire.oxend import ServiceNodes

# What we chose.

MOST_AT_ONCE: Final = 8
"""Names asked about at a time; waiting ones hold no connection."""
NAME_TIME_S: Final = PATIENCE / SECOND
LIST_TIME_S: Final = 10.0
NAME_LIMIT: Final = 16 << 10
LIST_LIMIT: Final = 8 << 20
"""Bytes of a reply: a list of 8192 routers has 2 MiB."""
FIRST_POLL_S: Final = 1.0


class Lokid:
    """The way to one chain."""

    def __init__(
        self,
        endpoint: Endpoint,
        poll: Micros,
        heard: Callable[[ServiceNodes], None],
        told: Callable[[bytes, ChainSays], None],
        log: Log,
    ) -> None:
        """`heard` takes lists of routers, `told` answers about names; both on the event loop."""
        self.is_reachable = False
        """Whether the last question was answered."""
        self._endpoint = endpoint
        self._poll_s = poll / SECOND
        self._heard = heard
        self._told = told
        self._log = log
        self._height = 0
        self._block: str | None = None
        self._was_reached: bool | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    def start(self) -> None:
        """Begin to ask for the list; there must be a running loop."""
        self._run(self._watch())

    async def close(self) -> None:
        """Ask nothing any more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def ask(self, name_hash: bytes) -> None:
        """Ask about a name; how many may wait at a time is the caller's to bound."""
        # Called while packets are served inside the selector: the loop must be woken for it.
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(lambda: self._run(self._ask(name_hash)))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, name_hash: bytes) -> None:
        says = NO_WORD
        try:
            async with asyncio.timeout(NAME_TIME_S), self._turns:
                body = await self._post(encode_name_call(name_hash), NAME_LIMIT)
            value = decode_name_reply(body)
        except (OSError, WireError) as error:  # TimeoutError is an OSError
            self._note(error)
        else:
            self._note(None)
            status = Status.NOT_FOUND if value is None else Status.OK
            says = ChainSays(status, self._height, value or b"")
        self._told(name_hash, says)

    async def _watch(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LIST_TIME_S):
                    body = await self._post(encode_list_call(self._block), LIST_LIMIT)
                nodes = decode_list_reply(body)
            except (OSError, WireError) as error:
                self._note(error)
            else:
                self._note(None)
                self._height, self._block = nodes.height, nodes.block_hash
                self._heard(nodes)
            pause = FIRST_POLL_S if self._block is None else self._poll_s
            await asyncio.sleep(min(pause, self._poll_s))

    def _note(self, error: Exception | None) -> None:
        self.is_reachable = error is None
        if self.is_reachable == self._was_reached:
            return
        self._was_reached = self.is_reachable
        if error is None:
            self._log.info("chain.reached")
        else:
            reason = str(error) or type(error).__name__
            self._log.warn("chain.away", at=str(self._endpoint), reason=reason)

    async def _post(self, body: bytes, limit: int) -> bytes:
        """The body of a good reply; OSError or WireError for anything else."""
        return await post(self._endpoint, "/json_rpc", body, limit, who="the chain")
