"""Warm parents of programs: started early, asked for a child by every `start` that names them.

What a nursery runs is the caller's business: it is a command that takes requests of

    {"arguments": […], "directory": path, "umask": number} with descriptors net, uts, mnt, output

on descriptor 0 and answers each, in order, `{"pid": number}` or `{"error": text}`. Its children
become ours, as everything in here whose parent is gone does. Nothing waits for a nursery: it may
still be importing when it is asked. If it dies, programs are started by their argv instead.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from orchestrator.world.messages import Message, receive, send
from orchestrator.world.spawn import Namespaces, fork

__all__ = ["Nursery", "start_nursery"]

Answer = Callable[[int | str], None]
"""Called with the child's pid, or with the reason why there is none."""


@dataclass(slots=True, eq=False)
class Nursery:
    """A running one, and those who wait for its answers."""

    channel: socket.socket
    waiting: list[Answer] = field(default_factory=list)

    def bear(self, request: Message, namespaces: Namespaces, output: int, answer: Answer) -> None:
        """Ask for a child in those namespaces; descriptors stay the caller's."""
        descriptors = (namespaces.net, namespaces.uts, namespaces.mnt, output)
        try:
            send(self.channel, request, descriptors)
        except OSError as error:
            answer(f"the nursery does not take requests: {error.strerror}")
            return
        self.waiting.append(answer)

    def hear(self) -> bool:
        """Take one answer; False if the nursery is gone, and all who waited were told."""
        reply: Message | None
        try:
            reply, _ = receive(self.channel)
        except (OSError, ValueError):
            reply = None
        if reply is not None and self.waiting:
            self.waiting.pop(0)(int(reply["pid"]) if "pid" in reply else str(reply.get("error")))
            return True
        waiting, self.waiting = self.waiting, []
        for answer in waiting:
            answer("the nursery died; its log says why")
        return False


def start_nursery(argv: Sequence[str], env: Mapping[str, str], log: int) -> Nursery:
    """Start one, without waiting for it; what it says goes to `log`."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def child() -> None:
        os.setsid()
        for number, descriptor in enumerate((theirs.fileno(), log, log)):
            os.dup2(descriptor, number)
        os.execvpe(argv[0], list(argv), dict(env))

    fork(child)
    theirs.close()
    return Nursery(ours)
