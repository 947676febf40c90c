"""A small Lokinet with a chain, of real processes on the loopback of one namespace of its own.

Routers have addresses in 127.0.1.0/24, alice and web a tun each; /etc/resolv.conf names alice's
resolver for whatever runs inside. Everything ends with the test.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration.chain.oxend import REPOSITORY, Oxend, oxend
from tests.integration.orchestrator.command import until

READY_S = 60
"""Until all paths are there; measured 3 s."""
PAGE = "names lead here"
PARAMETERS = "[private-network]\nchain-poll=0.5\nname-cache=5\nbuild-timeout=3\n"
CHAIN = ("--network-type", "fakechain", "--block-time", "0")
"""A year has two blocks, and blocks are closed on request."""

Command = list[str]


def wait(seen: Callable[[], Any], what: str, within_s: float = READY_S) -> Any:
    """The first true thing that is seen."""
    found: Any = None

    def holds() -> bool:
        nonlocal found
        found = seen()
        return bool(found)

    until(what, holds, within_s)
    return found


@dataclass
class Small:
    """What runs."""

    directory: Path
    inside: Command
    """Runs a command in the namespace."""
    chain: Oxend
    routers: list[str]
    """`.snode` names."""
    web: str
    """The service's `.loki` name."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.inside, *command], capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, name: str) -> None:
        """Start a node from its directory."""
        config = str(self.directory / name / "lokinet.ini")
        self.spawn(name, sys.executable, "-m", "lokinet_node", config)

    def spawn(self, name: str, *command: str) -> None:
        """Start a program inside; its log is beside the others."""
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*self.inside, *command],
                env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
                stderr=log,
                stdout=log,
            )

    def ask(self, name: str, method: str = "llarp.status") -> dict[str, Any]:
        """A node's own word; nothing while it does not serve."""
        try:
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(10)
                line.connect(str(self.directory / name / "rpc.sock"))
                line.sendall(json.dumps({"id": 1, "method": method}).encode() + b"\n")
                result: dict[str, Any] = json.loads(line.makefile().readline())["result"]
        except (OSError, ValueError):
            return {}
        return result

    def register(self, *routers: str, what: str = "register_service_node") -> None:
        for router in routers:
            self.chain.line.call(what, pubkey_ed25519=key_of(router))

    def buy(self, name: str, address: str) -> None:
        """A name for a year, which has two blocks here."""
        ((sealed,),) = (tool("names", [{"kind": "seal", "name": name, "address": address}]),)
        owner = "ab" * 32
        self.chain.line.call("ons_buy_mapping", type="lokinet", name=name, owner=owner, **sealed)

    def mine(self, blocks: int) -> None:
        self.chain.line.call("generate_blocks", amount_of_blocks=blocks)

    @contextlib.contextmanager
    def chain_again(self) -> Iterator[None]:
        """The chain, started again where it was."""
        with oxend(
            self.directory / "chain", *CHAIN, "--rpc", self.chain.rpc, through=self.inside
        ) as chain:
            self.chain = chain
            yield

    def dig(self, name: str) -> str:
        """Status of alice's answer for an A, or the address."""
        found = self.run("dig", "+tries=1", "+time=40", "@127.3.2.1", name, "A").stdout
        (status,) = (line for line in found.splitlines() if "status:" in line)
        rows = [line.split() for line in found.splitlines() if line and line[0] != ";"]
        addresses = [row[4] for row in rows if row[3] == "A"]
        return addresses[0] if addresses else status.partition("status: ")[2].partition(",")[0]


def key_of(snode: str) -> str:
    """Hex of a `.snode` name's key."""
    from lokinet_node.base.names import parse_snode

    return parse_snode(snode).hex()


def tool(module: str, requests: list[dict[str, str]], *words: str) -> Any:
    """What one of the node's own commands makes of requests."""
    command = [sys.executable, "-m", f"lokinet_node.{module}", *words]
    made = subprocess.run(
        command,
        input=json.dumps(requests).encode(),
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
    )
    return json.loads(made.stdout)


@contextlib.contextmanager
def small(directory: Path, routers: int = 8) -> Iterator[Small]:
    """A network whose routers are not registered yet; its nodes are started by the test."""
    if subprocess.run(["id", "-u"], capture_output=True, check=True).stdout != b"0\n":
        pytest.skip("network namespaces with a tun need root here")
    (directory / "resolv.conf").write_text("nameserver 127.3.2.1\noptions timeout:20 attempts:1\n")
    script = f"mount --bind {directory}/resolv.conf /etc/resolv.conf && ip link set lo up"
    holder = subprocess.Popen(
        ["unshare", "--net", "--mount", "sh", "-c", f"{script} && echo up && exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"up\n"
    inside = ["nsenter", f"--net=/proc/{holder.pid}/ns/net", f"--mount=/proc/{holder.pid}/ns/mnt"]
    made: Small | None = None
    try:
        with oxend(directory / "chain", *CHAIN, through=inside) as chain:
            made = Small(directory, inside, chain, *_files(directory, routers, chain.rpc))
            yield made
    finally:
        for process in made.processes.values() if made is not None else ():
            process.terminate()
            process.wait(30)
        holder.communicate()


def _files(directory: Path, routers: int, rpc: str) -> tuple[list[str], str]:
    names = [f"r{number}" for number in range(1, routers + 1)]
    for name in (*names, "alice", "web"):
        (directory / name).mkdir()
    wishes = [
        {
            "kind": "router",
            "dir": str(directory / name),
            "netid": "names",
            "public_address": f"127.0.1.{number}:1090",
        }
        for number, name in enumerate(names, 1)
    ]
    wishes.append({"kind": "service", "file": str(directory / "web" / "service.key")})
    made = tool("keys", wishes, "batch")
    common = "[router]\nnetid=names\ndata-dir=.\nblock-bogons=0\n" + PARAMETERS
    bootstrap = f"[bootstrap]\nadd-node={directory}/r1/self.signed\n"
    for number, name in enumerate(names, 1):
        start = "[bootstrap]\nseed-node=1\n" if number == 1 else bootstrap
        (directory / name / "lokinet.ini").write_text(
            f"{common}{start}[lokid]\nrpc=http://{rpc}\n[network]\ntype=null\n"
            f"[bind]\ninbound=127.0.1.{number}:1090\n[logging]\nlevel=debug\n"
        )
    tuns = {"alice": "172.20.0.1/16", "web": "172.21.0.1/16\nkeyfile=service.key"}
    for number, (name, tun) in enumerate(tuns.items(), 101):
        (directory / name / "lokinet.ini").write_text(
            f"{common}{bootstrap}[network]\nhops=2\nifname={name}\nifaddr={tun}\n"
            f"[bind]\noutbound=127.0.1.{number}\n[logging]\nlevel=debug\n"
            f"[dns]\nbind={'127.3.2.1' if name == 'alice' else '127.3.2.2'}:53\n"
        )
    return [row["address"] for row in made[:-1]], made[-1]["address"]
