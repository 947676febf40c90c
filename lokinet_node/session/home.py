"""What all sessions of one identity share: who we are, our paths, the two look-up tables."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lokinet_node.session.effects import Drop

if TYPE_CHECKING:
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.base.timing import Timing
    from lokinet_node.session.admission import Doorkeeper
    from lokinet_node.session.effects import Effect
    from lokinet_node.session.handshake import Identity, Initiator
    from lokinet_node.session.routes import OwnPath
    from lokinet_node.session.session import Session
    from lokinet_node.session.streams import ReceiveStream

_INDEX_SIZE = 4


@dataclass(slots=True, eq=False)
class Home:
    """Written by `Sessions` and by the sessions themselves."""

    identity: Identity
    netid: bytes
    timing: Timing
    entropy: Entropy
    paths: tuple[OwnPath, ...] = ()
    """Those that are ready, newest knowledge."""
    by_remote: dict[LokiAddress, Session] = field(default_factory=dict)
    strangers: OrderedDict[LokiAddress, None] = field(default_factory=OrderedDict)
    """Remotes of sessions that were not let in and wait for nobody's decision, oldest first."""
    streams: dict[int, ReceiveStream] = field(default_factory=dict)
    """Index of an arriving record → stream to open it with."""
    pending: dict[int, tuple[Session, Initiator]] = field(default_factory=dict)
    """Index of an arriving message 2 → whose."""
    effects: list[Effect] = field(default_factory=list)
    drops: list[int] = field(default_factory=lambda: [0] * len(Drop))
    doorkeeper: Doorkeeper | None = None
    """Who decides about callers; None: everybody is welcome."""
    tokens: dict[LokiAddress, str] = field(default_factory=dict, repr=False)
    """What to ask with, by remote."""
    is_rescheduled: bool = True
    """A session's deadline may have changed since it was last asked for."""

    def new_index(self) -> int:
        """An index nobody uses, for the answer to a message 1."""
        while True:
            index = int.from_bytes(self.entropy(_INDEX_SIZE), "big")
            if index and index not in self.pending and index not in self.streams:
                return index
