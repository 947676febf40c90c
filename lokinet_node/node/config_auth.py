"""Who may open sessions with this node: the keys `auth` and `auth-*`.

Rules: a key that would decide nothing under the chosen `auth` is a problem, not a silence, for
whoever wrote it believes the node is guarded; so is an `auth` that nobody could satisfy. Tokens
stay out of every repr and every message.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.names import parse_loki
from lokinet_node.exits.auth import Backend
from lokinet_node.node.config_reader import choice
from lokinet_node.session.auth_messages import MOST_TOKEN, is_token

if TYPE_CHECKING:
    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.node.config_reader import Reader

KINDS: Final = ("none", "whitelist")
KEYS: Final = ("auth-whitelist", "auth-static")


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """What decides about callers."""

    is_guarded: bool = False
    """False: everybody is welcome."""
    whitelist: frozenset[LokiAddress] = frozenset()
    tokens: tuple[str, ...] = field(default=(), repr=False)
    backend: Backend = Backend.NONE


def read_auth(reader: Reader) -> AuthConfig:
    """The keys of section `[network]` that say who is let in."""
    kind = reader.one("network", "auth", _kind, "none")
    whitelist = [address for _, address in reader.every("network", "auth-whitelist", _address)]
    tokens = [token for _, token in reader.every("network", "auth-static", _token)]
    if kind == "none":
        for key in KEYS:
            if _has_any(reader, key):
                reader.report("network", key, "decides nothing without auth=whitelist")
    elif kind == "whitelist" and not _has_any(reader, "auth-whitelist", "auth-static"):
        reader.report("network", "auth", "lets nobody in: say auth-whitelist= or auth-static=")
    return AuthConfig(kind != "none", frozenset(whitelist), tuple(tokens))


def _has_any(reader: Reader, *keys: str) -> bool:
    return any(reader.entries("network", key) for key in keys)


def _kind(text: str) -> str:
    if text == "lmq":
        raise NameSyntaxError("lmq is not spoken here; auth=http asks a program of yours instead")
    return choice(*KINDS)(text)


def _address(text: str) -> LokiAddress:
    return parse_loki(text).address


def _token(text: str) -> str:
    if not is_token(text):
        raise NameSyntaxError(f"a token has 1 to {MOST_TOKEN} bytes of printable text")
    return text
