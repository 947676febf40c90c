"""Checks of what is reached over exits: `exit`, `leak`."""

from __future__ import annotations

import secrets

from orchestrator.checklist import ExitCheck, LeakCheck
from orchestrator.checks.network import Network
from orchestrator.checks.uplink import Uplink
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.errors import CheckFailed

__all__ = ["check_exit", "check_leak"]

TRY_S = 10.0
SLACK_S = 5.0
ACCESS_LOG = "/run/testnet/nginx/access.log"
"""Of every nginx, as programs in its node see it."""


def check_exit(network: Network, check: ExitCheck) -> Verdict:
    """Fetch a page nobody else asks for; the server's log tells who asked."""
    exits = _exits(network, check.through)
    page = f"/?{secrets.token_hex(8)}"
    url = f"http://{network.host(check.to)}{_port(network, check.to)}{page}"
    names = " or ".join(f"{name} ({address})" for address, name in exits.items())
    expected = f"200 from {url}, asked for by {names} as {check.to} sees it"
    argv = ["curl", "-sS", "-o", "/dev/null", "-m", f"{TRY_S:g}", "-w", "%{http_code}", "--", url]
    result = network.run(check.from_, argv, TRY_S + SLACK_S)
    if result.code != 0 or result.out != "200":
        return failed(expected, result.err.strip() or f"{result.out}, curl: {result.code}")
    log = network.run(check.to, ["cat", ACCESS_LOG], TRY_S)
    if log.code != 0:
        raise CheckFailed(f"{check.to}: {log.err.strip()}: only nginx has a log that is read")
    askers = [line.split()[0] for line in log.out.splitlines() if page in line]
    seen = f"{check.to} was asked by {', '.join(askers) or 'nobody'}"
    return (
        held(expected, seen) if askers and set(askers) <= exits.keys() else failed(expected, seen)
    )


def check_leak(network: Network, check: LeakCheck) -> Verdict:
    """Ask for an address and for a name, and look at all that leaves the node meanwhile."""
    expected = f"nothing but link datagrams to leave {check.from_}"
    target = network.host(check.to)
    url = f"http://{target}{_port(network, check.to)}/"
    with network.socket(check.from_, "packet") as tap:
        uplink = Uplink.watch(tap, network.observed.nodes[check.from_].address)
        argv = ["curl", "-sS", "-o", "/dev/null", "-m", f"{check.for_:g}", "--", url]
        page = network.run(check.from_, argv, check.for_ + SLACK_S)
        try:
            name = network.ask(check.from_, f"{check.to}.test").rcode
        except CheckFailed as error:
            name = str(error)
        sent, strangers, missed = uplink.seen()
    answers = f"page: {page.err.strip() or 'there'}; name: {name}"
    if missed:
        raise CheckFailed(f"{missed} frames were missed: this machine is too busy to tell")
    if strangers:
        shown = ", ".join(f"{count} × {what}" for what, count in strangers.most_common())
        return failed(expected, f"{shown} ({answers})", sent=sent)
    return held(expected, f"{sent} frames, all of them links' ({answers})", sent=sent)


def _exits(network: Network, through: str | None) -> dict[str, str]:
    """Exits by their address on the clearnet; raises CheckFailed."""
    found = {
        node.labels["clearnet"]: name
        for name, node in network.observed.nodes.items()
        if node.labels.get("role") == "exit" and through in (None, name)
    }
    if not found:
        raise CheckFailed(f"no exit {through or ''} is up")
    return found


def _port(network: Network, server: str) -> str:
    port = network.port(server)
    return "" if port == 80 else f":{port}"
