"""The exits a node uses, with a client that is played."""

from __future__ import annotations

from ipaddress import ip_address
from random import Random

import pytest

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.exits.consumer import (
    LONGEST_PAUSE,
    NO_INTROSET,
    PATIENCE,
    POLL,
    PROBE_PAUSE,
    Exits,
)
from lokinet_node.exits.exit_range import EVERYTHING, parse_exit_range
from lokinet_node.exits.ways import ExitDown, ExitsChanged, ExitTried, ExitUp, Failure, Look, Way
from lokinet_node.ons.verdict import Failed, Found, NameAnswer, NotRegistered
from lokinet_node.session.addresses import Remote
from lokinet_node.wire.ip import HOST_UNKNOWN, HOST_UNREACHABLE, PROHIBITED

ONE, TWO = (Remote(False, bytes([number]) * 32) for number in (1, 2))
NAME = "exit.loki"
TEST_NET = parse_exit_range("203.0.113.0/24")
WEB = ip_address("203.0.113.7").packed
ELSEWHERE = ip_address("198.51.100.7").packed


class Client:
    """What exits ask of a client; says of each remote what a test wrote."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND
        self.ways: dict[Remote, Look] = {}
        self.tokens: dict[Remote, str] = {}
        self.dialled: list[Remote] = []
        self.asked: list[Remote] = []
        self.refused: list[Remote] = []
        self.names: dict[str, NameAnswer] = {}
        self.looked_up: list[str] = []
        self.effects: list[object] = []
        self.exits = Exits(Random(1).randbytes, self, self.effects.append)

    def look(self, remote: Remote, now: int) -> Look:
        return self.ways.get(remote, Look(Way.NONE))

    def connect(self, remote: Remote, now: int) -> None:
        self.dialled.append(remote)

    def use_token(self, remote: Remote, token: str) -> None:
        self.tokens[remote] = token

    def authorise(self, remote: Remote, now: int) -> None:
        self.asked.append(remote)

    def resolve_name(self, name: str, now: int) -> NameAnswer | None:
        self.looked_up.append(name)
        return self.names.get(name)

    def unreachable(self, remote: Remote) -> None:
        self.refused.append(remote)

    # --- what tests do

    def becomes(self, remote: Remote, way: Way, reason: str = "") -> None:
        self.ways[remote] = Look(way, reason)
        self.exits.changed(remote, self.now)

    def answers(self, remote: Remote, reason: str = "") -> None:
        """It lets us in, or says why not."""
        self.ways[remote] = Look(Way.REFUSED if reason else Way.OPEN, reason)
        self.exits.authorised(remote, reason, self.now)

    def run(self, duration: int) -> None:
        """Time passes; deadlines are kept."""
        end = self.now + duration
        while True:
            due = self.exits.deadline()
            if due is None or due > end:
                break
            assert due > self.now or due == self.now, "deadlines lie ahead"
            self.now = max(due, self.now)
            before = self.exits.deadline()
            self.exits.tick(self.now)
            assert self.exits.deadline() != before, "what is due is done"
        self.now = end

    def take(self) -> list[object]:
        effects, self.effects[:] = list(self.effects), []
        return effects


@pytest.fixture
def client() -> Client:
    return Client()


def test_a_mapped_exit_is_dialled_until_it_answers_and_takes_packets_then(client: Client) -> None:
    exits = client.exits
    assert exits.map([EVERYTHING], ONE, client.now)
    assert client.take() == [ExitsChanged((EVERYTHING,))]
    assert client.dialled == [ONE]
    assert exits.exit_for(WEB) == ONE, "packets wait for it, for a while"
    client.run(PATIENCE - POLL)
    assert exits.exit_for(WEB) == ONE
    client.run(2 * POLL)
    assert exits.exit_for(WEB) is None
    assert exits.refusal(WEB) == HOST_UNREACHABLE
    assert client.refused == [ONE]
    assert client.take() == [ExitDown(ONE, "connecting")]
    client.run(60 * SECOND)
    assert 60 * SECOND / LONGEST_PAUSE - 1 <= len(client.dialled) <= 14
    client.becomes(ONE, Way.OPEN)
    assert exits.exit_for(WEB) == ONE
    assert client.take() == [ExitUp(ONE)]
    dials = len(client.dialled)
    client.run(60 * SECOND)
    assert 60 * SECOND / PROBE_PAUSE - 1 <= len(client.dialled) - dials <= 6, "is it there?"
    assert client.take() == []


def test_without_paths_nobody_is_dialled(client: Client) -> None:
    client.ways[ONE] = Look(Way.BARRED)
    client.exits.map([EVERYTHING], ONE, client.now)
    client.run(10 * SECOND)
    assert client.dialled == []
    client.ways[ONE] = Look(Way.NONE)
    client.run(POLL)
    assert client.dialled == [ONE]


def test_a_silent_exit_is_left_after_a_while_and_used_again_when_it_answers(
    client: Client,
) -> None:
    exits = client.exits
    exits.map([EVERYTHING], ONE, client.now)
    client.becomes(ONE, Way.OPEN)
    exits.map([TEST_NET], TWO, client.now)
    client.becomes(TWO, Way.OPEN)
    pinned = {exits.exit_for(bytes([203, 0, 113, host])) for host in range(100)}
    assert pinned == {ONE, TWO}
    assert exits.exit_for(ELSEWHERE) == ONE
    client.ways[ONE] = Look(Way.SILENT, since=client.now - SECOND)
    exits.changed(ONE, client.now)
    client.run(PATIENCE - SECOND - 10 * MILLISECOND)
    assert exits.exit_for(ELSEWHERE) == ONE, "a failover takes a moment"
    client.run(2 * POLL)
    assert {exits.exit_for(bytes([203, 0, 113, host])) for host in range(100)} == {TWO}
    assert exits.exit_for(ELSEWHERE) is None
    client.becomes(ONE, Way.OPEN)
    assert exits.exit_for(ELSEWHERE) == ONE


def test_an_attempt_changes_nothing_for_packets_and_says_when_the_exit_lets_us_in(
    client: Client,
) -> None:
    exits = client.exits
    exits.attempt(ONE, "token", client.now + 30 * SECOND, client.now)
    assert client.asked == [ONE]
    assert client.tokens == {ONE: "token"}
    assert exits.exit_for(WEB) is None
    assert exits.refusal(WEB) == HOST_UNKNOWN
    client.becomes(ONE, Way.ASKING)
    assert client.take() == []
    client.answers(ONE)
    assert client.take() == [ExitTried(ONE)]
    exits.map([EVERYTHING], ONE, client.now)
    assert exits.exit_for(WEB) == ONE


def test_an_attempt_asks_anew_even_where_the_exit_is_up(client: Client) -> None:
    exits = client.exits
    exits.map([EVERYTHING], ONE, client.now)
    client.becomes(ONE, Way.OPEN)
    client.take()
    exits.attempt(ONE, "better", client.now + 30 * SECOND, client.now)
    assert client.asked == [ONE]
    assert client.take() == []
    client.answers(ONE, "no such token")
    assert client.take() == [
        ExitDown(ONE, "no such token"),
        ExitTried(ONE, Failure.REFUSED, "no such token"),
    ]
    assert exits.refusal(WEB) == PROHIBITED


@pytest.mark.parametrize(
    ("reason", "failure"), [(NO_INTROSET, Failure.NOT_FOUND), ("no answer", Failure.NO_FLOW)]
)
def test_an_attempt_fails_with_its_session_and_the_exit_is_forgotten(
    client: Client, reason: str, failure: Failure
) -> None:
    client.exits.attempt(ONE, "", client.now + 30 * SECOND, client.now)
    client.exits.failed(ONE, reason, client.now)
    assert client.take() == [ExitTried(ONE, failure, reason)]
    assert client.exits.rows() == []
    client.run(60 * SECOND)
    assert client.dialled == []
    assert client.exits.deadline() is None


def test_an_attempt_is_refused_with_the_exits_reason(client: Client) -> None:
    client.exits.attempt(ONE, "guess", client.now + 30 * SECOND, client.now)
    client.answers(ONE, "access not permitted")
    assert client.take() == [ExitTried(ONE, Failure.REFUSED, "access not permitted")]
    assert client.exits.rows() == []


@pytest.mark.parametrize(
    ("way", "failure"), [(Way.BARRED, Failure.NO_PATH), (Way.NONE, Failure.NO_FLOW)]
)
def test_an_attempt_ends_at_its_deadline(client: Client, way: Way, failure: Failure) -> None:
    client.ways[ONE] = Look(way)
    start = client.now
    client.exits.attempt(ONE, "", client.now + 5 * SECOND, client.now)
    client.run(5 * SECOND - 1)
    assert client.take() == []
    client.run(POLL)
    assert client.take() == [ExitTried(ONE, failure)]
    assert client.now <= start + 6 * SECOND


def test_a_refused_exit_is_prohibited_at_once_and_asked_again(client: Client) -> None:
    client.exits.map([EVERYTHING], ONE, client.now)
    client.becomes(ONE, Way.OPEN)
    client.exits.exit_for(WEB)
    client.take()
    client.answers(ONE, "quota used up")
    assert client.take() == [ExitDown(ONE, "quota used up")]
    assert client.exits.refusal(WEB) == PROHIBITED
    client.run(30 * SECOND)
    assert client.dialled
    client.answers(ONE)
    assert client.take() == [ExitUp(ONE)]


def test_a_name_is_looked_up_until_it_is_found_and_nothing_leaves_meanwhile(
    client: Client,
) -> None:
    exits = client.exits
    exits.start([(NAME, EVERYTHING)], [(NAME, "token")], client.now)
    assert client.take() == [ExitsChanged((EVERYTHING,))]
    assert exits.exit_for(WEB) is None
    assert exits.refusal(WEB) == HOST_UNREACHABLE
    client.names[NAME] = Failed("no two pivots")
    client.run(10 * SECOND)
    assert len(client.looked_up) >= 3
    client.names[NAME] = NotRegistered()
    client.run(20 * SECOND)
    assert [problem for _, _, problem in exits.rows()] == [str(NotRegistered())]
    client.names[NAME] = Found(LokiAddress(ONE.key))
    client.run(LONGEST_PAUSE)
    assert client.tokens == {ONE: "token"}
    assert exits.map_.rows() == [(EVERYTHING, ONE)]
    assert ONE in client.dialled
    client.becomes(ONE, Way.OPEN)
    assert exits.exit_for(WEB) == ONE
    looked_up = len(client.looked_up)
    client.run(60 * SECOND)
    assert len(client.looked_up) == looked_up


def test_an_answer_that_comes_later_finds_its_name(client: Client) -> None:
    client.exits.start([(NAME, EVERYTHING)], [], client.now)
    client.exits.named(NAME, Found(LokiAddress(TWO.key)), client.now)
    assert client.exits.map_.exits() == {TWO}
    client.exits.named("other.loki", Found(LokiAddress(ONE.key)), client.now)
    assert client.exits.map_.exits() == {TWO}


def test_a_token_for_a_name_without_range_is_kept_for_its_address(client: Client) -> None:
    client.exits.start([], [(NAME, "token"), (TWO, "other")], client.now)
    client.names[NAME] = Found(LokiAddress(ONE.key))
    client.run(SECOND)
    assert client.tokens == {ONE: "token", TWO: "other"}
    assert client.dialled == client.asked == []
    assert client.exits.rows() == []


def test_swapping_and_unmapping_tell_what_is_led_through_exits(client: Client) -> None:
    exits = client.exits
    exits.map([EVERYTHING], ONE, client.now)
    exits.map([TEST_NET], ONE, client.now)
    exits.map([parse_exit_range("10.0.0.0/8")], None, client.now)
    assert client.take()[-1] == ExitsChanged((EVERYTHING, TEST_NET))
    assert exits.swap(ONE, TWO, client.now) == [EVERYTHING, TEST_NET]
    assert client.take() == [], "the ranges are the same"
    assert [exit_ for exit_, _, _ in exits.rows()] == [TWO]
    assert exits.swap(ONE, TWO, client.now) == []
    assert exits.unmap([TEST_NET]) == [TEST_NET]
    assert client.take() == [ExitsChanged((EVERYTHING,))]
    exits.unmap([EVERYTHING])
    (changed,) = client.take()
    assert changed == ExitsChanged(())
    assert exits.rows() == []
    client.run(60 * SECOND)
    assert exits.deadline() is None


def test_many_ranges_are_told_of_once(client: Client) -> None:
    ranges = [parse_exit_range(f"10.{number}.0.0/16") for number in range(100)]
    assert client.exits.map(ranges, ONE, client.now)
    assert client.take() == [ExitsChanged(tuple(ranges))]
    assert client.exits.unmap(ranges) == ranges
    assert client.take() == [ExitsChanged(())]
    client.exits.start([(ONE, range_) for range_ in ranges], [], client.now)
    assert client.take() == [ExitsChanged(tuple(ranges))]


@pytest.mark.parametrize("way", [Way.SILENT, Way.UNSURE])
def test_an_attempt_that_was_let_in_ends_when_packets_can_pass(client: Client, way: Way) -> None:
    client.exits.attempt(ONE, "token", client.now + 30 * SECOND, client.now)
    client.ways[ONE] = Look(way)
    client.exits.authorised(ONE, "", client.now)
    client.run(5 * SECOND)
    assert client.take() == []
    client.ways[ONE] = Look(Way.OPEN)
    client.run(POLL)
    assert client.take() == [ExitTried(ONE)]


def test_an_attempt_is_refused_where_the_introset_says_so_later(client: Client) -> None:
    client.exits.attempt(ONE, "", client.now + 30 * SECOND, client.now)
    client.ways[ONE] = Look(Way.UNSURE)
    client.exits.authorised(ONE, "", client.now)
    client.becomes(ONE, Way.REFUSED, "it is not an exit")
    assert client.take() == [ExitTried(ONE, Failure.REFUSED, "it is not an exit")]


def test_one_that_is_looked_up_is_asked_for_again(client: Client) -> None:
    client.ways[ONE] = Look(Way.UNSURE)
    client.exits.map([EVERYTHING], ONE, client.now)
    client.run(10 * SECOND)
    assert 3 <= len(client.dialled) <= 5


def test_errors_come_from_routers_and_from_nobody_here(client: Client) -> None:
    client.exits.map_.never += (parse_exit_range("172.16.0.0/16"),)
    for text in ("198.51.100.1", "10.0.0.1", "2001:db8::1", "fd00::1"):
        assert client.exits.may_report(ip_address(text).packed)
    for text in ("127.0.0.1", "0.0.0.1", "172.16.0.1", "172.16.3.4", "224.0.0.1", "::1", "fe80::1"):
        assert not client.exits.may_report(ip_address(text).packed)


def test_tokens_show_in_no_repr(client: Client) -> None:
    client.exits.start([(ONE, EVERYTHING)], [(ONE, "s3cret")], client.now)
    assert "s3cret" not in repr(client.exits) + repr(client.effects) + repr(client.exits.rows())
