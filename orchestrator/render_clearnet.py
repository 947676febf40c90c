"""What a topology's clearnet becomes: its servers, and what an exit's machine does besides Lokinet.

An exit forwards between its tun and the clearnet, as its admin would set it up; the packet filter
repeats what the node itself does not let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from orchestrator.applications import AiosmtpdApp, DnsmasqApp, NginxApp
from orchestrator.directories import Places
from orchestrator.fingerprints import fingerprint
from orchestrator.groups import ServerGroup
from orchestrator.ops import CLEARNET_PREFIX_LENGTH, NodeSpec, ProcessSpec
from orchestrator.render_apps import UMASK, command_process
from orchestrator.render_nginx import nginx_parts
from orchestrator.topology import Member

__all__ = ["EXIT_IFNAME", "exit_rules", "server_node"]

NO_RESOLVER = "127.0.0.1"
"""Nothing answers there: servers ask for no names."""
EXIT_IFNAME = "lokitun0"
"""Of an exit whose topology gives its tun no name: the packet filter has to know it."""
DNS_PORT = 53
NEVER = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "224.0.0.0/3",
)
"""This host, private, shared, loopback, link-local, multicast and reserved: RFC 6890."""


def server_node(
    node: Member, group: ServerGroup, servers: Iterable[Member], places: Places, one_id: bool
) -> NodeSpec:
    """A node with one program on the clearnet."""
    directory, app = places.node(node.name), group.app
    log = str(directory / f"{app.kind}.log")
    files: Mapping[str, str] = {}
    shared: tuple[tuple[str, str], ...] = ()
    processes: tuple[ProcessSpec, ...]
    if isinstance(app, NginxApp):
        parts = nginx_parts(app, node.name, directory, one_id, (f"{node.name}.test", node.address))
        files, shared, processes = parts.files, parts.shared, parts.processes
    elif isinstance(app, DnsmasqApp):
        argv = _dnsmasq(node, servers)
        processes = (ProcessSpec(app.kind, argv, log, port=DNS_PORT, umask=UMASK),)
    elif isinstance(app, AiosmtpdApp):
        argv = ("aiosmtpd", "-n", "-l", f"{node.address}:{app.port}")
        processes = (ProcessSpec(app.kind, argv, log, port=app.port, umask=UMASK),)
    else:
        processes = (command_process(app, log),)
    return NodeSpec(
        name=node.name,
        role="server",
        address=node.address,
        directory=str(directory),
        control=str(places.control(node.name)),
        files=files,
        shared=shared,
        processes=processes,
        resolver=NO_RESOLVER,
        fingerprint=fingerprint(
            {
                "address": f"{node.address}/{CLEARNET_PREFIX_LENGTH}",
                "resolver": NO_RESOLVER,
                "shared": shared,
            }
        ),
        clearnet=node.clearnet,
    )


def _dnsmasq(node: Member, servers: Iterable[Member]) -> tuple[str, ...]:
    """Names come from the command line; neither its configuration nor the machine's is read."""
    argv = ["dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-hosts", "--no-resolv"]
    argv += ["--log-queries", f"--listen-address={node.address}", "--bind-interfaces"]
    argv += ["--local=/test/"]  # what is not there does not exist, and nobody else is asked
    return (*argv, *(f"--host-record={each.name}.test,{each.address}" for each in servers))


def exit_rules(ifname: str, clearnet: str) -> str:
    """The packet filter of an exit, for `nft -f`.

    What comes out of the tun may go to the clearnet and nowhere else: not to the links, not to this
    machine's other addresses. The source is the exit's own from there on. Nothing comes in by
    itself.

    Args:
        ifname: the tun's name.
        clearnet: the documentation range that stands for the internet.
    """
    never = ", ".join(NEVER)
    return f"""\
table inet exit {{
  set never {{ type ipv4_addr; flags interval; elements = {{ {never} }} }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    ct state established,related accept
    iifname "{ifname}" ip daddr @never counter reject with icmpx admin-prohibited
    iifname "{ifname}" ip daddr {IPv4Network(clearnet)} counter accept
    iifname "{ifname}" counter reject with icmpx admin-prohibited
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{ifname}" fib daddr . iif type != local counter reject with icmpx admin-prohibited
  }}
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip daddr {IPv4Network(clearnet)} counter masquerade
  }}
}}
"""
