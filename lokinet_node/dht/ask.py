"""The effect that publications and lookups share: say this to the last hop of that path.

A path is whatever the caller uses to name one of its ready paths; here it is only compared and
handed back.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lokinet_node.netdb.chance import Chooser
    from lokinet_node.wire.control import Lookup, Publish

PathT = TypeVar("PathT", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Ask(Generic[PathT]):
    """Send this message to the last hop of a path."""

    path: PathT
    message: Publish | Lookup


def least_used(
    chooser: Chooser, paths: Iterable[PathT], used: Iterable[PathT], last: PathT | None
) -> PathT:
    """The path that carried least of this so far, and if possible not the one used last."""
    uses = list(used)
    ranked = {path: (path == last, uses.count(path)) for path in paths}
    best = min(ranked.values())
    return chooser.pick([path for path, rank in ranked.items() if rank == best])
