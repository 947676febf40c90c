"""`testnet logs`: read from the files, so it works for a network whose world is gone, too."""

from __future__ import annotations

import argparse
import select
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from orchestrator.backends.opening import open_backend
from orchestrator.cli.network import running
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK, CheckFailed, UsageError

__all__ = ["logs"]

FOLLOW_EVERY_MS = 100
BLOCK_BYTES = 1 << 16


@dataclass(slots=True)
class _Tail:
    """One log that may grow."""

    title: str
    file: BinaryIO
    partial: bytes = field(default=b"")

    def lines(self) -> Iterator[str]:
        """Complete lines that were added since the last call."""
        while block := self.file.read(BLOCK_BYTES):
            *complete, self.partial = (self.partial + block).split(b"\n")
            for line in complete:
                yield line.decode(errors="replace")


def logs(arguments: argparse.Namespace) -> int:
    """Print logs, each line with its node and program where there is more than one log."""
    places = running(arguments.name)
    if places is None:
        raise CheckFailed("no network is up: `testnet up` brings one up")
    if not places.state.is_dir():
        raise CheckFailed(f"there is no network {places.name!r}")
    tails = _open(places, arguments.node)
    try:
        width = max(len(tail.title) for tail in tails)
        for tail in tails:
            if arguments.lines is not None:
                _seek_last(tail.file, arguments.lines)
        _print_new(tails, width)
        if not arguments.follow:
            for tail in tails:
                if tail.partial:
                    _print_line(tail.title, width, tail.partial.decode(errors="replace"))
            return EXIT_OK
        pause = select.poll()
        while True:
            pause.poll(FOLLOW_EVERY_MS)
            _print_new(tails, width)
    finally:
        for tail in tails:
            tail.file.close()


def _open(places: Places, node: str | None) -> list[_Tail]:
    backend = open_backend(places)
    nodes = sorted(entry.name for entry in (places.state / "nodes").glob("*"))
    if node is not None and node not in nodes:
        raise UsageError(f"no node {node!r}: there are {', '.join(nodes)}")
    found = [
        (name, program, path)
        for name in ([node] if node else nodes)
        for program, path in backend.logs(name).items()
    ]
    if not found:
        raise CheckFailed(f"network {places.name!r} has no logs yet")
    alone = len(found) == 1
    return [
        _Tail("" if alone else f"{name}/{program}", Path(path).open("rb"))
        for name, program, path in found
    ]


def _print_new(tails: list[_Tail], width: int) -> None:
    for tail in tails:
        for line in tail.lines():
            _print_line(tail.title, width, line)


def _print_line(title: str, width: int, line: str) -> None:
    # logs are written by programs under test: no escape sequence of theirs reaches the terminal
    shown = "".join(char if char.isprintable() or char == "\t" else "�" for char in line)
    print(f"{title:<{width}} | {shown}" if width else shown, flush=True)


def _seek_last(file: BinaryIO, count: int) -> None:
    """Move to the beginning of the last `count` lines."""
    end = file.seek(0, 2)
    position, newlines = end, 0
    while position > 0:
        size = min(BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        for index in range(len(block) - 1, -1, -1):
            # the newline that ends the last line does not begin another
            if block[index] == 0x0A and position + index != end - 1:
                newlines += 1
                if newlines == count:
                    file.seek(position + index + 1)
                    return
    file.seek(end if count == 0 else 0)
