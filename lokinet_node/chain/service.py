"""From a call's bytes to its answer's: which methods a listener has, and how errors are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lokinet_node.base.units import SECOND, Micros
from lokinet_node.chain.database import DiskFull, StoreFailed
from lokinet_node.chain.jsonrpc import (
    INTERNAL,
    NO_METHOD,
    Params,
    RpcError,
    decode_call,
    encode_error,
    encode_result,
)
from lokinet_node.chain.reading import READING
from lokinet_node.chain.store import Store
from lokinet_node.chain.writing import WRITING


class Service:
    """The chain's methods. Only a listener made for it takes writes: `may_write`."""

    def __init__(self, store: Store, now: Callable[[], Micros]) -> None:
        self._store = store
        self._now = now
        self.failure: StoreFailed | None = None
        """Set when the program must end because the store can no longer be trusted."""
        self.when_failed: Callable[[], None] = lambda: None
        """Called once then."""

    def answer(self, body: bytes, *, may_write: bool) -> bytes:
        """The answer to one call; a write has been synced to the disk before it is returned."""
        try:
            call = decode_call(body)
        except RpcError as error:
            return encode_error(error)
        try:
            return encode_result(call, self.perform(call.method, call.params, may_write=may_write))
        except RpcError as error:
            return encode_error(RpcError(error.code, str(error), call.identity))
        except (DiskFull, StoreFailed) as error:
            return encode_error(RpcError(INTERNAL, str(error), call.identity))

    def perform(self, method: str, params: Params, *, may_write: bool) -> dict[str, Any]:
        """The result of a call; RpcError, DiskFull, StoreFailed."""
        if self.failure is not None:
            raise RpcError(INTERNAL, "the chain is going down")
        with self._watched():
            if read := READING.get(method):
                return read(self._store, params)
            if write := WRITING.get(method):
                if not may_write:
                    raise RpcError(NO_METHOD, f"{method} is taken on the admin listener only")
                return write(self._store, params, self._now() // SECOND)
        raise RpcError(NO_METHOD, f"there is no method {method!r}")

    def close_block(self) -> None:
        """Time for a block; DiskFull and StoreFailed."""
        with self._watched():
            self._store.close_blocks(1, self._now() // SECOND)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Notes that the store failed."""
        try:
            yield
        except StoreFailed as error:
            self.failure = error
            self.when_failed()
            raise
