"""What a client reaches over an exit, what the far end sees, and what leaves the client."""

from __future__ import annotations

import hashlib

import pytest

from tests.integration.exits.outside import LIMIT_S, TOKEN, Outside

pytestmark = [pytest.mark.anywhere, pytest.mark.timeout(LIMIT_S)]

BIG_MB = 100
BIG_S = 120
"""Ten times what 100 MB take on two idle cores, and more where others work."""


def test_a_server_sees_the_exit_and_never_the_client(outside: Outside) -> None:
    verdict = outside.seen("alice", through="exit")
    assert verdict, str(verdict)
    log = outside.net.execute("www", "cat", "/run/testnet/nginx/access.log").stdout
    askers = {line.split()[0] for line in log.splitlines()}
    assert outside.clearnet["exit"] in askers
    assert askers <= {outside.clearnet["exit"], outside.clearnet["exit2"]}


def test_only_link_datagrams_leave_a_client_that_uses_an_exit(outside: Outside) -> None:
    verdict = outside.leak("alice")
    assert verdict, str(verdict)
    assert verdict.figures["sent"] > 0
    assert "page: there; name: NOERROR" in verdict.seen


def test_a_client_without_an_exit_is_seen_to_leak(outside: Outside) -> None:
    """The control of the test before: its default route leads packets to where they are seen."""
    verdict = outside.leak("bob")
    assert not verdict
    assert f"protocol 6 from {outside.underlay['bob']} to {outside.clearnet['www']}" in verdict.seen
    assert f"to {outside.clearnet['dns']} port 53" in verdict.seen
    assert not outside.seen("bob")


def test_what_the_topology_says_holds(outside: Outside) -> None:
    """Page, leak, name, datagrams: the same with the public command."""
    result = outside.net.run("test")
    assert result.returncode == 0, result.stdout
    assert "4 of 4 tests held" in result.stdout + result.stderr


def test_names_of_the_clearnet_are_asked_for_through_the_exit(outside: Outside) -> None:
    found = outside.net.execute("alice", "dig", "+short", "mail.test")
    assert found.stdout.split() == [outside.clearnet["mail"]]
    log = outside.net.run("logs", "dns", "--lines", "50").stdout
    asked = [line for line in log.splitlines() if "query[A] mail.test from" in line]
    assert asked
    assert all(line.split(" from ")[1].split()[0] == outside.clearnet["exit"] for line in asked)


def test_a_download_of_100_mb_arrives_unchanged(outside: Outside) -> None:
    wanted = outside.offer("www", "big", BIG_MB)
    file = outside.net.root / "big.download"
    page = outside.url("www", "big")
    argv = ["sh", "-c", 'curl -sSf -m "$0" "$1" | sha256sum', str(BIG_S), page]
    result = outside.net.execute("alice", *argv, timeout_s=BIG_S + 10.0)
    assert result.stdout.split()[0] == wanted, result.stderr
    assert wanted != hashlib.sha256(b"").hexdigest()
    assert not file.exists()


def test_a_second_exit_is_used_by_hand_and_swapped_for_the_first(outside: Outside) -> None:
    with outside.using("bob", "exit2.loki", "--token", TOKEN):
        assert outside.seen("bob", through="exit2")
        swapped = outside.vpn("bob", "--swap", "exit2.loki", "exit.loki")
        assert swapped.returncode == 0, swapped.stderr
        assert outside.seen("bob", through="exit")
        assert outside.leak("bob")
    status = outside.vpn("bob", "--status")
    assert (status.returncode, status.stdout) == (0, "no exits\n")


def test_nothing_of_the_clearnet_leads_to_this_machine(outside: Outside) -> None:
    """A server has no way to anything but its own network; nor has an exit's other side."""
    routes = outside.administer("www", "ip", "-4", "route").splitlines()
    (route,) = routes
    assert route.split()[0].endswith(".0/24")
    ways = outside.administer("exit", "ip", "-4", "route")
    assert "default" not in ways
