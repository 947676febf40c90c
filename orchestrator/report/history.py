"""What nodes wrote of links, paths, sessions and introsets, in one order of time. Pure.

Both forms of log lines are read. Below `debug` such lines name nobody; the reasons stand there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Line", "history_of"]

LINE = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z) (\w+) ([a-z]+\.[a-z_.]+) ?(.*)")
KINDS = ("link", "path", "session", "introset", "exit", "node")
HEAD = ("time", "level", "event")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of one node's log."""

    at: str
    """As written: UTC, ISO 8601, so that order is order of time."""
    node: str
    event: str
    """`path.lost`."""
    detail: str


def history_of(logs: Iterable[tuple[str, Iterable[str]]], most: int) -> list[Line]:
    """The last lines of all nodes together that tell of such things.

    Args:
        logs: each node's name and the lines of its log.
        most: how many of them at most.
    """
    found = [line for node, lines in logs for line in _of_node(node, lines)]
    return sorted(found, key=lambda line: (line.at, line.node))[-most:]


def _of_node(node: str, lines: Iterable[str]) -> Iterator[Line]:
    for text in lines:
        line = _as_json(node, text) if text.startswith("{") else _as_text(node, text)
        if line is not None and line.event.partition(".")[0] in KINDS:
            yield line


def _as_text(node: str, text: str) -> Line | None:
    match = LINE.match(text)
    return Line(match[1], node, match[3], match[4]) if match else None


def _as_json(node: str, text: str) -> Line | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    if not isinstance(said, dict) or not all(isinstance(said.get(key), str) for key in HEAD):
        return None
    fields = " ".join(f"{key}={value}" for key, value in said.items() if key not in HEAD)
    return Line(said["time"], node, said["event"], fields)
