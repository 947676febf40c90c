"""Servers of voice as clients find them: by name, at an address, with a certificate, at a node.

What is wrong is told in the words of who would call: raises CheckFailed.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.checks.network import Network
from orchestrator.errors import CheckFailed

__all__ = ["Server", "find_server", "server_certificate"]

CONNECT_S = 10.0
HTTP_PORT = 80
"""What a node that says nothing of its port is thought to have."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server, as one client sees it."""

    host: str
    """The name that programs are given."""
    address: str
    """What the name is for that client."""
    port: int
    node: str
    """Where it really is."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def find_server(network: Network, client: str, name: str, port: int | None, usual: int) -> Server:
    """Ask the client's resolver for the name, and whose it is.

    A node's address on the underlay is no name: what is there is reached without Lokinet.
    """
    for node, seen in network.observed.nodes.items():
        if name == seen.address:
            return Server(name, name, port or _known_port(network, node, usual), node)
    host = network.host(name)
    answer = network.ask(client, host)
    addresses = answer.data("A")
    if not addresses:
        raise CheckFailed(f"no such name {host} ({answer.rcode})")
    node = name if "." not in name else _whose(network, client, host, addresses[0])
    return Server(host, addresses[0], port or _known_port(network, node, usual), node)


def server_certificate(network: Network, client: str, server: Server) -> bytes:
    """What the server says it is, as DER: nobody has to have signed it."""
    import ssl  # no other check needs it, and every command that checks would load it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the name was found in the chain; this is to be pinned
    with network.socket(client, "tcp") as channel:
        channel.settimeout(CONNECT_S)
        try:
            channel.connect((server.address, server.port))
            with context.wrap_socket(channel) as connection:
                certificate = connection.getpeercert(binary_form=True)
        except ssl.SSLError as error:
            raise CheckFailed(f"no TLS at {server}: {error.reason}") from error
        except OSError as error:
            why = error.strerror or f"nothing within {CONNECT_S:g} s"
            raise CheckFailed(f"nothing answers at {server}: {why}") from error
    if certificate is None:
        raise CheckFailed(f"{server} has no certificate")
    return certificate


def _known_port(network: Network, node: str, usual: int) -> int:
    known = network.port(node)
    return known if known != HTTP_PORT else usual


def _whose(network: Network, client: str, host: str, address: str) -> str:
    """The node that has the address a name led to."""
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    names = network.ask(client, reverse, "PTR").data("PTR")
    for node, seen in network.observed.nodes.items():
        if seen.labels.get("role") == "service" and network.host(node) in names:
            return node
    raise CheckFailed(
        f"{host} is {', '.join(names) or address}, which is no service of this network"
    )
