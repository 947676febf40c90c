"""Which exits a node uses, as the configuration and the control socket say it.

`exit-node=ADDRESS[:RANGE]`, `exit-auth=ADDRESS:TOKEN`. ADDRESS is `<52>.loki`, a bought name, or
for a range that no exit is used for `null`. What is wrong is said without the token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.names import LOKI_SUFFIX, SNODE_SUFFIX, is_localhost, parse_loki
from lokinet_node.exits.exit_range import EVERYTHING, ExitRange, parse_exit_range
from lokinet_node.session.addresses import remote_loki
from lokinet_node.session.auth_messages import MOST_TOKEN, is_token

if TYPE_CHECKING:
    from lokinet_node.exits.mapping import Exit
    from lokinet_node.node.config_reader import Reader

NO_EXIT: Final = "null"
"""Stands where an exit does, for ranges that none is used for."""


@dataclass(frozen=True, slots=True)
class ConsumerConfig:
    """What a client uses exits for."""

    mappings: tuple[tuple[Exit | None, ExitRange], ...] = ()
    tokens: tuple[tuple[Exit, str], ...] = field(default=(), repr=False)


def parse_exit(text: str) -> Exit | None:
    """An address, the name of one in lower case, or None for `null`; NameSyntaxError."""
    name = text.lower() if text.isascii() else text
    if name == NO_EXIT:
        return None
    if name.endswith(SNODE_SUFFIX):
        raise NameSyntaxError("exit via snode not supported")
    try:
        return remote_loki(parse_loki(name).address)
    except NameSyntaxError:
        pass
    from lokinet_node.crypto.ons import validate_name  # here: only names pay for cryptography

    registered = name.removesuffix(LOKI_SUFFIX).rpartition(".")[2] + LOKI_SUFFIX
    try:
        validate_name(registered)
    except NameSyntaxError:
        registered = ""
    if not name.endswith(LOKI_SUFFIX) or not registered or is_localhost(name):
        raise NameSyntaxError(f"invalid exit address {text!r}: not <52>.loki, a name or {NO_EXIT}")
    return registered


def read_consumer(reader: Reader, *, has_tun: bool) -> ConsumerConfig:
    """The keys of section `[network]` that say so."""
    mappings = reader.every("network", "exit-node", _exit_node)
    tokens: dict[Exit, str] = {}
    for entry, (exit_, token) in reader.every("network", "exit-auth", _exit_auth):
        if exit_ in tokens:
            reader.report_at(entry, f"{exit_} has a token already")
        tokens[exit_] = token
    seen: set[tuple[Exit | None, ExitRange]] = set()
    for entry, mapping in mappings:
        if mapping in seen:
            reader.report_at(entry, "duplicate exit")
        seen.add(mapping)
    if mappings and not has_tun:
        reader.report_at(mappings[0][0], "an exit needs a tun; this node has type=null")
    return ConsumerConfig(tuple(mapping for _, mapping in mappings), tuple(tokens.items()))


def _exit_node(text: str) -> tuple[Exit | None, ExitRange]:
    name, colon, range_ = text.partition(":")
    return parse_exit(name), parse_exit_range(range_) if colon else EVERYTHING


def _exit_auth(text: str) -> tuple[Exit, str]:
    name, colon, token = text.partition(":")
    if not colon:
        raise NameSyntaxError("not ADDRESS:TOKEN")
    exit_ = parse_exit(name)
    if exit_ is None:
        raise NameSyntaxError(f"{NO_EXIT} needs no token")
    if not is_token(token):
        raise NameSyntaxError(f"a token has 1 to {MOST_TOKEN} printable bytes")
    return exit_, token
