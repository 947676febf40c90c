"""Rules between keys: what no single value can show to be wrong.

Test parameters weaken a network on purpose, so they are refused where a public network
could be reached: they need a netid of one's own and no globally routable address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lokinet_node.base.addresses import Endpoint, is_bogon, is_loopback, parse_ipv4
from lokinet_node.base.constants import PUBLIC_NETIDS
from lokinet_node.node.config_reader import Reader, boolean
from lokinet_node.node.config_schema import Role

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lokinet_node.node.config import Config


def check_rules(reader: Reader, config: Config) -> None:
    """Report every contradiction to the reader."""
    _check_numbers(reader, config)
    _check_addresses(reader, config)
    _check_chain(reader, config)
    _check_routers(reader, config)
    _check_test_parameters(reader, config)


def _check_numbers(reader: Reader, config: Config) -> None:
    if config.min_connections > config.max_connections:
        reader.report("router", "min-connections", "larger than max-connections")
    problem = config.timing.problem()
    if problem:
        reader.report("private-network", problem.split()[0], problem)


def _check_addresses(reader: Reader, config: Config) -> None:
    inbound, public = config.inbound, config.public
    private = config.netid not in PUBLIC_NETIDS
    if inbound and is_loopback(parse_ipv4(inbound.ip)) and not private:
        reader.report("bind", "inbound", "a loopback address is for private networks only")
    if public and config.block_bogons and is_bogon(parse_ipv4(public.ip)):
        key = "inbound" if reader.entry("bind", "public-ip") is None else "public-ip"
        reader.report("bind", key, f"{public.ip} is private; a private network says block-bogons=0")


def _check_chain(reader: Reader, config: Config) -> None:
    if config.role is not Role.ROUTER or not reader.one("lokid", "enabled", boolean, True):
        return
    if reader.entry("lokid", "rpc") is None:
        reader.report("lokid", "rpc", "missing; a router without a chain says enabled=0")


def _check_routers(reader: Reader, config: Config) -> None:
    pinned = config.network.strict_connect
    if not pinned:
        return
    if config.role is Role.ROUTER:
        reader.report("network", "strict-connect", "not for routers")
    elif len(pinned) < 2:
        reader.report("network", "strict-connect", "needs two routers or more")
    elif set(pinned) & set(config.network.blacklist):
        reader.report("network", "strict-connect", "a router is pinned and blacklisted at once")


def _check_test_parameters(reader: Reader, config: Config) -> None:
    if config.netid in PUBLIC_NETIDS:
        reason = f"needs a netid= of a private network, not {config.netid!r}"
    else:
        routed = [str(at) for at in _endpoints(config) if not is_bogon(parse_ipv4(at.ip))]
        if not routed:
            return
        reason = f"refused beside the globally routable address {routed[0]}"
    if not config.block_bogons:
        reader.report("router", "block-bogons", f"a test parameter, {reason}")
    if config.unique_range_size == 0:
        reader.report("paths", "unique-range-size", f"0 is a test parameter, {reason}")
    for key in reader.keys("private-network"):
        reader.report("private-network", key, f"a test parameter, {reason}")


def _endpoints(config: Config) -> Iterator[Endpoint]:
    for endpoint in (config.inbound, config.outbound, config.public):
        if endpoint is not None:
            yield endpoint
