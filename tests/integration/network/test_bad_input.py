"""Bad input is answered by the place, the fix and the right exit code; nothing half-made is left.

`tests/integration/orchestrator` asks the same of networks of stand-ins; here the shipped topology
and the shipped node answer. Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.network.real import COMMAND_S, REPOSITORY, Network
from tests.integration.orchestrator.command import host_state

pytestmark = pytest.mark.anywhere

DEFAULT = (REPOSITORY / "topologies" / "default.yaml").read_text()
NOBODY = 65534
HIDE_TUN = 'mount -t tmpfs none /dev/net && exec "$@"'
TUN_OF_ROOT = """
mount -t tmpfs -o mode=755 none /dev/net && mknod -m 0600 /dev/net/tun c 10 200 && exec setpriv \
--reuid=65534 --regid=65534 --clear-groups --bounding-set=-all,+dac_read_search \
--inh-caps=+dac_read_search --ambient-caps=+dac_read_search "$@"
"""
"""Nobody may read what the tests are made of, wherever that is, and may not write anything."""


def line_of(text: str, part: str) -> int:
    """The number of the first line that holds `part`."""
    return next(n for n, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("hops: 4", "hpos: 4", "unknown key 'hpos': did you mean 'hops'?"),
        ("count: 8", "count: 3", "3 routers cannot make the 4-hop paths of web"),
        ("count: 8", "count: many", "nodes.router.count: input should be a valid integer"),
    ],
)
def test_a_bad_topology_ends_with_2_and_its_line(
    own_testnet: Network, good: str, bad: str, said: str
) -> None:
    text = DEFAULT.replace(good, bad)
    path = own_testnet.configure(text)
    result = own_testnet.run("up", path)
    assert result.returncode == 2
    assert f"{path}:{line_of(text, bad)}: {said}" in result.stderr
    assert own_testnet.leftovers() == []


def test_a_shortage_of_routers_names_both_ways_out(own_testnet: Network) -> None:
    result = own_testnet.run("up", own_testnet.configure(DEFAULT.replace("count: 8", "count: 3")))
    assert "add routers (count: 4) or set hops to 3 or fewer" in result.stderr


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (HIDE_TUN, "no /dev/net/tun: make it: `mkdir -p /dev/net && mknod -m 0666 /dev/net/tun"),
        (TUN_OF_ROOT, "/dev/net/tun may not be opened by this user: `chmod 0666 /dev/net/tun`"),
    ],
    ids=["no tun device", "a tun device for root only"],
)
@pytest.mark.netns
def test_an_unfit_host_ends_with_4_and_the_command_that_mends_it(
    own_testnet: Network, script: str, said: str
) -> None:
    host = host_state()
    for path in (own_testnet.root, *own_testnet.root.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    prefix = ("unshare", "-m", "sh", "-c", script, "sh")
    result = own_testnet.run("up", "default", prefix=prefix)
    assert result.returncode == 4, result.stderr
    assert said in result.stderr
    assert own_testnet.leftovers() == []
    assert host_state() == host


def test_a_line_the_node_refuses_is_named_by_up(own_testnet: Network) -> None:
    host = host_state()
    unknown = DEFAULT + "private-network: {path-lifetme: 5 min}\n"
    result = own_testnet.run("up", own_testnet.configure(unknown))
    assert result.returncode == 3
    assert "lokinet ended with exit code 1; its last words:\n" in result.stderr
    assert "/lokinet.ini:" in result.stderr
    assert "path-lifetme" in result.stderr
    assert own_testnet.leftovers() == []
    assert host_state() == host


@pytest.mark.parametrize("file", ["web/service.key", "router-1/identity.key"])
def test_a_corrupt_key_file_is_named_by_up(own_testnet: Network, file: str) -> None:
    host = host_state()
    own_testnet.up()
    key = own_testnet.state / own_testnet.name / "nodes" / file
    assert own_testnet.run("stop").returncode == 0
    key.write_bytes(key.read_bytes()[:20])
    result = own_testnet.run("up", "default", "--name", own_testnet.name)
    assert result.returncode == 2, result.stderr
    assert f"keys cannot be made: lokinet keys: {key}: not a key file: " in result.stderr
    assert "restore it from a copy, or move it away" in result.stderr
    assert key.exists(), "identities survive a failed up"
    assert [entry for entry in own_testnet.leftovers() if not entry.startswith("file ")] == []
    assert host_state() == host


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[router]\nnetid=private\nnickname\n", "3: 'nickname' is neither [section] nor key=value"),
        ("[netwrok]\nhops=3\n", "1: unknown section [netwrok], did you mean 'network'?"),
        ("[network]\nhosp=3\n", "2: unknown key 'hosp' in [network], did you mean 'hops'?"),
        ("[network]\nhops=nine\n", "2: [network] hops=: 'nine' is not a whole number"),
    ],
    ids=["no value", "unknown section", "unknown key", "no number"],
)
def test_a_broken_ini_ends_the_node_with_1_and_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "lokinet.ini"
    file.write_text(text)
    result = lokinet(file)
    assert result.returncode == 1
    assert f"{file}:{said}" in result.stderr
    assert list(tmp_path.iterdir()) == [file]


def test_a_corrupt_key_ends_the_node_with_1_and_its_file(tmp_path: Path) -> None:
    (tmp_path / "own.key").write_bytes(b"d4:sigk")
    file = tmp_path / "lokinet.ini"
    file.write_text(
        f"[router]\nnetid=private\ndata-dir={tmp_path}\n[network]\ntype=null\nkeyfile=own.key\n"
        "[bootstrap]\nseed-node=1\n[bind]\noutbound=192.0.2.1\n"
    )
    result = lokinet(file)
    assert result.returncode == 1
    assert f"{tmp_path}/own.key: not a key file" in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lokinet.ini", "own.key"]


def lokinet(file: Path) -> subprocess.CompletedProcess[str]:
    """The node by hand, in a network namespace of its own in case it takes the file."""
    program = Path(sys.executable).with_name("lokinet")
    return subprocess.run(
        ["unshare", "-n", str(program), str(file)],
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
