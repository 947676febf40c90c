"""Is this machine fit to run the network? Asked before anything is made; each no names its fix.

What only trying can show (user namespaces, mounting, making a tun) the world tries itself when it
is launched.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterable

from orchestrator.errors import HostUnfit

__all__ = ["check_host", "check_proc"]

TUN = "/dev/net/tun"
PACKAGES = {"ip": "iproute2", "nginx": "nginx-light", "curl": "curl"}
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs of nodes are looked for: the PATH they are given."""


def check_proc() -> None:
    """Raise HostUnfit where there is no /proc: nothing can be known or made without."""
    if not os.path.exists("/proc/self/uid_map"):
        raise HostUnfit(
            "no /proc, or no user namespaces in it: `mount -t proc proc /proc`; in a chroot that "
            "is not enough: enter the root file system with pivot_root in a mount namespace instead"
        )


def check_host(programs: Iterable[str]) -> None:
    """Raise HostUnfit for the first thing that is missing.

    Args:
        programs: what the topology starts, by the first word of each command line.
    """
    if sys.platform != "linux":
        raise HostUnfit(f"network namespaces need Linux; this is {sys.platform}")
    for program in ["ip", *programs]:
        if shutil.which(program, path=SEARCH_PATH) is None:
            package = PACKAGES.get(program)
            fix = f": install it: `apt-get install {package}`" if package else ""
            raise HostUnfit(f"no program {program!r}{fix}")
    _check_tun()
    if not os.path.exists("/etc/resolv.conf") and not os.path.islink("/etc/resolv.conf"):
        raise HostUnfit(
            "no /etc/resolv.conf to put the nodes' resolver over: `touch /etc/resolv.conf`"
        )


def _check_tun(opener: Callable[[str, int], int] = os.open) -> None:
    try:
        os.close(opener(TUN, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        raise HostUnfit(_tun_refusal(error.errno or 0)) from error


def _tun_refusal(number: int) -> str:
    if number == errno.ENOENT:
        return (
            f"no {TUN}: make it: "
            f"`mkdir -p /dev/net && mknod -m 0666 {TUN} c 10 200`, or `modprobe tun`"
        )
    if number in (errno.ENODEV, errno.ENXIO):
        return f"{TUN} has no driver: `modprobe tun`, or a kernel with CONFIG_TUN"
    if number in (errno.EACCES, errno.EPERM):
        return f"{TUN} may not be opened by this user: `chmod 0666 {TUN}` as root, or use root"
    return f"{TUN} cannot be opened: {os.strerror(number)}"
