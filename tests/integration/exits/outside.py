"""The shipped topology `exit`, and what a person does with it: exits by hand, captures, counters.

Clients get a default route to an address of the underlay that forwards nothing, as a real machine
has one: without it a leak would have no way out and nobody could see it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.backends.opening import open_backend
from orchestrator.checks import ExitCheck, LeakCheck, attempt, make
from orchestrator.checks import Network as Checked
from orchestrator.checks.verdict import Verdict
from orchestrator.directories import Places
from tests.integration.network.real import READY_S, REPOSITORY, Network, new_network
from tests.integration.orchestrator.command import until

__all__ = ["LIMIT_S", "TOKEN", "Outside", "new_outside"]

LIMIT_S = 400
"""For one test, its network's start in it."""

TOKEN = "let-me-out"
VPN = "import sys; from lokinet_node.vpn import main; sys.exit(main())"
VPN_S = 60.0
"""The program's own patience is shorter."""
OFFER_S = 60.0
"""Ten times what writing 100 MB takes where others work, too."""
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
        result = self.net.run_beside(node, *argv)
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
        """Put a page of numbered lines into a server's folder; its sha256."""
        script = 'umask 022; seq 1 99999999 | head -c "$1" >"$0"; sha256sum <"$0"'
        size = str(megabytes * 1_000_000)
        argv = ["sh", "-c", script, f"{WEB_ROOT}/{name}", size]
        result = self.net.execute(server, *argv, timeout_s=OFFER_S)
        assert result.returncode == 0, result.stderr
        return result.stdout.split()[0]

    def leak(self, client: str, to: str = "www", seconds: int = 3) -> Verdict:
        """The check `leak`."""
        return self._try(make(LeakCheck, from_=client, to=to, for_=f"{seconds}s"))

    def seen(self, client: str, to: str = "www", through: str | None = None) -> Verdict:
        """The check `exit`."""
        return self._try(make(ExitCheck, from_=client, to=to, through=through))

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

    def _try(self, check: ExitCheck | LeakCheck) -> Verdict:
        state, runtime = self.net.state / self.net.name, self.net.runtime / self.net.name
        backend = open_backend(Places(self.net.name, state, runtime))
        try:
            return attempt(Checked.of(backend), check)
        finally:
            backend.close()


@contextmanager
def new_outside(name: str, change: tuple[str, str] | None = None) -> Iterator[Outside]:
    """The topology `exit`, up; ended in any case, and looked after for leftovers.

    `change` is what to write in place of what.
    """
    text = (REPOSITORY / "topologies/exit.yaml").read_text()
    if change is not None:
        assert change[0] in text
        text = text.replace(*change)
    with new_network(name) as network:
        network.up(network.configure(text))
        found = Outside(network)
        until("alice reaches www", lambda: found.gets("alice"), READY_S)
        yield found
