"""A node that uses an exit and that exit, joined by sealed records without the network between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lokinet_node.base.addresses import parse_range
from lokinet_node.burst import Cells
from lokinet_node.exits.door import Door
from lokinet_node.exits.door6 import Door6
from lokinet_node.exits.exit_range import EVERYTHING, ExitRange, number_of, parse_exit_range
from lokinet_node.exits.mapping import ExitMap
from lokinet_node.exits.policy import Policy, Rules
from lokinet_node.exits.provider import ExitProvider
from lokinet_node.exits.services import parse_service
from lokinet_node.node.traffic import Guard, Traffic
from lokinet_node.session.addresses import AddressMap, Remote
from lokinet_node.session.merge import Merger
from lokinet_node.session.split import Splitter
from lokinet_node.session.streams import ReceiveStream, SendStream
from lokinet_node.wire.ip import HOST_UNREACHABLE

PREFIX = bytes((0xFD, *bytes(11)))
CONSUMER, PROVIDER = Remote(False, b"c" * 32), Remote(False, b"p" * 32)
CONSUMER_TUN, PROVIDER_TUN = "10.0.0.1/16", "172.16.0.1/16"
GUEST = bytes((172, 16, 0, 2))
"""The consumer's address at the exit."""
NOW = 1_000_000_000
Sink = Callable[[bytes | bytearray], None]


@dataclass
class Exits:
    """What a consumer has mapped, without how its exits are doing."""

    map_: ExitMap

    def exit_for(self, destination: bytes) -> Remote | None:
        found = self.map_.exit_of(destination)
        return found if isinstance(found, Remote) else None

    def refusal(self, destination: bytes) -> int:
        return HOST_UNREACHABLE

    def accepts(self, remote: Remote, source: bytes) -> bool:
        return self.map_.accepts(remote, source)

    def may_report(self, source: bytes) -> bool:
        return not self.map_.has_none(number_of(source))


class Way:
    """Carries what one end seals to the other."""

    guard: Guard | None = None
    is_up = True

    def __init__(self, key: bytes, sender: Remote, target: Traffic) -> None:
        self._sender = sender
        self._target = target
        self._out, self._in = SendStream(key), ReceiveStream(key)
        self._sent = 0
        self.records: list[int] = []
        """How many went together."""

    def sending(self) -> tuple[SendStream, Way, int]:
        return self._out, self, 1

    def is_refused(self, now: int) -> bool:
        return False

    def carry(self, cells: Cells, count: int, now: int) -> bool:
        self.records.append(count)
        copy = Cells()
        copy.buffer[:] = cells.buffer
        counters = tuple(range(self._sent, self._sent + count))
        self._sent += count
        self._target.records(self._sender, self._in, copy, 0, counters, now)
        return True


class Pair:
    """The two ends; `rules` are the exit's."""

    def __init__(
        self,
        to_consumer: Sink,
        to_provider: Sink,
        *,
        allowed: str = "2001:db8::/32",
        denied: str = "2001:db8:bad::/48",
        mapped: ExitRange = EVERYTHING,
    ) -> None:
        self.consumer, door = _end(CONSUMER_TUN, to_consumer)
        map_ = ExitMap(lambda size: bytes(size))
        map_.map(mapped, PROVIDER)
        door.consumer = Exits(map_)
        self.provider, door = _end(PROVIDER_TUN, to_provider)
        rules = Rules(
            allowed=(parse_exit_range(allowed),),
            denied=(parse_exit_range(denied),),
            denied_services=(parse_service("tcp/25"),),
        )
        self.exit = door.provider = ExitProvider(Policy(rules))
        self.there = Way(bytes(range(44)) + b"\0\0\0\7", CONSUMER, self.provider)
        self.back = Way(bytes(range(44)) + b"\0\0\0\x08", PROVIDER, self.consumer)
        self.consumer.flows[PROVIDER] = self.there
        self.provider.flows[CONSUMER] = self.back

    def drops(self) -> dict[str, int]:
        """Named counters of both ends that are not zero."""
        found: dict[str, int] = {}
        for name, traffic in (("consumer", self.consumer), ("provider", self.provider)):
            assert traffic.door is not None
            counters = traffic.door.counters()
            found |= {f"{name} {reason}": n for reason, n in counters.items() if n}
        return found


def _end(tun: str, sink: Sink) -> tuple[Traffic, Door]:
    traffic = Traffic(
        AddressMap(parse_range(tun)), sink, lambda *_: None, Splitter(), Merger(join_udp=False)
    )
    door = traffic.door = Door(traffic.addresses.own)
    door.six = Door6(door, PREFIX)
    return traffic, door
