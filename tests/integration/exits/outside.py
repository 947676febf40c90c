"""The shipped topology `exit`, and what a person does with it: exits by hand, captures, counters.

Clients get a default route to an address of the underlay that forwards nothing, as a real machine
has one: without it a leak would have no way out and nobody could see it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.backends.opening import open_backend
from orchestrator.checks import ExitCheck, LeakCheck, attempt, make
from orchestrator.checks import Network as Checked
from orchestrator.checks.verdict import Verdict
from orchestrator.directories import Places
from tests.integration.network.real import REPOSITORY, Network, new_network

__all__ = ["TOKEN", "Outside", "new_outside"]

TOKEN = "let-me-out"
VPN = "import sys; from lokinet_node.vpn import main; sys.exit(main())"
VPN_S = 60.0
"""The program's own patience is shorter."""
WEB_ROOT = "/run/testnet/nginx/www"


class Outside:
    """A network with exits, up."""

    def __init__(self, network: Network) -> None:
        self.net = network
        rows = network.programs()
        self.underlay = {row["node"]: row["underlay"] for row in rows}
        self.clearnet = {row["node"]: row["clearnet"] for row in rows if row["clearnet"]}
        for client in ("alice", "bob"):
            self.lead_out(client)

    def lead_out(self, client: str) -> None:
        """Give a client a default route, to somebody who forwards nothing."""
        via = self.underlay["router-1"]
        self.administer(client, "ip", "route", "replace", "default", "via", via)

    def made_anew(self, client: str) -> None:
        """A client that nobody knows: its address is new with each start."""
        for verb in ("restart", "wait"):
            done = self.net.run(verb, *((client,) if verb == "restart" else ()))
            assert done.returncode == 0, done.stderr
        self.lead_out(client)

    def administer(self, node: str, *argv: str) -> str:
        """Run a program of this machine in a node's network, with all rights there."""
        if self.net.env["TESTNET_BACKEND"] == "netns":
            result = self.net.execute(node, *argv)
        else:
            pid = next(row["pid"] for row in self.net.programs() if row["node"] == node)
            enter = ["nsenter", f"--target={pid}", "--net", *argv]
            result = subprocess.run(enter, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def vpn(self, client: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`lokinet-vpn` at a client's control socket."""
        control = self.net.inspect(client)["control"]
        return subprocess.run(
            [sys.executable, "-c", VPN, "--rpc", f"ipc://{control}", *arguments],
            capture_output=True,
            text=True,
            timeout=VPN_S,
            env=self.net.env,
            cwd=self.net.root,
            check=False,
        )

    @contextmanager
    def using(self, client: str, exit_name: str, *options: str) -> Iterator[None]:
        """A client that uses an exit for everything, for a while."""
        up = self.vpn(client, "--up", "--exit", exit_name, *options)
        assert up.returncode == 0, up.stderr
        try:
            yield
        finally:
            down = self.vpn(client, "--down")
            assert down.returncode == 0, down.stderr

    def curl(
        self, client: str, url: str, *options: str, patience_s: int = 60
    ) -> subprocess.CompletedProcess[str]:
        """A page; curl's own patience is so long that it ends earlier only if it is told to."""
        argv = ["curl", "-sS", "-m", str(patience_s), *options, url]
        return self.net.execute(client, *argv, timeout_s=patience_s + 10.0)

    def gets(self, client: str, server: str = "www") -> bool:
        """Whether a page comes within seconds."""
        return self.curl(client, self.url(server), "-o", "/dev/null", patience_s=5).returncode == 0

    def url(self, server: str, page: str = "") -> str:
        return f"http://{self.clearnet[server]}/{page}"

    def offer(self, server: str, name: str, megabytes: int) -> str:
        """Put a page that nothing compresses into a server's folder; its sha256."""
        block = hashlib.sha256(name.encode()).digest() * 31_250
        content = b"".join(number.to_bytes(8, "big") + block[8:] for number in range(megabytes))
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.seek(0)
            script = 'umask 022 && cat > "$0"'
            result = self.net.execute(server, "sh", "-c", script, f"{WEB_ROOT}/{name}", stdin=file)
        assert result.returncode == 0, result.stderr
        return hashlib.sha256(content).hexdigest()

    def leak(self, client: str, to: str = "www", seconds: int = 3) -> Verdict:
        """The check `leak`."""
        return attempt(self._checked(), make(LeakCheck, from_=client, to=to, for_=f"{seconds}s"))

    def seen(self, client: str, to: str = "www", through: str | None = None) -> Verdict:
        """The check `exit`."""
        return attempt(self._checked(), make(ExitCheck, from_=client, to=to, through=through))

    def exit_of(self, node: str) -> dict[str, Any]:
        """What an exit says of itself."""
        found: dict[str, Any] = self._service(node)["exit"]
        return found

    def refusals(self, client: str) -> str:
        """What a client knows of refusals, as text."""
        return json.dumps(self._service(client))

    def _service(self, node: str) -> dict[str, Any]:
        found: dict[str, Any] = self.net.inspect(node)["status"]["services"]["default"]
        return found

    def _checked(self) -> Checked:
        state, runtime = self.net.state / self.net.name, self.net.runtime / self.net.name
        return Checked.of(open_backend(Places(self.net.name, state, runtime)))


@contextmanager
def new_outside(name: str) -> Iterator[Outside]:
    """The topology `exit`, up; ended in any case, and looked after for leftovers."""
    with new_network(name) as network:
        network.up(str(REPOSITORY / "topologies/exit.yaml"))
        yield Outside(network)
