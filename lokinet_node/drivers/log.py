"""The log: one line for each thing worth telling, as words or as JSON.

    time level event key=value ...
    {"time": ..., "level": ..., "event": ..., "key": value, ...}

Rules: an event is a few words joined by dots, values say short things. Who talks to whom (the
fields of PEER_FIELDS, and whatever looks like an address in a text) is written only by a log that
was asked for debug or trace; what looks like a key never is, and bytes are shown as four bytes of
hex. A line that cannot be written is lost: the log never stops the node. Everything has an end:
the length of a line, the lines of a second, the size of a file, the lines that are remembered.

ERROR: the process will fail. WARN: a person should look. INFO: lifecycle, a few lines a
minute. DEBUG: control messages. Nothing is logged per packet.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from lokinet_node.base.errors import OperatorError

Field: TypeAlias = str | int | float | bool | bytes | None
Listener: TypeAlias = Callable[[str], None]

LEVELS = ("trace", "debug", "info", "warn", "error", "critical", "none")
"""Lokinet's names, rising; a log writes its own level and everything after it."""
FORMS = ("text", "json")

PEER_FIELDS = frozenset({"peer", "router", "remote", "address", "name", "pivot"})
"""Fields that name somebody."""

REMEMBERED = 100
"""Lines that `llarp.logs` begins with: Lokinet's number."""
MAX_TEXT = 1024
"""Characters of one value; the rest is cut off."""
MAX_FILE = 64 << 20
"""Bytes of a log file; then it becomes FILE.1, in place of an older one."""
LINES_PER_S = 200
BURST = 2000
"""Lines at once; what comes faster is counted. Errors are always written."""

_STDERR = 2
_SHOWN_BYTES = 4
_ADDRESS = re.compile(r"\b[a-z0-9]{52}(?=\.(?:loki|snode)\b|\b)|[a-z0-9-]+\.(?:loki|snode)\b")
_KEY = re.compile(r"\b[0-9a-fA-F]{64,}\b")
_HIDDEN = "<hidden>"


class Log:
    """A sink of lines with a level; `fd` is owned only where it was opened from a path."""

    def __init__(self, level: str, path: str | None = None, form: str = "text") -> None:
        """Write to standard error, or append to a file."""
        self._least = LEVELS.index(level)
        self._names_peers = self._least <= LEVELS.index("debug")
        self._form = _as_json if form == "json" else _as_text
        self._path = path
        self._fd = _STDERR if path is None else _open(path)
        self._size = 0 if path is None else os.fstat(self._fd).st_size
        self._recent: deque[str] = deque(maxlen=REMEMBERED)
        self._listeners: list[Listener] = []
        self._tokens = float(BURST)
        self._counted_at = time.monotonic()
        self._suppressed = 0

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

    def recent(self) -> list[str]:
        """The last lines, oldest first, without their ends."""
        return list(self._recent)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Hand every further line to `listener`; call what is returned to end that."""
        self._listeners.append(listener)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def close(self) -> None:
        """Give back the file; standard error stays open."""
        if self._fd != _STDERR:
            os.close(self._fd)
            self._fd = _STDERR

    def _write(self, level: str, event: str, fields: dict[str, Field]) -> None:
        if LEVELS.index(level) < self._least:
            return
        if not self._has_room() and LEVELS.index(level) < LEVELS.index("error"):
            self._suppressed += 1
            return
        if self._suppressed:
            count, self._suppressed = self._suppressed, 0
            self._emit("warn", "log.suppressed", {"count": count})
        self._emit(level, event, fields)

    def _emit(self, level: str, event: str, fields: dict[str, Field]) -> None:
        now = time.time()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        shown = {
            key: self._cleared(value)
            for key, value in fields.items()
            if self._names_peers or key not in PEER_FIELDS
        }
        line = self._form(f"{stamp}.{int(now * 1000) % 1000:03}Z", level, event, shown)
        self._recent.append(line)
        data = (line + "\n").encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):
            self._make_room(len(data))
            os.write(self._fd, data)
        for listener in list(self._listeners):
            listener(line)

    def _cleared(self, value: Field) -> str | int | float | bool | None:
        """What may be shown of a value."""
        if isinstance(value, bytes):
            return value[:_SHOWN_BYTES].hex()
        if not isinstance(value, str):
            return value
        text = _KEY.sub(_HIDDEN, value if len(value) <= MAX_TEXT else value[:MAX_TEXT] + "...")
        return text if self._names_peers else _ADDRESS.sub(_HIDDEN, text)

    def _has_room(self) -> bool:
        """Take one token of those that come with time."""
        now = time.monotonic()
        self._tokens = min(BURST, self._tokens + (now - self._counted_at) * LINES_PER_S)
        self._counted_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _make_room(self, size: int) -> None:
        """Begin a new file before this one grows too large."""
        self._size += size
        if self._path is None or self._size <= MAX_FILE:
            return
        os.replace(self._path, self._path + ".1")
        old, self._fd = self._fd, _open(self._path)
        os.close(old)
        self._size = size


def _as_text(
    stamp: str, level: str, event: str, fields: dict[str, str | int | float | bool | None]
) -> str:
    words = [f"{key}={_word(value)}" for key, value in fields.items()]
    return " ".join((stamp, level, event, *words))


def _as_json(
    stamp: str, level: str, event: str, fields: dict[str, str | int | float | bool | None]
) -> str:
    head = {"time": stamp, "level": level, "event": event}
    return json.dumps({**head, **fields, **head})  # the head comes first, and is not to be faked


def _word(value: str | int | float | bool | None) -> str:
    """One word; quoted as JSON where spaces, quotes or control characters could mislead."""
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
