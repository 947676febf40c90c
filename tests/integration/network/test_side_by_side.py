"""Two networks at once: neither sees the other, and ending one is nothing to the other.

Same topology, same netid, so that they would mix if they could; only the underlay differs, so that
an address says whose it is. Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.network.real import REPOSITORY, Network, new_network, next_line
from tests.integration.orchestrator.command import BACKEND

pytestmark = pytest.mark.anywhere

MINIMAL = (REPOSITORY / "topologies" / "minimal.yaml").read_text()
UNDERLAYS = {"one": "10.77.0.0/16", "two": "10.78.0.0/16"}
"""Where networks live in namespaces; containers get addresses that nobody on the engine has."""
GOES_ON = "while :; do curl -sS -o /dev/null -w '%{http_code}\\n' -m 5 \"$0\"; done"
"""A page every few milliseconds, its status on a line each."""


@pytest.fixture(scope="module")
def both() -> Iterator[Network]:
    with new_network("one") as network:
        for name, underlay in UNDERLAYS.items():
            path = network.root / f"{name}.yaml"
            own = f"underlay: {underlay}\n" if BACKEND == "netns" else ""
            path.write_text(f"{MINIMAL}{own}".replace("name: minimal", f"name: {name}"))
            done(network, "up", str(path), "--timeout", "40s")
        yield network
        for name in UNDERLAYS:
            done(network, "down", "--name", name)


def done(network: Network, *words: str) -> str:
    result = network.run(*words)
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result.stdout


def execute(network: Network, name: str, node: str, *argv: str) -> tuple[int, str]:
    result = network.run("exec", "--name", name, node, "--", *argv)
    return result.returncode, result.stdout


def status(network: Network, name: str) -> dict[str, dict[str, Any]]:
    rows = json.loads(done(network, "status", "--name", name, "--json"))["nodes"]
    return {row["node"]: row for row in rows}


def underlay(network: Network, name: str) -> str:
    """The first router's address."""
    rows = json.loads(done(network, "ps", "--name", name, "--json"))
    return next(str(row["underlay"]) for row in rows if row["node"] == "router-1")


def web(network: Network, name: str) -> str:
    return f"http://{status(network, name)['web']['address']}/"


def test_both_are_listed_and_none_is_taken_for_granted(both: Network) -> None:
    rows = json.loads(done(both, "ls", "--json"))
    assert [(row["name"], row["state"], row["nodes"]) for row in rows] == [
        ("one", "running", 6),
        ("two", "running", 6),
    ]
    ambiguous = both.run("ps")
    assert ambiguous.returncode == 2
    assert "there are 2 networks: say --name one or two" in ambiguous.stderr


@pytest.mark.parametrize(("here", "there"), [("one", "two"), ("two", "one")])
def test_no_packet_leads_from_one_to_the_other(both: Network, here: str, there: str) -> None:
    own, other = (underlay(both, name) for name in (here, there))
    assert own != other
    ping = ("ping", "-c", "2", "-i", "0.2", "-W", "1")
    assert execute(both, here, "alice", *ping, own)[0] == 0, "its own router answers"
    assert execute(both, here, "alice", *ping, other)[0] != 0


@pytest.mark.parametrize(("here", "there"), [("one", "two"), ("two", "one")])
def test_a_name_of_one_means_nothing_in_the_other(both: Network, here: str, there: str) -> None:
    curl = ("curl", "-sS", "-o", "/dev/null", "-m", "15")
    assert execute(both, here, "alice", *curl, web(both, here))[0] == 0
    assert execute(both, here, "alice", *curl, web(both, there))[0] != 0


def test_routers_know_the_four_of_their_own_network_only(both: Network) -> None:
    identities = {}
    for name in UNDERLAYS:
        rows = status(both, name)
        assert {row["known"] for row in rows.values()} == {4}
        identities[name] = {row["address"] for row in rows.values()}
    assert not identities["one"] & identities["two"]


@pytest.mark.parametrize("name", list(UNDERLAYS))
def test_processes_of_one_are_out_of_the_others_sight(both: Network, name: str) -> None:
    """In containers it sees not even the nodes of its own."""
    rows = json.loads(done(both, "ps", "--name", name, "--json"))
    _, names = execute(both, name, "alice", "sh", "-c", "cat /proc/[0-9]*/comm")
    own = [row for row in rows if row["program"] == "lokinet"]
    assert "sh" in names.split()
    assert names.split().count("lokinet") == (len(own) if BACKEND == "netns" else 0)


def test_ending_one_leaves_the_other_serving(both: Network) -> None:
    """Pages are fetched in one without a pause while two is ended and brought up again."""
    process = both.start(
        "exec", "--name", "one", "alice", "--", "sh", "-c", GOES_ON, web(both, "one")
    )
    try:
        assert next_line(process, 20) == "200"
        before = {
            row["node"]: row["pid"] for row in json.loads(done(both, "ps", "-n", "one", "--json"))
        }
        assert "nothing is left" in done(both, "down", "--name", "two")
        assert not Path(both.state / "two").exists()
        after = {row["node"]: row["pid"] for row in json.loads(done(both, "ps", "--json"))}
        assert after == before
        assert {next_line(process, 20) for _ in range(30)} == {"200"}
        done(both, "up", str(both.root / "two.yaml"), "--timeout", "40s")
        assert {next_line(process, 20) for _ in range(30)} == {"200"}
    finally:
        process.kill()
        process.communicate()
