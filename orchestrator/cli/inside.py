"""`testnet exec` and `testnet shell`: the caller's own descriptors, the node's namespaces.

The world starts the program on the descriptors it is handed, so nothing is copied in between.
Signals that the caller gets are passed on; the program's exit code is ours, 128 + number if a
signal ended it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.backends import Backend, Running
from orchestrator.cli.network import node_of, observed_network
from orchestrator.errors import CheckFailed, UsageError

__all__ = ["execute", "shell"]

PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP)
EXIT_CANNOT_START = 127
"""As shells say it."""
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def execute(arguments: argparse.Namespace) -> int:
    """Run one command to its end."""
    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        raise UsageError("no command given: testnet exec NODE -- COMMAND ...")
    _, backend, observed = observed_network(arguments.name)
    node_of(observed, arguments.node)
    if arguments.tty:
        return _on_terminal(backend, arguments.node, argv)
    return _on_descriptors(backend, arguments.node, argv)


def shell(arguments: argparse.Namespace) -> int:
    """Open $SHELL, or sh; on a terminal of its own if we have one."""
    _, backend, observed = observed_network(arguments.name)
    node_of(observed, arguments.node)
    argv = [os.environ.get("SHELL") or "/bin/sh"]
    if sys.stdin.isatty():
        return _on_terminal(backend, arguments.node, argv)
    return _on_descriptors(backend, arguments.node, argv)


def _on_terminal(backend: Backend, node: str, argv: list[str]) -> int:
    from orchestrator.cli.terminal import relay

    if not sys.stdin.isatty():
        raise UsageError("--tty needs a terminal on standard input")
    return _shell_code(relay(backend, node, argv, _environment()))


def _on_descriptors(backend: Backend, node: str, argv: list[str]) -> int:
    sys.stdout.flush()
    with _signals_kept() as signals:  # from here on, a signal is the program's, never only ours
        try:
            running = backend.exec(node, argv, (0, 1, 2), _environment())
        except CheckFailed as error:
            print(f"testnet: {error}", file=sys.stderr)
            return EXIT_CANNOT_START
        try:
            signals.pass_to(running)
            return _shell_code(running.wait())
        finally:
            running.close()


@dataclass(slots=True)
class _Signals:
    """Those we got; passed on as soon as there is somebody to pass them to."""

    early: list[int] = field(default_factory=list)
    running: Running | None = None

    def receive(self, number: int, _frame: object) -> None:
        if self.running is None:
            self.early.append(number)
        else:
            self.running.signal(number)

    def pass_to(self, running: Running) -> None:
        self.running = running
        for number in self.early:
            running.signal(number)


@contextmanager
def _signals_kept() -> Iterator[_Signals]:
    signals = _Signals()
    before = {number: signal.signal(number, signals.receive) for number in PASSED_ON}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _environment() -> dict[str, str]:
    """The caller's, without the host's proxies: none can be reached from in there."""
    kept = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
    }
    return {**kept, "PATH": f"{os.environ.get('PATH', '')}:{SEARCH_PATH}"}


def _shell_code(code: int) -> int:
    return 128 - code if code < 0 else code
