"""Where networks can live. One small interface, as large as what really differs between the places.

Waiting, probing, fetching and copying are free functions over it; a backend decides nothing.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from orchestrator.ops import Observed, Op

__all__ = ["Backend", "Connection", "ExecResult", "Running", "SocketKind", "captured"]

Connection = socket.socket
"""As a class with a method `socket` has to call it."""
SocketKind = Literal["tcp", "udp", "packet"]
"""`packet`: all frames of a link, once it is bound to one."""


class Running(Protocol):
    """A program that was started in a node for somebody who waits for it."""

    def signal(self, number: int) -> None:
        """Send it (and its children) a signal."""

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code, negative for a signal; raises TimeoutError."""

    def close(self) -> None:
        """Let go; what still runs is hung up on."""


class Backend(Protocol):
    """One network in one kind of place. Methods may be called from several threads."""

    @property
    def workers(self) -> int:
        """How many acts beside each other bring it up fastest."""

    @property
    def sees_this_machine(self) -> bool:
        """Whether programs in nodes have this machine's files, this interpreter among them."""

    def observe(self) -> Observed:
        """What exists now."""

    def perform(self, op: Op) -> None:
        """Exactly one act, idempotent; raises OperatorError."""

    def all_made(self) -> None:
        """Everything that was to be made is: programs that were held back until then begin."""

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
        tty: bool = False,
    ) -> Running:
        """Start a program in a node, in the caller's directory, on the caller's descriptors."""

    def beside(
        self,
        node: str,
        argv: Sequence[str],
        stdio: tuple[int, int, int],
        env: Mapping[str, str],
    ) -> Running:
        """Start a program of this machine in a node's network, with the node's resolv.conf.

        It has this machine's files (an empty /run apart), display and sound, and no more rights
        than the caller. Everything it starts ends with it, and with the caller. Raises CheckFailed
        if there is no such program, HostUnfit where only root could do it.
        """

    def socket(self, node: str, kind: SocketKind) -> socket.socket:
        """A socket that lives in a node's network and is used from here."""

    def control(self, node: str, path: str) -> Connection:
        """A connection to a node's control socket; raises OSError while nobody listens."""

    def logs(self, node: str) -> dict[str, str]:
        """The log file of each program of a node, by the program's name."""

    def close(self) -> None:
        """Let go of everything held here; the network stays."""


@dataclass(frozen=True, slots=True)
class ExecResult:
    """How a program ended and what it said."""

    code: int
    out: str
    err: str


def captured(
    backend: Backend,
    node: str,
    argv: Sequence[str],
    timeout_s: float,
    is_guest: bool = False,
    env: Mapping[str, str] | None = None,
) -> ExecResult:
    """Run a program in a node to its end; raises TimeoutError, its output is then lost.

    Args:
        backend: where.
        node: in whose network.
        argv: the program and its arguments.
        timeout_s: how long it may take.
        is_guest: it is one of this machine: see `Backend.beside`.
        env: its whole environment; without it a clean one.
    """
    start = backend.beside if is_guest else backend.exec
    nothing = os.open(os.devnull, os.O_RDONLY)
    try:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            stdio = (nothing, out.fileno(), err.fileno())
            running = start(node, argv, stdio, clean_environment() if env is None else env)
            try:
                code = running.wait(timeout_s)
            finally:
                running.close()
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
    finally:
        os.close(nothing)
    return ExecResult(code, texts[0], texts[1])


def clean_environment() -> dict[str, str]:
    """What programs started by us see: enough to run, nothing of the caller's."""
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/",
        "LANG": "C.UTF-8",
    }
