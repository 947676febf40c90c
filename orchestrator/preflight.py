"""Is this machine fit to run a network at all? Asked before anything is made.

Each finding names its fix. What only trying can show (user namespaces, mounting, making a tun) the
world tries itself when it is launched; what more nodes would need is in `capacity`.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterable

from orchestrator.errors import HostUnfit
from orchestrator.findings import Finding, Verdict, fatal, ok

__all__ = ["check_host", "check_proc", "check_programs", "essentials"]

TUN = "/dev/net/tun"
PACKAGES = {
    "ip": "iproute2",
    "nginx": "nginx-light",
    "curl": "curl",
    "ping": "iputils-ping",
    "nft": "nftables",
    "dnsmasq": "dnsmasq-base",
    "aiosmtpd": "python3-aiosmtpd",
    "murmurd": "mumble-server",
    "ffmpeg": "ffmpeg",
    "/usr/bin/python3": "python3-websockets",
}
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs of nodes are looked for: the PATH they are given."""
RESOLVER_FILE = "/etc/resolv.conf"

Opener = Callable[[str, int], int]


def check_proc() -> None:
    """Raise HostUnfit where there is no /proc: nothing can be known or made without."""
    _refuse([_proc()])


def check_host(programs: Iterable[str]) -> None:
    """Raise HostUnfit for the first thing that is missing.

    Args:
        programs: what the topology starts, by the first word of each command line.
    """
    _refuse(essentials(programs))


def check_programs(programs: Iterable[str]) -> None:
    """Raise HostUnfit for the first program that is missing."""
    _refuse([_program(program) for program in programs])


def essentials(programs: Iterable[str], opener: Opener = os.open) -> list[Finding]:
    """Everything that must be there, in the order in which it is needed."""
    return [
        _system(),
        _proc(),
        *(_program(program) for program in ["ip", *programs]),
        _tun(opener),
        _resolver(),
    ]


def _refuse(findings: Iterable[Finding]) -> None:
    for finding in findings:
        if finding.verdict is Verdict.FATAL:
            raise HostUnfit(finding.message)


def _system() -> Finding:
    if sys.platform != "linux":
        seen = f"network namespaces need Linux; this is {sys.platform}"
        return fatal("system", seen, "use a Linux machine")
    return ok("system", "Linux")


def _proc() -> Finding:
    if os.path.exists("/proc/self/uid_map"):
        return ok("/proc", "there")
    return fatal(
        "/proc",
        "no /proc, or no user namespaces in it",
        "`mount -t proc proc /proc`; in a chroot that is not enough: enter the root file system "
        "with pivot_root in a mount namespace instead",
    )


def _program(program: str) -> Finding:
    found = shutil.which(program, path=SEARCH_PATH)
    if found is not None:
        return ok(program, found)
    package = PACKAGES.get(program)
    fix = f"install it: `apt-get install {package}`" if package else ""
    return fatal(program, f"no program {program!r}", fix)


def _tun(opener: Opener) -> Finding:
    try:
        os.close(opener(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return fatal("tun", *_tun_refusal(error.errno or 0))
    return ok("tun", f"{TUN} opens")


def _tun_refusal(number: int) -> tuple[str, str]:
    """What is the case, and the fix."""
    if number == errno.ENOENT:
        make = f"`mkdir -p /dev/net && mknod -m 0666 {TUN} c 10 200`"
        return f"no {TUN}", f"make it: {make}, or `modprobe tun`"
    if number in (errno.ENODEV, errno.ENXIO):
        return f"{TUN} has no driver", "`modprobe tun`, or a kernel with CONFIG_TUN"
    if number in (errno.EACCES, errno.EPERM):
        return f"{TUN} may not be opened by this user", f"`chmod 0666 {TUN}` as root, or use root"
    return f"{TUN} cannot be opened: {os.strerror(number)}", ""


def _resolver() -> Finding:
    if os.path.exists(RESOLVER_FILE) or os.path.islink(RESOLVER_FILE):
        return ok("resolver file", RESOLVER_FILE)
    seen = f"no {RESOLVER_FILE} to put the nodes' resolver over"
    return fatal("resolver file", seen, f"`touch {RESOLVER_FILE}`")
