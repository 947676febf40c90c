"""An exit and its clients: what is refused, how they hear of it, and what it costs the exit."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from lokinet_node.base.addresses import parse_range
from lokinet_node.base.units import HOUR, MINUTE, SECOND
from lokinet_node.exits.exit_range import parse_exit_range
from lokinet_node.exits.policy import Policy, Rules
from lokinet_node.exits.provider import ANSWER_BURST, HINT_BURST, MOST_CLIENTS, ExitProvider
from lokinet_node.exits.refusals import Refusal
from lokinet_node.exits.services import parse_service
from lokinet_node.node.config_exit import ExitConfig
from lokinet_node.node.status_provider import offer_status, provider_status, refusal_rows
from lokinet_node.providing import LOOK_PAUSE, Providing, own_ranges
from lokinet_node.session.addresses import AddressMap, Remote
from lokinet_node.session.exit_rows import exit_runs
from lokinet_node.session.plaintexts import TYPE_EXIT4, Plaintexts
from lokinet_node.session.refused import MOST_KEPT, RefusalLog, Refused
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.packets import delivered, echo, ipv4, udp
from lokinet_node.wire.ip import ICMP
from lokinet_node.wire.offer import NO_OFFER, Offer
from tests.unit.exits.test_door import OneExit

OPEN, CLOSED = bytes((192, 0, 2, 7)), bytes((192, 0, 2, 8))
MAPPED = bytes((172, 16, 0, 9))
NOW = 1_000 * SECOND
RULES = Rules(
    allowed=(parse_exit_range("192.0.2.0/24"),),
    denied=(parse_exit_range("192.0.2.8/32"),),
    denied_services=(parse_service("udp/25"),),
)


def client(number: int = 1) -> Remote:
    return Remote(False, number.to_bytes(32, "big"))


def ask(
    provider: ExitProvider, target: bytes, port: int = 53, now: int = NOW, who: int = 1
) -> bool:
    plain = Plaintexts()
    packet = udp(bytes(4), target, b"question", port)
    plain.put(0, TYPE_EXIT4, packet[:10] + bytes(2) + packet[12:])
    (run,) = exit_runs(plain, 0, 1)
    return provider.admits(client(who), run, plain, MAPPED, now)


def test_what_is_refused_is_answered_in_the_name_of_its_destination() -> None:
    provider = ExitProvider(Policy(RULES))
    assert ask(provider, OPEN)
    assert not ask(provider, CLOSED)
    ((who, answer),) = provider.take_answers()
    assert who == client()
    got = delivered(bytes(10) + answer, 0)
    assert (got.source, got.target, got.protocol) == (CLOSED, MAPPED, ICMP)
    assert got.content[:2] == bytes((3, 13))
    assert got.content[8 + 12 : 8 + 20] == MAPPED + CLOSED, "what it quotes"
    assert provider.take_answers() == []


def test_hints_say_why_and_count_what_they_leave_out() -> None:
    provider = ExitProvider(Policy(RULES))
    for _ in range(HINT_BURST + 5):
        ask(provider, CLOSED)
    hints = provider.take_hints()
    assert [(who, hint.reason, hint.times) for who, hint in hints] == [
        (client(), Refusal.DENIED_RANGE, 1)
    ] * HINT_BURST
    ask(provider, OPEN, port=25, now=NOW + SECOND)
    ((_, later),) = provider.take_hints()
    assert (later.reason, later.protocol, later.port) == (Refusal.DENIED_PORT, 17, 25)
    assert (later.destination, later.times) == (OPEN, 6)
    assert provider.take_hints() == []


def test_a_client_keeps_what_it_was_told_the_same_thing_once() -> None:
    log = RefusalLog()
    for number in range(MOST_KEPT + 2):
        log.note(Refused(2, 6, number, OPEN, 1), number)
    log.note(Refused(2, 6, 5, OPEN, 40), 100)
    assert [(when, hint.port, hint.times) for when, hint in log] == [
        *((number, number, 1) for number in range(2, MOST_KEPT + 2) if number != 5),
        (100, 5, 41),
    ]


def test_being_refused_makes_an_exit_work_only_so_much() -> None:
    provider = ExitProvider(Policy(RULES))
    for _ in range(ANSWER_BURST * 3):
        ask(provider, CLOSED)
    assert len(provider.take_answers()) == ANSWER_BURST
    ask(provider, CLOSED, who=2)
    assert len(provider.take_answers()) == 1, "each client for itself"
    assert provider.clients[client()].refused == {Refusal.DENIED_RANGE: ANSWER_BURST * 3}


def test_a_router_gets_nothing_out_over_a_session_with_it() -> None:
    """Nobody lets routers in: an exit that opened a `.snode` would be open to that router."""
    provider = ExitProvider(Policy(RULES))
    plain = Plaintexts()
    packet = udp(bytes(4), OPEN, b"question")
    plain.put(0, TYPE_EXIT4, packet[:10] + bytes(2) + packet[12:])
    (run,) = exit_runs(plain, 0, 1)
    assert not provider.admits(Remote(True, bytes(32)), run, plain, MAPPED, NOW)
    assert provider.refused[Refusal.NOT_ALLOWED] == 1


def test_new_addresses_of_the_machine_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [parse_range("10.5.0.7/24")]
    monkeypatch.setattr("lokinet_node.providing.used_ranges", lambda: used)
    config = ExitConfig(RULES.owned, (), RULES.allowed, (), (), None, (), ())
    addresses = AddressMap(parse_range("172.20.0.1/30"))
    providing = Providing(config, parse_range("172.20.0.1/30"), addresses, "10.5.0.7")
    providing.look(NOW)
    assert ask(providing.provider, OPEN)
    used.append(parse_range("192.0.2.7/24"))
    providing.look(NOW + LOOK_PAUSE - 1)
    assert ask(providing.provider, OPEN)
    providing.look(NOW + LOOK_PAUSE)
    assert not ask(providing.provider, OPEN)
    assert providing.provider.refused[Refusal.LOCAL] == 1


def test_clients_are_forgotten_the_quietest_first() -> None:
    provider = ExitProvider(Policy(RULES))
    for number in range(MOST_CLIENTS):
        ask(provider, OPEN, who=number)
    ask(provider, OPEN, who=0)
    ask(provider, OPEN, who=MOST_CLIENTS)
    assert len(provider.clients) == MOST_CLIENTS
    assert client(0) in provider.clients
    assert client(1) not in provider.clients
    assert provider.packets == MOST_CLIENTS + 2


def test_a_stranger_gets_the_address_of_an_idle_client_only_after_hours() -> None:
    config = ExitConfig(RULES.owned, (), RULES.allowed, (), (), None, (), ())
    tun = parse_range("172.20.0.1/30")
    addresses = AddressMap(tun)
    providing = Providing(config, tun, addresses, "10.5.0.7")
    providing.look(NOW)
    given = addresses.assign(client(1))
    providing.look(NOW + 2 * HOUR + 4 * MINUTE)
    assert addresses.assign(client(2)) is None
    assert provider_status(providing.provider, addresses)["addresses"] == {"used": 1, "left": 0}
    providing.look(NOW + 4 * HOUR)
    assert addresses.assign(client(2)) == given is not None


def test_a_status_counts_by_reason_and_client() -> None:
    provider = ExitProvider(Policy(RULES))
    addresses = AddressMap(parse_range("172.16.0.1/16"))
    addresses.pin(MAPPED, client())
    ask(provider, OPEN), ask(provider, CLOSED), ask(provider, OPEN, port=25)
    assert provider_status(provider, addresses) == {
        "ranges": ["192.0.2.0/24"],
        "whitelist": [],
        "packets": 1,
        "refused": {"denied-range": 1, "denied-port": 1},
        "clients": [
            {
                "remote": str(client()),
                "ip": "172.16.0.9",
                "packets": 1,
                "refused": {"denied-range": 1, "denied-port": 1},
            }
        ],
        "addresses": {"used": 1, "left": 65532},
    }


def test_a_status_shows_what_the_introset_says() -> None:
    assert offer_status(NO_OFFER) == {"advertisedRanges": [], "exitPolicy": None}
    offer = Offer(True, False, ((0xFFFF << 32 | 0xC0000200, 120),), ((6, 443), (17, 0)))
    assert offer_status(offer) == {
        "advertisedRanges": ["192.0.2.0/24"],
        "exitPolicy": {"ranges": ["192.0.2.0/24"], "protocols": ["tcp/443", "udp"]},
    }


def test_an_exit_is_no_way_into_its_own_machine() -> None:
    used = [parse_range(one) for one in ("10.5.0.7/24", "8.8.8.8/24", "192.0.2.3/24")]
    tun = parse_range("172.20.0.1/16")
    own = [str(one) for one in own_ranges(used, tun, "10.5.0.7")]
    assert own == ["172.20.0.0/16", "10.5.0.7/32", "10.5.0.0/24", "8.8.8.8/32", "192.0.2.3/32"]
    public = [str(one) for one in own_ranges(used, tun, "8.8.8.8")]
    assert "8.8.8.0/24" not in public, "neighbours on the internet are the internet"
    assert next(str(one) for one in own_ranges(used, tun, "8.8.8.8")) == "172.20.0.0/16"


@pytest.fixture(scope="module")
def network() -> tuple[World, ClientMachine, ClientMachine]:
    world = World(seed=11)
    alice, exit_ = world.client("alice"), world.client("exit")
    world.settle()
    assert alice.traffic.door is not None
    assert exit_.traffic.door is not None
    alice.traffic.door.consumer = OneExit(exit_.remote, frozenset({OPEN, CLOSED}))
    exit_.traffic.door.provider = ExitProvider(Policy(RULES))
    alice.send(echo(alice.own, OPEN, b"open"))
    world.wait(lambda: bool(alice.inbox), 15, "an answer from outside")
    return world, alice, exit_


def test_a_client_hears_at_once_and_its_status_says_why(
    network: tuple[World, ClientMachine, ClientMachine],
) -> None:
    world, alice, exit_ = network
    alice.inbox.clear()
    exit_.inbox.clear()
    alice.send(udp(alice.own, CLOSED, b"question"))
    world.wait(lambda: bool(alice.inbox), 1, "an ICMP error")
    (error,) = alice.inbox
    assert (error.source, error.target) == (CLOSED, alice.own)
    assert error.content[:2] == bytes((3, 13))
    quoted = error.content[8:]
    assert (quoted[12:16], quoted[16:20]) == (alice.own, CLOSED), "so that the socket is found"
    assert quoted[20:24] == (4000).to_bytes(2, "big") * 2
    assert not exit_.inbox, "nothing left"
    session = alice.role.sessions.by_remote[exit_.role.address]
    world.wait(lambda: any(session.refusals), 1, "a hint")
    (row,) = refusal_rows(session)
    assert row["reason"] == "denied-range"
    assert (row["destination"], row["service"], row["times"]) == (
        str(ip_address(CLOSED)),
        "udp/4000",
        1,
    )


def test_errors_of_the_internet_reach_who_caused_them(
    network: tuple[World, ClientMachine, ClientMachine],
) -> None:
    """A router on the way, and the exit's own kernel, say that the time to live is over."""
    world, alice, exit_ = network
    alice.inbox.clear()
    exit_.inbox.clear()
    alice.send(udp(alice.own, OPEN, b"probe"))
    world.wait(lambda: bool(exit_.inbox), 5, "it leaves")
    out = exit_.inbox[-1]
    left = udp(out.source, out.target, b"probe")
    for hop in (bytes((198, 51, 100, 1)), exit_.own):
        head = bytes((11, 0, 0, 0, 0, 0, 0, 0))
        exit_.send(ipv4(hop, out.source, ICMP, head + left))
    world.wait(lambda: len(alice.inbox) >= 2, 5, "two errors")
    inside = alice.map(exit_.remote)
    assert [one.source for one in alice.inbox] == [bytes((198, 51, 100, 1)), inside]
    for one in alice.inbox:
        quoted = one.content[8:]
        assert (quoted[12:16], quoted[16:20]) == (alice.own, OPEN)
