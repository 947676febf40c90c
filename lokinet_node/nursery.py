"""`python -m lokinet_node.nursery`: a warm parent that forks nodes, for whoever runs many at once.

It imports the node once and then forks it as often as it is asked to: a few milliseconds and a few
MiB for each instead of hundreds and twenty. Descriptor 0 is a Unix socket of sequenced packets;
one JSON object a packet:

    {"arguments": ["/path/lokinet.ini"], "directory": "/", "umask": 63}
        with four descriptors beside it: network, UTS and mount namespace to join, and the file that
        takes standard output and error
    -> {"pid": 17} or {"error": "text"}

Rules (decision 0003): the parent never holds a key, a socket of a node or a random number
generator; a child closes everything but its three standard descriptors before it runs
`lokinet` with those arguments. Children belong to the parent of the nursery's own process tree
(pid 1 of a pid namespace), not to the nursery, which ends when the other end of its socket closes.
"""

from __future__ import annotations

import array
import ctypes
import gc
import json
import os
import signal
import socket
import sys
from typing import Any, Final

DESCRIPTORS: Final = 4
MAX_BYTES: Final = 1 << 16
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWNET: Final = 0x40000000
"""linux/sched.h"""
PR_SET_NAME: Final = 15
"""linux/prctl.h"""

_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Warm up, then fork nodes until nobody asks any more."""
    _warm_up()
    with socket.socket(fileno=os.dup(0)) as asked:
        while True:
            data, ancillary, _, _ = asked.recvmsg(MAX_BYTES, socket.CMSG_LEN(DESCRIPTORS * 4))
            descriptors = _descriptors(ancillary)
            if not data:
                return 0
            try:
                reply = _bear(json.loads(data), descriptors)
            except (OSError, ValueError, KeyError, TypeError) as error:
                reply = {"error": f"{type(error).__name__}: {error}"}
            for descriptor in descriptors:
                os.close(descriptor)
            asked.send(json.dumps(reply).encode())


def _warm_up() -> None:
    """Import all that a node needs, and keep the collector from touching its pages again."""
    import encodings.idna  # noqa: F401 - asyncio would import it in every child

    import lokinet_node.cli
    import lokinet_node.run  # noqa: F401 - imported for its children

    gc.collect()
    gc.freeze()


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(content[: len(content) - len(content) % found.itemsize])
    return list(found)


def _bear(request: dict[str, Any], descriptors: list[int]) -> dict[str, Any]:
    """Fork twice, so that the child is nobody's but init's; its pid as seen in here."""
    if len(descriptors) != DESCRIPTORS:
        return {"error": f"{len(descriptors)} descriptors instead of {DESCRIPTORS}"}
    arguments = [str(argument) for argument in request["arguments"]]
    directory, umask = str(request["directory"]), int(request["umask"])
    reader, writer = os.pipe()
    middle = os.fork()
    if not middle:
        try:
            child = os.fork()
            if not child:
                _live(arguments, directory, umask, descriptors)
            os.write(writer, str(child).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(middle, 0)
    with os.fdopen(reader, "rb") as pipe:
        text = pipe.read()
    return {"pid": int(text)} if text else {"error": "fork failed"}


def _live(arguments: list[str], directory: str, umask: int, descriptors: list[int]) -> None:
    """Become a node; never returns."""
    code = 1
    try:
        os.setsid()
        os.umask(umask)
        net, uts, mnt, output = descriptors
        # The mount namespace last, as it changes what paths mean.
        for descriptor, kind in ((net, CLONE_NEWNET), (uts, CLONE_NEWUTS), (mnt, CLONE_NEWNS)):
            if _LIBC.setns(descriptor, kind):
                raise OSError(ctypes.get_errno(), "cannot join a namespace")
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(directory)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _LIBC.prctl(PR_SET_NAME, b"lokinet", 0, 0, 0)
        from lokinet_node.cli import main as run_node

        code = run_node(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException as error:  # the door of the process: say why it ends, then end
        print(f"lokinet: {error!r}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
