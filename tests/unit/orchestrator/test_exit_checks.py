"""Checks `exit` and `leak`: what they hold for, and each kind of frame that must not leave."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

import pytest

from orchestrator.backends import Running
from orchestrator.checks import ExitCheck, Network, attempt, make
from orchestrator.checks.uplink import describe_stranger
from orchestrator.ops import Observed, ObservedNode
from tests.unit.orchestrator.loopback import LoopbackBackend, Said

OWN = IPv4Address("10.77.4.1")
UNDERLAY = IPv4Network("10.77.0.0/16")
ROUTER = "10.77.0.3"
SERVER = "203.0.113.17"


def ethernet(kind: int, packet: bytes) -> bytes:
    return bytes(12) + struct.pack("!H", kind) + packet


def ip(protocol: int, source: str, target: str, payload: bytes, fragment: int = 0) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s",
        0x45,
        0,
        20 + len(payload),
        0,
        fragment,
        64,
        protocol,
        0,
        socket.inet_aton(source),
        socket.inet_aton(target),
    )
    return ethernet(0x0800, head + payload)


def udp(size: int, target: str = ROUTER, port: int = 1090, source: str = str(OWN)) -> bytes:
    return ip(17, source, target, struct.pack("!HHHH", 40_000, port, 8 + size, 0) + bytes(size))


def arp(target: str) -> bytes:
    return ethernet(0x0806, bytes(24) + socket.inet_aton(target))


@pytest.mark.parametrize("frame", [udp(1376), udp(45 * 1376), arp(ROUTER)])
def test_what_links_send_may_leave(frame: bytes) -> None:
    assert describe_stranger(frame, OWN, UNDERLAY) is None


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (ip(6, str(OWN), SERVER, bytes(20)), "protocol 6 from 10.77.4.1 to 203.0.113.17"),
        (ip(1, "172.16.0.1", SERVER, bytes(8)), "protocol 1 from 172.16.0.1 to 203.0.113.17"),
        (udp(40, SERVER, 53), "40 bytes of UDP from 10.77.4.1 to 203.0.113.17 port 53"),
        (udp(40, ROUTER, 53), "40 bytes of UDP from 10.77.4.1 to 10.77.0.3 port 53"),
        (udp(1375), "1375 bytes of UDP from 10.77.4.1 to 10.77.0.3 port 1090"),
        (udp(1376, SERVER), "1376 bytes of UDP from 10.77.4.1 to 203.0.113.17 port 1090"),
        (udp(1376, source="172.16.0.1"), "1376 bytes of UDP from 172.16.0.1 to 10.77.0.3"),
        (ip(17, str(OWN), ROUTER, bytes(8), 0x2000), "a fragment from 10.77.4.1"),
        (arp(SERVER), "ARP for 203.0.113.17"),
        (ethernet(0x86DD, bytes(40)), "ethertype 0x86dd"),
    ],
)
def test_everything_else_is_told(frame: bytes, said: str) -> None:
    assert (describe_stranger(frame, OWN, UNDERLAY) or "").startswith(said)


@dataclass
class Asked(LoopbackBackend):
    """curl says 200; the server's log has one line for the last page, from `asker`."""

    asker: str = ""

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        tty: bool = False,
    ) -> Running:
        if argv[0] == "curl":
            self.says = (0, "200", "")
        else:
            page = self.ran[-1][-1].partition("/?")[2]
            line = f'{self.asker} - - [22/Nov/2026] "GET /?{page} HTTP/1.1" 200\n'
            self.says = (0, line if self.asker else "", "")
        running = super().exec(node, argv, stdio, env, tty)
        assert isinstance(running, Said)
        return running


def asked_by(asker: str) -> Network:
    roles = {
        "alice": ("10.77.4.1", {"role": "client", "control": "alice"}),
        "exit": ("10.77.8.1", {"role": "exit", "control": "exit", "clearnet": "203.0.113.1"}),
        "exit2": ("10.77.8.2", {"role": "exit", "control": "x", "clearnet": "203.0.113.2"}),
        "www": (SERVER, {"role": "server", "port.nginx": "80", "clearnet": SERVER}),
    }
    nodes = {name: ObservedNode("", where, labels) for name, (where, labels) in roles.items()}
    return Network.of(Asked(observed=Observed(True, nodes), asker=asker))


@pytest.mark.parametrize(
    ("asker", "through", "good"),
    [
        ("203.0.113.1", "exit", True),
        ("203.0.113.2", "exit", False),
        ("203.0.113.2", None, True),
        ("10.77.4.1", None, False),
        ("", None, False),
    ],
)
def test_a_server_must_have_seen_the_exit(asker: str, through: str | None, good: bool) -> None:
    check = make(ExitCheck, from_="alice", to="www", through=through)
    verdict = attempt(asked_by(asker), check)
    assert bool(verdict) is good
    assert f"www was asked by {asker or 'nobody'}" in str(verdict)
