"""`python -m orchestrator.world`: make a world, print one JSON line about it, leave it running.

Standard output: `{"ok": {"pid": …}}` or `{"error": text}`; exit code 0 or 1. Not for people:
`testnet` calls it.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import resource
import socket
import struct
import sys

from orchestrator.world import syscalls
from orchestrator.world.launch import Unfit, launch
from orchestrator.world.messages import send
from orchestrator.world.nodes import BRIDGE, write_sysctl
from orchestrator.world.server import World
from orchestrator.world.spawn import SpawnError, ip_batch

TUNSETIFF = 0x400454CA
"""linux/if_tun.h."""
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000


def main() -> int:
    """Launch; what is reported comes from both sides of the namespaces."""
    arguments = _arguments()
    log = os.open(arguments.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def world(channel: socket.socket) -> None:
        _live(arguments, channel, log)

    try:
        pid = launch(arguments.world_file, arguments.network_id, arguments.lock, world)
    except Unfit as error:
        print(json.dumps({"error": str(error)}))
        return 1
    print(json.dumps({"ok": {"pid": pid}}))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m orchestrator.world", allow_abbrev=False)
    parser.add_argument("--socket", required=True, help="where the world answers")
    parser.add_argument("--world-file", required=True, help="where its pid is noted")
    parser.add_argument("--network-id", required=True, help="the label it is known by")
    parser.add_argument("--lock", type=int, help="descriptor to keep until the world answers")
    parser.add_argument("--log", required=True, help="where it complains")
    parser.add_argument("--ip", required=True, help="path of the ip command")
    parser.add_argument("--keep", action="append", default=[], help="directory to keep in /run")
    return parser.parse_args()


def _live(arguments: argparse.Namespace, channel: socket.socket, log: int) -> None:
    """Process 1, from its first step to its last."""
    nothing = os.open("/dev/null", os.O_RDWR)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)
    os.chdir("/")
    os.umask(0o022)
    try:
        _furnish(arguments)
        listener = _listen(arguments.socket)
    except (OSError, SpawnError, Unfit) as error:
        send(channel, {"error": str(error)})
        return

    def ready() -> None:
        send(channel, {"ok": "ready"})
        channel.close()

    World(arguments.ip, tuple(arguments.keep), listener).run(ready)


def _furnish(arguments: argparse.Namespace) -> None:
    """A /proc of our own, limits and the bridge; raises with a text that names the fix."""
    syscalls.mount("none", "/", None, syscalls.MS_REC | syscalls.MS_SLAVE)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    try:
        syscalls.mount("proc", "/proc", "proc", flags)
    except OSError as error:
        raise Unfit(
            f"the kernel refuses a new /proc ({error.strerror}): a container masks parts of it: "
            "run on the machine itself, or with `--security-opt systempaths=unconfined`"
        ) from error
    _check_tun()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    write_sysctl("net/ipv6/conf/all/disable_ipv6", "1")
    write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
    ip_batch(
        arguments.ip,
        ["link set lo up", f"link add {BRIDGE} type bridge", f"link set {BRIDGE} up"],
    )


def _check_tun() -> None:
    """Make a tun device here, as the nodes will; closing it is slow, so a child does that."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            device = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"probe", IFF_TUN | IFF_NO_PI))
            os.write(writer, b"ok")
        except OSError as error:
            os.write(writer, (error.strerror or "unknown error").encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as pipe:
        said = pipe.read(200).decode()
    if said != "ok":
        raise Unfit(f"no tun device can be made through /dev/net/tun ({said}): use root")


def _listen(path: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    if os.path.exists(path):
        os.unlink(path)  # of a world that was killed: the caller holds the network's lock
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(64)
    return listener


if __name__ == "__main__":
    sys.exit(main())
