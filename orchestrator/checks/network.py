"""A running network as checks see it: addresses, names, sockets inside, programs inside.

Everything a check does, it does from a node's own network namespace, through its resolver and tun.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnslib import QTYPE, RCODE, DNSError, DNSRecord

from orchestrator.backends import Backend, ExecResult, SocketKind, captured
from orchestrator.control import full_status
from orchestrator.errors import CheckFailed
from orchestrator.ops import Observed

__all__ = ["Answer", "Network"]

RESOLVER = ("127.3.2.1", 53)
"""Lokinet's default on Linux; resolv.conf of every node names it."""
DNS_TIMEOUT_S = 5.0
PORT_LABEL = "port."
HTTP_PORT = 80


@dataclass(frozen=True, slots=True)
class Answer:
    """A resolver's answer."""

    rcode: str
    records: tuple[tuple[str, str, str], ...]
    """(name, type, data), as text, of the answer section."""

    def data(self, kind: str) -> list[str]:
        """The records of one type, without final dots."""
        return [data.rstrip(".") for _, found, data in self.records if found == kind]


@dataclass(frozen=True, slots=True)
class Network:
    """One network; nodes are asked anew each time, as they may be what is waited for."""

    backend: Backend
    observed: Observed

    @classmethod
    def of(cls, backend: Backend) -> Network:
        """The network as it is now; raises CheckFailed if it is not up."""
        observed = backend.observe()
        if not observed.exists:
            raise CheckFailed("the network is not up")
        return cls(backend, observed)

    def host(self, name: str) -> str:
        """A name as it is, a node's address as a name; raises CheckFailed.

        A server of the clearnet is known by its address.
        """
        if "." in name:
            return name
        if server := self._server(name):
            return server
        return str(self._known(name)["lokiAddress"])

    def tun_address(self, node: str) -> str:
        """Where a node's own programs listen for the network; raises CheckFailed."""
        if server := self._server(node):
            return server
        status = self._known(node)
        endpoint = (status.get("services") or {}).get("default") or status  # a router has it itself
        address = endpoint.get("ourIP")
        if not address:
            raise CheckFailed(f"{node} has no tun address yet")
        return str(address)

    def tun(self, node: str) -> str:
        """The device through which its programs reach the network; raises CheckFailed."""
        status = self._known(node)
        endpoint = (status.get("services") or {}).get("default") or status  # a router has it itself
        if not endpoint.get("ifname"):
            raise CheckFailed(f"{node} has no tun device")
        return str(endpoint["ifname"])

    def port(self, name: str) -> int:
        """Where a node's application answers TCP; 80 of anybody else."""
        node = self.observed.nodes.get(name)
        for label, value in (node.labels if node else {}).items():
            if label.startswith(PORT_LABEL):
                return int(value)
        return HTTP_PORT

    def run(
        self, node: str, argv: list[str], timeout_s: float, is_guest: bool = False
    ) -> ExecResult:
        """A program inside, to its end; raises CheckFailed. A guest is one of this machine."""
        try:
            return captured(self.backend, node, argv, timeout_s, is_guest)
        except TimeoutError as error:
            raise CheckFailed(f"{argv[0]} did not end within {timeout_s:.0f} s") from error

    def run_guest(
        self, node: str, argv: list[str], timeout_s: float, env: Mapping[str, str] | None = None
    ) -> ExecResult:
        """A program of this machine inside, to its end; raises CheckFailed, HostUnfit."""
        try:
            return captured(self.backend, node, argv, timeout_s, is_guest=True, env=env)
        except TimeoutError as error:
            raise CheckFailed(f"{argv[0]} did not end within {timeout_s:.0f} s") from error

    def socket(self, node: str, kind: SocketKind) -> socket.socket:
        """One that lives in the node's network."""
        return self.backend.socket(node, kind)

    def ask(self, node: str, name: str, kind: str = "A") -> Answer:
        """Ask a node's resolver; raises CheckFailed when it is silent or talks nonsense."""
        question = DNSRecord.question(name, kind)
        question.header.id = random.SystemRandom().randrange(1 << 16)
        deadline = time.monotonic() + DNS_TIMEOUT_S
        with self.socket(node, "udp") as channel:
            try:
                channel.connect(RESOLVER)
                channel.send(question.pack())
                while True:
                    channel.settimeout(max(0.001, deadline - time.monotonic()))
                    reply = DNSRecord.parse(channel.recv(4096))
                    if reply.header.id == question.header.id:
                        break
            except TimeoutError:
                text = f"{node}'s resolver does not answer {kind} {name} within {DNS_TIMEOUT_S:g} s"
                raise CheckFailed(text) from None
            except (OSError, DNSError) as error:
                raise CheckFailed(f"{node}'s resolver: {error}") from error
        records = tuple((str(rr.rname), str(QTYPE[rr.rtype]), str(rr.rdata)) for rr in reply.rr)
        return Answer(str(RCODE[reply.header.rcode]), records)

    def resolve(self, node: str, name: str) -> str:
        """The address of a node or name as another node's programs get it; raises CheckFailed."""
        host = self.host(name)
        if host.replace(".", "").isdigit():
            return host
        answer = self.ask(node, host)
        addresses = answer.data("A")
        if not addresses:
            raise CheckFailed(f"{node} cannot resolve {host}: {answer.rcode}, no address")
        return addresses[0]

    def _server(self, name: str) -> str | None:
        """The address of a server of the clearnet; None of anybody else."""
        found = self.observed.nodes.get(name)
        is_server = found is not None and found.labels.get("role") == "server"
        return found.address if found is not None and is_server else None

    def _known(self, node: str) -> dict[str, Any]:
        found = self.observed.nodes.get(node)
        if found is None:
            raise CheckFailed(f"no node {node!r} is up")
        return full_status(self.backend, node, found.labels["control"])
