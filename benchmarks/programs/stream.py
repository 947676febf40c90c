"""A voice-like stream: 50 datagrams of 200 bytes a second, echoed by the other end.

    stream.py echo ADDRESS PORT     answer every datagram; prints `ready`
    stream.py send ADDRESS PORT     prints `NUMBER ARRIVED` for each echo, the instant in seconds on
                                    CLOCK_MONOTONIC, which all namespaces share

An echo counts once. Both run until they are ended.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time

SIZE = 200
INTERVAL_S = 0.02


def echo(address: str, port: int) -> None:
    """Send everything back to where it came from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((address, port))
        print("ready", flush=True)
        while True:
            data, sender = sock.recvfrom(2048)
            with contextlib.suppress(OSError):
                sock.sendto(data, sender)


def send(address: str, port: int) -> None:
    """Keep to the pace whatever comes back; an ICMP error is no reason to stop."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        target = socket.getaddrinfo(address, port, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        seen: set[int] = set()
        number = 0
        due = time.monotonic()
        while True:
            pause = due - time.monotonic()
            if pause <= 0:
                with contextlib.suppress(OSError):
                    sock.sendto(number.to_bytes(8, "big").ljust(SIZE, b"\0"), target)
                number += 1
                due += INTERVAL_S
            elif poll.poll(pause * 1000):
                _report(sock, seen)


def _report(sock: socket.socket, seen: set[int]) -> None:
    with contextlib.suppress(OSError):
        number = int.from_bytes(sock.recv(2048)[:8], "big")
        if number not in seen:
            seen.add(number)
            print(number, time.monotonic(), flush=True)


if __name__ == "__main__":
    verb = echo if sys.argv[1] == "echo" else send
    verb(sys.argv[2], int(sys.argv[3]))
