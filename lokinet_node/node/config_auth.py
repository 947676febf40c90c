"""Who may open sessions with this node: the keys `auth` and `auth-*`.

Rules: a key that would decide nothing under the chosen `auth` is a problem, not a silence, for
whoever wrote it believes the node is guarded; so is an `auth` that nobody could satisfy. Tokens
stay out of every repr and every message.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lokinet_node.base.addresses import Endpoint, parse_endpoint
from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.names import parse_loki
from lokinet_node.exits.backend import Backend
from lokinet_node.node.config_parts import ANY_ADDRESS
from lokinet_node.node.config_reader import choice, plain
from lokinet_node.session.auth_messages import MOST_TOKEN, is_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.ids import LokiAddress
    from lokinet_node.node.config_reader import Reader

NEEDS: Final = {
    "none": (),
    "whitelist": ("auth-whitelist", "auth-static"),
    "file": ("auth-file",),
    "http": ("auth-http",),
}
"""auth= -> keys of which one has to be there."""
KEYS: Final = {
    "auth-whitelist": ("whitelist", "file", "http"),
    "auth-static": ("whitelist", "file", "http"),
    "auth-file": ("file",),
    "auth-http": ("http",),
}
"""key -> values of auth= under which it decides something."""
_PLAIN: Final = ("plain", "plaintext")
_HASHED: Final = ("hash", "hashes", "hashed")
_HTTP: Final = "http://"


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """What decides about callers."""

    is_guarded: bool = False
    """False: everybody is welcome."""
    whitelist: frozenset[LokiAddress] = frozenset()
    tokens: tuple[str, ...] = field(default=(), repr=False)
    backend: Backend = Backend.NONE
    files: tuple[str, ...] = ()
    """Absolute paths of files of tokens."""
    is_hashed: bool = False
    """Those files have crypt(3) hashes."""
    service: tuple[Endpoint, str] | None = None
    """Who is asked over HTTP, and the path it is asked at."""


def read_auth(reader: Reader, data_dir: str, exists: Callable[[str], bool]) -> AuthConfig:
    """The keys of section `[network]` that say who is let in."""
    kind = reader.one("network", "auth", _kind, "none")
    whitelist = [address for _, address in reader.every("network", "auth-whitelist", _address)]
    tokens = [token for _, token in reader.every("network", "auth-static", _token)]
    for key, kinds in KEYS.items():
        if kind not in kinds and _has_any(reader, key):
            reader.report("network", key, f"decides nothing without auth={' or '.join(kinds)}")
    if NEEDS[kind] and not _has_any(reader, *NEEDS[kind]):
        missing = "= or ".join(NEEDS[kind])
        reader.report("network", "auth", f"lets nobody in: say {missing}=")
    files = []
    for entry, name in reader.every("network", "auth-file", plain):
        files.append(posixpath.join(data_dir, name))
        if not exists(files[-1]):
            reader.report_at(entry, f"{files[-1]} does not exist")
    return AuthConfig(
        is_guarded=kind != "none",
        whitelist=frozenset(whitelist),
        tokens=tuple(tokens),
        backend=Backend(kind) if kind in ("file", "http") else Backend.NONE,
        files=tuple(files),
        is_hashed=reader.one("network", "auth-file-type", choice(*_PLAIN, *_HASHED), "plain")
        in _HASHED,
        service=reader.one("network", "auth-http", _service, None),
    )


def _has_any(reader: Reader, *keys: str) -> bool:
    return any(reader.entries("network", key) for key in keys)


def _kind(text: str) -> str:
    if text == "lmq":
        raise NameSyntaxError("lmq is not spoken here; auth=http asks a program of yours instead")
    return choice(*NEEDS)(text)


def _service(text: str) -> tuple[Endpoint, str]:
    """`http://IP:PORT/PATH`: no name that somebody else could answer for."""
    place, slash, path = text.removeprefix(_HTTP).partition("/")
    if not text.startswith(_HTTP):
        raise NameSyntaxError(f"{text!r} is not http://IP:PORT/PATH, the one way to be asked")
    endpoint = parse_endpoint(place)
    if not endpoint.port or endpoint.ip == ANY_ADDRESS:
        raise NameSyntaxError(f"nobody answers at {endpoint}")
    if not path.isascii() or not path.isprintable() or set(path) & set(" #"):
        raise NameSyntaxError(f"{path!r} is no path of a URL")
    return endpoint, slash + path or "/"


def _address(text: str) -> LokiAddress:
    return parse_loki(text).address


def _token(text: str) -> str:
    if not is_token(text):
        raise NameSyntaxError(f"a token has 1 to {MOST_TOKEN} bytes of printable text")
    return text
