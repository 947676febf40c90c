"""Who was asked for and is not answered yet, and what a failed search proves.

A search that was made and found nobody is another answer than one that could not be made: only
the first says that there is nobody. What tells them apart is the last lookup of the introset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lokinet_node.dht.lookup import Reason
from lokinet_node.session.addresses import Remote, remote_loki

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.wire.introset import Introset


@dataclass(frozen=True, slots=True)
class Resolved:
    """A remote that was asked for has a flow now, or will not get one (`ip4` None, a reason)."""

    remote: Remote
    ip4: bytes | None
    reason: str = ""
    is_missing: bool = False
    """It was searched for and nobody is there; False: that could not be found out."""


@dataclass(frozen=True, slots=True)
class IntrosetSeen:
    """A lookup is over; without an introset `reason` says why, and `is_missing` as above."""

    address: LokiAddress
    introset: Introset | None
    reason: str = ""
    is_missing: bool = False


class Questions:
    """The remotes that were asked for; each is answered once."""

    def __init__(self, note: Callable[[object], None]) -> None:
        """`note` takes Resolved and IntrosetSeen."""
        self._note = note
        self._asked: set[Remote] = set()
        # Those asked for whose last lookup brought no word of any holder.
        self._unsearched: set[Remote] = set()

    def ask(self, remote: Remote) -> None:
        """A Resolved is wanted."""
        self._asked.add(remote)

    def found(self, remote: Remote, ip4: bytes | None) -> None:
        """There is a flow; without an address nothing can be sent to it."""
        self._answer(Resolved(remote, ip4, "" if ip4 else "no mapped address is left"))

    def failed(self, remote: Remote, reason: str) -> None:
        """There will be no flow."""
        is_missing = remote not in self._unsearched
        self._answer(Resolved(remote, None, reason, is_missing))

    def looked_up(self, address: LokiAddress, found: Introset | Reason) -> Introset | None:
        """A lookup is over, whoever wanted it; its introset."""
        remote = remote_loki(address)
        if not isinstance(found, Reason):
            self._unsearched.discard(remote)
            self._note(IntrosetSeen(address, found))
            return found
        is_missing = found is Reason.NOT_FOUND
        if not is_missing and remote in self._asked:
            self._unsearched.add(remote)
        self._note(IntrosetSeen(address, None, found.value, is_missing))
        return None

    def _answer(self, answer: Resolved) -> None:
        self._unsearched.discard(answer.remote)
        if answer.remote in self._asked:
            self._asked.discard(answer.remote)
            self._note(answer)
