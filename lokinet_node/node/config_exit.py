"""What makes a node an exit: Lokinet's keys in `[network]`, and section `[exit]`, which is ours."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from lokinet_node.base.errors import LocalProtocolError
from lokinet_node.exits.countries import parse_country
from lokinet_node.exits.exit_range import ExitRange, parse_exit_range
from lokinet_node.exits.services import Service, parse_service
from lokinet_node.node.config_reader import Reader, boolean, plain
from lokinet_node.wire.introset import encode_extras
from lokinet_node.wire.offer import Offer

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.node.config_parts import NetworkConfig

T = TypeVar("T")

SECTION = "exit"
_OF_EXITS = (("network", "owned-range"), ("network", "traffic-whitelist"))


@dataclass(frozen=True, slots=True)
class ExitConfig:
    """What an exit passes on; docs/config.md says in which order the rules count."""

    owned: tuple[ExitRange, ...]
    whitelist: tuple[Service, ...]
    allowed: tuple[ExitRange, ...]
    denied: tuple[ExitRange, ...]
    denied_services: tuple[Service, ...]
    country_file: str | None
    """Absolute path."""
    allowed_countries: tuple[str, ...]
    denied_countries: tuple[str, ...]


def read_exit(
    reader: Reader, data_dir: str, exists: Callable[[str], bool], network: NetworkConfig
) -> ExitConfig | None:
    """None for a node that is no exit."""
    config = ExitConfig(
        owned=_all(reader, "network", "owned-range", parse_exit_range),
        whitelist=_all(reader, "network", "traffic-whitelist", parse_service),
        allowed=_all(reader, SECTION, "allow-range", parse_exit_range),
        denied=_all(reader, SECTION, "deny-range", parse_exit_range),
        denied_services=_all(reader, SECTION, "deny", parse_service),
        country_file=_read_country_file(reader, data_dir, exists),
        allowed_countries=_all(reader, SECTION, "allow-country", parse_country),
        denied_countries=_all(reader, SECTION, "deny-country", parse_country),
    )
    if not reader.one("network", "exit", boolean, False):
        _refuse_rules(reader)
        return None
    if not network.has_tun:
        reader.report("network", "exit", "an exit needs a tun device, not type=null")
    if not network.reachable:
        reader.report("network", "exit", "an exit must be reachable, not reachable=0")
    for key in ("allow-country", "deny-country"):
        if reader.keys(SECTION).count(key) and config.country_file is None:
            reader.report(SECTION, key, "needs country-file=, which says where countries are")
    entry = reader.entry("network", "exit")
    if network.keyfile is None and entry is not None:
        reader.warn_at(entry, "without keyfile= this exit has another address after each start")
    try:
        encode_extras(network.services, offer_of(config, needs_auth=True))
    except LocalProtocolError as error:
        reader.report("network", "exit", f"no room in the introset: {error}")
    return config


def offer_of(config: ExitConfig | None, *, needs_auth: bool) -> Offer:
    """What the introset of a node says of it."""
    if config is None:
        return Offer(needs_auth=needs_auth)
    services = tuple((one.protocol, max(one.port, 0)) for one in config.whitelist)
    return Offer(True, needs_auth, config.owned, services)


def _refuse_rules(reader: Reader) -> None:
    """Rules of an exit that is none would protect nobody, and would not say so."""
    for section, key in (*_OF_EXITS, *((SECTION, key) for key in reader.keys(SECTION))):
        if reader.entry(section, key) is not None:
            reader.report(section, key, "means nothing without exit=1 in [network]")


def _read_country_file(reader: Reader, data_dir: str, exists: Callable[[str], bool]) -> str | None:
    name = reader.one(SECTION, "country-file", plain, None)
    if name is None:
        return None
    path = posixpath.join(data_dir, name)
    if not exists(path):
        reader.report(SECTION, "country-file", f"{path} does not exist")
    return path


def _all(reader: Reader, section: str, key: str, parse: Callable[[str], T]) -> tuple[T, ...]:
    """The values of a repeatable key; a value twice is a problem."""
    found: list[T] = []
    for entry, value in reader.every(section, key, parse):
        if value in found:
            reader.report_at(entry, "said twice")
        found.append(value)
    return tuple(found)
