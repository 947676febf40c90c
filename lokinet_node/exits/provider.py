"""An exit's side of its clients: who is served, what is refused, and how they hear of it.

A refused packet is counted by reason and by client. Its sender gets ICMP *administratively
prohibited* in the name of the destination, at once, and a hint that says why; both are metered by
client, so that nobody makes an exit work by being refused.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.exits.refusals import Refusal
from lokinet_node.exits.services import PORTED
from lokinet_node.path.meter import Bucket
from lokinet_node.session.packet_addresses import SOURCE
from lokinet_node.session.refused import Refused
from lokinet_node.wire import ip6
from lokinet_node.wire.ip import FRAGMENT_OFFSET, PROHIBITED, icmp_unreachable

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.exits.policy import Policy
    from lokinet_node.session.addresses import Remote
    from lokinet_node.session.exit_rows import ExitRun
    from lokinet_node.session.plaintexts import Plaintexts

MOST_CLIENTS: Final = 4096
"""Clients remembered; the one not heard of for longest goes first."""
ANSWER_RATE: Final = 50
ANSWER_BURST: Final = 100
"""ICMP errors for one client: a second, and at once."""
HINT_RATE: Final = 1
HINT_BURST: Final = 8
"""Messages that say why, for one client: a second, and at once."""


@dataclass(slots=True)
class Client:
    """What an exit remembers of one that uses it."""

    packets: int = 0
    """Passed on."""
    refused: dict[Refusal, int] = field(default_factory=dict)
    answers: Bucket = field(default_factory=lambda: Bucket(ANSWER_RATE, ANSWER_BURST))
    hints: Bucket = field(default_factory=lambda: Bucket(HINT_RATE, HINT_BURST))
    times: int = 0
    """Refused since the last hint."""


class ExitProvider:
    """One exit; what `exits.door` asks about rows that want to leave."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.refused = dict.fromkeys(Refusal, 0)
        """Packets, by reason."""
        self.packets = 0
        """Passed on."""
        self.clients: OrderedDict[Remote, Client] = OrderedDict()
        self._answers: list[tuple[Remote, bytes]] = []
        self._hints: list[tuple[Remote, Refused]] = []

    def admits(
        self, remote: Remote, run: ExitRun, plain: Plaintexts, mapped: bytes, now: Micros
    ) -> bool:
        """Whether rows of one flow may go; what may not is counted and answered."""
        client = self.clients.get(remote)
        if client is None:
            client = self._meet(remote)
        self.clients.move_to_end(remote)
        # A router has no identity to let in or not: nobody asked it whether it may.
        refusal: int = Refusal.NOT_ALLOWED
        if not remote.is_router:
            refusal = self.policy.verdict(
                run.protocol,
                _port(run),
                run.destination,
                is_later_fragment=bool(run.fragment & FRAGMENT_OFFSET),
            )
        if not refusal:
            client.packets += run.rows
            self.packets += run.rows
            return True
        self.refuse(remote, client, run, plain, mapped, Refusal(refusal), now)
        return False

    def refuse(
        self,
        remote: Remote,
        client: Client,
        run: ExitRun,
        plain: Plaintexts,
        mapped: bytes,
        refusal: Refusal,
        now: Micros,
    ) -> None:
        """Count rows that may not go and tell the client."""
        self.refused[refusal] += run.rows
        client.refused[refusal] = client.refused.get(refusal, 0) + run.rows
        client.times += run.rows
        if client.answers.take(now):
            self._answer(remote, plain, run.first, mapped)
        if client.hints.take(now):
            hint = Refused(refusal, run.protocol, _port(run), run.destination, client.times)
            self._hints.append((remote, hint))
            client.times = 0

    def take_answers(self) -> list[tuple[Remote, bytes]]:
        """ICMP packets for clients, which are told in the name of somebody on the internet."""
        answers, self._answers = self._answers, []
        return answers

    def take_hints(self) -> list[tuple[Remote, Refused]]:
        """Session messages for clients."""
        hints, self._hints = self._hints, []
        return hints

    def _meet(self, remote: Remote) -> Client:
        if len(self.clients) >= MOST_CLIENTS:
            self.clients.popitem(last=False)
        client = self.clients[remote] = Client()
        return client

    def _answer(self, remote: Remote, plain: Plaintexts, row: int, mapped: bytes) -> None:
        content = plain.content(row)
        if content is None:
            return
        is_ipv6 = len(mapped) == ip6.ADDRESS
        at = ip6.SOURCE if is_ipv6 else SOURCE
        packet = bytes(content[:at]) + mapped + bytes(content[at + len(mapped) :])
        try:
            answer = (ip6.icmp6_unreachable if is_ipv6 else icmp_unreachable)(packet, PROHIBITED)
        except WireError:
            return
        if answer:
            self._answers.append((remote, answer))


def _port(run: ExitRun) -> int:
    """The port a run goes to; 0 for protocols that have none."""
    return int.from_bytes(run.ports[2:], "big") if run.protocol in PORTED else 0
