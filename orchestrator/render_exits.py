"""What an exit serves and which exits a client uses, as keys of their ini files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.applications import DnsmasqApp
from orchestrator.exits import Quota
from orchestrator.groups import ClientGroup, ExitGroup, ServerGroup
from orchestrator.topology import Member

__all__ = [
    "COUNTRY_FILE",
    "client_exits",
    "country_file",
    "exit_keys",
    "exit_section",
    "upstream_of",
]

Section = list[tuple[str, str | int | float | bool]]
COUNTRY_FILE = "countries.txt"


def exit_keys(group: ExitGroup) -> Section:
    """What section `[network]` of an exit has besides a service's keys."""
    section: Section = [("exit", True)]
    section += [("traffic-whitelist", service) for service in group.whitelist]
    if group.tokens:
        section.append(("auth", "whitelist"))
        section += [("auth-static", token) for token in group.tokens]
    return section


def exit_section(
    group: ExitGroup, clearnet: str, servers: Iterable[Member], directory: Path
) -> Section:
    """Section `[exit]`; documentation addresses are nobody's, so they have to be allowed."""
    addresses = {server.name: f"{server.address}/32" for server in servers}
    allowed = group.allow_range or [clearnet]
    section: Section = [("allow-range", addresses.get(where, where)) for where in allowed]
    section += [("deny-range", addresses.get(where, where)) for where in group.deny_range]
    section += [("deny", service) for service in group.deny]
    if group.countries:
        section.append(("country-file", str(directory / COUNTRY_FILE)))
    section += [("deny-country", country) for country in group.deny_country]
    section += [("allow-country", country) for country in group.allow_country]
    for whose, quota in (("client", group.per_client), ("token", group.per_token)):
        section += _quota(whose, quota) if quota else []
    return section


def _quota(whose: str, quota: Quota) -> Section:
    """The node counts rates in bytes."""
    found: Section = []
    if quota.rate is not None:
        found.append((f"{whose}-rate", int(quota.rate / 8)))
    if quota.bytes is not None:
        found.append((f"{whose}-bytes", quota.bytes))
    if quota.time is not None:
        found.append((f"{whose}-time", int(quota.time)))
    return found


def country_file(group: ExitGroup, servers: Iterable[Member]) -> Mapping[str, str]:
    """The exit's list of countries by the file's name; nothing where it has none."""
    if not group.countries:
        return {}
    addresses = {server.name: f"{server.address}/32" for server in servers}
    lines = [
        f"{addresses.get(where, where)} {country}\n"
        for country, places in group.countries.items()
        for where in places
    ]
    return {COUNTRY_FILE: "".join(lines)}


def client_exits(group: ClientGroup) -> Section:
    """The exits a client uses from the start."""
    section: Section = [("exit-node", f"{use.exit}:{use.range}") for use in group.exits]
    tokens = {use.exit: use.token for use in group.exits if use.token}
    section += [("exit-auth", f"{exit_}:{token}") for exit_, token in tokens.items()]
    return section


def upstream_of(servers: Iterable[Member]) -> str:
    """Who a client asks for names that are none of Lokinet's: the clearnet's first name server."""
    for server in servers:
        if isinstance(server.group, ServerGroup) and isinstance(server.group.app, DnsmasqApp):
            return f"{server.address}:53"
    return ""
