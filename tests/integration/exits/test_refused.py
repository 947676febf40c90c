"""What an exit does not do, said at once: to the application, in both ends' status, to `--up`."""

from __future__ import annotations

import pytest

from tests.integration.exits.outside import LIMIT_S, TOKEN, Outside, new_outside

pytestmark = [pytest.mark.anywhere, pytest.mark.timeout(LIMIT_S)]

QUOTA = "per-client: {bytes: 300k}"
COULD_NOT_CONNECT = 7
"""curl's exit code where it was told so; silence would be 28."""


@pytest.mark.parametrize(
    ("options", "reason"),
    [((), "a token is required"), (("--token", "wrong"), "access not permitted")],
)
def test_who_has_no_good_token_is_told_the_exits_reason(
    outside: Outside, options: tuple[str, ...], reason: str
) -> None:
    outside.made_anew("bob")  # who was let in once stays in for as long as the session lasts
    result = outside.vpn("bob", "--up", "--exit", "exit2.loki", *options)
    assert result.returncode == 1
    assert reason in result.stderr
    assert outside.vpn("bob", "--status").stdout == "no exits\n"


def test_whose_quota_is_used_up_is_told_so_and_stays_out() -> None:
    with new_outside("quota", ("deny-range: [forbidden]", QUOTA)) as outside:
        outside.offer("www", "page", 1)
        token = ("--up", "--exit", "exit2.loki", "--token", TOKEN)
        assert outside.vpn("bob", *token).returncode == 0
        page = outside.curl("bob", outside.url("www", "page"), "-o", "/dev/null")
        assert page.returncode != 0
        assert "your quota of 300000 bytes is used up" in outside.refusals("bob")
        more = outside.curl("bob", outside.url("www"))
        assert more.returncode == COULD_NOT_CONNECT, more.stderr
        assert outside.leak("bob")
        outside.vpn("bob", "--down")
        again = outside.vpn("bob", *token)
        assert again.returncode == 1
        assert "your quota of 300000 bytes is used up" in again.stderr


def refused(outside: Outside, node: str) -> dict[str, int]:
    found = outside.exit_of(node)["refused"]
    return dict(found or {})


@pytest.mark.parametrize(
    ("server", "counter", "said"),
    [
        ("forbidden", "denied-range", "in a range this exit denies"),
        ("abroad", "country", "country"),
    ],
)
def test_a_forbidden_destination_is_refused_at_once(
    outside: Outside, server: str, counter: str, said: str
) -> None:
    before = refused(outside, "exit2").get(counter, 0)
    with outside.using("bob", "exit2.loki", "--token", TOKEN):
        assert outside.seen("bob", through="exit2")
        page = outside.curl("bob", outside.url(server))
        assert page.returncode == COULD_NOT_CONNECT, page.stderr
        ping = outside.net.execute("bob", "ping", "-c1", "-W5", outside.clearnet[server])
        assert "Packet filtered" in ping.stdout
        assert refused(outside, "exit2").get(counter, 0) >= before + 2
        assert said in outside.refusals("bob")
        assert outside.clearnet[server] in outside.refusals("bob")


def test_a_forbidden_port_is_refused_at_once_and_others_are_not(outside: Outside) -> None:
    before = refused(outside, "exit").get("denied-port", 0)
    mail = outside.clearnet["mail"]
    told = outside.curl("alice", f"telnet://{mail}:25")
    assert told.returncode == COULD_NOT_CONNECT, told.stderr
    assert refused(outside, "exit").get("denied-port", 0) > before
    assert "tcp/25" in outside.refusals("alice")
    # somebody listens there: the other exit has no such rule
    with outside.using("bob", "exit2.loki", "--token", TOKEN):
        script = f"printf 'QUIT\\r\\n' | curl -sS -m 20 telnet://{mail}:25"
        assert outside.net.execute("bob", "sh", "-c", script, timeout_s=30.0).stdout.startswith(
            "220"
        )


def stranger(outside: Outside, client: str) -> str:
    """The address of a relay that a client has no link to: a route over its tun cuts no path."""
    links = outside.net.inspect(client)["status"]["links"]
    linked = {str(link["address"]).partition(":")[0] for link in links}
    relays = [at for node, at in outside.underlay.items() if node.startswith("router-")]
    return str(next(at for at in relays if at not in linked))


@pytest.mark.parametrize("where", ["underlay", "relay", "own address"])
def test_an_exit_leads_nobody_into_its_own_house(outside: Outside, where: str) -> None:
    """Loopback and tun are refused by the client already; tests/unit/exits has an exit's answer."""
    target = {
        "underlay": outside.underlay["exit"],
        "relay": stranger(outside, "alice"),
        "own address": outside.clearnet["exit"],
    }[where]
    before = refused(outside, "exit").get("local", 0)
    # the client's machine would send these over its own link
    route = (f"{target}/32", "dev", "lokitun0")
    outside.administer("alice", "ip", "route", "replace", *route)
    try:
        told = outside.net.execute("alice", "ping", "-c1", "-W5", target)
        assert "Packet filtered" in told.stdout
        assert refused(outside, "exit").get("local", 0) > before, told.stdout
    finally:
        outside.administer("alice", "ip", "route", "del", *route)
