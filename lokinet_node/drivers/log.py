"""The log: one line `time level event key=value ...` for each thing worth telling.

Rules: an event is a few words joined by dots, values say short things. Who talks to whom
(the fields of PEER_FIELDS) is written only by a log that was asked for debug or trace. Bytes
are shown as four bytes of hex, so that no key can be read from a log by mistake. A line that
cannot be written is lost: the log never stops the node.

ERROR: the process will fail. WARN: a person should look. INFO: lifecycle, a few lines a
minute. DEBUG: control messages. Nothing is logged per packet.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TypeAlias

from lokinet_node.base.errors import OperatorError

Field: TypeAlias = str | int | float | bool | bytes | None

LEVELS = ("trace", "debug", "info", "warn", "error", "critical", "none")
"""Lokinet's names, rising; a log writes its own level and everything after it."""

PEER_FIELDS = frozenset({"peer", "router", "remote", "address", "name", "pivot"})
"""Fields that name somebody."""

_STDERR = 2
_SHOWN_BYTES = 4


class Log:
    """A sink of lines with a level; `fd` is owned only where it was opened from a path."""

    def __init__(self, level: str, path: str | None = None) -> None:
        """Write to standard error, or append to a file."""
        self._least = LEVELS.index(level)
        self._names_peers = self._least <= LEVELS.index("debug")
        self._fd = _STDERR if path is None else _open(path)

    def wants(self, level: str) -> bool:
        """Whether a line of this level would be written: to save preparing it."""
        return LEVELS.index(level) >= self._least

    def debug(self, event: str, **fields: Field) -> None:
        """A control message or decision."""
        self._write("debug", event, fields)

    def info(self, event: str, **fields: Field) -> None:
        """A step in the life of the node."""
        self._write("info", event, fields)

    def warn(self, event: str, **fields: Field) -> None:
        """Something a person should look at."""
        self._write("warn", event, fields)

    def error(self, event: str, **fields: Field) -> None:
        """The process cannot go on."""
        self._write("error", event, fields)

    def close(self) -> None:
        """Give back the file; standard error stays open."""
        if self._fd != _STDERR:
            os.close(self._fd)
            self._fd = _STDERR

    def _write(self, level: str, event: str, fields: dict[str, Field]) -> None:
        if LEVELS.index(level) < self._least:
            return
        shown = fields.items()
        words = [
            f"{key}={_text(value)}"
            for key, value in shown
            if self._names_peers or key not in PEER_FIELDS
        ]
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        line = " ".join((f"{stamp}.{int(now * 1000) % 1000:03}Z", level, event, *words)) + "\n"
        with contextlib.suppress(OSError):
            os.write(self._fd, line.encode("utf-8", "backslashreplace"))


def _text(value: Field) -> str:
    """One word; quoted as JSON where spaces, quotes or control characters could mislead."""
    if isinstance(value, bytes):
        return value[:_SHOWN_BYTES].hex()
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    if text and text.isprintable() and not set(text) & set(" \"'=\\"):
        return text
    return json.dumps(text)


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OperatorError(f"{path}: cannot be written: {error.strerror}") from error
