"""Exits and relays that die or freeze: nothing leaks, nobody waits for ever, it all comes back."""

from __future__ import annotations

import pytest

from tests.integration.exits.outside import LIMIT_S, TOKEN, Outside
from tests.integration.orchestrator.command import until

pytestmark = [pytest.mark.anywhere, pytest.mark.timeout(LIMIT_S)]

BACK_S = 60.0
"""Ten times the longest that was seen until pages came again."""
GIVEN_UP = (6, 7)
"""curl's exit codes where it was told; a wait for ever would be 28."""


def no_leak(outside: Outside, client: str) -> None:
    verdict = outside.leak(client)
    assert verdict, str(verdict)


def test_a_killed_exit_lets_nothing_leak_fails_fast_and_comes_back(own_outside: Outside) -> None:
    assert own_outside.net.run("kill", "exit").returncode == 0
    no_leak(own_outside, "alice")

    def fails_fast() -> bool:
        no_leak(own_outside, "alice")
        return own_outside.curl("alice", own_outside.url("www")).returncode in GIVEN_UP

    until("alice is told that the exit is gone", fails_fast, BACK_S)
    # by hand to the other exit, although the first is still mapped
    up = own_outside.vpn("bob", "--up", "--exit", "exit2.loki", "--token", TOKEN)
    assert up.returncode == 0, up.stderr
    swapped = own_outside.vpn("bob", "--swap", "exit2.loki", "exit.loki")
    assert swapped.returncode == 1  # nobody swaps to an exit that is not there
    assert own_outside.seen("bob", through="exit2")
    assert own_outside.net.run("start", "exit").returncode == 0
    until("alice reaches www again", lambda: own_outside.gets("alice"), BACK_S)
    assert own_outside.seen("alice", through="exit")
    no_leak(own_outside, "alice")


def test_a_frozen_exit_lets_nothing_leak_and_comes_back(own_outside: Outside) -> None:
    frozen = own_outside.net.run("kill", "exit", "--signal", "STOP")
    assert frozen.returncode == 0, frozen.stderr
    no_leak(own_outside, "alice")
    with own_outside.using("bob", "exit2.loki", "--token", TOKEN):
        assert own_outside.seen("bob", through="exit2")
    no_leak(own_outside, "alice")
    assert own_outside.net.run("kill", "exit", "--signal", "CONT").returncode == 0
    until("alice reaches www again", lambda: own_outside.gets("alice"), BACK_S)
    assert own_outside.seen("alice", through="exit")


def test_connections_survive_the_death_of_relays_on_their_way(own_outside: Outside) -> None:
    sha256 = own_outside.offer("www", "slow", 20)
    page = own_outside.url("www", "slow")
    argv = ["sh", "-c", 'curl -sSf -m 100 --limit-rate 4M "$0" | sha256sum', page]
    with own_outside.net.begin("alice", *argv) as download:
        for _ in range(2):
            on_the_way = route(own_outside)
            no_leak(own_outside, "alice")
            assert own_outside.net.run("kill", on_the_way[0]).returncode == 0
            no_leak(own_outside, "alice")
        out, complaints = download.communicate(timeout=110)
    assert out.split()[0] == sha256, complaints
    assert own_outside.seen("alice", through="exit")


def route(outside: Outside) -> list[str]:
    """The routers alice's packets to the exit take now, but for the one all begin with."""
    names = outside.net.names()
    status = outside.net.inspect("alice")["status"]["services"]["default"]
    for session in status["remoteSessions"]:
        if session["remote"] == outside.net.addresses["exit"]:
            found = [names[router] for router in session["route"]]
            return [name for name in found if name != "router-1"]
    pytest.fail("alice has no session with the exit")
