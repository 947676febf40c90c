"""Hot: the tun device: one read or write is one packet, or up to 45 segments of one flow.

Opened with a virtio header in front of each packet and with checksum, TCP and UDP segmentation
offloads, so that the kernel hands super-packets over whole and leaves checksums open; what does
not know UDP segmentation (kernels before 6.2) gets along without. `gso_max_segs` is set so that
one read makes one burst.

Without an IPv6 address IPv6 is switched off on the device. With one the kernel is told that there
is nothing to discover: no routers, no neighbours, no link-local address.
"""

from __future__ import annotations

import errno
import fcntl
import os
from ipaddress import IPv6Address, IPv6Interface
from pathlib import Path
from struct import Struct
from typing import Final

import pytun

from lokinet_node.base.addresses import Range, format_ipv4
from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers.routes import (
    add_address6,
    free_range,
    limit_super_packets,
    used_ranges,
)

MTU: Final = 1280
"""Largest packet of a session (docs/wire.md, section 1)."""

IPV4_AT: Final = 96
"""Bits before the IPv4 address in an IPv6 one."""

MOST_SEGMENTS: Final = 45
"""Leaves two rows of a burst of 47 for small packets read in the same turn."""

FORWARDED_SEGMENTS: Final = 128
"""For an exit: what its kernel forwards was joined by another device, up to 64 KiB of segments of
536 bytes; beyond the limit the kernel would take all of it apart."""

QUEUE: Final = 2000
"""Packets the device holds while the node is busy; a super-packet counts as one."""

FIRST_FREE: Final = "lokitun%d"
"""The kernel counts up to the first free name."""

DEVICE: Final = "/dev/net/tun"

DROPS: Final = ("tun-refused",)
"""The kernel did not take a packet: the device is down, or out of memory."""

# linux/if_tun.h
_TUNSETOFFLOAD: Final = 0x400454D0
_TUNSETVNETHDRSZ: Final = 0x400454D8
_TUNSETVNETLE: Final = 0x400454DC
_CHECKSUM: Final = 0x01
_TCP4: Final = 0x02
_UDP4: Final = 0x20
_UDP6: Final = 0x40
_INT: Final = Struct("=i")
_VNET_HEADER: Final = 10


class Tun:
    """A tun device that lives as long as this object."""

    __slots__ = ("_device", "_fd", "address", "address6", "drops", "name", "segments_udp")

    def __init__(
        self,
        name: str | None = None,
        address: Range | None = None,
        segments: int = MOST_SEGMENTS,
        ip6_range: IPv6Address | None = None,
    ) -> None:
        """Create the device and bring it up; OperatorError says what is in the way.

        Args:
            name: of the device; the first free `lokitun` when None.
            address: own address and range; the first free private one when None.
            segments: most segments of one super-packet that is read.
            ip6_range: what is put before the IPv4 address; None: no IPv6. `address6` tells what
                came of it: None also where the kernel has no IPv6 to give.
        """
        self.drops = dict.fromkeys(DROPS, 0)
        self.address = address or free_range(used_ranges())
        self.address6: IPv6Interface | None = None
        self._device = _opened(name or FIRST_FREE)
        self._fd: int = self._device.fileno()
        self.name: str = self._device.name
        try:
            self.segments_udp = _set_offloads(self._fd)
            os.set_blocking(self._fd, False)
            self._configure(segments, ip6_range)
        except OSError as error:
            self.close()
            reason = os.strerror(error.errno or 0)
            raise OperatorError(
                f"tun device {self.name} with address {self.address}: {reason}"
            ) from error

    def _configure(self, segments: int, ip6_range: IPv6Address | None) -> None:
        has_ipv6 = ip6_range is not None and _prepare_ipv6(self.name)
        if not has_ipv6:
            _set_ipv6(self.name, "disable_ipv6", "1")
        limit_super_packets(self.name, segments, QUEUE)
        self._device.mtu = MTU
        self._device.addr = format_ipv4(self.address.address)
        self._device.netmask = format_ipv4(self.address.mask)
        self._device.up()
        if has_ipv6 and ip6_range is not None:
            ip = IPv6Address(int(ip6_range) | self.address.address)
            address6 = IPv6Interface((ip, IPV4_AT + self.address.prefix))
            try:
                add_address6(self.name, address6)
            except OSError:
                _set_ipv6(self.name, "disable_ipv6", "1")
            else:
                self.address6 = address6

    def fileno(self) -> int:
        """The descriptor, to wait for readability."""
        return self._fd

    def close(self) -> None:
        """Remove the device with its address and routes."""
        self._device.close()

    def read_into(self, buffer: bytearray) -> int:
        """One virtio header and packet at the start of `buffer` (64 KiB); 0: nothing to read.

        OperatorError: the device was removed by somebody else.
        """
        try:
            return os.readv(self._fd, (buffer,))
        except BlockingIOError:
            return 0
        except OSError as error:
            if error.errno in _DOWN:
                return 0
            reason = os.strerror(error.errno or 0)
            raise OperatorError(f"tun device {self.name} is gone: {reason}") from error

    def write(self, packet: bytes | bytearray | memoryview) -> None:
        """Hand one virtio header and packet to the kernel; counted when it does not take it."""
        try:
            os.write(self._fd, packet)
        except OSError:
            self.drops["tun-refused"] += 1


_DOWN: Final = frozenset({errno.EIO, errno.EFAULT})
"""What a device answers while it is not up."""


def _opened(name: str) -> pytun.TunTapDevice:
    flags = pytun.IFF_TUN | pytun.IFF_NO_PI | pytun.IFF_VNET_HDR
    try:
        return pytun.TunTapDevice(name=name, flags=flags)
    except (pytun.Error, OSError) as error:
        number = error.args[0] if error.args else None
        reason = os.strerror(number) if isinstance(number, int) else str(error)
        hint = _HINTS.get(number, "") if isinstance(number, int) else ""
        raise OperatorError(f"tun device {name.replace('%d', '')}: {reason}{hint}") from error


def _set_offloads(descriptor: int) -> bool:
    """Ask for super-packets; whether UDP ones come and are taken too."""
    fcntl.ioctl(descriptor, _TUNSETVNETHDRSZ, _INT.pack(_VNET_HEADER))
    fcntl.ioctl(descriptor, _TUNSETVNETLE, _INT.pack(1))
    try:
        # The kernel takes UDP segmentation for both versions of IP or for none.
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _CHECKSUM | _TCP4 | _UDP4 | _UDP6)
    except OSError:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _CHECKSUM | _TCP4)
        return False
    return True


def _prepare_ipv6(name: str) -> bool:
    """Have IPv6 on the device, and the kernel ask nobody anything there; False: it has none."""
    if not _set_ipv6(name, "disable_ipv6", "0"):
        return False
    _set_ipv6(name, "addr_gen_mode", "1")  # no link-local address
    _set_ipv6(name, "accept_ra", "0")
    _set_ipv6(name, "router_solicitations", "0")
    return True


def _set_ipv6(name: str, setting: str, value: str) -> bool:
    """Whether the kernel took it: there may be no IPv6, or a read-only /proc/sys."""
    path = Path("/proc/sys/net/ipv6/conf", name, setting)
    try:
        if path.read_text().strip() != value:
            path.write_text(value)
    except OSError:
        return False
    return True


_HINTS: Final = {
    errno.ENOENT: f"; {DEVICE} is missing: `modprobe tun`, or pass the device into the container",
    errno.ENOTTY: f"; {DEVICE} is something else: `mknod {DEVICE} c 10 200`",
    errno.ENODEV: "; this kernel has no tun driver: `modprobe tun`",
    errno.EACCES: f"; only root may open {DEVICE} here: run as root or make it mode 0666",
    errno.EPERM: "; creating it needs root or CAP_NET_ADMIN",
    errno.EBUSY: "; a device of this name is in use: choose another ifname= in [network]",
    errno.EINVAL: "; a name has 1 to 15 characters without slash: check ifname= in [network]",
}
