"""A service that does not let everybody in, and what the refused see: curl, ping, status, log.

Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.real import READY_S, Network, new_network
from tests.integration.orchestrator.command import until

TOKEN = "open sesame"
HASHED = (  # openssl passwd -6 -salt abcdefgh 'open sesame'
    "$6$abcdefgh$CkjGkP7IIgZVUCNlt.Vi53LOYJLXZ5KzdpzEYCj01XGruA1hxZYJqccTU2zz68oJwAGsd1i"
    "Pty5F7dHIatUTy/"
)
PORT = 8099
COULD_NOT_CONNECT = 7
TIMED_OUT = 28
"""curl's exit codes."""


@pytest.fixture
def network() -> Iterator[Network]:
    """The smallest network, up: alice and web, who lets everybody in."""
    with new_network("access") as made:
        made.up("minimal")
        yield made


def directory(network: Network, node: str) -> Path:
    return network.state / network.name / "nodes" / node


def configure(network: Network, node: str, text: str) -> None:
    """Add to a node's ini file and start it again."""
    beside = directory(network, node) / "conf.d"
    beside.mkdir(exist_ok=True)
    (beside / "access.ini").write_text(text)
    restart(network, node)


def restart(network: Network, node: str) -> None:
    again = network.run("restart", node, "--wait-for", "services", "--timeout", f"{READY_S:.0f}s")
    assert again.returncode == 0, again.stderr


def curl(network: Network, page: str = "", limit_s: int = 30) -> int:
    """curl's exit code for a page of web's, asked by alice."""
    options = ("-s", "-o", "/dev/null", "-m", str(limit_s), network.url(page))
    return network.execute("alice", "curl", *options, timeout_s=limit_s + 10).returncode


def service_of(network: Network, node: str) -> dict[str, Any]:
    found: dict[str, Any] = network.inspect(node)["status"]["services"]["default"]
    return found


def reason(network: Network) -> str:
    """Why web refuses alice, by her status."""
    (session,) = service_of(network, "alice")["remoteSessions"]
    found: str = session["auth"]["reason"]
    return found


def came_out(network: Network, node: str) -> int:
    """Packets its kernel got from its tun."""
    links = json.loads(network.execute(node, "ip", "-j", "-s", "link", "show").stdout)
    (packets,) = (
        link["stats64"]["rx"]["packets"] for link in links if link["ifname"].startswith("lokitun")
    )
    assert isinstance(packets, int)
    return packets


def tokens_told(network: Network) -> list[str]:
    """Logs and reports that hold the token."""
    nodes = network.state / network.name / "nodes"
    texts = {str(path): path.read_text(errors="replace") for path in nodes.rglob("*.log")}
    for node in ("alice", "web"):
        texts[f"inspect {node}"] = json.dumps(network.inspect(node))
    return [name for name, text in texts.items() if TOKEN in text]


def test_a_file_of_hashed_tokens_decides(network: Network) -> None:
    tokens = directory(network, "web") / "tokens"
    tokens.write_text(f"{HASHED} # alice\n")
    wants = f"[network]\nauth=file\nauth-file={tokens}\nauth-file-type=hash\n"
    configure(network, "web", wants)
    assert curl(network) == COULD_NOT_CONNECT
    assert reason(network) == "a token is required"
    assert came_out(network, "web") == 0, "nothing of a stranger is delivered"
    ping = network.execute("alice", "ping", "-n", "-c", "1", network.addresses["web"])
    assert "Packet filtered" in ping.stdout

    brings = f"[network]\nexit-auth={network.addresses['web']}:"
    configure(network, "alice", brings + "open sesam\n")
    assert curl(network) == COULD_NOT_CONNECT
    assert reason(network) == "access not permitted"
    configure(network, "alice", brings + TOKEN + "\n")
    assert curl(network) == 0
    assert reason(network) == ""
    assert came_out(network, "web") > 0
    assert tokens_told(network) == []


def test_a_program_decides_and_its_reason_is_told(network: Network) -> None:
    place = directory(network, "web")
    answer, asked = place / "answer", place / "asked"
    answer.write_text('{"result": "PAYME", "reason": "10 coins a day"}')
    configure(network, "web", f"[network]\nauth=http\nauth-http=http://127.0.0.1:{PORT}/allow\n")
    web = network.addresses["web"]
    token = f"[network]\nexit-auth={web}:{TOKEN}\n"
    configure(network, "alice", token)
    assert curl(network) == COULD_NOT_CONNECT
    assert reason(network) == "the service could not decide, try again later"

    with network.running("web", "access.py", str(PORT), str(answer), str(asked)):
        configure(network, "alice", token)
        assert curl(network) == COULD_NOT_CONNECT
        assert reason(network) == "10 coins a day"
        (question,) = map(json.loads, asked.read_text().splitlines())
        assert question == {
            "address": service_of(network, "alice")["identity"],
            "token": TOKEN,
            "service": web,
        }
        answer.write_text('{"result": "OKAY"}')
        until("the refusal is old", lambda: curl(network) == 0, within_s=60)
    assert curl(network) == 0, "who is in stays in"
    assert tokens_told(network) == []


def test_a_share_that_is_used_up_ends_it_and_outlives_a_restart(network: Network) -> None:
    limits = "[network]\nexit=1\n[exit]\nclient-bytes=300k\n"
    configure(network, "web", limits)
    page = directory(network, "web") / "nginx" / "www" / "large.bin"
    page.write_bytes(bytes(1_000_000))
    assert curl(network) == 0
    assert curl(network, "large.bin", limit_s=8) == TIMED_OUT
    used_up = "your quota of 300000 bytes is used up"
    assert reason(network) == used_up
    assert curl(network) == COULD_NOT_CONNECT
    restart(network, "web")

    def is_decided() -> bool:
        got_in = curl(network) == 0
        return got_in or bool(service_of(network, "web")["auth"]["answers"].get("limited"))

    until("alice asks anew", is_decided, within_s=90)
    assert curl(network) == COULD_NOT_CONNECT
    (row,) = service_of(network, "web")["auth"]["clients"]
    assert (row["state"], row["reason"]) == ("limited", used_up)
    assert row["bytes"] >= 300_000
