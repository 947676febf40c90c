"""Network namespaces for tests: nameless, made by a child that ends with the test process."""

from __future__ import annotations

import ctypes
import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

_NEW_NETWORK: Final = 0x40000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace with its loopback up; gone when closed, or when this process ends."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("network namespaces with a tun need root here")
        # The holder reads from us: whatever ends this process ends it, and the namespace with it.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"up\n"
        self.pid = self._holder.pid

    def close(self) -> None:
        self._holder.communicate()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets and devices opened meanwhile by this thread belong to the namespace."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        inside = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _set_namespace(inside)
            yield
        finally:
            _set_namespace(before)
            os.close(before)
            os.close(inside)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a program inside, no shell; CalledProcessError when it fails."""
        inside = ["nsenter", f"--net=/proc/{self.pid}/ns/net", *shlex.split(command)]
        return subprocess.run(inside, capture_output=True, check=True, text=True, timeout=60)


@contextmanager
def two_namespaces() -> Iterator[tuple[Namespace, Namespace]]:
    """Two namespaces that nothing connects."""
    first = Namespace()
    try:
        second = Namespace()
        try:
            yield first, second
        finally:
            second.close()
    finally:
        first.close()


def join(first: Namespace, second: Namespace, mtu: int = 1500) -> tuple[str, str]:
    """A veth pair between two namespaces; the address of each end."""
    end = f"v0 mtu {mtu}"
    first.run(f"ip link add {end} type veth peer name {end} netns {second.pid}")
    ends = ("192.0.2.1", "192.0.2.2")
    for namespace, address in zip((first, second), ends, strict=True):
        namespace.run(f"ip address add {address}/24 dev v0")
        namespace.run("ip link set v0 up")
    return ends


def _set_namespace(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _NEW_NETWORK):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
