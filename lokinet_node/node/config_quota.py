"""How much callers of an exit may use: `client-*` and `token-*` of section `[exit]`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.exits.backend import Backend
from lokinet_node.exits.share import Quota, Quotas
from lokinet_node.node.config_reader import seconds

if TYPE_CHECKING:
    from lokinet_node.node.config_auth import AuthConfig
    from lokinet_node.node.config_reader import Reader

_SECTION: Final = "exit"
_UNITS: Final = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
_SIZE: Final = re.compile(r"([1-9][0-9]{0,14})([kMGT]?)")
_KEYS: Final = ("rate", "bytes", "time")


def read_quotas(reader: Reader, auth: AuthConfig) -> Quotas:
    """Both quotas; one of tokens where nobody brings any is a problem."""
    if not auth.tokens and auth.backend is Backend.NONE:
        for key in (f"token-{name}" for name in _KEYS):
            if reader.entry(_SECTION, key) is not None:
                reader.report(_SECTION, key, "decides nothing: no auth= here takes tokens")
    return Quotas(_quota(reader, "client"), _quota(reader, "token"))


def _quota(reader: Reader, whose: str) -> Quota:
    return Quota(
        rate=reader.one(_SECTION, f"{whose}-rate", size, 0),
        size=reader.one(_SECTION, f"{whose}-bytes", size, 0),
        time=reader.one(_SECTION, f"{whose}-time", seconds, 0),
    )


def size(text: str) -> int:
    """Bytes: `5000`, `20M`, `1G`; units of a thousand."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise NameSyntaxError(f"{text!r} is not a number of bytes such as 5000, 20M or 1G")
    return int(found[1]) * _UNITS[found[2]]
