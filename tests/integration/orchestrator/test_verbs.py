"""Stop, start, restart, kill, replace, scale, cp: who they touch and what survives.

Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, host_state


def rows(testnet: Testnet) -> dict[tuple[str, str], dict[str, Any]]:
    found = json.loads(testnet.run("ps", "--json").stdout)
    return {(row["node"], row["program"]): row for row in found}


def identity(testnet: Testnet) -> dict[str, Any]:
    """Addresses under the underlay and over it, by node, and the keys' bytes."""
    status = json.loads(testnet.run("status", "--json").stdout)
    keys = sorted((testnet.state / "small/nodes").glob("*/se*"))
    underlay = {node: row["underlay"] for (node, _), row in rows(testnet).items()}
    return {
        "overlay": {row["node"]: row["address"] for row in status["nodes"]},
        "underlay": underlay,
        "keys": {str(path): path.read_bytes() for path in keys},
    }


def namespace(testnet: Testnet, node: str) -> str:
    return testnet.run("exec", node, "--", "readlink", "/proc/self/ns/net").stdout


def link(testnet: Testnet, node: str) -> str:
    """A node's interface, with its number and hardware address."""
    return testnet.run("exec", node, "--", "ip", "-o", "link", "show", "eth0").stdout


@pytest.fixture
def up(testnet: Testnet) -> Testnet:
    result = testnet.run("up", testnet.configure(SMALL))
    assert result.returncode == 0, result.stderr
    return testnet


def done(testnet: Testnet, *words: str) -> str:
    result = testnet.run(*words)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_stopped_node_keeps_its_link_and_start_brings_it_back(up: Testnet) -> None:
    before, where, wire = identity(up), namespace(up, "web"), link(up, "web")
    others = {key: row["pid"] for key, row in rows(up).items() if key[0] != "web"}
    assert "process:web/nginx: StopProcess, asked to" in done(up, "stop", "web")
    assert {row["state"] for key, row in rows(up).items() if key[0] == "web"} == {"stopped"}
    assert (namespace(up, "web"), link(up, "web")) == (where, wire)
    missing = up.run("wait", "--timeout", "1s")
    assert missing.returncode == 3
    assert "process: web: lokinet was stopped" in missing.stderr
    assert "0 changes" in done(up, "start", "alice"), "another node's start touches only it"
    assert "process:web/nginx: StartProcess, stopped" in done(up, "start", "web")
    assert identity(up) == before
    assert {k: row["pid"] for k, row in rows(up).items() if k[0] != "web"} == others


def test_a_stopped_network_has_no_process_and_starts_from_its_directory(up: Testnet) -> None:
    """The topology file is gone by then, as after a reboot the runtime directory is."""
    before, host = identity(up), host_state()
    assert "small stopped" in done(up, "stop")
    assert [entry for entry in up.leftovers() if not entry.startswith("file ")] == []
    assert host_state() == host
    refused = up.run("ps")
    assert refused.returncode == 1
    assert "it is stopped, `testnet start --name small` brings it back" in refused.stderr
    assert "was stopped before" in done(up, "stop")
    (up.root / "topology.yaml").unlink()
    for path in up.runtime.parent.rglob("*"):
        assert not path.is_socket()
    assert done(up, "gc") == "nothing is left over\n"
    assert "page     200 " in done(up, "start")
    assert identity(up) == before
    assert '"changes": 0' in done(up, "start", "--json")


def test_restart_gives_new_processes_in_the_same_namespace(up: Testnet) -> None:
    before, where, old = identity(up), namespace(up, "web"), rows(up)
    done(up, "restart", "web")
    new = rows(up)
    assert namespace(up, "web") == where
    assert {key for key in new if new[key]["pid"] != old[key]["pid"]} == {
        ("web", "lokinet"),
        ("web", "nginx"),
    }
    done(up, "restart")
    assert not {row["pid"] for row in rows(up).values()} & {row["pid"] for row in new.values()}
    assert identity(up) == before


def test_replace_makes_the_namespace_anew_and_keeps_who_it_is(up: Testnet) -> None:
    before = identity(up)
    done(up, "exec", "router-2", "--", "ip", "link", "set", "lo", "alias", "the-old-one")
    assert "the-old-one" in done(up, "exec", "router-2", "--", "ip", "link", "show", "lo")
    done(up, "replace", "router-2")
    assert "the-old-one" not in done(up, "exec", "router-2", "--", "ip", "link", "show", "lo")
    assert identity(up) == before
    key = up.state / "small/nodes/web/service.key"
    with key.open("rb") as held:  # a number that is free goes to the next file
        done_so = done(up, "replace", "web", "--new-identity")
        assert "keys:web: RemoveKeys, a new identity" in done_so
        assert not os.path.samestat(key.stat(), os.fstat(held.fileno()))
    # At once: alice would look for the old hardware address for half a minute
    assert '"changes": 0' in done(up, "up", up.configure(SMALL), "--timeout", "15s", "--json")


def test_kill_is_seen_and_the_next_up_mends_it(up: Testnet) -> None:
    assert "SignalProcess, signal 9" in done(up, "kill", "web", "--program", "nginx")
    assert rows(up)["web", "nginx"]["state"] == "ended with -9"
    plan = json.loads(done(up, "plan", up.configure(SMALL), "--json"))
    assert plan == {
        "changes": 1,
        "steps": [
            {
                "number": 1,
                "after": [],
                "subject": "process:web/nginx",
                "act": "StartProcess",
                "reason": "ended with -9",
            }
        ],
    }
    assert "page     200 " in done(up, "up", up.configure(SMALL))
    stopped = done(up, "kill", "alice", "-s", "SIGSTOP")
    assert "signal 19" in stopped
    state = Path(f"/proc/{rows(up)['alice', 'lokinet']['pid']}/stat").read_text()
    assert state.rpartition(")")[2].split()[0] == "T"
    done(up, "kill", "alice", "-s", "cont")


def test_scale_adds_and_removes_and_is_remembered(up: Testnet) -> None:
    before = rows(up)
    assert "page     200 " in done(up, "scale", "router=4")
    assert {node for node, _ in rows(up)} >= {"router-3", "router-4"}
    assert all(rows(up)[key]["pid"] == row["pid"] for key, row in before.items())
    done(up, "stop")
    done(up, "start")
    assert ("router-4", "lokinet") in rows(up)
    done(up, "scale", "router=2")
    assert ("router-3", "lokinet") not in rows(up)
    for words, said in (
        (("router=1",), "1 router cannot make the 2-hop paths"),
        (("alice=2",), "'alice' is one node, not a group"),
        (("exit=2",), "no group and no role 'exit'"),
        (("router",), "'router' is not ROLE=N"),
    ):
        refused = up.run("scale", *words)
        assert refused.returncode == 2
        assert said in refused.stderr


def test_without_a_file_a_network_of_that_name_is_what_it_was_brought_up_with(up: Testnet) -> None:
    before = {program: row["pid"] for program, row in rows(up).items()}
    dry = up.run("plan", "--name", "small", "--json")
    assert json.loads(dry.stdout)["steps"] == [], dry.stdout
    result = up.run("up", "--name", "small")
    assert "network  small: 0 changes" in result.stdout, result.stderr
    assert {program: row["pid"] for program, row in rows(up).items()} == before


def test_edited_topologies_restart_only_what_must(up: Testnet) -> None:
    before = rows(up)
    edited = SMALL.replace("app: nginx", "app: {kind: nginx, page: other}").replace(
        "alice: {role: client}", "alice: {role: client, log: debug}"
    )
    path = up.configure(edited)
    plan = done(up, "plan", path)
    assert re.search(r"process:web/nginx, StopProcess, nginx/www/index.html changed", plan)
    assert re.search(r"process:alice/lokinet, StopProcess, lokinet.ini changed", plan)
    done(up, "up", path)
    after = rows(up)
    assert {key for key in after if after[key]["pid"] != before[key]["pid"]} == {
        ("web", "nginx"),
        ("alice", "lokinet"),
    }
    assert done(up, "plan", path) == "0 changes\n"


def test_cp_carries_files_and_folders_both_ways(up: Testnet) -> None:
    data = os.urandom(3_000_000)
    folder = up.root / f"folder-{up.root.name}"  # so that no other run's is met
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "data").write_bytes(data)
    done(up, "cp", str(folder), "alice:/run")
    done(up, "cp", f"alice:/run/{folder.name}/deep/data", "web:/run/copy")
    done(up, "cp", "web:/run/copy", str(up.root / "back"))
    assert (up.root / "back").read_bytes() == data
    assert not Path("/run", folder.name).exists(), "a node's /run is its own"
    done(up, "cp", "alice:/etc/hosts", str(up.root / "hosts"))
    assert "localhost alice" in (up.root / "hosts").read_text()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("alice:/run/nope", "x"), 1, "alice: /run/nope: No such file or directory"),
        (("nope", "alice:/run"), 1, "nope: No such file or directory"),
        (("topology.yaml", "alice:/run/no/where"), 1, "alice: /run/no: no such directory"),
        (("alice:/etc/hosts", "/no/where/x"), 1, "/no/where: no such directory"),
        (("a", "b"), 2, "neither end is in a node"),
        (("bob:/a", "b"), 2, "no node 'bob'"),
        (("alice:a", "b"), 2, "a path in a node begins with /"),
    ],
)
def test_what_cp_cannot_do_it_says(
    small: Testnet, words: tuple[str, ...], code: int, said: str
) -> None:
    small.configure(SMALL)
    result = small.run("cp", *words)
    assert (result.returncode, said in result.stderr) == (code, True), result.stderr


@pytest.mark.parametrize("verb", ["stop", "start", "restart", "kill", "replace"])
def test_an_unknown_node_is_named_with_those_there_are(small: Testnet, verb: str) -> None:
    result = small.run(verb, "nobody")
    assert result.returncode == 2
    assert "no node 'nobody': there are router-1, router-2, web, alice" in result.stderr


@pytest.mark.parametrize("words", [("stop",), ("start",), ("restart",), ("wait",), ("kill", "a")])
def test_without_a_network_they_say_so(testnet: Testnet, words: tuple[str, ...]) -> None:
    for name in ((), ("--name", "other")):
        result = testnet.run(*words, *name)
        assert result.returncode == 1, result.stderr
        assert "no network" in result.stderr
    assert testnet.leftovers() == []
