"""A container on trial: may it open the tun device and make a tun, with the rights nodes get?

It ends and removes itself after some seconds, so that nothing stays of it whoever is killed.
"""

from __future__ import annotations

import errno
import os
import time

from orchestrator.engine.client import Engine
from orchestrator.engine.images import PYTHON
from orchestrator.errors import OperatorError
from orchestrator.findings import Finding, fatal, ok

__all__ = ["judge_trial", "try_a_container"]

SUBJECT = "container"
TUN = "/dev/net/tun"
LONGEST_S = 20
BLOCK_BYTES = 1 << 12
KILLED = 99
"""The container went down under the program."""
BASE = 100
"""Exit codes above it are the kernel's error numbers."""
PROGRAM = f"""
import fcntl, os, struct, sys
try:
    tun = os.open({TUN!r}, os.O_RDWR)
    fcntl.ioctl(tun, 0x400454CA, struct.pack("16sH22x", b"lokitun0", 0x1001))
except OSError as error:
    sys.exit({BASE} + error.errno)
"""
"""TUNSETIFF, IFF_TUN | IFF_NO_PI: linux/if_tun.h."""


def try_a_container(engine: Engine, image: str) -> Finding:
    """Run one; `image` is the node image's number."""
    body = {
        "Image": image,
        "User": "0:0",
        "Entrypoint": ["sleep", str(LONGEST_S)],
        "Cmd": [],
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "CapAdd": ["NET_ADMIN"],
            "Devices": [
                {"PathOnHost": TUN, "PathInContainer": TUN, "CgroupPermissions": "rwm"},
            ],
            "ReadonlyRootfs": True,
            "SecurityOpt": ["no-new-privileges"],
        },
    }
    began = time.monotonic()
    name = f"lokinet-testnet-doctor-{os.getpid()}"
    try:
        container = engine.create(name, body)
        try:
            engine.start(container, name)
            code = _run_in(engine, container)
        finally:
            engine.remove(container)
    except OperatorError as error:
        return refused(str(error))
    return judge_trial(code, time.monotonic() - began)


def _run_in(engine: Engine, container: str) -> int:
    argv = [PYTHON, "-I", "-S", "-c", PROGRAM]
    number = engine.prepare_exec(container, argv, {}, tty=False)
    channel, _ = engine.start_exec(number, tty=False)
    with channel:
        while channel.recv(BLOCK_BYTES):
            pass
    code = engine.inspect_exec(number).get("ExitCode")
    return KILLED if code is None else int(code)


def refused(text: str) -> Finding:
    """The engine would not start it."""
    if "device information" in text or ("no such file" in text and TUN in text):
        fix = f"`mkdir -p /dev/net && mknod -m 0666 {TUN} c 10 200`, or `modprobe tun`"
        return fatal(SUBJECT, f"this machine has no {TUN}", fix)
    return fatal(SUBJECT, f"the engine does not start one: {text}", "see the engine's log")


def judge_trial(code: int, seconds: float) -> Finding:
    """By its exit code."""
    if code == 0:
        return ok(SUBJECT, f"made a tun and ended in {seconds * 1000:.0f} ms")
    if code == BASE + errno.EPERM:
        return fatal(
            SUBJECT,
            f"it may not open {TUN} (EPERM), although it was given it",
            "another runc (`docker version` shows which; 1.2.4 and newer are fine), and no rule of "
            "AppArmor or SELinux against it",
        )
    if code in (BASE + errno.ENODEV, BASE + errno.ENXIO):
        return fatal(SUBJECT, f"{TUN} has no driver", "`modprobe tun`")
    if code > BASE:
        return fatal(SUBJECT, f"it cannot make a tun: {os.strerror(code - BASE)}", "see the text")
    return fatal(
        SUBJECT, f"its program ended with {code}", "`testnet images` builds the image anew"
    )
