"""Messages between the world and whoever asks it: one JSON object a packet, descriptors beside it.

Sequenced packets keep the boundaries, so that a descriptor always belongs to the message it came
with. Requests are `{"verb": …, …}`; each gets `{"ok": …}` or `{"error": text}`, and `run` later
`{"exit": code}`.
"""

from __future__ import annotations

import array
import json
import socket
from collections.abc import Sequence
from typing import Any

__all__ = ["MAX_BYTES", "MAX_DESCRIPTORS", "Message", "receive", "send"]

MAX_BYTES = 1 << 20
"""About 350 bytes a node in an observation, and room."""
MAX_DESCRIPTORS = 4

Message = dict[str, Any]


def send(connection: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """One packet; raises OSError (EMSGSIZE above the socket's send buffer)."""
    data = json.dumps(message, separators=(",", ":")).encode()
    rights = array.array("i", descriptors)
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else []
    connection.sendmsg([data], ancillary)


def receive(connection: socket.socket) -> tuple[Message | None, list[int]]:
    """The next packet and its descriptors; (None, []) when the other end is gone."""
    rights_size = socket.CMSG_LEN(MAX_DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = connection.recvmsg(MAX_BYTES, rights_size, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            usable = len(content) - len(content) % descriptors.itemsize
            descriptors.frombytes(content[:usable])
    if not data:
        return None, []
    message: Message = json.loads(data)
    return message, list(descriptors)
