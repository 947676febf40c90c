"""Checks of names as a node's resolver tells them: `dns`, `ons`."""

from __future__ import annotations

from orchestrator.checklist import DnsCheck, OnsCheck
from orchestrator.checks.network import Answer, Network
from orchestrator.checks.verdict import Verdict, failed, held

__all__ = ["check_dns", "check_ons"]


def check_dns(network: Network, check: DnsCheck) -> Verdict:
    """One question, one answer: code, and whether a record is there."""
    name = network.host(check.name)
    expected = f"{check.rcode} for {check.type} {name}"
    if check.answer is not None:
        expected += f" with {check.answer!r}"
    elif check.empty:
        expected += f" without {check.type} records"
    answer = network.ask(check.from_, name, check.type)
    found = answer.data(check.type)
    if answer.rcode != check.rcode:
        return failed(expected, _shown(answer))
    if check.rcode == "NOERROR":
        good = not found if check.empty else _has(found, check.answer)
        if not good:
            return failed(expected, _shown(answer))
    return held(expected, _shown(answer))


def _has(found: list[str], wanted: str | None) -> bool:
    return bool(found) if wanted is None else any(wanted in data for data in found)


def _shown(answer: Answer) -> str:
    records = ", ".join(f"{kind} {data}" for _, kind, data in answer.records)
    return f"{answer.rcode} {records or 'without records'}"


def check_ons(network: Network, check: OnsCheck) -> Verdict:
    """The bought name's address must lead back to the node's own `.loki` name."""
    wanted = network.host(check.to)
    expected = f"{check.name} to be {wanted} ({check.to})"
    answer = network.ask(check.from_, check.name)
    addresses = answer.data("A")
    if not addresses:
        return failed(expected, _shown(answer))
    reverse = ".".join(reversed(addresses[0].split("."))) + ".in-addr.arpa"
    names = network.ask(check.from_, reverse, "PTR").data("PTR")
    seen = f"{check.name} is {addresses[0]}, which is {', '.join(names) or 'nobody'}"
    return held(expected, seen) if wanted in names else failed(expected, seen)
