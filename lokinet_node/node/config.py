"""The configuration of one node: Lokinet's ini text to one frozen value.

`parse_config` reads, checks and completes; it opens no file (whether a path exists is asked of
the caller) and its only failure is ConfigError, which lists every problem as
`file:line: message`. docs/config.md describes the keys.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lokinet_node.base.constants import DEFAULT_NETID, MAX_NETID_SIZE
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.timing import Timing
from lokinet_node.node import config_parts as parts
from lokinet_node.node.config_auth import AuthConfig, read_auth
from lokinet_node.node.config_exit import ExitConfig, read_exit
from lokinet_node.node.config_quota import read_quotas
from lokinet_node.node.config_reader import Reader, boolean, integer, limited, plain
from lokinet_node.node.config_rules import check_rules
from lokinet_node.node.config_schema import Role
from lokinet_node.node.ini import Entry, Problem, Source, parse_ini

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lokinet_node.base.addresses import Endpoint
    from lokinet_node.exits.share import Quotas
    from lokinet_node.node.config_parts import (
        ApiConfig,
        DnsConfig,
        KeyFiles,
        LogConfig,
        NetworkConfig,
    )

__all__ = ["Config", "ConfigError", "Role", "Source", "Surroundings", "parse_config"]

OVERRIDES = "conf.d/overrides.ini"
"""Beside the main file: what `llarp.config` writes. DIFFERS: Lokinet adds these values to those in
other files, so that its own overrides are duplicates."""


class ConfigError(OperatorError):
    """The configuration cannot be used; the text has one `file:line: message` a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the single problems beside the text."""
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a configuration depends on besides its text."""

    directory: str
    """Absolute path of the main file's directory; a relative data-dir starts there."""
    default_data_dir: str
    exists: Callable[[str], bool]
    """Whether an absolute path exists."""


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the ini file decides, defaults filled in and paths absolute."""

    role: Role
    path: str
    """The main ini file."""
    data_dir: str
    netid: str
    min_connections: int
    max_connections: int
    block_bogons: bool
    nickname: str
    key_files: KeyFiles
    network: NetworkConfig
    auth: AuthConfig
    """Who may open sessions."""
    quotas: Quotas
    """How much they may use."""
    exit: ExitConfig | None
    """What the node passes on as an exit; None: it is none."""
    unique_range_size: int
    """0 (off), or the prefix length of the IPv4 networks a path's hops must not share."""
    dns: DnsConfig
    inbound: Endpoint | None
    """Where a router's UDP socket is; None on clients."""
    outbound: Endpoint | None
    """Where a client's UDP socket is; 0.0.0.0 or None: the address that routes to its routers."""
    public: Endpoint | None
    """What a router's contact says; None on clients."""
    api: ApiConfig
    chain: Endpoint | None
    """Where a router's chain answers; None on clients, and on routers without one."""
    bootstrap_files: tuple[str, ...]
    seed_node: bool
    log: LogConfig
    timing: Timing
    warnings: tuple[Problem, ...]
    """What was ignored, and where: for the log at start."""

    @property
    def has_test_parameters(self) -> bool:
        """Whether the network was weakened on purpose, which the log says at start."""
        return not (self.block_bogons and self.unique_range_size and self.timing == Timing())


def parse_config(sources: Sequence[Source], role: Role | None, around: Surroundings) -> Config:
    """The configuration in `sources`, main file first; ConfigError lists what is wrong.

    Without a role the text decides: section `[lokid]` makes a router.
    """
    parsed = parse_ini(sources)
    if role is None:
        is_router = any(section.name == "lokid" for section in parsed.sections)
        role = Role.ROUTER if is_router else Role.CLIENT
    reader = Reader(_overridden(parsed.entries), role, sources[0].path)
    reader.problems[:0] = parsed.problems
    reader.check_sections(parsed.sections)
    config = _read(reader, sources[0].path, around)
    check_rules(reader, config)
    if reader.problems:
        files = [source.path for source in sources]
        found = sorted(reader.problems, key=lambda p: (files.index(p.place.path), p.place.line))
        raise ConfigError(found)
    return config


def _overridden(entries: list[Entry]) -> list[Entry]:
    """Without the entries whose key stands in `conf.d/overrides.ini`, but for those there."""
    over = {(e.section, e.key) for e in entries if _is_override(e)}
    return [e for e in entries if _is_override(e) or (e.section, e.key) not in over]


def _is_override(entry: Entry) -> bool:
    return entry.place.path.endswith(OVERRIDES)


def _read(reader: Reader, path: str, around: Surroundings) -> Config:
    is_router = reader.role is Role.ROUTER
    given = reader.one("router", "data-dir", plain, around.default_data_dir)
    data_dir = posixpath.normpath(posixpath.join(around.directory, given))
    if not around.exists(data_dir):
        reader.report("router", "data-dir", f"{data_dir} does not exist; create it first")
    least, most = (6, 60) if is_router else (4, 6)
    seed_node = reader.one("bootstrap", "seed-node", boolean, False)
    network = parts.read_network(reader, data_dir)
    auth = read_auth(reader, data_dir, around.exists)
    return Config(
        role=reader.role,
        path=path,
        data_dir=data_dir,
        netid=reader.one("router", "netid", limited(MAX_NETID_SIZE), DEFAULT_NETID),
        min_connections=reader.one("router", "min-connections", integer(least, 65535), least),
        max_connections=reader.one("router", "max-connections", integer(most, 65535), most),
        block_bogons=reader.one("router", "block-bogons", boolean, True),
        nickname=reader.one("router", "nickname", parts.nickname, ""),
        key_files=parts.read_key_files(reader, data_dir),
        auth=auth,
        quotas=read_quotas(reader, auth),
        network=network,
        exit=None if is_router else read_exit(reader, data_dir, around.exists, network),
        unique_range_size=reader.one("paths", "unique-range-size", parts.range_size, 32),
        dns=parts.read_dns(reader),
        inbound=parts.read_inbound(reader) if is_router else None,
        outbound=None if is_router else parts.read_outbound(reader),
        public=parts.read_public(reader) if is_router else None,
        api=parts.read_api(reader, data_dir),
        chain=parts.read_chain(reader) if is_router else None,
        bootstrap_files=parts.read_bootstrap(reader, data_dir, around.exists, seed_node),
        seed_node=seed_node,
        log=parts.read_log(reader, data_dir),
        timing=parts.read_timing(reader),
        warnings=tuple(reader.warnings),
    )
