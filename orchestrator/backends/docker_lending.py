"""Sockets of a node's network for who may not enter it: lent by a program that runs in there.

Root enters namespaces itself. A plain user asks the engine for one long-lived `python -m
lokinet_node.lending` in each node that is asked something: it connects to a socket here and answers
with descriptors (docs/architecture.md), so whoever uses them notices no difference. It runs in the
node's own container, or beside one that has no Python or lacks a right. What connects is believed
only if it is the process that the engine started: the folder of the socket is the node's, too.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.errors import CheckFailed, OperatorError

__all__ = ["Lender", "Lenders", "Started"]

START_S = 30.0
"""For an interpreter to begin on a machine that starts a network just now."""
ANSWER_S = 5.0
LOOK_MS = 10
MOST_BYTES = 64
MOST_WORDS = 4096
CREDENTIALS = struct.Struct("=iII")
"""struct ucred of unix(7): process, user, group."""


@dataclass(slots=True)
class Started:
    """A lending program that was started."""

    pid: Callable[[], int]
    """On this machine; 0 before it is known, and once it ended."""
    output: socket.socket
    """Readable when it said something or ended."""
    end: Callable[[], None]
    """Let go of it."""


Start = Callable[[str], Started]
"""By the name of the socket in the folder of control sockets."""


@dataclass(slots=True, eq=False)
class Lender:
    """The connection to one; one question at a time."""

    line: socket.socket
    started: Started
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def begin(cls, node: str, folder: Path, start: Start) -> Lender:
        """Start one and wait until it is there; raises CheckFailed.

        Args:
            node: for errors.
            folder: where it finds the socket.
            start: how.
        """
        name = f"lend-{os.getpid()}-{os.urandom(3).hex()}"
        with _listening(folder, name) as listener:
            try:
                started = start(name)
                try:
                    line = _accepted(node, listener, started)
                except BaseException:
                    started.end()
                    raise
            finally:
                with suppress(OSError):
                    (folder / name).unlink()
        line.settimeout(ANSWER_S)
        return cls(line, started)

    def ask(self, question: str) -> socket.socket:
        """A socket; raises OSError with what the program met, ConnectionError if it is gone."""
        with self._lock:
            self.line.send(question.encode())
            answer, descriptors, _, _ = socket.recv_fds(
                self.line, MOST_BYTES, 1, socket.MSG_CMSG_CLOEXEC
            )
        if not answer:
            raise ConnectionResetError(errno.ECONNRESET, "the node went down")
        if descriptors:
            return socket.socket(fileno=descriptors[0])
        number = int(answer)
        raise OSError(number, os.strerror(number))

    def close(self) -> None:
        """Hang up, by which it ends."""
        self.line.close()
        self.started.end()


@dataclass(slots=True, eq=False)
class Lenders:
    """Those of a network, each begun when first needed."""

    begin: Callable[[str, bool], Lender]
    """In a node; whether it must be able to hear all frames of a link."""
    _known: dict[tuple[str, bool], Lender] = field(default_factory=dict)
    _locks: dict[tuple[str, bool], threading.Lock] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _warming: list[threading.Thread] = field(default_factory=list)

    def warm(self, nodes: Iterable[str]) -> None:
        """Begin in all these beside whatever else is done; who asks waits for the one it needs."""
        for node in nodes:
            thread = threading.Thread(target=self._warm, args=(node,), daemon=True)
            self._warming.append(thread)
            thread.start()

    def _warm(self, node: str) -> None:
        key = (node, False)
        with self._lock_of(key), suppress(OperatorError):  # said when somebody asks
            if key not in self._known:
                self._known[key] = self.begin(*key)

    def _lock_of(self, key: tuple[str, bool]) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def ask(self, node: str, question: str) -> socket.socket:
        """A socket from a node's network; raises OSError, or CheckFailed where nobody lends."""
        key = (node, question == "packet")
        with self._lock_of(key):
            known = self._known.get(key)
            if known is not None:
                with suppress(ConnectionResetError, BrokenPipeError, TimeoutError):
                    return known.ask(question)
                known.close()  # its container was made anew, and it is, too
                del self._known[key]
            self._known[key] = self.begin(*key)
            return self._known[key].ask(question)

    def close(self) -> None:
        """End all."""
        for thread in self._warming:
            thread.join()
        for lender in self._known.values():
            lender.close()
        self._known.clear()


def _listening(folder: Path, name: str) -> socket.socket:
    """By a way that is short, however deep the folder lies: paths of sockets end at 107 bytes."""
    directory = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        listener.bind(f"/proc/self/fd/{directory}/{name}")
        (folder / name).chmod(0o660)
        listener.listen()
    except BaseException:
        listener.close()
        raise
    finally:
        os.close(directory)
    return listener


def _known_pid(started: Started, deadline: float) -> int:
    """The program may be quicker than the engine is to know its number."""
    ended = select.poll()
    ended.register(started.output, select.POLLIN)
    while not (pid := started.pid()) and time.monotonic() < deadline and not ended.poll(LOOK_MS):
        pass
    return pid


def _accepted(node: str, listener: socket.socket, started: Started) -> socket.socket:
    """The connection of the process that was started, and of no other."""
    deadline = time.monotonic() + START_S
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    poll.register(started.output, select.POLLIN)
    while (left_s := deadline - time.monotonic()) > 0:
        ready = [descriptor for descriptor, _ in poll.poll(int(left_s * 1000) + 1)]
        if listener.fileno() in ready:
            line, _ = listener.accept()
            raw = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
            if CREDENTIALS.unpack(raw)[0] == _known_pid(started, deadline):
                return line
            line.close()
        elif ready:
            said = started.output.recv(MOST_WORDS)
            words = "".join(chr(each) for each in said if 32 <= each < 127).strip()
            raise CheckFailed(
                f"{node} lends no sockets: {words or 'its container went down'} "
                "(an older image: `make images`)"
            )
    raise CheckFailed(f"{node} lends no sockets: no answer within {START_S:.0f} s")
