"""What goes wrong is named: place, fix, exit code; and nothing half-made is left.

Faults that turn these red: a wait that only says "timed out", a crash noticed at the deadline, a
failed `up` that keeps its world, a refusal without its fix.
"""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, until

pytestmark = pytest.mark.integration


def lacking(layer: str, node: str = "router: {role: router, count: 2") -> str:
    """SMALL with one group that never reaches a layer."""
    assert node in SMALL
    return SMALL.replace(node, f"{node}, private-network: {{lacks: {layer}}}")


WEB = "web: {role: service, app: nginx"
ALICE = "alice: {role: client"


@pytest.mark.parametrize(
    ("layer", "node", "said"),
    [
        ("socket", WEB, "control socket: web"),
        ("links", ALICE, "links: alice"),
        ("paths", ALICE, "paths: alice"),
        ("introset", WEB, "introset published: web"),
        ("name", ALICE, "name resolves: alice → web"),
    ],
)
def test_a_timeout_names_layer_nodes_and_last_log_line(
    testnet: Testnet, layer: str, node: str, said: str
) -> None:
    result = testnet.run("up", testnet.configure(lacking(layer, node)), "--timeout", "1500ms")
    assert result.returncode == 3
    assert f"not ready after 1.50 s: {said}\n" in result.stderr
    assert "; last log line: stand-in: " in result.stderr
    assert testnet.leftovers() == []


def test_a_port_that_does_not_answer_is_a_layer_of_its_own(testnet: Testnet) -> None:
    deaf = SMALL.replace("app: nginx", "app: {kind: command, run: [sleep, '60'], port: 80}")
    result = testnet.run("up", testnet.configure(deaf), "--timeout", "1500ms")
    assert result.returncode == 3
    assert "port answers: alice → web" in result.stderr
    assert "Connection refused" in result.stderr


def test_a_node_that_crashes_is_named_at_once_with_its_last_words(testnet: Testnet) -> None:
    began = time.monotonic()
    result = testnet.run("up", testnet.configure(lacking("process", WEB)), "--timeout", "50s")
    assert time.monotonic() - began < 20, "the crash was noticed at the deadline only"
    assert result.returncode == 3
    assert "web: lokinet ended with exit code 1; its last words:\n" in result.stderr
    assert "  stand-in: cannot go on: told to crash" in result.stderr
    assert testnet.leftovers() == []


def test_an_application_that_cannot_start_is_named_like_a_node(testnet: Testnet) -> None:
    broken = SMALL.replace("app: nginx", "app: {kind: command, run: [ls, /no-such-file]}")
    result = testnet.run("up", testnet.configure(broken))
    assert result.returncode == 3
    assert "web: command ended with exit code 2; its last words:\n" in result.stderr
    assert "No such file or directory" in result.stderr
    assert testnet.leftovers() == []


def test_keep_on_failure_leaves_the_network_for_inspection(testnet: Testnet) -> None:
    path = testnet.configure(lacking("paths", ALICE))
    result = testnet.run("up", path, "--timeout", "1s", "--keep-on-failure")
    assert result.returncode == 3
    assert "`testnet down --name small`" in result.stderr
    status = testnet.run("status")
    assert status.returncode == 1
    assert "paths: no path ready" in status.stdout
    assert testnet.run("down").returncode == 0
    assert testnet.leftovers() == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SMALL.replace("hops: 2", "hosp: 2"), "topology.yaml:3: unknown key 'hosp': did you mean"),
        (SMALL.replace("hops: 2", "hops: 4"), "topology.yaml:5: 2 routers cannot make the 4-hop"),
    ],
)
def test_a_bad_topology_ends_with_2_before_anything_is_made(
    testnet: Testnet, text: str, said: str
) -> None:
    result = testnet.run("up", testnet.configure(text))
    assert result.returncode == 2
    assert said in result.stderr
    assert testnet.leftovers() == []


@pytest.mark.parametrize("command", [("up",), ("up", "--dry-run"), ("ps",), ("down",)])
def test_a_runtime_directory_too_long_for_sockets_is_named_before_anything_is_made(
    testnet: Testnet, command: tuple[str, ...]
) -> None:
    long = testnet.root / "run" / ("x" * 60)
    testnet.env["XDG_RUNTIME_DIR"] = str(long)
    words = (testnet.configure(SMALL),) if command[0] == "up" else ("--name", "small")
    result = testnet.run(*command, *words)
    assert result.returncode == 4, result.stderr
    assert result.stderr.startswith(f"testnet: XDG_RUNTIME_DIR={long} is too long for paths")
    assert "or unset it (`env -u XDG_RUNTIME_DIR testnet …`)" in result.stderr
    assert testnet.leftovers() == []


HIDE_TUN = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/net && exec "$@"', "sh")


def test_without_a_tun_device_the_host_is_unfit(testnet: Testnet) -> None:
    result = testnet.run("up", testnet.configure(SMALL), prefix=HIDE_TUN)
    assert result.returncode == 4
    assert "mknod -m 0666 /dev/net/tun c 10 200" in result.stderr
    assert testnet.leftovers() == []


def test_a_user_who_may_not_open_the_tun_device_is_told_how(testnet: Testnet) -> None:
    script = (
        "mount -t tmpfs -o mode=755 none /dev/net && mknod -m 0600 /dev/net/tun c 10 200 && "
        'chown 1 /dev/net/tun && exec setpriv --bounding-set=-all --inh-caps=-all "$@"'
    )
    prefix = ("unshare", "-m", "sh", "-c", script, "sh")
    result = testnet.run("up", testnet.configure(SMALL), prefix=prefix)
    assert result.returncode == 4
    assert "may not be opened by this user: `chmod 0666 /dev/net/tun` as root" in result.stderr
    assert testnet.leftovers() == []


def test_in_a_chroot_the_host_is_unfit_and_the_message_says_chroot(testnet: Testnet) -> None:
    script = (
        'mkdir "$0/c" && mount --rbind / "$0/c" && '
        'chroot "$0/c" sh -c \'cd "$0"; exec "$@"\' "$0" "$@"; exit $?'
    )
    prefix = ("unshare", "-m", "sh", "-c", script, str(testnet.root))
    result = testnet.run("up", testnet.configure(SMALL), prefix=prefix)
    assert result.returncode == 4
    assert "this is a chroot, where they are never allowed" in result.stderr
    assert testnet.leftovers() == []


def test_without_user_namespaces_the_message_names_the_setting(testnet: Testnet) -> None:
    """In a user namespace of its own that may have no further ones."""
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    prefix = ("unshare", "-r", "sh", "-c", script, "sh")
    result = testnet.run("up", testnet.configure(SMALL), prefix=prefix)
    assert result.returncode == 4
    assert "sysctl -w user.max_user_namespaces=10000" in result.stderr
    assert testnet.leftovers() == []


def killed(testnet: Testnet) -> str:
    """A network whose world was killed, so that its keys are still there; its topology."""
    path = testnet.configure(SMALL)
    assert testnet.run("up", path).returncode == 0
    os.kill(testnet.world_pid("small"), signal.SIGKILL)
    until("the world is gone", lambda: testnet.run("ps").returncode == 1)
    return path


def test_up_after_the_world_was_killed_keeps_the_keys(testnet: Testnet) -> None:
    path = killed(testnet)
    key = testnet.state / "small/nodes/web/service.key"
    before = key.read_text()
    result = testnet.run("up", path)
    assert result.returncode == 0, result.stderr
    assert key.read_text() == before


@pytest.mark.parametrize("file", ["web/service.key", "router-1/identity.key"])
def test_a_spoiled_key_file_is_named_before_anything_starts(testnet: Testnet, file: str) -> None:
    path = killed(testnet)
    (testnet.state / "small/nodes" / file).write_text("corrupt")
    result = testnet.run("up", path)
    assert result.returncode == 2
    assert "keys cannot be made: " in result.stderr
    assert f"/small/nodes/{file}: not a key file" in result.stderr
    assert_stopped_with_its_keys(testnet)


def assert_stopped_with_its_keys(testnet: Testnet) -> None:
    """A network that was up once and failed to come up again is as it was: stopped, complete."""
    rows = json.loads(testnet.run("ls", "--all", "--json").stdout)
    assert [(row["name"], row["state"]) for row in rows] == [("small", "stopped")]
    assert (testnet.state / "small/nodes/router-2/self.signed").is_file()
    assert (testnet.state / "small/nodes/web/service.key").is_file()
    assert list(testnet.runtime.rglob("*.sock")) == []
    left = testnet.leftovers()
    assert [entry for entry in left if not entry.startswith("file ")] == []
    assert testnet.run("down").returncode == 0
    assert testnet.leftovers() == []
