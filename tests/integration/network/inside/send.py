"""Inside a node: send one UDP datagram. Usage: send.py ADDRESS PORT HEX."""

from __future__ import annotations

import socket
import sys

address, port, content = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.sendto(bytes.fromhex(content), (address, int(port)))
