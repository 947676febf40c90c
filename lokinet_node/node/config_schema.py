"""Every section and key of Lokinet 0.9.11's ini file, and what this node does with each.

The table is the one list behind reading a file, `lokinet --generate` and docs/config.md (a
test keeps the page complete). A key of Lokinet's that is not built yet is listed as such:
asking for it is an error, not a silence. Sections `[exit]` and `[private-network]` are ours.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND


class Role(Enum):
    """What a process is; the values are those of the link handshake."""

    CLIENT = 0
    ROUTER = 1


class Support(Enum):
    """What this node does with a key."""

    FULL = "supported"
    NOT_YET = "not supported yet"
    NO_EFFECT = "accepted, no effect"
    DEPRECATED = "deprecated by Lokinet, ignored with a warning"
    REFUSED = "not supported, an error"
    REMOVED = "removed by Lokinet, an error"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its meaning, and how it may be used."""

    meaning: str
    default: str = ""
    """As `--generate` shows it; empty where there is none or it depends on the role."""
    only: Role | None = None
    """Role for which the key means something; under the other it is ignored with a warning."""
    repeated: bool = False
    support: Support = Support.FULL
    harmless: frozenset[str] = frozenset()
    """Values of an unsupported key that ask for nothing, and are therefore granted."""


_C, _R = Role.CLIENT, Role.ROUTER
_OFF = frozenset({"0", "false", "off", "no"})
_ON = frozenset({"1", "true", "on", "yes"})
_NOT_YET, _NO_EFFECT = Support.NOT_YET, Support.NO_EFFECT
_OLD = Key("", support=Support.DEPRECATED)

ROUTER = {
    "netid": Key("name of the network, at most 8 bytes; contacts of others are refused", "lokinet"),
    "data-dir": Key("directory of keys and state; must exist; relative paths start here"),
    "min-connections": Key("router links to keep: 6 at least for routers, 4 for clients"),
    "max-connections": Key("most links: 60 at least for routers, 6 for clients"),
    "public-ip": Key("advertised IPv4 address, never a private one", only=_R),
    "public-port": Key("advertised port", "1090", only=_R),
    "block-bogons": Key("refuse private and reserved addresses in contacts", "1"),
    "nickname": Key("at most 32 bytes, shown in the contact", only=_R),
    "contact-file": Key("own signed contact", "self.signed", only=_R),
    "ident-privkey": Key("identity key file", "identity.key", only=_R),
    "transport-privkey": Key("link key file", "transport.key", only=_R),
    "encryption-privkey": Key("first onion key file", "encryption.key", only=_R),
    "worker-threads": Key("this node has one thread", support=_NO_EFFECT),
    "job-queue-size": Key("this node has no job queue", support=_NO_EFFECT),
    "public-address": Key("use [bind] public-ip", support=Support.REMOVED),
    "max-routers": _OLD,
    "min-routers": _OLD,
    "threads": _OLD,
    "net-threads": _OLD,
}

NETWORK = {
    "type": Key("tun, or null for no tun device", "tun"),
    "keyfile": Key("the .loki key, made if missing; none: a new address each start", only=_C),
    "reachable": Key("publish an introset so that others can open sessions", "1", only=_C),
    "hops": Key("routers on a path, 1 to 8", "4"),
    "paths": Key("paths to keep ready, 3 to 8", "6", only=_C),
    "ifname": Key("name of the tun device; default: first free lokitun"),
    "ifaddr": Key("own tun address and range; default: first free private range"),
    "mapaddr": Key("<52>.loki:ip, a fixed address for a remote", only=_C, repeated=True),
    "strict-connect": Key("<52>.snode, the only first hops; two or more", repeated=True),
    "blacklist-snode": Key("<52>.snode, never used in paths", only=_C, repeated=True),
    "path-alignment-timeout": Key("seconds a name may take to resolve", "30", only=_C),
    "profiling": Key("remember unreliable routers", support=_NOT_YET, harmless=_ON),
    "save-profiles": Key("keep that memory on disk", support=_NOT_YET, harmless=_OFF),
    "persist-addrmap-file": Key("keep mapped addresses on disk", only=_C, support=_NOT_YET),
    "ip6-range": Key(
        "IPv6 of exits: what stands before a tun address, 96 bits; empty: no IPv6",
        "fd00::",
        only=_C,
    ),
    "exit": Key("act as exit provider: pass packets on to the internet", "0", only=_C),
    "exit-node": Key(
        "ADDRESS[:RANGE], an exit for destinations; null: none for these; range: ::/0",
        only=_C,
        repeated=True,
    ),
    "exit-auth": Key(
        "ADDRESS:TOKEN, what an exit or service is asked with", only=_C, repeated=True
    ),
    "auto-routing": Key("lead what is mapped to exits into the tun", "1", only=_C),
    "blackhole-routes": Key("let nothing of it leave in clear, even if killed", "1", only=_C),
    "owned-range": Key("range this exit serves, as its introset says", only=_C, repeated=True),
    "traffic-whitelist": Key("PROTOCOL[/PORT] this exit serves; none: all", only=_C, repeated=True),
    "srv": Key(
        "_service._proto PRIORITY WEIGHT PORT [TARGET], published with the own address",
        only=_C,
        repeated=True,
    ),
    "auth": Key(
        "who may open sessions: none (everybody), whitelist, file or http", "none", only=_C
    ),
    "auth-lmq": Key("auth=http stands in its place", only=_C, support=Support.REFUSED),
    "auth-lmq-method": Key("auth=http stands in its place", only=_C, support=Support.REFUSED),
    "auth-whitelist": Key("<52>.loki let in without a token", only=_C, repeated=True),
    "auth-static": Key("a token that lets in", only=_C, repeated=True),
    "auth-file": Key("file with a token a line, read at each attempt", only=_C, repeated=True),
    "auth-file-type": Key("plain, or hash: lines are crypt(3) hashes", "plain", only=_C),
    "auth-http": Key("http://IP:PORT/PATH asked about tokens; ours, not Lokinet's", only=_C),
}

EXIT = {
    "allow-range": Key("range this exit serves", only=_C, repeated=True),
    "deny-range": Key("range it does not serve", only=_C, repeated=True),
    "deny": Key("PROTOCOL[/PORT] it does not serve", only=_C, repeated=True),
    "country-file": Key("list of ranges and countries, a line `192.0.2.0/24 NL` each", only=_C),
    "allow-country": Key("two letters; only these countries are served", only=_C, repeated=True),
    "deny-country": Key("two letters; a country that is not served", only=_C, repeated=True),
    "client-rate": Key("bytes a second for each caller, such as 500k", only=_C),
    "client-bytes": Key("bytes for each caller, such as 20G", only=_C),
    "client-time": Key("seconds of being connected for each caller", only=_C),
    "token-rate": Key("bytes a second for all who bring a token together", only=_C),
    "token-bytes": Key("bytes for each token", only=_C),
    "token-time": Key("seconds of being connected for each token", only=_C),
}

PATHS = {
    "unique-range-size": Key(
        "hops of a path lie in distinct IPv4 networks of this size: 0 (off) or 4 to 32", "32"
    )
}

DNS = {
    "bind": Key("loopback address:port to answer on", "127.3.2.1:53", repeated=True),
    "upstream": Key("resolver for all other names; none: SERVFAIL", repeated=True),
    "no-resolvconf": Key("read by Lokinet's resolvconf script only", support=_NO_EFFECT),
    "add-hosts": Key("hosts file", only=_C, support=_NOT_YET),
    "l3-intercept": Key("take DNS packets off the tun", support=_NOT_YET, harmless=_OFF),
    "query-bind": Key("source address of upstream queries", support=_NOT_YET),
}

BIND = {
    "inbound": Key("[ip][:port] where other nodes reach this router; port 1090", only=_R),
    "outbound": Key("[ip][:port] from which a client's links start"),
    "public-ip": Key("advertised address, if it is not inbound's", only=_R),
    "public-port": Key("advertised port, if it is not inbound's", only=_R),
}

API = {
    "enabled": Key("serve the control socket", "1"),
    "bind": Key("ipc://PATH of the control socket; default rpc.sock in data-dir"),
}

LOKID = {
    "enabled": Key("take the list of routers, and names, from a chain", "1", only=_R),
    "rpc": Key("http://IP:PORT of that chain; required unless enabled=0", only=_R),
    "jsonrpc": Key("use rpc", support=Support.REMOVED),
    "username": _OLD,
    "password": _OLD,
    "service-node-seed": _OLD,
}

BOOTSTRAP = {
    "add-node": Key("file of signed contacts to start from", repeated=True),
    "seed-node": Key("start without any contact: the first of a network", "0"),
}

LOGGING = {
    "type": Key("print (standard error) or file", "print"),
    "level": Key("trace, debug, info, warn, error, critical or none"),
    "file": Key("file to append to, with type=file"),
    "format": Key("text, or json for a JSON object a line; ours, not Lokinet's", "text"),
}

_MEANINGS = {
    "path_lifetime": "life of a path",
    "path_rotate_before": "a path is replaced when it has this much left",
    "path_probe": "between two measurements of a path",
    "build_timeout": "a path build without answer failed",
    "build_interval": "least pause between two builds",
    "introset_lifetime": "life of an introset",
    "introset_refresh": "between two publications of the own introset",
    "lookup_timeout": "a holder of introsets without answer is given up",
    "contact_lifetime": "life of a router's contact",
    "contact_refresh": "a router signs its contact anew",
    "gossip_interval": "between two exchanges of contacts with a link peer",
    "onion_key_rotation": "a router makes a new onion key",
    "link_rekey": "age of a link key at which a new handshake starts",
    "link_reject": "age at which a link key is dead",
    "session_rekey": "age of a session key at which a new handshake starts",
    "session_idle": "an unused session is forgotten",
    "blinding_period": "introsets of an address are stored under another key in each",
    "name_cache": "a name that was found is asked for again after this; 3600 at most",
    "chain_poll": "between two looks of a router at the chain's list of routers",
}


def _seconds(duration: int) -> str:
    return f"{duration / SECOND:g}"


TIMING_KEYS = {field.name.replace("_", "-"): field.name for field in fields(Timing)}
"""Key of `[private-network]` -> attribute of Timing."""

PRIVATE_NETWORK = {
    key: Key(_MEANINGS[name], _seconds(getattr(Timing(), name)))
    for key, name in TIMING_KEYS.items()
}

SCHEMA: dict[str, dict[str, Key]] = {
    "router": ROUTER,
    "network": NETWORK,
    "exit": EXIT,
    "paths": PATHS,
    "dns": DNS,
    "bind": BIND,
    "api": API,
    "lokid": LOKID,
    "bootstrap": BOOTSTRAP,
    "logging": LOGGING,
    "private-network": PRIVATE_NETWORK,
}
"""Section -> key -> what it is."""

CONNECT_SECTION = "connect"
"""Lokinet's old way to name bootstrap files: every value is one, whatever its key."""

DEPRECATED_SECTIONS = frozenset({"system", "netdb", "metrics"})
"""Sections Lokinet dropped as a whole."""
