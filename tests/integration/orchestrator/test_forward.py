"""`forward` and `browse`: the host's loopback leads into a node, and nothing of it stays.

Faults that turn these red: the listener on a wildcard address; the forwarder outside of the world,
so that `down` leaves it; a background forward that dies with its command; a target looked up on the
host.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, new_testnet, until

pytestmark = pytest.mark.integration

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def page(port: int) -> str:
    with DIRECT.open(f"http://127.0.0.1:{port}/", timeout=10) as found:
        return str(found.read().decode())


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def listening(port: int) -> list[str]:
    """Local addresses of listeners at a port, by the host's own table."""
    command = ["ss", "-Hltn", f"sport = :{port}"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [line.split()[3] for line in lines.splitlines()]


def background(net: Testnet, target: str = "0:web") -> int:
    result = net.run("forward", "alice", target, "--background", "--json")
    assert result.returncode == 0, result.stderr
    return int(json.loads(result.stdout)["listen"].rpartition(":")[2])


@pytest.fixture(scope="module")
def up(standin_packages: Path) -> Iterator[Testnet]:
    with new_testnet(standin_packages) as net:
        result = net.run("up", net.configure(SMALL))
        assert result.returncode == 0, result.stderr
        yield net
        assert net.run("down").returncode == 0
        assert net.leftovers() == []


def test_a_page_comes_through_until_ctrl_c(up: Testnet) -> None:
    process = up.start("forward", "alice", "0:web:80", "--json")
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(6)]
    port = int(json.loads("".join(lines))["listen"].rpartition(":")[2])
    assert "It works: web" in page(port)
    assert listening(port) == [f"127.0.0.1:{port}"]
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode == 130
    until("the port is closed", lambda: not is_open(port))
    assert json.loads(up.run("forward", "--list", "--json").stdout) == []


def test_one_in_the_background_outlives_its_command_is_listed_and_stopped(up: Testnet) -> None:
    port = background(up)
    assert "It works: web" in page(port)
    (row,) = json.loads(up.run("forward", "--list", "--json").stdout)
    assert (row["local"], row["node"], row["port"]) == (port, "alice", 80)
    assert f"{port}  alice  {row['host']}:80" in up.run("forward", "--list").stdout
    stopped = up.run("forward", "--stop", str(port))
    assert stopped.returncode == 0
    assert not is_open(port)
    again = up.run("forward", "--stop", str(port))
    assert (again.returncode, again.stderr) == (
        1,
        f"testnet: nothing is forwarded from port {port}\n",
    )


def test_down_ends_those_in_the_background(standin_packages: Path) -> None:
    with new_testnet(standin_packages) as net:
        assert net.run("up", net.configure(SMALL)).returncode == 0
        port = background(net)
        net.note_processes()
        assert net.run("down").returncode == 0
        assert not is_open(port)
        assert net.leftovers() == []


def test_browse_prints_the_page_as_the_node_sees_it(up: Testnet) -> None:
    result = up.run("browse", "alice", "http://web/", "--fetch")
    assert (result.returncode, "It works: web" in result.stdout) == (0, True)
    missing = up.run("browse", "alice", "web/no-such-page", "--fetch")
    assert missing.returncode == 1
    assert "the page came with 404" in missing.stderr


def test_browse_says_where_when_no_browser_is_there(up: Testnet) -> None:
    process = up.start("browse", "alice", "web/index.html")
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    with DIRECT.open(url, timeout=10) as found:
        assert "It works: web" in found.read().decode()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "no browser here: open it yourself" in err


def test_browse_opens_the_browser_there_is(up: Testnet) -> None:
    seen = up.root / "seen"
    browser = up.root / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {seen}\n')
    browser.chmod(0o755)
    before = dict(up.env)
    up.env["BROWSER"] = f"{browser} %s"
    try:
        process = up.start("browse", "alice", "web/page?x=1")
    finally:
        up.env.clear()
        up.env.update(before)
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    until("the browser was started", lambda: seen.exists() and seen.read_text().strip() == url)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=10)
    assert url.endswith("/page?x=1")


def test_what_cannot_be_forwarded_is_told(up: Testnet) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = up.run("forward", "alice", f"{port}:web:80")
    assert busy.returncode == 2
    assert f"port {port} of 127.0.0.1: Address already in use" in busy.stderr
    unknown = up.run("forward", "alice", "0:nobody.loki:80")
    assert unknown.returncode == 1
    assert "alice cannot resolve nobody.loki" in unknown.stderr
    nobody = up.run("forward", "nobody", "0:web:80")
    assert (nobody.returncode, "no node 'nobody'" in nobody.stderr) == (2, True)
    https = up.run("browse", "alice", "https://web/")
    assert (https.returncode, "is no http URL" in https.stderr) == (2, True)
