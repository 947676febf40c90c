"""The sections of the configuration, one frozen value and one reading function for each."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lokinet_node.base.addresses import (
    Endpoint,
    Range,
    is_bogon,
    is_loopback,
    parse_endpoint,
    parse_ipv4,
    parse_range,
)
from lokinet_node.base.constants import (
    DEFAULT_HOPS,
    DEFAULT_LINK_PORT,
    MAX_HOPS,
)
from lokinet_node.base.errors import LocalProtocolError, NameSyntaxError
from lokinet_node.base.names import parse_loki, parse_snode
from lokinet_node.base.srv import SrvRecord, parse_srv
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.node.config_consumer import ConsumerConfig, read_consumer
from lokinet_node.node.config_reader import (
    Reader,
    boolean,
    choice,
    integer,
    limited,
    plain,
    seconds,
)
from lokinet_node.node.config_routing import RoutingConfig, read_routing
from lokinet_node.node.config_schema import TIMING_KEYS, Role
from lokinet_node.wire.introset import encode_services

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.ids import LokiAddress, RouterID

MAX_NICKNAME_SIZE = 32
"""Bytes of a nickname: docs/wire.md, Contact."""

DEFAULT_DNS_BIND = Endpoint("127.3.2.1", 53)
"""Where Lokinet answers on Linux."""

ANY_ADDRESS = "0.0.0.0"
"""In `outbound`: no address was chosen. Never bound."""

_IPC = "ipc://"
_HTTP = "http://"
_MAX_SOCKET_PATH = 107  # sun_path of unix(7), less its final zero
_MAX_IFNAME = 15  # IFNAMSIZ of netdevice(7), less its final zero
_LEVELS = ("trace", "debug", "info", "warn", "error", "critical", "none")


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """Absolute paths of a router's files."""

    contact: str
    identity: str
    transport: str
    encryption: str


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What the node is to its users: addresses, paths, tun."""

    has_tun: bool
    keyfile: str | None
    """Absolute path of the `.loki` key; None: a fresh address at each start."""
    reachable: bool
    hops: int
    paths: int
    ifname: str | None
    """None: the first free lokitunN."""
    ifaddr: Range | None
    """Own tun address and range; None: the first private range nobody uses."""
    mapaddr: tuple[tuple[LokiAddress, int], ...]
    """Fixed addresses (32-bit integers) for remotes."""
    strict_connect: tuple[RouterID, ...]
    blacklist: tuple[RouterID, ...]
    resolve_timeout: Micros
    exits: ConsumerConfig
    services: tuple[SrvRecord, ...]
    """SRV records of the own address, in the order of the file."""
    routing: RoutingConfig


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """Where names are answered, and who is asked for the rest."""

    bind: tuple[Endpoint, ...]
    upstream: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """The control socket; `path` is absolute, None when it is switched off."""

    path: str | None


@dataclass(frozen=True, slots=True)
class LogConfig:
    """How much is logged, and where; `file` is absolute, None for standard error."""

    level: str
    file: str | None
    form: str = "text"
    """`text` or `json`."""


def read_key_files(reader: Reader, data_dir: str) -> KeyFiles:
    """The router's files, Lokinet's names by default."""

    def path(key: str, default: str) -> str:
        return posixpath.join(data_dir, reader.one("router", key, plain, default))

    return KeyFiles(
        contact=path("contact-file", "self.signed"),
        identity=path("ident-privkey", "identity.key"),
        transport=path("transport-privkey", "transport.key"),
        encryption=path("encryption-privkey", "encryption.key"),
    )


def read_network(reader: Reader, data_dir: str) -> NetworkConfig:
    """Section `[network]`."""
    keyfile = reader.one("network", "keyfile", plain, "")
    ifaddr = reader.one("network", "ifaddr", _tun_range, None)
    has_tun = reader.one("network", "type", choice("tun", "null"), "tun") == "tun"
    return NetworkConfig(
        has_tun=has_tun,
        keyfile=posixpath.join(data_dir, keyfile) if keyfile else None,
        reachable=reader.one("network", "reachable", boolean, True),
        hops=reader.one("network", "hops", integer(1, MAX_HOPS), DEFAULT_HOPS),
        paths=reader.one("network", "paths", integer(3, 8), 6),
        ifname=reader.one("network", "ifname", _ifname, "") or None,
        ifaddr=ifaddr,
        mapaddr=_read_mapaddr(reader, ifaddr),
        strict_connect=_read_routers(reader, "strict-connect"),
        blacklist=_read_routers(reader, "blacklist-snode"),
        resolve_timeout=reader.one("network", "path-alignment-timeout", seconds, 30 * SECOND),
        exits=read_consumer(reader, has_tun=has_tun),
        services=_read_services(reader),
        routing=read_routing(reader),
    )


def read_dns(reader: Reader) -> DnsConfig:
    """Section `[dns]`. Names are answered on loopback only (security rule 22)."""
    bind = tuple(value for _, value in reader.every("dns", "bind", _dns_bind))
    if not bind and reader.role is Role.CLIENT:
        bind = (DEFAULT_DNS_BIND,)
    found = reader.every("dns", "upstream", _upstream)
    return DnsConfig(bind, tuple(value for _, value in found if value.ip))


def read_inbound(reader: Reader) -> Endpoint | None:
    """Where a router listens; a problem where that is not said."""
    default_ip = _public_ip(reader)

    def parse(text: str) -> Endpoint:
        endpoint = parse_endpoint(text, ip=default_ip, port=DEFAULT_LINK_PORT)
        if endpoint.ip == ANY_ADDRESS:
            raise NameSyntaxError("name one address; a wildcard would listen on the tun too")
        if not endpoint.port:
            raise NameSyntaxError("a router needs a fixed port")
        return endpoint

    if reader.entry("bind", "inbound") is None:
        reader.report("bind", "inbound", "missing; a router needs inbound=IP:PORT")
    return reader.one("bind", "inbound", parse, None)


def read_outbound(reader: Reader) -> Endpoint | None:
    """Where a client's links start; None: wherever routes lead."""
    return reader.one(
        "bind", "outbound", lambda text: parse_endpoint(text, ip=ANY_ADDRESS, port=0), None
    )


def read_public(reader: Reader) -> Endpoint | None:
    """What a router advertises: `[bind] public-*`, `[router] public-*`, else inbound."""
    inbound = reader.one("bind", "inbound", _lenient_inbound, None)
    ip = _public_ip(reader) or (inbound.ip if inbound else None)
    port = inbound.port if inbound else DEFAULT_LINK_PORT
    port = reader.one("router", "public-port", integer(1, 65535), port)
    port = reader.one("bind", "public-port", integer(1, 65535), port)
    return Endpoint(ip, port) if ip else None


def read_api(reader: Reader, data_dir: str) -> ApiConfig:
    """Section `[api]`: a Unix socket, on by default for both roles."""

    def parse(text: str) -> str:
        if not text.startswith(_IPC) or text == _IPC:
            raise NameSyntaxError(f"{text!r}: only {_IPC}PATH is served, no TCP")
        path = posixpath.join(data_dir, text.removeprefix(_IPC))
        if len(path.encode()) > _MAX_SOCKET_PATH:
            raise NameSyntaxError(f"{path} is too long for a Unix socket")
        return path

    path = reader.one("api", "bind", parse, posixpath.join(data_dir, "rpc.sock"))
    return ApiConfig(path if reader.one("api", "enabled", boolean, True) else None)


def read_chain(reader: Reader) -> Endpoint | None:
    """Section `[lokid]` of a router: where its chain answers; None without one."""

    def parse(text: str) -> Endpoint:
        if not text.startswith(_HTTP):
            raise NameSyntaxError(f"{text!r} is not {_HTTP}IP:PORT, the one way a chain is asked")
        endpoint = parse_endpoint(text.removeprefix(_HTTP).removesuffix("/"))
        if not endpoint.port or endpoint.ip == ANY_ADDRESS:
            raise NameSyntaxError(f"nobody answers at {endpoint}")
        return endpoint

    endpoint = reader.one("lokid", "rpc", parse, None)
    return endpoint if reader.one("lokid", "enabled", boolean, True) else None


def read_bootstrap(
    reader: Reader, data_dir: str, exists: Callable[[str], bool], seed_node: bool
) -> tuple[str, ...]:
    """Files of contacts to start from; a problem where there are none and no seed-node."""
    entries = [entry for entry, _ in reader.every("bootstrap", "add-node", plain)]
    entries += reader.connect
    paths = []
    for entry in entries:
        path = posixpath.join(data_dir, entry.value)
        if not exists(path):
            reader.report_at(entry, f"{path} does not exist")
        paths.append(path)
    default = posixpath.join(data_dir, "bootstrap.signed")
    if not paths and exists(default):
        paths.append(default)
    if not paths and not seed_node:
        reader.report("bootstrap", "add-node", "missing; without it only a seed-node=1 can start")
    return tuple(paths)


def read_log(reader: Reader, data_dir: str) -> LogConfig:
    """Section `[logging]`; Lokinet's levels, warn for routers and info for clients."""
    default = "warn" if reader.role is Role.ROUTER else "info"
    kind = reader.one("logging", "type", choice("print", "file"), "print")
    file = reader.one("logging", "file", str, "")
    to_file = kind == "file" and file not in ("", "-", "stdout")
    level = reader.one("logging", "level", choice(*_LEVELS), default)
    form = reader.one("logging", "format", choice("text", "json"), "text")
    return LogConfig(level, posixpath.join(data_dir, file) if to_file else None, form)


def read_timing(reader: Reader) -> Timing:
    """Section `[private-network]`: seconds, fractions allowed."""
    found: dict[str, Micros] = {}
    for key, attribute in TIMING_KEYS.items():
        if reader.entry("private-network", key) is not None:
            default: Micros = getattr(Timing(), attribute)
            found[attribute] = reader.one("private-network", key, seconds, default)
    return Timing(**found)


def nickname(text: str) -> str:
    """What a contact can carry: short printable ASCII."""
    if not (text.isascii() and text.isprintable()):
        raise NameSyntaxError(f"{text!r} is not printable ASCII")
    return limited(MAX_NICKNAME_SIZE)(text)


def range_size(text: str) -> int:
    """0 (off) or a prefix length of 4 to 32."""
    size = integer(0, 32)(text)
    if 0 < size < 4:
        raise NameSyntaxError(f"{text} is neither 0 (off) nor 4 to 32")
    return size


def _public_ip(reader: Reader) -> str | None:
    """The advertised address that was configured, if one was."""

    def never_private(text: str) -> str:
        if is_bogon(parse_ipv4(text)):
            raise NameSyntaxError(f"{text} is private; say [bind] public-ip= for a private network")
        return text

    ip = reader.one("router", "public-ip", never_private, None)
    return reader.one("bind", "public-ip", _address, ip)


def _lenient_inbound(text: str) -> Endpoint:
    """Inbound without its rules, which read_inbound reports: no problem is told twice."""
    try:
        return parse_endpoint(text, ip=ANY_ADDRESS, port=DEFAULT_LINK_PORT)
    except NameSyntaxError:
        return Endpoint(ANY_ADDRESS, DEFAULT_LINK_PORT)


def _address(text: str) -> str:
    parse_ipv4(text)
    return text


def _ifname(text: str) -> str:
    if not text.isascii() or "/" in text or any(letter.isspace() for letter in text):
        raise NameSyntaxError(f"{text!r} is not a name for a network device")
    return limited(_MAX_IFNAME)(plain(text))


def _tun_range(text: str) -> Range:
    range_ = parse_range(text)
    if range_.prefix > 30 or range_.address in (range_.first, range_.last):
        raise NameSyntaxError(f"{text} leaves no address for others; say 10.0.0.1/16")
    return range_


def _dns_bind(text: str) -> Endpoint:
    endpoint = parse_endpoint(text, port=DEFAULT_DNS_BIND.port)
    if not is_loopback(parse_ipv4(endpoint.ip)):
        raise NameSyntaxError(f"{endpoint.ip} is not a loopback address (127.0.0.0/8)")
    return endpoint


def _upstream(text: str) -> Endpoint:
    """`ip[:port]`; an empty value is no resolver."""
    return parse_endpoint(text, port=DEFAULT_DNS_BIND.port) if text else Endpoint("", 0)


def _read_mapaddr(reader: Reader, ifaddr: Range | None) -> tuple[tuple[LokiAddress, int], ...]:
    def parse(text: str) -> tuple[LokiAddress, int]:
        name, colon, ip = text.rpartition(":")
        if not colon:
            raise NameSyntaxError(f"{text!r} is not <52>.loki:IP")
        return parse_loki(name).address, parse_ipv4(ip)

    taken: dict[int, LokiAddress] = {}
    for entry, (address, ip) in reader.every("network", "mapaddr", parse):
        if ip in taken:
            reader.report_at(entry, "this IP is mapped already")
        elif address in taken.values():
            reader.report_at(entry, "this address is mapped already")
        elif ifaddr and (ip == ifaddr.address or not ifaddr.first < ip < ifaddr.last):
            reader.report_at(entry, f"this IP is not free inside ifaddr {ifaddr}")
        taken[ip] = address
    return tuple((address, ip) for ip, address in taken.items())


def _read_services(reader: Reader) -> tuple[SrvRecord, ...]:
    services: tuple[SrvRecord, ...] = ()
    for entry, service in reader.every("network", "srv", parse_srv):
        if service in services:
            reader.report_at(entry, "duplicate record")
        services += (service,)
        try:
            encode_services(services)
        except LocalProtocolError as error:
            reader.report_at(entry, f"no room in the introset: {error}")
            return services
    return services


def _read_routers(reader: Reader, key: str) -> tuple[RouterID, ...]:
    routers: list[RouterID] = []
    for entry, router in reader.every("network", key, parse_snode):
        if router in routers:
            reader.report_at(entry, "duplicate router")
        routers.append(router)
    return tuple(routers)
