"""Inside a node: answer every UDP datagram on a port with itself. Usage: echo.py PORT."""

from __future__ import annotations

import socket
import sys

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
    server.bind(("0.0.0.0", int(sys.argv[1])))
    print("ready", flush=True)
    while True:
        data, sender = server.recvfrom(65536)
        server.sendto(data, sender)
