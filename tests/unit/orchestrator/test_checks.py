"""Each check holds where it should and says what it expected and saw where it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import get_args

import pytest

from orchestrator.checklist import AnyCheck
from orchestrator.checks import (
    DnsCheck,
    HttpCheck,
    Network,
    OnsCheck,
    PingCheck,
    ThroughputCheck,
    UdpEchoCheck,
    Verdict,
    attempt,
    eventually,
    make,
)
from orchestrator.checks.trying import HOW
from orchestrator.checks.verdict import LEFT_OUT, MOST_EXHIBIT_BYTES, failed, held, missing
from orchestrator.errors import CheckFailed
from tests.unit.orchestrator.loopback import ADDRESSES, LoopbackBackend, Resolver, network, resolver

PINGED = (
    "3 packets transmitted, {} received, 0% packet loss\nrtt min/avg/max/mdev = 1.0/{}/3.0/0 ms"
)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> tuple[Network, LoopbackBackend]:
    return network(monkeypatch)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    with resolver(monkeypatch) as found:
        for address in ADDRESSES.values():
            found.records[address, "A"] = ["127.0.0.1"]
        yield found


def tried(net: tuple[Network, LoopbackBackend], check: object, *says: object) -> Verdict:
    if says:
        net[1].says = says  # type: ignore[assignment]
    return attempt(net[0], check)  # type: ignore[arg-type]


def curl(status: int, seconds: float = 0.1, version: str = "1.1", size: int = 0) -> str:
    """What it says of a page, beside it."""
    return f"\n{status} {seconds} {version} {size} 0\n"


def http(**words: object) -> HttpCheck:
    return make(HttpCheck, from_="alice", to="web", **words)


def test_http_asks_the_applications_port_by_the_nodes_name(
    net: tuple[Network, LoopbackBackend],
) -> None:
    verdict = tried(net, http(), 0, "<h1>It works</h1>", curl(200, 0.125))
    assert verdict
    assert str(verdict) == "200, 17 characters in 0.12 s"
    assert net[1].ran[0][-2:] == ["--", f"http://{ADDRESSES['web']}:8080/"]


@pytest.mark.parametrize(
    ("words", "says", "seen"),
    [
        ({}, (0, "no", curl(404)), "saw 404, 2 characters in 0.10 s: no"),
        ({"contains": "works"}, (0, "hello", curl(200)), "with 'works' in it; saw 200"),
        ({}, (28, "", "curl: (28) timed out\n"), "saw curl: (28) timed out"),
        ({}, (1000, "", ""), "curl did not end within 15 s"),
        ({}, (0, "\x1b[31mred", curl(500)), "characters in 0.10 s: �[31mred"),
    ],
)
def test_http_says_what_came_instead(
    words: dict[str, str],
    says: tuple[int, str, str],
    seen: str,
    net: tuple[Network, LoopbackBackend],
) -> None:
    verdict = tried(net, http(**words), *says)
    assert not verdict
    assert seen in str(verdict)


def test_a_small_server_may_answer_in_http_1_0(net: tuple[Network, LoopbackBackend]) -> None:
    verdict = tried(net, http(), 0, "tea", curl(200, version="1"))
    assert str(verdict) == "200, 3 characters in 0.10 s"


def test_http_over_tls_trusts_what_the_service_gives_over_its_address(
    net: tuple[Network, LoopbackBackend],
) -> None:
    verdict = tried(net, http(over="http2"), 0, "hello", curl(200, version="2"))
    assert str(verdict) == "200 over HTTP/2, 5 characters in 0.10 s"
    argv = net[1].ran[0]
    assert argv[5] == f"http://{ADDRESSES['web']}:8080/certificate.pem"
    assert argv[-1] == f"https://{ADDRESSES['web']}/"
    older = tried(net, http(over="http2"), 0, "hello", curl(200))
    assert not older
    assert "over HTTP/2; saw 200 over HTTP/1.1" in str(older)


def test_http_digests_what_is_large_in_the_node(net: tuple[Network, LoopbackBackend]) -> None:
    right, wrong = "a" * 64, "b" * 64
    told = curl(200, 8, size=10**8)
    verdict = tried(net, http(sha256=right), 0, f"{right}  -\n", told)
    assert str(verdict) == "200, 100000000 bytes in 8.00 s (100 Mbit/s)"
    assert verdict.figures["bits_per_second"] == 1e8
    assert f"with sha256 {wrong}" in str(tried(net, http(sha256=right), 0, f"{wrong}  -", told))
    # in a pipe the end of the last is the end of all
    broken = "curl: (18) 5 bytes missing\n\n200 8 1.1 100 18\n"
    assert "saw curl: (18) 5 bytes missing" in str(tried(net, http(sha256=right), 0, right, broken))


def test_http_at_most_is_what_curl_is_given(net: tuple[Network, LoopbackBackend]) -> None:
    assert tried(net, http(at_most="500ms", port=80), 0, "x", curl(200))
    assert net[1].ran[0][net[1].ran[0].index("-m") + 1] == "0.500"
    assert net[1].ran[0][-1] == f"http://{ADDRESSES['web']}/"


@pytest.mark.parametrize(
    ("out", "code", "words", "holds", "seen"),
    [
        (PINGED.format(3, 2.5), 0, {}, True, "3 of 3 echoes, 2.5 ms on average"),
        (PINGED.format(2, 2.5), 0, {}, False, "saw 2 of 3 echoes"),
        (PINGED.format(2, 2.5), 0, {"lost": 1}, True, "2 of 3 echoes"),
        (PINGED.format(3, 250), 0, {"at_most": "200ms"}, False, "200 ms"),
        ("3 packets transmitted, 0 received, 100% packet loss", 1, {}, False, "saw 0 of 3"),
        ("", 2, {}, False, "saw Name or service not known"),
    ],
)
def test_ping_counts_echoes_and_their_time(
    out: str,
    code: int,
    words: dict[str, object],
    holds: bool,
    seen: str,
    net: tuple[Network, LoopbackBackend],
) -> None:
    check = make(PingCheck, from_="alice", to="web", **words)
    verdict = tried(net, check, code, out, "Name or service not known" if code == 2 else "")
    assert bool(verdict) is holds
    assert seen in str(verdict).replace("0.20 s", "200 ms")


@pytest.mark.parametrize(
    ("words", "holds", "seen"),
    [
        ({"name": "web"}, True, "NOERROR A 127.0.0.1"),
        ({"name": "web", "answer": "127.0"}, True, "NOERROR A"),
        ({"name": "web", "answer": "10.0"}, False, "with '10.0'; saw NOERROR A 127.0.0.1"),
        ({"name": "web", "empty": True}, False, "without A records; saw NOERROR A 127.0.0.1"),
        ({"name": "empty.loki"}, False, "saw NOERROR without records"),
        ({"name": "empty.loki", "empty": True}, True, "NOERROR without records"),
        ({"name": "nobody.loki", "rcode": "NXDOMAIN"}, True, "NXDOMAIN without records"),
        ({"name": "other.loki", "rcode": "NXDOMAIN"}, False, "saw SERVFAIL"),
        ({"name": "mail.loki", "type": "MX", "answer": "10 web.loki"}, True, "MX 10 web.loki."),
    ],
)
def test_dns_compares_code_and_records(
    words: dict[str, object],
    holds: bool,
    seen: str,
    net: tuple[Network, LoopbackBackend],
    names: Resolver,
) -> None:
    names.rcodes |= {"nobody.loki": 3, "empty.loki": 0}
    names.records["mail.loki", "MX"] = ["10 web.loki."]
    verdict = tried(net, make(DnsCheck, from_="alice", **words))
    assert bool(verdict) is holds
    assert seen in str(verdict)


def test_a_silent_resolver_is_what_was_seen(
    net: tuple[Network, LoopbackBackend], names: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.checks.network.DNS_TIMEOUT_S", 0.05)
    names.is_silent = True
    verdict = tried(net, make(DnsCheck, from_="alice", name="web.loki"))
    assert "alice's resolver does not answer A web.loki within 0.05 s" in str(verdict)


def test_ons_follows_a_bought_name_to_the_nodes_own(
    net: tuple[Network, LoopbackBackend], names: Resolver
) -> None:
    names.records |= {
        ("web.loki", "A"): ["172.16.0.2"],
        ("2.0.16.172.in-addr.arpa", "PTR"): [f"{ADDRESSES['web']}."],
    }
    assert tried(net, make(OnsCheck, from_="alice", name="web.loki", to="web"))
    wrong = tried(net, make(OnsCheck, from_="alice", name="web.loki", to="alice"))
    assert f"expected web.loki to be {ADDRESSES['alice']} (alice)" in str(wrong)
    assert f"172.16.0.2, which is {ADDRESSES['web']}" in str(wrong)
    unbought = tried(net, make(OnsCheck, from_="alice", name="no.loki", to="web"))
    assert "saw SERVFAIL without records" in str(unbought)


@pytest.mark.parametrize("size", [8, 200, 9000])
def test_udp_echo_gets_every_datagram_back(
    size: int, net: tuple[Network, LoopbackBackend], names: Resolver
) -> None:
    check = make(UdpEchoCheck, from_="alice", to="web", size=size, count=20)
    verdict = tried(net, check)
    assert verdict, str(verdict)
    assert verdict.figures == {"back": 20}


def test_udp_echo_without_an_echo_counts_none(
    net: tuple[Network, LoopbackBackend], names: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.checks.echo.LAST_ANSWER_S", 0.05)
    check = make(UdpEchoCheck, from_="alice", to="web", port=9, count=3)
    assert "saw 0 of 3 datagrams back" in str(tried(net, check))


def test_udp_echo_does_not_count_what_came_back_changed(
    net: tuple[Network, LoopbackBackend], names: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.checks.echo.LAST_ANSWER_S", 0.05)

    def spoiled(far: object) -> None:
        data, sender = far.recvfrom(9000)  # type: ignore[attr-defined]
        far.sendto(data[:-1] + b"?", sender)  # type: ignore[attr-defined]

    monkeypatch.setattr("orchestrator.checks.echo._answer", spoiled)
    check = make(UdpEchoCheck, from_="alice", to="web", count=3)
    assert "saw 0 of 3 datagrams back" in str(tried(net, check))


@pytest.mark.parametrize("reverse", [False, True])
def test_throughput_is_what_arrives(
    reverse: bool, net: tuple[Network, LoopbackBackend], names: Resolver
) -> None:
    words = {"from_": "alice", "to": "web", "for_": "250ms", "reverse": reverse}
    fits = tried(net, make(ThroughputCheck, at_least="1 Mbit/s", **words))
    assert fits, str(fits)
    assert fits.figures["bits_per_second"] > 1e6
    drawn = json.loads(fits.exhibits["throughput.series.json"])
    ((way, points),) = drawn["series"].items()
    assert (way, drawn["y"]) == ("web → alice" if reverse else "alice → web", "Mbit/s")
    assert [at for at, _ in points] == sorted({at for at, _ in points})
    stations = [(0.0, 0.0), *points]
    carried = sum(rate * (at - before) for (before, _), (at, rate) in pairwise(stations))
    assert carried * 1e6 == pytest.approx(fits.figures["bits_per_second"] * points[-1][0], rel=0.01)
    much = tried(net, make(ThroughputCheck, at_least="90000 Gbit/s", **words))
    ends = "from web to alice" if reverse else "from alice to web"
    assert f"expected 9e+04 Gbit/s {ends} for 0.25 s" in str(much)


def test_a_node_that_does_not_answer_is_what_was_seen(
    net: tuple[Network, LoopbackBackend],
) -> None:
    verdict = tried(net, make(PingCheck, from_="alice", to="dead"))
    assert str(verdict) == "expected the check to be made; saw dead: nobody answers"
    gone = tried(net, make(PingCheck, from_="alice", to="moon"))
    assert "no node 'moon' is up" in str(gone)


def test_eventually_tries_until_it_holds_and_no_longer(
    net: tuple[Network, LoopbackBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.checks.trying.PAUSE_MS", 0)
    codes = iter([404, 404, 200])

    def exec_(*_: object, **__: object) -> object:
        raise CheckFailed(f"try {next(codes)}")

    monkeypatch.setattr(LoopbackBackend, "exec", exec_)
    ticking = iter(range(100))
    once = eventually(net[0], http(), None, lambda: float(next(ticking)))
    assert (bool(once), once.tries, once.verdict.seen) == (False, 1, "try 404")
    twice = eventually(net[0], http(), 2.0, lambda: float(next(ticking)))
    assert (bool(twice), twice.tries, twice.seconds) == (False, 2, 2.0)
    assert "try 200 (try 2, 2.00 s)" in str(twice)


def test_what_cannot_be_tried_here_is_not_tried_again(
    net: tuple[Network, LoopbackBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    lacking = {HttpCheck: lambda *_: missing("a page", "no curl", "get it")}
    monkeypatch.setattr("orchestrator.checks.trying.HOW", lacking)
    found = eventually(net[0], http(), 1000.0)
    assert (bool(found), found.tries, str(found.verdict)) == (
        False,
        1,
        "not tried: no curl: get it",
    )


def test_eventually_holds_as_soon_as_it_does(net: tuple[Network, LoopbackBackend]) -> None:
    net[1].says = (0, "x", curl(200))
    found = eventually(net[0], http(), 1000.0)
    assert (bool(found), found.tries) == (True, 1)


def test_a_network_that_is_not_up_has_no_checks() -> None:
    with pytest.raises(CheckFailed, match="the network is not up"):
        Network.of(LoopbackBackend())


def test_exhibits_are_bounded_and_have_plain_names() -> None:
    half = bytes(MOST_EXHIBIT_BYTES // 2)
    verdict = held("e", "s", exhibits={"a.wav": half, "b.wav": half + b"1", "c.png": b"1"}, mos=4.4)
    assert set(verdict.exhibits) == {"a.wav", "c.png", LEFT_OUT}
    assert verdict.exhibits[LEFT_OUT] == f"b.wav: {len(half) + 1} bytes\n".encode()
    assert (verdict.figures, held("e", "s").exhibits) == ({"mos": 4.4}, {})
    for name in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(ValueError, match="no plain file name"):
            failed("e", "s", exhibits={name: b""})


def test_every_kind_of_a_topology_file_can_be_tried() -> None:
    assert set(HOW) == set(get_args(AnyCheck))
