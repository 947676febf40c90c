"""What the chain's control socket answers: a node's own questions, and every method of the admin.

The socket is a node's (one JSON object a line, mode 0600, peer uid checked), so that whoever looks
after nodes can look after a chain with the same words: `llarp.version`, `llarp.get_status`,
`llarp.status`. Everything else is a method of docs/chain.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from lokinet_node.base.constants import PROGRAM
from lokinet_node.base.units import MILLISECOND, Micros
from lokinet_node.chain.jsonrpc import Params
from lokinet_node.chain.reading import READING, get_status
from lokinet_node.chain.service import Service
from lokinet_node.chain.store import Store
from lokinet_node.chain.writing import WRITING

Handler: TypeAlias = Callable[[Params], dict[str, Any]]


def handlers(service: Service, store: Store, now: Callable[[], Micros]) -> dict[str, Handler]:
    """By method."""
    started = now()

    def version(_: Params) -> dict[str, Any]:
        return {"version": PROGRAM, "uptime": (now() - started) // MILLISECOND}

    def status(_: Params) -> dict[str, Any]:
        return get_status(store) | {"uptime": (now() - started) // MILLISECOND}

    def perform(method: str, params: Params) -> dict[str, Any]:
        return service.perform(method, params, may_write=True)

    own: dict[str, Handler] = {
        "llarp.version": version,
        "llarp.get_status": status,
        "llarp.status": status,
    }
    return {method: partial(perform, method) for method in (*READING, *WRITING)} | own
