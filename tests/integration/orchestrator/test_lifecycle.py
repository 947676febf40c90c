"""What `up` makes, `down` and Ctrl-C remove, and `kill -9` leaves.

Faults that turn these red: a world that is not process 1 of its pid namespace (kill -9 leaves
nodes), a process started outside of it, a directory `Places.remove` does not know, a lock file that
stays.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, host_state, until

pytestmark = pytest.mark.integration


def test_up_prints_the_page_and_a_second_up_changes_nothing(testnet: Testnet) -> None:
    before = host_state()
    first = testnet.run("up", testnet.configure(SMALL))
    assert first.returncode == 0, first.stderr
    assert "page     200 http://" in first.stdout
    assert "hops     4+4 there: alice → " in first.stdout
    second = testnet.run("up", testnet.configure(SMALL), "--json")
    assert second.returncode == 0, second.stderr
    assert '"changes": 0' in second.stdout
    assert host_state() == before, "the host's own network changed"
    assert testnet.run("down").returncode == 0
    assert testnet.leftovers() == []
    assert host_state() == before


def test_an_edited_topology_converges_by_what_changed_only(testnet: Testnet) -> None:
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    web_before = node_pids(testnet)["web"]
    edited = SMALL.replace("count: 2", "count: 3").replace(
        "alice: {role: client}", "carol: {role: client}"
    )
    plan = testnet.run("up", testnet.configure(edited), "--dry-run").stdout
    assert "node:router-3, CreateNode, not found" in plan
    assert "node:alice, RemoveNode, not in the topology" in plan
    assert testnet.run("up", testnet.configure(edited)).returncode == 0
    pids = node_pids(testnet)
    assert set(pids) == {"router-1", "router-2", "router-3", "web", "carol"}
    assert pids["web"] == web_before


def test_killing_the_world_ends_all_but_files_and_down_removes_those(testnet: Testnet) -> None:
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    kill_world(testnet)
    left = testnet.leftovers()
    assert left, "keys and logs should still be there"
    assert [entry for entry in left if not entry.startswith("file ")] == []
    down = testnet.run("down")
    assert down.returncode == 0, down.stderr
    assert "only files were left" in down.stdout
    assert testnet.leftovers() == []


@pytest.mark.parametrize("moment", ["keys", "world", "nodes", "waiting"])
def test_ctrl_c_during_up_leaves_nothing(testnet: Testnet, moment: str) -> None:
    stuck = SMALL.replace("hops: 2", "hops: 2\nprivate-network: {lacks: links}")
    process = testnet.start("up", testnet.configure(stuck))
    signs = {
        "keys": lambda: (testnet.state / "small").exists(),
        "world": lambda: (testnet.runtime / "small" / "world.json").exists(),
        "nodes": lambda: (testnet.state / "small/nodes/router-1/lokinet.ini").exists(),
        "waiting": lambda: (testnet.runtime / "small" / "web.sock").exists(),
    }
    until(moment, signs[moment])
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert testnet.leftovers() == []


def test_sigterm_and_a_second_ctrl_c_do_not_stop_the_cleaning_up(testnet: Testnet) -> None:
    stuck = SMALL.replace("hops: 2", "hops: 2\nprivate-network: {lacks: links}")
    process = testnet.start("up", testnet.configure(stuck))
    until("waiting", lambda: (testnet.runtime / "small" / "web.sock").exists())
    os.killpg(process.pid, signal.SIGTERM)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert testnet.leftovers() == []


def test_ctrl_c_during_a_second_up_leaves_the_running_network_alone(testnet: Testnet) -> None:
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    stuck = SMALL + "  late: {role: client, private-network: {lacks: paths}}\n"
    process = testnet.start("up", testnet.configure(stuck))
    until("late starts", lambda: (testnet.runtime / "small" / "late.sock").exists())
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert "web" in node_pids(testnet)


def test_killing_up_itself_leaves_a_world_that_down_finds(testnet: Testnet) -> None:
    stuck = SMALL.replace("hops: 2", "hops: 2\nprivate-network: {lacks: links}")
    process = testnet.start("up", testnet.configure(stuck))
    until("the world", lambda: (testnet.runtime / "small" / "web.sock").exists())
    process.kill()
    process.communicate(timeout=20)
    testnet.note_processes()
    down = testnet.run("down")
    assert down.returncode == 0, down.stderr
    assert testnet.leftovers() == []


def test_everything_a_network_keeps_is_private_to_its_user(testnet: Testnet) -> None:
    """But what an application reads that gave its rights away, inside of what nobody may enter."""
    os.umask(0o022)
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    shared = testnet.state / "small" / "nodes" / "web" / "nginx"
    entries = [testnet.state, testnet.runtime]
    entries += [path for root in entries for path in root.rglob("*")]
    open_to_others = [
        str(path)
        for path in entries
        if path.lstat().st_mode & 0o077 and not path.is_relative_to(shared)
    ]
    assert open_to_others == []
    assert testnet.run("down").returncode == 0


def test_after_a_reboot_start_brings_back_who_was_there(testnet: Testnet) -> None:
    """A reboot ends the world and empties the runtime directory."""
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    key = testnet.state / "small/nodes/web/service.key"
    before = key.read_bytes()
    kill_world(testnet)
    shutil.rmtree(testnet.runtime)
    assert testnet.run("gc").stdout == "nothing is left over\n"
    result = testnet.run("start")
    assert result.returncode == 0, result.stderr
    assert "page     200 http://" in result.stdout
    assert key.read_bytes() == before
    assert testnet.run("down").returncode == 0
    assert testnet.leftovers() == []


def test_a_note_from_before_a_reboot_names_no_process(testnet: Testnet) -> None:
    """Numbers are given out anew after a boot, which a runtime directory may outlive."""
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    kill_world(testnet)
    note = testnet.runtime / "small" / "world.json"
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        ticks = int(Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])
        found = {"pid": stranger.pid, "started_ticks": ticks, "boot": "another boot"}
        note.write_text(json.dumps({**json.loads(note.read_text()), **found}))
        assert '"stopped"' in testnet.run("ls", "--all", "--json").stdout
        assert testnet.run("down").returncode == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("command", ["up", "start"])
def test_ctrl_c_while_a_stopped_network_starts_leaves_it_stopped(
    testnet: Testnet, command: str
) -> None:
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    key = testnet.state / "small/nodes/web/service.key"
    before = key.read_bytes()
    assert testnet.run("stop").returncode == 0
    stuck = SMALL.replace("hops: 2", "hops: 2\nprivate-network: {lacks: links}")
    kept = testnet.state / "small" / "network.json"
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "text": stuck}))
    process = testnet.start(command, *([testnet.configure(stuck)] if command == "up" else []))
    until("a node runs", lambda: (testnet.runtime / "small" / "web.sock").exists())
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130, err
    assert '"stopped"' in testnet.run("ls", "--all", "--json").stdout
    assert [entry for entry in testnet.leftovers() if not entry.startswith("file ")] == []
    assert key.read_bytes() == before


def test_down_without_a_network_is_fine_and_says_so(testnet: Testnet) -> None:
    result = testnet.run("down")
    assert (result.returncode, result.stdout) == (0, "nothing to remove\n")
    assert testnet.leftovers() == []


def test_down_leaves_strangers_and_their_namespaces_alone(testnet: Testnet) -> None:
    decoy = subprocess.Popen(
        [
            "unshare",
            "-n",
            "sh",
            "-c",
            "ip link add underlay type bridge && echo up && exec sleep 60",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert decoy.stdout is not None
    try:
        assert decoy.stdout.readline() == "up\n"
        namespace = os.readlink(f"/proc/{decoy.pid}/ns/net")
        look_alike = testnet.state / "smaller"
        look_alike.mkdir(parents=True)
        (look_alike / "keys").write_text("not yours")
        assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
        assert testnet.run("down", "--name", "small").returncode == 0
        assert decoy.poll() is None
        assert os.readlink(f"/proc/{decoy.pid}/ns/net") == namespace
        assert (look_alike / "keys").read_text() == "not yours"
    finally:
        decoy.kill()
        decoy.communicate()


def test_two_networks_live_side_by_side_and_one_survives_the_other(testnet: Testnet) -> None:
    path = testnet.configure(SMALL)
    assert testnet.run("up", path, "--name", "one").returncode == 0
    assert testnet.run("up", path, "--name", "two").returncode == 0
    ambiguous = testnet.run("ps")
    assert ambiguous.returncode == 2
    assert "--name one or two" in ambiguous.stderr
    assert testnet.run("down", "--name", "one").returncode == 0
    page = testnet.run("up", path, "--name", "two", "--json")
    assert page.returncode == 0
    assert '"status": 200' in page.stdout
    assert testnet.run("down").returncode == 0
    assert testnet.leftovers() == []


def test_a_second_command_is_refused_while_one_changes_the_network(testnet: Testnet) -> None:
    stuck = SMALL.replace("hops: 2", "hops: 2\nprivate-network: {lacks: links}")
    process = testnet.start("up", testnet.configure(stuck))
    until("waiting", lambda: (testnet.runtime / "small" / "web.sock").exists())
    refused = testnet.run("down")
    assert refused.returncode == 1
    assert "another testnet command is changing network 'small'" in refused.stderr
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert testnet.leftovers() == []


def kill_world(testnet: Testnet) -> None:
    handle = os.pidfd_open(testnet.world_pid("small"))
    signal.pidfd_send_signal(handle, signal.SIGKILL)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    assert poll.poll(5000), "the world survived SIGKILL"
    os.close(handle)


def node_pids(testnet: Testnet) -> dict[str, int]:
    rows = json.loads(testnet.run("ps", "--json").stdout)
    return {row["node"]: row["pid"] for row in rows if row["program"] == "lokinet"}
