"""Where the chain may be asked: `IP:PORT` or `unix:/absolute/path`, and who may ask there.

Rules: never the wildcard address, and none that the public internet routes: the loopback, the
underlay of a private network, or a Unix socket of mode 0600. A request that a web page made (it
has an Origin), or that came by a name instead of an address, is refused: names can be pointed here
from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from lokinet_node.base.addresses import Endpoint, is_bogon, parse_endpoint, parse_ipv4
from lokinet_node.base.errors import NameSyntaxError, OperatorError

UNIX_PREFIX = "unix:"
_MAX_UNIX_PATH = 107
"""sun_path of unix(7) without its closing zero."""
_MULTICAST = 224


@dataclass(frozen=True, slots=True)
class UnixPath:
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        """As it is written in the command line."""
        return UNIX_PREFIX + self.path


Listener: TypeAlias = Endpoint | UnixPath


def parse_listener(text: str) -> Listener:
    """Where to listen; OperatorError says why not there."""
    if text.startswith(UNIX_PREFIX):
        return _unix(text.removeprefix(UNIX_PREFIX))
    try:
        endpoint = parse_endpoint(text)
        address = parse_ipv4(endpoint.ip)
    except NameSyntaxError as error:
        raise OperatorError(f"{text}: neither IP:PORT nor unix:/PATH") from error
    if endpoint.ip == "0.0.0.0":
        raise OperatorError(f"{text}: would listen on every address; name one")
    if not is_bogon(address) or address >> 24 == 0 or address >> 24 >= _MULTICAST:
        raise OperatorError(
            f"{text}: a chain listens on the loopback or a private network's address only"
        )
    return endpoint


def may_ask(host: bytes, origin: bytes | None) -> bool:
    """Whether a request's Host and Origin are those of a program that was told the address."""
    if origin is not None:
        return False
    name = host.decode("latin-1").partition(":")[0]
    if name in ("", "localhost"):
        return True
    try:
        parse_ipv4(name)
    except NameSyntaxError:
        return False
    return True


def _unix(path: str) -> UnixPath:
    if not path.startswith("/"):
        raise OperatorError(f"{UNIX_PREFIX}{path}: the path must be absolute")
    if len(path.encode()) > _MAX_UNIX_PATH:
        raise OperatorError(f"{UNIX_PREFIX}{path}: longer than {_MAX_UNIX_PATH} bytes")
    return UnixPath(path)
