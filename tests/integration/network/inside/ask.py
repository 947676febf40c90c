"""Inside a node: send UDP datagrams of several sizes to an echo, one at a time.

Usage: ask.py NAME PORT SIZE...; prints `SIZE same`, `SIZE different` or `SIZE lost` for each.
"""

from __future__ import annotations

import socket
import sys

WAIT_S = 5.0

name, port, *sizes = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.settimeout(WAIT_S)
    client.connect((name, int(port)))
    for size in map(int, sizes):
        sent = bytes(number % 251 for number in range(size))
        client.send(sent)
        try:
            came = client.recv(65536)
        except TimeoutError:
            print(size, "lost")
        else:
            print(size, "same" if came == sent else "different")
