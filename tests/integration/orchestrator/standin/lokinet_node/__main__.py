"""The stand-in's process: one thread, one `select` loop."""

from __future__ import annotations

import configparser
import json
import os
import selectors
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any

from lokinet_node.keys import address_of  # type: ignore[attr-defined] # mypy sees the real node

STARTED = time.monotonic()


class StandIn:
    """Answers its control socket and its resolver as the configuration says."""

    def __init__(self, config: str) -> None:
        self.ini = configparser.ConfigParser(strict=False)
        self.ini.read(config)
        self.directory = Path(config).parent
        self.name = self.directory.name
        self.is_router = "lokid" in self.ini
        self.is_service = self.ini.get("network", "reachable", fallback="0") == "1"
        self.lacks = self.ini.get("private-network", "lacks", fallback="")
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        key_file = self.directory / "service.key"
        if key_file.exists() and key_file.read_text() == "corrupt":
            print(f"{key_file}: not a key file", file=sys.stderr)
            sys.exit(1)
        if self.lacks == "process":
            print("stand-in: cannot go on: told to crash", file=sys.stderr)
            sys.exit(1)
        (self.directory / "written").touch()  # as nodes keep what they know of others
        if self.lacks != "socket":
            self.listen(self.ini["api"]["bind"].removeprefix("ipc://"))
        if not self.is_router and self.lacks != "name":
            self.resolve()
        print(f"stand-in: {self.name} runs", file=sys.stderr, flush=True)
        while True:
            for key, _ in self.selector.select():
                key.data()

    def listen(self, path: str) -> None:
        listener = socket.socket(socket.AF_UNIX)
        if os.path.exists(path):
            os.unlink(path)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen()
        self.selector.register(listener, selectors.EVENT_READ, lambda: self.accept(listener))

    def accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        self.selector.register(client, selectors.EVENT_READ, lambda: self.answer(client))

    def answer(self, client: socket.socket) -> None:
        try:
            data = client.recv(65536)
            for line in data.splitlines():
                request = json.loads(line)
                result = self.short() if request["method"] == "llarp.get_status" else self.long()
                reply = {"id": request["id"], "result": result}
                client.sendall(json.dumps(reply).encode() + b"\n")
        except OSError:
            data = b""  # whoever asked did not wait for the answer
        if not data:
            self.selector.unregister(client)
            client.close()

    def short(self) -> dict[str, Any]:
        kind = "snode" if self.is_router else "loki"
        linked = self.lacks != "links"
        return {
            "running": True,
            "uptime": int((time.monotonic() - STARTED) * 1000),
            "numPeersConnected": 4 if linked else 0,
            "networkReady": linked,
            "lokiAddress": f"{address_of(str(self.directory))}.{kind}",
        }

    def long(self) -> dict[str, Any]:
        nodes = self.directory.parent
        hops = [{"router": f"{address_of(str(nodes / f'router-{i}'))}.snode"} for i in (1, 2, 3, 4)]
        if self.is_service:
            hops = [*reversed(hops[:3]), hops[3]]
        path = {"ready": True, "status": "ready", "hops": hops, "cells_in": 1, "cells_out": 1}
        endpoint = {
            "identity": f"{address_of(str(self.directory))}.loki",
            "paths": [] if self.lacks == "paths" else [path],
            "remoteSessions": self.sessions(hops),
            "introset": {"published": 0 if self.lacks == "introset" else 1},
            "ourIP": "172.16.0.1",
        }
        return {"running": True, "services": {} if self.is_router else {"default": endpoint}}

    def sessions(self, hops: list[dict[str, str]]) -> list[dict[str, Any]]:
        """One with everybody, as a session would show it."""
        route = [hop["router"] for hop in hops]
        return [
            {"remote": f"{label}.loki", "ready": True, "route": route}
            for label, _ in self.neighbours()
        ]

    def resolve(self) -> None:
        resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        resolver.bind(("127.3.2.1", 53))
        self.selector.register(resolver, selectors.EVENT_READ, lambda: self.reply(resolver))

    def reply(self, resolver: socket.socket) -> None:
        query, source = resolver.recvfrom(1500)
        question = query[12 : query.index(b"\0", 12) + 5]
        label = query[13 : 13 + query[12]].decode().lower()
        kind = struct.unpack("!H", question[-4:-2])[0]
        found = next((node for node in self.neighbours() if node[0] == label), None)
        counts = (1, 1 if found and kind == 1 else 0, 0, 0)
        header = query[:2] + struct.pack("!HHHHH", 0x8580 | (0 if found else 3), *counts)
        record = b""
        if found and kind == 1:
            record = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 1, 4) + socket.inet_aton(found[1])
        resolver.sendto(header + question + record, source)

    def neighbours(self) -> list[tuple[str, str]]:
        """(label, underlay address) of every node, read from its configuration."""
        found = []
        for directory in self.directory.parent.iterdir():
            ini = configparser.ConfigParser(strict=False)
            ini.read(directory / "lokinet.ini")
            bind = ini["bind"].get("inbound") or ini["bind"]["outbound"]
            found.append((address_of(str(directory)), bind.partition(":")[0]))
        return found


if __name__ == "__main__":
    StandIn(sys.argv[-1]).run()
