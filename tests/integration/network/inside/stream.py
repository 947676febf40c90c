"""Inside a node: send a numbered UDP packet at a steady pace and print each number that comes back.

Usage: stream.py NAME PORT PACKETS_PER_SECOND; ends when its input does. Errors of single packets
(a tun that is full, an ICMP answer) are part of what happens when a relay dies: they are counted
as losses by whoever reads the numbers.
"""

from __future__ import annotations

import select
import socket
import struct
import sys
import time
from contextlib import suppress

NUMBER = struct.Struct("!Q")
SIZE = 200
"""Bytes of a packet: about what 20 ms of speech take."""

name, port, rate = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.connect((name, port))
    client.setblocking(False)
    print("ready", flush=True)
    began, number = time.monotonic(), 0
    while True:
        wait = began + number / rate - time.monotonic()
        readable, _, _ = select.select([client, sys.stdin], [], [], max(0.0, wait))
        if sys.stdin in readable:
            break
        if client in readable:
            with suppress(OSError):
                print(NUMBER.unpack_from(client.recv(65536))[0], flush=True)
        if time.monotonic() >= began + number / rate:
            with suppress(OSError):
                client.send(NUMBER.pack(number).ljust(SIZE, b"\0"))
            number += 1
