"""One call between two nodes' phones, listened to on both tuns, or on both links without Lokinet.

Single-threaded: while the phones talk, this answers their questions for their addresses, notes the
voice packets that pass, and reads their logs.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from orchestrator.backends import Backend, Running, clean_environment
from orchestrator.errors import CheckFailed
from orchestrator.voice import stun
from orchestrator.voice.baresip import (
    MICROPHONE,
    Phone,
    agreed_on,
    files_of,
    has_ended,
    is_ready,
    last_words,
    received,
    was_established,
)
from orchestrator.voice.rtp import Heard

__all__ = ["End", "call", "tap"]

LOG = "baresip.log"
ETH_P_ALL = 0x0003
SOL_PACKET, PACKET_VNET_HDR = 263, 15
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("@qq")
ROOM_BYTES = 4 << 20
"""Of a tap: 20 s of two voices are a quarter of it."""
LARGEST = 1 << 17
LOOK_EVERY_MS = 50
"""At the logs, while nothing passes."""
READY_S = 20.0
"""A phone is ready in 0.1 s; ten times that, and again on a busy machine."""
CONNECT_S = 20.0
"""What a call may take beyond what is said in it: to be dialled, answered, ended."""
END_S = 1.0
"""A phone that hung up may still wait for the other one: its recording is closed."""


@dataclass(slots=True, eq=False)
class End:
    """One end of a call while it goes on."""

    node: str
    phone: Phone
    microphone: bytes
    """A WAV file of the phone's rate."""
    witness: socket.socket
    """Answers the other end's questions, bound in this end's network."""
    tap: socket.socket
    """Hears all that passes this end's tun, or its link."""
    heard: Heard = field(default_factory=Heard)

    @property
    def log(self) -> str:
        """What its phone said so far."""
        with contextlib.suppress(FileNotFoundError):
            return (self.phone.folder / LOG).read_text(errors="replace")
        return ""

    @property
    def was_answered(self) -> bool:
        """The other end took its call."""
        return was_established(self.log)

    @property
    def codec(self) -> str:
        """In which it talked."""
        return agreed_on(self.log)

    @property
    def reported(self) -> dict[str, float]:
        """Its phone's own count of what it got: `lost`, `jitter_ms`."""
        return received(self.log)

    @property
    def last_words(self) -> str:
        """What its phone said last."""
        return last_words(self.log)


def tap(channel: socket.socket, device: str) -> socket.socket:
    """Begin to hear all that passes a device, on a raw packet socket of its network."""
    channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM_BYTES)
    channel.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    channel.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    channel.bind((device, ETH_P_ALL))
    channel.setblocking(False)
    return channel


def call(backend: Backend, caller: End, callee: End, host: str, seconds: float) -> None:
    """From dialling to hanging up; afterwards the ends know what they heard.

    Args:
        backend: where both are.
        caller: who dials.
        callee: who takes the call.
        host: whom the caller dials.
        seconds: how long what is said takes.

    Raises:
        CheckFailed: a phone did not start, or the call did not end.
    """
    ends = (caller, callee)
    for end in ends:
        end.phone.folder.mkdir(mode=0o700)
        for name, text in files_of(end.phone).items():
            (end.phone.folder / name).write_text(text)
        (end.phone.folder / MICROPHONE).write_bytes(end.microphone)
    with ExitStack() as running:
        _start(backend, callee, callee.phone.waiting, running)
        _until(lambda: is_ready(callee.log) or has_ended(callee.log), READY_S, ends)
        if not is_ready(callee.log):
            raise CheckFailed(f"{callee.node}'s phone did not start: {callee.last_words}")
        dialling = caller.phone.dialling(callee.phone.user, host)
        _start(backend, caller, dialling, running)
        _until(
            lambda: (
                all(has_ended(end.log) for end in ends)
                or (has_ended(caller.log) and not caller.was_answered)
            ),
            seconds + CONNECT_S,
            ends,
        )


def _start(backend: Backend, end: End, argv: Sequence[str], running: ExitStack) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    log = os.open(end.phone.folder / LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        environment = {**clean_environment(), "HOME": str(end.phone.folder), "TERM": "dumb"}
        started = backend.beside(end.node, argv, (nothing, log, log), environment)
    finally:
        os.close(nothing)
        os.close(log)
    running.callback(_end, started)


def _end(started: Running) -> None:
    """Asked first, so that it closes its recording; gone afterwards, and its port free."""
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                started.signal(number)
                started.wait(END_S)
                break
    finally:
        started.close()


def _until(holds: Callable[[], bool], most_s: float, ends: Sequence[End]) -> bool:
    """Serve both ends until that holds; whether it did in time."""
    deadline = time.monotonic() + most_s
    poll = select.poll()
    for end in ends:
        poll.register(end.witness, select.POLLIN)
        poll.register(end.tap, select.POLLIN)
    look_at = 0.0
    while (now := time.monotonic()) < deadline:
        if now >= look_at:
            if holds():
                return True
            look_at = now + LOOK_EVERY_MS / 1000
        ready = {descriptor for descriptor, _ in poll.poll(LOOK_EVERY_MS)}
        for end in ends:
            if end.tap.fileno() in ready:
                _listen(end)
            if end.witness.fileno() in ready:
                _testify(end.witness)
    return holds()


def _testify(witness: socket.socket) -> None:
    with contextlib.suppress(OSError):  # nothing there after all, or who asked is gone
        request, (address, port) = witness.recvfrom(2048)
        reply = stun.answer(request, address, port)
        if reply is not None:
            witness.sendto(reply, (address, port))


def _listen(end: End) -> None:
    """Everything that waits, with the kernel's time."""
    with contextlib.suppress(BlockingIOError):
        while True:
            piece, notes, _, _ = end.tap.recvmsg(LARGEST, socket.CMSG_SPACE(TIMESPEC.size))
            at = time.time()
            for level, kind, data in notes:
                if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                    seconds, nanoseconds = TIMESPEC.unpack(data[: TIMESPEC.size])
                    at = seconds + nanoseconds / 1e9
            end.heard.add(piece, at)
