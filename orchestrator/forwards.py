"""Ports of the host's loopback that lead into a node.

The listener is made here, in the host's network and on 127.0.0.1 only, and handed to a forwarder
that runs inside the node (`world/forwarder.py`). State lives on the objects: which forwards there
are is read from the processes of the world.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orchestrator
from orchestrator.backends import Backend, Running, clean_environment
from orchestrator.errors import CheckFailed, OperatorError, UsageError
from orchestrator.relays import start_relay
from orchestrator.worlds import World, processes_inside

__all__ = ["Forward", "Target", "end_forward", "find_forwards", "listen", "parse_target", "start"]

LOOPBACK = "127.0.0.1"
MODULE = "orchestrator.world.forwarder"
QUEUE = 64
START_S = 15.0
"""Python's start and one question to the resolver, which gives up after 10 s."""
END_S = 5.0
HIGHEST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Target:
    """`8080:web.loki:80`, taken apart; no port: where the application of a node answers."""

    local: int
    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Forward:
    """One that runs."""

    pid: int
    """On this machine."""
    node: str
    local: int
    host: str
    port: int


def parse_target(text: str) -> Target:
    """`LOCAL:HOST[:PORT]`; raises UsageError."""
    local, _, rest = text.partition(":")
    host, colon, port = rest.partition(":")
    numbers = [local, port] if colon else [local]
    if not host or not all(each.isdigit() and int(each) <= HIGHEST_PORT for each in numbers):
        raise UsageError(f"{text!r} is not LOCAL:HOST:PORT, for example 8080:web.loki:80")
    return Target(int(local), host, int(port) if colon else None)


def listen(port: int) -> socket.socket:
    """A listener on the host's loopback, 0 for any free port; raises UsageError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(QUEUE)
    except OSError as error:
        listener.close()
        hint = "name another, or 0 for any free one"
        raise UsageError(f"port {port} of {LOOPBACK}: {error.strerror}: {hint}") from error
    return listener


def start(
    backend: Backend,
    node: str,
    listener: socket.socket,
    target: tuple[str, int],
    log: Path | None = None,
) -> Running:
    """Start a forwarder and hear whether its target is known; raises CheckFailed.

    Args:
        backend: the network.
        node: from whose point of view the target is reached.
        listener: where the host connects; the caller may close it afterwards.
        target: host and port.
        log: given, the forwarder goes on alone and writes there; what is returned has ended.
    """
    if not backend.sees_this_machine:
        if log is not None:
            raise CheckFailed(
                "in containers a forward runs in the foreground: leave --background out"
            )
        return start_relay(backend, node, listener, target)
    local = listener.getsockname()[1]
    argv = [sys.executable, "-P", "-S", "-m", MODULE, node, str(local), target[0], str(target[1])]
    if log is not None:
        argv += ["--detach", str(log)]
    package_root = Path(orchestrator.__file__).parent.parent
    environment = {**clean_environment(), "PYTHONPATH": str(package_root)}
    reader, writer = os.pipe()
    try:
        stdio = (listener.fileno(), writer, 2)
        running = backend.exec(node, argv, stdio, environment)
    finally:
        os.close(writer)
    try:
        _hear(reader)
        if log is not None:
            running.wait(END_S)  # what was waited for; hung up on earlier, it would be killed
    except BaseException:
        running.close()
        raise
    finally:
        os.close(reader)
    return running


def _hear(reader: int) -> None:
    """The forwarder's one line."""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    if not poll.poll(START_S * 1000):
        raise CheckFailed(f"the forwarder did not start within {START_S:.0f} s")
    data = os.read(reader, 4096)
    try:
        said = json.loads(data)
    except ValueError:
        raise CheckFailed("the forwarder could not start; the lines above say why") from None
    if "error" in said:
        raise CheckFailed(str(said["error"]))


def find_forwards(world: World) -> list[Forward]:
    """Those of one world, by their port."""
    found = [_forward(pid) for pid in processes_inside(world)]
    return sorted((each for each in found if each is not None), key=lambda each: each.local)


def _forward(pid: int) -> Forward | None:
    """A process that is a forwarder, by its command line."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None  # it has just ended
    if MODULE not in words:
        return None
    return _from_words(pid, words[words.index(MODULE) + 1 :])


def _from_words(pid: int, words: Sequence[str]) -> Forward | None:
    try:
        node, local, host, port = words[:4]
        return Forward(pid, node, int(local), host, int(port))
    except ValueError:
        return None


def end_forward(world: World, local: int) -> Forward:
    """End the one that listens there, and wait until it has; raises CheckFailed."""
    for forward in find_forwards(world):
        if forward.local != local:
            continue
        with suppress(ProcessLookupError):  # it has just ended by itself
            handle = os.pidfd_open(forward.pid)
            try:
                if _forward(forward.pid) == forward:  # and not a stranger who got its number
                    signal.pidfd_send_signal(handle, signal.SIGTERM)
                    poll = select.poll()
                    poll.register(handle, select.POLLIN)
                    if not poll.poll(END_S * 1000):
                        raise OperatorError(f"the forward of port {local} does not end")
            finally:
                os.close(handle)
        return forward
    raise CheckFailed(f"nothing is forwarded from port {local}")
