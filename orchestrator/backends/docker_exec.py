"""A command in a container, on the caller's descriptors: copied both ways by one thread.

Without a terminal the engine's stream has frames: one byte that says which output, three zeros,
four bytes of length, then that many bytes (Engine API, "Attach to a container").
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import termios
import threading
import tty
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.engine.client import Engine
from orchestrator.errors import CheckFailed, OperatorError

__all__ = ["DockerRunning", "run_in"]

FRAME = struct.Struct(">BxxxI")
STDERR = 2
BLOCK_BYTES = 1 << 16
LOOK_MS = 250
"""How often the size of a terminal is compared."""
HANG_UP_GRACE_S = 2.0
CANNOT_RUN = 126
"""What engines say of a program that is not there, as well."""
CANNOT_START = 127
SIZE = struct.Struct("HHHH")


@dataclass(slots=True, eq=False)
class DockerRunning:
    """A command at work; see `Running`."""

    engine: Engine
    container: str
    number: str
    channel: socket.socket
    stdio: tuple[int, int, int]
    """Ours: closed at the end."""
    tty: bool
    _ended: threading.Event = field(default_factory=threading.Event)
    _wake: tuple[int, int] = field(default_factory=os.pipe)

    def begin(self, early: bytes) -> None:
        """Copy from now on; `early` came with the engine's answer."""
        threading.Thread(target=self._copy, args=(early,), daemon=True).start()

    def signal(self, number: int) -> None:
        """For the command and the rest of its process group."""
        pid = int(self.engine.inspect_exec(self.number).get("Pid") or 0)
        if pid == 0 or self._ended.is_set():
            return
        with suppress(ProcessLookupError):
            is_leader = os.getpgid(pid) == pid
            try:
                (os.killpg if is_leader else os.kill)(pid, number)
            except PermissionError:
                self._signal_inside(pid, is_leader, number)

    def _signal_inside(self, pid: int, is_leader: bool, number: int) -> None:
        """By a command in the container, as whom it runs: somebody else on this machine."""
        inside = _pid_inside(pid)
        if inside is None:
            return
        target = f"-{inside}" if is_leader else str(inside)
        argv = ["/bin/sh", "-c", 'kill -s "$1" -- "$2"', "sh", str(number), target]
        killer = self.engine.prepare_exec(self.container, argv, {}, tty=False)
        channel, _ = self.engine.start_exec(killer, tty=False)
        with channel:
            while channel.recv(BLOCK_BYTES):
                pass

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code, 128 + number for a signal; raises TimeoutError."""
        if not self._ended.wait(timeout_s):
            raise TimeoutError
        ended = self.engine.inspect_exec(self.number)
        code = ended.get("ExitCode")
        if code is None:
            raise CheckFailed("the container went down while the program ran")
        return CANNOT_START if code == CANNOT_RUN and not ended.get("Pid") else int(code)

    def close(self) -> None:
        """Hang up on it if it still runs."""
        if not self._ended.is_set():
            for number, grace_s in ((signal.SIGHUP, HANG_UP_GRACE_S), (signal.SIGKILL, 0.5)):
                with suppress(OperatorError, PermissionError):
                    self.signal(number)
                if self._ended.wait(grace_s):
                    break
        reader, writer = self._wake
        self._wake = (-1, -1)
        if writer >= 0:
            os.write(writer, b"\0")
            self._ended.wait()
            os.close(reader)
            os.close(writer)

    def _copy(self, early: bytes) -> None:
        output = _Output(self.stdio, framed=not self.tty)
        wake = self._wake[0]
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        poll.register(wake, select.POLLIN)
        poll.register(self.stdio[0], select.POLLIN)
        size = b""
        try:
            output.feed(early)
            while True:
                ready = [descriptor for descriptor, _ in poll.poll(LOOK_MS if self.tty else None)]
                if self.tty:
                    size = self._resize(size)
                if wake in ready:
                    return
                if self.stdio[0] in ready and not self._pass_on():
                    poll.unregister(self.stdio[0])
                if self.channel.fileno() in ready:
                    data = self.channel.recv(BLOCK_BYTES)
                    if not data:
                        return
                    output.feed(data)
        except OSError:
            return  # one end broke off: what there was to say is said
        finally:
            self.channel.close()
            for descriptor in set(self.stdio):
                os.close(descriptor)
            self._ended.set()

    def _pass_on(self) -> bool:
        """Input for the command; false at its end, which the command is told."""
        try:
            data = os.read(self.stdio[0], BLOCK_BYTES)
        except OSError:
            data = b""
        with suppress(BrokenPipeError):
            if data:
                self.channel.sendall(data)
                return True
            self.channel.shutdown(socket.SHUT_WR)
        return False

    def _resize(self, before: bytes) -> bytes:
        now = fcntl.ioctl(self.stdio[0], termios.TIOCGWINSZ, bytes(SIZE.size))
        if now != before:
            rows, columns, _, _ = SIZE.unpack(now)
            with suppress(OperatorError):
                self.engine.resize_exec(self.number, rows, columns)
        return now


def _pid_inside(pid: int) -> int | None:
    """A process's number in its innermost pid namespace: proc_pid_status(5); None if it is gone."""
    with suppress(OSError), open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("NSpid:"):
                return int(line.split()[-1])
    return None


class _Output:
    """The engine's stream, taken apart."""

    def __init__(self, stdio: tuple[int, int, int], framed: bool) -> None:
        self._stdio = stdio
        self._framed = framed
        self._head = b""
        self._left = 0
        self._target = stdio[1]

    def feed(self, data: bytes) -> None:
        """Write what is meant for whom; an output that is closed takes nothing more."""
        if not self._framed:
            self._write(self._stdio[1], data)
            return
        while data:
            if self._left:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                self._write(self._target, part)
                continue
            missing = FRAME.size - len(self._head)
            self._head, data = self._head + data[:missing], data[missing:]
            if len(self._head) == FRAME.size:
                stream, self._left = FRAME.unpack(self._head)
                self._target = self._stdio[2 if stream == STDERR else 1]
                self._head = b""

    @staticmethod
    def _write(descriptor: int, data: bytes) -> None:
        while data:
            data = data[os.write(descriptor, data) :]


def run_in(
    engine: Engine,
    container: str,
    argv: Sequence[str],
    stdio: tuple[int, int, int],
    env: Mapping[str, str],
    tty_wanted: bool,
) -> DockerRunning:
    """Start a command on copies of the descriptors; raises OperatorError."""
    number = engine.prepare_exec(container, argv, env, tty_wanted)
    copies = tuple(fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, 3) for each in stdio)
    if tty_wanted:
        tty.setraw(copies[0])  # the command has a terminal of its own: it cooks, this one carries
    channel, early = engine.start_exec(number, tty_wanted)
    running = DockerRunning(
        engine, container, number, channel, (copies[0], copies[1], copies[2]), tty_wanted
    )
    running.begin(early)
    return running
