"""One program or one node is made anew; all others run on as they were, and the network heals.

Looked at from the machine: process numbers with their start times, network namespaces, and in
containers the engine's own numbers and start times. Faults that turn these red stand in
docs/testing.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.network.real import READY_S, Network, new_network
from tests.integration.orchestrator.command import BACKEND

pytestmark = pytest.mark.anywhere

Program = tuple[str, str]
"""A node and its program."""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with new_network("of-many") as made:
        made.up()
        yield made


def done(network: Network, *words: str) -> str:
    result = network.run(*words, "--name", network.name)
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result.stdout


def processes(network: Network) -> dict[Program, tuple[int, str]]:
    """The number and start time of each program that runs."""
    running = (row for row in network.programs() if row["state"] == "running")
    pids = {(row["node"], row["program"]): row["pid"] for row in running}
    return {program: (pid, started(pid)) for program, pid in pids.items()}


def started(pid: int) -> str:
    """Field 22 of proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def namespaces(network: Network) -> dict[Program, str]:
    """The network namespace each program is in."""
    return {
        program: os.readlink(f"/proc/{pid}/ns/net")
        for program, (pid, _) in processes(network).items()
    }


def containers(network: Network) -> dict[Program, tuple[str, str]]:
    """The engine's number and start time of each container; none in namespaces."""
    found = {}
    for each in network.containers():
        labels = each["Config"]["Labels"]
        program = (labels["lokinet-testnet.node"], labels["lokinet-testnet.program"])
        found[program] = (each["Id"], each["State"]["StartedAt"])
    return found


def serves(network: Network) -> None:
    """Everybody is ready, and both clients get the page."""
    done(network, "wait", "--timeout", f"{READY_S:.0f}s")
    for client in ("alice", "bob"):
        got = network.execute(client, "curl", "-sSf", "-m", "8", network.url())
        assert "It works: web" in got.stdout, got.stderr


@pytest.mark.parametrize(("program", "other"), [("nginx", "lokinet"), ("lokinet", "nginx")])
def test_a_program_made_anew_is_in_the_network_that_the_other_kept(
    network: Network, program: str, other: str
) -> None:
    network.execute("web", "true")  # what people use is there before, too
    where, who, made = namespaces(network), processes(network), containers(network)
    done(network, "kill", "web", "--program", program)
    assert namespaces(network)["web", other] == where["web", other]
    changes = done(network, "start", "web", "--timeout", f"{READY_S:.0f}s")
    assert namespaces(network) == where, changes
    now = processes(network)
    assert [each for each in now if now[each] != who[each]] == [("web", program)]
    remade = containers(network)
    changed = [each for each in remade if remade[each] != made[each]]
    assert changed == ([("web", program)] if BACKEND == "docker" else [])
    serves(network)


def test_a_replaced_router_is_taken_back_and_the_rest_never_noticed(network: Network) -> None:
    where, who, made = namespaces(network), processes(network), containers(network)
    address = network.addresses["router-3"]
    replaced = ("router-3", "lokinet")
    # The kernel gives a number that is free to the next namespace: the old one is kept until then.
    with Path(f"/proc/{who[replaced][0]}/ns/net").open("rb"):
        done(network, "replace", "router-3", "--timeout", f"{READY_S:.0f}s")
        now = processes(network)
        assert now.keys() == who.keys()
        assert [each for each in now if now[each] != who[each]] == [replaced]
        assert namespaces(network)[replaced] != where[replaced]
    remade = containers(network)
    assert remade.keys() == made.keys()
    changed = [each for each in remade if remade[each] != made[each]]
    assert changed == ([replaced] if BACKEND == "docker" else [])
    assert network.inspect("router-3")["status"]["identity"] == address
    serves(network)
