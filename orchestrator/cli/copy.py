"""`testnet cp`: files into a node, out of it, or from one to another.

A node sees the machine's files but for a few of its own (/run, /etc/hosts, /etc/resolv.conf), so
what is copied is what the node sees under that path.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from orchestrator.backends import Backend, Running, clean_environment
from orchestrator.backends.keys import PACKAGE_ROOT
from orchestrator.cli.network import node_of, observed_network
from orchestrator.copying import CopyError, pack, tar_argv, unpack
from orchestrator.errors import EXIT_OK, CheckFailed, UsageError

__all__ = ["cp"]


@dataclass(frozen=True, slots=True)
class Place:
    """One end: a path here, or in a node."""

    node: str | None
    path: str

    @classmethod
    def of(cls, word: str) -> Place:
        """`NODE:/PATH`, or a path here (`./a:b` where it has a colon); raises UsageError."""
        node, colon, path = word.partition(":")
        if not colon or not node or "/" in node:
            return cls(None, word)
        if not path.startswith("/"):
            raise UsageError(f"{word}: a path in a node begins with /")
        return cls(node, path)


@dataclass(slots=True)
class _Remote:
    """An end in a node, at work."""

    name: str
    running: Running
    errors: IO[bytes]

    def problem(self) -> str | None:
        """Wait for its end: what went wrong."""
        try:
            code = self.running.wait()
        finally:
            self.running.close()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip()
        return f"{self.name}: {said or f'ended with {code}'}" if code else None


def cp(arguments: argparse.Namespace) -> int:
    """Copy a file or a folder."""
    source, target = Place.of(arguments.source), Place.of(arguments.target)
    if source.node is None and target.node is None:
        raise UsageError("neither end is in a node: write NODE:/PATH for one of them")
    _, backend, observed = observed_network(arguments.name)
    for place in (source, target):
        if place.node is not None:
            node_of(observed, place.node)
    problem = _copy(backend, source, target)
    if problem is not None:
        raise CheckFailed(problem)
    return EXIT_OK


def _copy(backend: Backend, source: Place, target: Place) -> str | None:
    """What went wrong; the sender's word first, unless it only lost its reader."""
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as incoming, os.fdopen(writer, "wb") as outgoing:
        sender = _begin(backend, source, "pack", outgoing)
        receiver = _begin(backend, target, "unpack", incoming)
        if receiver is not None:
            incoming.close()
        sent = received = None
        if sender is None:
            sent = _attempt(lambda: pack(Path(source.path), outgoing))
        _close(outgoing)
        if receiver is None:
            received = _attempt(lambda: unpack(incoming, Path(target.path)))
            incoming.close()
    sent = sender.problem() if sender else sent
    received = receiver.problem() if receiver else received
    is_only_unheard = sent is not None and "Broken pipe" in sent and received is not None
    return received if sent is None or is_only_unheard else sent


def _attempt(act: Callable[[], None]) -> str | None:
    try:
        act()
    except CopyError as error:
        return str(error)
    return None


def _close(stream: IO[bytes]) -> None:
    """Flush what nobody may want any more."""
    try:
        stream.close()
    except BrokenPipeError:
        return


def _begin(
    backend: Backend, place: Place, verb: Literal["pack", "unpack"], stream: IO[bytes]
) -> _Remote | None:
    """Start an end that is in a node; None for one that is here."""
    if place.node is None:
        return None
    argv = [sys.executable, "-P", "-m", "orchestrator.copying", verb, place.path]
    if not backend.sees_this_machine:
        argv = tar_argv(verb, place.path)
    env = {**clean_environment(), "PYTHONPATH": str(PACKAGE_ROOT)}
    errors = tempfile.TemporaryFile()  # noqa: SIM115 -- read after the program has ended
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        ends = (nothing, stream.fileno()) if verb == "pack" else (stream.fileno(), nothing)
        running = backend.exec(place.node, argv, (*ends, errors.fileno()), env)
    finally:
        os.close(nothing)
    return _Remote(place.node, running, errors)
