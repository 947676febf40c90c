"""Everything that crosses any link of a network namespace, as it is seen there."""

from __future__ import annotations

import select
import socket
import struct
import threading
import time
from dataclasses import dataclass
from types import TracebackType

from tests.integration.drivers.namespaces import Namespace

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_STATISTICS = 6
ROOM = 8 << 20
KEPT_BYTES = 2048
STATISTICS = struct.Struct("=II")


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, from its Ethernet header on."""

    link: str
    data: bytes

    @property
    def is_arp(self) -> bool:
        return self.data[12:14] == b"\x08\x06"

    @property
    def is_answer(self) -> bool:
        """Of ARP."""
        return self.data[20:22] == b"\0\2"


class Watch:
    """From the first frame on, until it is closed."""

    def __init__(self, network: Namespace) -> None:
        with network.entered():
            self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        self._frames: list[Frame] = []
        self._is_over = False
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_over = True
        self._thread.join()
        self._tap.close()

    def until(self, marker: bytes, link: str, within_s: float = 30) -> list[Frame]:
        """All frames so far, once one with a marker was on a link; none may have been missed."""
        deadline, pause = time.monotonic() + within_s, select.poll()
        while not any(marker in each.data for each in self._frames if each.link == link):
            assert time.monotonic() < deadline, f"{marker!r} never was on {link}"
            pause.poll(10)
        _, lost = STATISTICS.unpack(
            self._tap.getsockopt(SOL_PACKET, PACKET_STATISTICS, STATISTICS.size)
        )
        assert lost == 0, "there was no room for all frames"
        return list(self._frames)

    def _look(self) -> None:
        poll = select.poll()
        poll.register(self._tap, select.POLLIN)
        while not self._is_over:
            if poll.poll(50):
                data, address = self._tap.recvfrom(KEPT_BYTES)
                self._frames.append(Frame(address[0], data))
