"""A terminal between the caller's and a program in a node; sizes and job control are kept."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from orchestrator.backends import Backend

__all__ = ["relay"]

BLOCK_BYTES = 1 << 14
EMPTY_SIZE = b"\0" * 8
"""struct winsize: four shorts."""


def relay(backend: Backend, node: str, argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run a program on a terminal of its own; its exit code."""
    ours, theirs = pty.openpty()
    try:
        _copy_size(ours)
        running = backend.exec(node, argv, (theirs, theirs, theirs), env, tty=True)
    finally:
        os.close(theirs)
    try:
        with _raw(sys.stdin.fileno()), _resizing(ours):
            _pump(ours)
            return running.wait()
    finally:
        running.close()
        os.close(ours)


def _pump(ours: int) -> None:
    """Copy both ways until the program's side of the terminal is closed."""
    poll = select.poll()
    poll.register(ours, select.POLLIN)
    poll.register(0, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            try:
                data = os.read(descriptor, BLOCK_BYTES)
            except OSError:
                data = b""  # EIO: the last program on the terminal has closed it
            if descriptor == ours:
                if not data:
                    return
                _write_all(1, data)
            elif data:
                _write_all(ours, data)
            else:
                poll.unregister(0)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _copy_size(ours: int) -> None:
    size = fcntl.ioctl(0, termios.TIOCGWINSZ, EMPTY_SIZE)
    fcntl.ioctl(ours, termios.TIOCSWINSZ, size)


@contextmanager
def _raw(descriptor: int) -> Iterator[None]:
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor, termios.TCSADRAIN)  # what was typed ahead stays
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


@contextmanager
def _resizing(ours: int) -> Iterator[None]:
    before = signal.signal(signal.SIGWINCH, lambda *_: _copy_size(ours))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
