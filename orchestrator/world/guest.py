"""A program of this machine as a guest in a node: with all it starts, it ends when its caller goes.

Three processes: the guard, which the caller knows and signals; process 1 of a pid namespace of
their own; and the program, a session of its own. When the program ends, or the guard does in
whatever way, process 1 ends, and the kernel ends everybody else in there.

Rules: standard library only; one thread. The guard passes signals on as single bytes and is told
the exit code as text. The program has the caller's files, descriptors and environment; its network
is the one the guard was started in or is told to enter.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from orchestrator.world import syscalls
from orchestrator.world.mounts import hide_run, own_file
from orchestrator.world.spawn import NOT_IGNORED, SpawnError

__all__ = ["Invitation", "main"]

GRACE_S = 2.0
"""A program whose caller went away is told so, and killed after this."""
CANNOT_START = 127
"""As shells say it."""
PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
SHARED = "/run/testnet"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the guard is told; JSON of it is its only argument."""

    argv: Sequence[str]
    """The program, found by PATH of its environment, and its arguments."""
    network: int = -1
    """Descriptor of the network namespace to enter; -1: it is there already."""
    lifeline: int = -1
    """Descriptor of a pipe whose other end the caller holds; -1: the caller sends SIGHUP."""
    resolv_conf: str = ""
    """Its text, for who is not in the node's mounts; then /run is empty, as it is there."""
    keep: Sequence[str] = ()
    """Directories that stay visible if they are below /run."""


def main() -> NoReturn:
    """Be the guard; ends as the program ended."""
    invitation = Invitation(**json.loads(sys.argv[1]))
    try:
        _settle(invitation)
        ours, theirs = socket.socketpair()
        if os.fork() == 0:
            ours.close()
            _first_process(theirs, invitation.argv)
    except (OSError, SpawnError) as error:
        _say(f"{invitation.argv[0]} cannot be put into the node's network: {error}")
        os._exit(CANNOT_START)
    theirs.close()
    code = _guarded(ours, invitation.lifeline)
    if code < 0:  # the same way, for who looks
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)


def _settle(invitation: Invitation) -> None:
    """Into the namespaces; the pid namespace is the next child's."""
    if invitation.lifeline >= 0:
        os.set_inheritable(invitation.lifeline, False)
    if invitation.network >= 0:
        syscalls.setns(invitation.network, syscalls.CLONE_NEWNET)
        os.close(invitation.network)
    syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID)
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
    if invitation.resolv_conf:
        hide_run(invitation.keep, SHARED)
        own_file("/etc/resolv.conf", invitation.resolv_conf, SHARED)


def _wakeup() -> int:
    """A descriptor that brings the numbers of signals as bytes."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    return reader


def _guarded(channel: socket.socket, lifeline: int) -> int:
    """Pass on what comes until the program ended; its exit code, negative for a signal."""
    woken = _wakeup()
    for number in PASSED_ON:
        signal.signal(number, lambda *_: None)
    poll = select.poll()
    for descriptor in (woken, channel.fileno(), *((lifeline,) if lifeline >= 0 else ())):
        poll.register(descriptor, select.POLLIN)
    deadline: float | None = None
    while True:
        left_ms = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        ready = [descriptor for descriptor, _ in poll.poll(left_ms)]
        if channel.fileno() in ready:
            told = channel.recv(16)
            return int(told) if told else -signal.SIGKILL
        if not ready:
            return -signal.SIGKILL
        numbers = os.read(woken, 64) if woken in ready else b""
        if lifeline in ready:
            poll.unregister(lifeline)
            numbers += bytes([signal.SIGHUP])
            deadline = time.monotonic() + GRACE_S
        with suppress(BrokenPipeError):  # its end is on its way
            channel.sendall(bytes(number for number in numbers if number in PASSED_ON))


def _first_process(channel: socket.socket, argv: Sequence[str]) -> NoReturn:
    """Reap whoever ends, signal the program, end with it or with the guard."""
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
        syscalls.mount("proc", "/proc", "proc", flags)
        woken = _wakeup()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        program = os.fork()
        if program == 0:
            _program(argv)
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        poll.register(channel, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll()]
            if woken in ready:
                os.read(woken, 64)
                _reap(program, channel)
            if channel.fileno() in ready:
                numbers = channel.recv(64)
                if not numbers:
                    break
                for number in numbers:
                    with suppress(ProcessLookupError):
                        os.killpg(program, number)
    except OSError as error:
        _say(f"{argv[0]} cannot be started: {error.strerror} {error.filename or ''}".rstrip())
        with suppress(OSError):
            channel.sendall(str(CANNOT_START).encode())
    finally:
        os._exit(1)


def _reap(program: int, channel: socket.socket) -> None:
    """Everybody who ended; with the program, this process ends too."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == program:
            channel.sendall(str(os.waitstatus_to_exitcode(status)).encode())
            os._exit(0)


def _program(argv: Sequence[str]) -> NoReturn:
    try:
        signal.set_wakeup_fd(-1)
        os.setsid()
        for number in (*NOT_IGNORED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.execvp(argv[0], list(argv))
    except OSError as error:
        _say(f"{argv[0]}: {error.strerror}")
    finally:
        os._exit(CANNOT_START)


def _say(text: str) -> None:
    with suppress(OSError):
        os.write(2, f"testnet: {text}\n".encode(errors="replace"))
