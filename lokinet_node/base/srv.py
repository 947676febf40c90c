"""SRV records of a `.loki` address: what the ini file says, introsets carry and resolvers answer.

    _service._proto[.labels] PRIORITY WEIGHT PORT [TARGET]      single spaces; 4 or 5 fields

TARGET is a name under `.loki` or `.snode` without a trailing dot, `.` (there is no such service),
or nothing: then the target is the name that was asked for, less the service labels. Lokinet's
syntax; what it leaves open (which characters, in which case) is settled here: lower case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lokinet_node.base.errors import NameSyntaxError

MAX_SERVICE_SIZE: Final = 128
"""Ours: bytes of the labels before the address, with their dots."""
MAX_TARGET_SIZE: Final = 200
"""Lokinet's limit."""
NO_SERVICE: Final = "."
"""The target that says a service is decidedly not there (RFC 2782)."""

_FIELDS: Final = (4, 5)
_MAX_NUMBER: Final = 0xFFFF
_LABEL: Final = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_SERVICE: Final = re.compile(
    rf"_[a-z0-9][a-z0-9-]{{0,61}}\._[a-z0-9][a-z0-9-]{{0,61}}(\.{_LABEL})*"
)
_TARGET: Final = re.compile(rf"({_LABEL}\.)+(loki|snode)")


@dataclass(frozen=True, slots=True)
class SrvRecord:
    """One service of an address; texts are lower case and checked by `check_srv`."""

    service: str
    """The labels before the address: `_http._tcp`, or `_http._tcp.www`."""
    priority: int
    weight: int
    port: int
    target: str = ""
    """A name, `.`, or nothing: see above."""


def parse_srv(text: str) -> SrvRecord:
    """A record as the ini file has it; NameSyntaxError says what is wrong."""
    fields = text.split(" ")
    if len(fields) not in _FIELDS or "" in fields:
        raise NameSyntaxError(
            f"{text!r} is not _service._proto PRIORITY WEIGHT PORT [TARGET], with single spaces"
        )
    service, *numbers = fields[:4]
    priority, weight, port = (_number(number) for number in numbers)
    target = fields[4].lower() if len(fields) == _FIELDS[1] else ""
    record = SrvRecord(service.lower(), priority, weight, port, target)
    check_srv(record)
    return record


def check_srv(record: SrvRecord) -> None:
    """NameSyntaxError for a record that no ini file could have made."""
    service, target = record.service, record.target
    if len(service) > MAX_SERVICE_SIZE or not _SERVICE.fullmatch(service):
        raise NameSyntaxError(
            f"{service!r} is not _service._proto of at most {MAX_SERVICE_SIZE} bytes"
        )
    if target in ("", NO_SERVICE):
        return
    if len(target) > MAX_TARGET_SIZE or not _TARGET.fullmatch(target):
        raise NameSyntaxError(
            f"target {target!r} is neither a dot nor a name under .loki or .snode, without a dot "
            f"at its end, of at most {MAX_TARGET_SIZE} bytes"
        )


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= _MAX_NUMBER):
        raise NameSyntaxError(f"{text!r} is not a number between 0 and {_MAX_NUMBER}")
    return int(text)
