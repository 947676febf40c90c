"""`tests:` of a topology: what is wrong is named with its line and the way out."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.load import parse

BASE = """\
name: x
nodes:
  router: {role: router, count: 4}
  relay: {role: router, tun: true}
  web: {role: service, app: nginx}
  alice: {role: client}
tests:
"""


def faults(*tests: str) -> str:
    text = BASE + "".join(f"  - {test}\n" for test in tests)
    with pytest.raises(UsageError) as caught:
        parse(text.encode(), "t")
    return str(caught.value)


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{htpp: {from: alice, to: web}}", "t:8: unknown key 'htpp': did you mean 'http'?"),
        ("{http: {form: alice, to: web}}", "t:8: unknown key 'form': did you mean 'from'?"),
        ("{http: {from: alice}}", "t:8: tests.1.http.to is missing"),
        ("{http: {from: alcie, to: web}}", "t:8: no node 'alcie': did you mean 'alice'?"),
        ("{ping: {from: alice, to: moon}}", "t:8: no node 'moon': there are router-1, router-2"),
        ("{ping: {from: alice, to: router-1}}", "router-1 has no tun device: write `tun: true`"),
        ("{ping: {from: router-1, to: web}}", "t:8: router-1 has no tun device"),
        ("{dns: {from: alice, name: wbe}}", "t:8: no node 'wbe': did you mean 'web'?"),
        ("{dns: {from: alice, name: web, type: AAA}}", "'TXT': did you mean 'AAAA'?"),
        ("{dns: {from: alice, name: a b.loki}}", "must be a name such as web.loki"),
        ("{throughput: {from: alice, to: web}}", "tests.1.throughput.at-least is missing"),
        ("{throughput: {from: alice, to: web, at-least: 5}}", "must be a rate with its unit"),
        ("{http: {from: alice, to: web, at-most: 5}}", "must be a duration with its unit"),
        ("{udp-echo: {from: alice, to: web.loki}}", "say at which port of it an echo answers"),
        ("{voip-sip: {from: alice, to: alice}}", "nobody calls themselves"),
        ("{voip-sip: {from: alice, to: router-1}}", "router-1 has no tun device"),
        ("{voip-sip: {from: alice, to: web, codec: g722}}", "tests.1.voip-sip.codec"),
        ("{voip-sip: {from: alice, to: web, answers: ''}}", "tests.1.voip-sip.answers"),
        ("{}", "tests.1: a test has exactly one of http, dns, ping, udp-echo, throughput, ons"),
        (
            "{ping: {from: alice, to: web}, dns: {from: alice, name: web}}",
            "; this has dns and ping",
        ),
        (
            f"{{http: {{from: alice, to: web, contains: x, sha256: {'a' * 64}}}}}",
            "a page is either looked into (contains) or digested (sha256)",
        ),
        ("{http: {from: alice, to: web, over: http3}}", "did you mean 'http'?"),
        ("{hls: {from: alice, to: moon}}", "t:8: no node 'moon'"),
        ("{hls: {from: alice, to: web, for: 500ms}}", "greater than or equal to 1"),
        (
            "{voip-mumble: {from: alice, to: web, server: wbe}}",
            "no node 'wbe': did you mean 'web'?",
        ),
        ("{voip-mumble: {from: alice, to: [web, moon], server: a.loki}}", "no node 'moon'"),
        ("{voip-mumble: {from: alice, to: [web, alice], server: web}}", "nobody calls themselves"),
        ("{voip-mumble: {from: alice, to: [], server: web}}", "tests.1.voip-mumble.to"),
        (
            "{voip-mumble: {from: alice, to: [web, relay], server: a.loki, client: stock}}",
            "with `client: stock` two talk, both at once: name one in `to`",
        ),
        ("{http: {from: alice, to: web, path: nothing}}", "tests.1.http.path: string should match"),
    ],
)
def test_a_mistake_in_a_test_is_named(test: str, message: str) -> None:
    assert message in faults(test)


def test_a_chain_has_no_tun_to_ask_from() -> None:
    text = BASE.replace("tests:", "  chain: {role: chain}\ntests:")
    with pytest.raises(UsageError, match="chain has no tun device"):
        parse(f"{text}  - ping: {{from: chain, to: web}}\n".encode(), "t")


def test_each_test_is_counted_from_one_and_has_its_own_line() -> None:
    good = "ping: {from: alice, to: web}"
    text = faults(good, "{http: {from: alice, to: wbe}}", good, "{http: {from: alice}}")
    assert text == "t:11: tests.4.http.to is missing"
    assert faults(good, "{http: {from: alice, to: wbe}}").startswith("t:9: no node 'wbe'")


def test_titles_say_who_asks_whom() -> None:
    tests = (
        "{http: {from: alice, to: web.loki}, name: the page}",
        "{udp-echo: {from: alice, to: relay}}",
        "{dns: {from: alice, name: web, type: PTR}}",
        "{ons: {from: alice, name: web.loki, to: web}}",
        "{voip-mumble: {from: alice, to: [web, relay], server: probably.loki}}",
        "{voip-mumble: {from: alice, to: web, server: probably.loki, client: stock}}",
    )
    topology = parse((BASE + "".join(f"  - {test}\n" for test in tests)).encode(), "t")
    assert [test.title for test in topology.tests] == [
        "the page",
        "udp-echo alice → relay",
        "dns alice: PTR web",
        "ons alice: web.loki is web",
        "voip-mumble alice → web, relay",
        "voip-mumble alice → web, stock clients",
    ]


CLEARNET = """name: t
hops: 1
nodes:
  r: {role: router}
  alice: {role: client}
  exit: {role: exit}
  www: {role: server, app: nginx}
tests: [%s]
"""


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ("{exit: {from: alice, to: exit}}", "no server 'exit': it has to be one of role server"),
        ("{exit: {from: alice, to: ww}}", "no server 'ww': did you mean 'www'?"),
        ("{exit: {from: alice, to: www, through: exi}}", "no node 'exi': did you mean 'exit'?"),
        ("{leak: {from: www, to: www}}", "www is a server of the clearnet"),
        ("{leak: {from: alice, to: www, for: 3}}", "must be a duration with its unit"),
        ("{ons: {from: alice, name: x.loki, to: www}}", "www is a server of the clearnet"),
    ],
)
def test_a_mistake_in_a_test_of_exits_is_named(test: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse((CLEARNET % test).encode(), "t")
    assert message in str(refused.value)


def test_a_title_says_who_asks_whom() -> None:
    (test,) = parse((CLEARNET % "{leak: {from: alice, to: www}}").encode(), "t").tests
    assert test.title == "leak alice → www"
