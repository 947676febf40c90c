"""`python -m lokinet_node.lending PATH`: sockets of where it runs, for whoever listens at PATH.

For tools outside a node's network namespace that may start a program in it and no more. It connects
to a Unix socket (SOCK_SEQPACKET) and answers each message until the other end hangs up:

    udp | tcp | packet       a new socket, of this network namespace
    stream /PATH             one that is connected to a Unix socket, as this user

with `0` and the socket's descriptor beside it (SCM_RIGHTS), or with the error's number alone.
Exit codes: 0 the other end hung up; 1 nobody listens there; 2 the command line is wrong.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Sequence
from typing import Final

MOST_BYTES: Final = 256
"""Of a message: `stream` and the longest path a Unix socket may have."""
_KINDS: Final = {
    "udp": (socket.AF_INET, socket.SOCK_DGRAM),
    "tcp": (socket.AF_INET, socket.SOCK_STREAM),
    "packet": (socket.AF_PACKET, socket.SOCK_RAW),  # hears nothing before it is bound
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if len(words) != 1:
        print("usage: python -m lokinet_node.lending PATH", file=sys.stderr)
        return 2
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        try:
            line.connect(words[0])
        except OSError as error:
            print(f"{words[0]}: nobody listens: {error.strerror or error}", file=sys.stderr)
            return 1
        try:
            while message := line.recv(MOST_BYTES):
                _answer(line, message)
        except ConnectionError:
            pass  # the other end hung up over an answer
    return 0


def _answer(line: socket.socket, message: bytes) -> None:
    try:
        lent = _made(message)
    except OSError as error:
        line.send(b"%d" % (error.errno or errno.EIO))
        return
    with lent:
        socket.send_fds(line, [b"0"], [lent.fileno()])


def _made(message: bytes) -> socket.socket:
    """What is asked for; raises OSError, with EINVAL for what is not understood."""
    word, _, path = message.decode(errors="replace").partition(" ")
    if word in _KINDS and not path:
        return socket.socket(*_KINDS[word])
    if word != "stream" or not path:
        raise OSError(errno.EINVAL, "not understood")
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.connect(path)
    except OSError:
        stream.close()
        raise
    return stream


if __name__ == "__main__":
    sys.exit(main())
