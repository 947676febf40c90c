"""News is told once to every peer that needs it, in rounds, and at a bounded rate."""

from __future__ import annotations

from lokinet_node.base.ids import LinkKey
from lokinet_node.netdb.gossip import ISSUE_PAUSE, ISSUES_AT_ONCE, MOST_PEERS, ROUND_PAUSE, Gossip
from tests.unit.netdb.routers import NOW, contact, seeded

PEERS = [LinkKey(bytes([n]) * 32) for n in range(30)]


def test_news_is_told_once_to_everybody_but_its_source() -> None:
    gossip = Gossip(seeded(1))
    gossip.news(contact(1), PEERS[0])
    assert gossip.deadline() is not None
    tells = gossip.due(PEERS[:4], NOW)
    assert {tell.peer for tell in tells} == set(PEERS[1:4])
    assert all(tell.records == (contact(1).raw,) for tell in tells)
    assert gossip.due(PEERS[:4], NOW + ROUND_PAUSE) == []
    assert gossip.deadline() is None


def test_peer_that_told_the_same_meanwhile_is_not_told() -> None:
    gossip = Gossip(seeded(1))
    gossip.news(contact(1), None)
    gossip.known(contact(1), PEERS[1])
    gossip.known(contact(1, issued=NOW - 1), PEERS[2])
    assert {tell.peer for tell in gossip.due(PEERS[:3], NOW)} == {PEERS[0], PEERS[2]}


def test_news_goes_to_twenty_random_peers_at_most() -> None:
    gossip = Gossip(seeded(1))
    seen: set[LinkKey] = set()
    for index in range(10):
        gossip.news(contact(index + 1), None)
        tells = gossip.due(PEERS, NOW + index * ROUND_PAUSE)
        assert len(tells) == MOST_PEERS
        seen |= {tell.peer for tell in tells}
    assert seen == set(PEERS)


def test_news_that_arrives_together_leaves_together() -> None:
    gossip = Gossip(seeded(1))
    gossip.news(contact(1), None)
    gossip.news(contact(2), PEERS[0])
    by_peer = {tell.peer: tell.records for tell in gossip.due(PEERS[:2], NOW)}
    assert by_peer[PEERS[0]] == (contact(1).raw,)
    assert by_peer[PEERS[1]] == (contact(1).raw, contact(2).raw)


def test_rounds_are_a_pause_apart() -> None:
    gossip = Gossip(seeded(1))
    gossip.news(contact(1), None)
    assert gossip.due(PEERS[:1], NOW)
    gossip.news(contact(2), None)
    assert gossip.due(PEERS[:1], NOW + ROUND_PAUSE - 1) == []
    assert gossip.deadline() == NOW + ROUND_PAUSE
    assert gossip.due(PEERS[:1], NOW + ROUND_PAUSE)


def test_news_waits_for_the_first_peer() -> None:
    gossip = Gossip(seeded(1))
    gossip.news(contact(1), None)
    assert gossip.due([], NOW) == []
    assert gossip.due(PEERS[:1], NOW + 1)


def test_router_that_renews_its_contact_all_the_time_is_told_at_a_limited_rate() -> None:
    gossip = Gossip(seeded(1))
    told = []
    now = NOW
    while now < NOW + 10 * ISSUE_PAUSE:
        gossip.news(contact(1, issued=now), None)
        told += [record for tell in gossip.due(PEERS[:1], now) for record in tell.records]
        now += ISSUE_PAUSE // 10
    assert len(told) == ISSUES_AT_ONCE + 9
    assert len(set(told)) == len(told)


def test_held_back_news_is_told_in_its_newest_form_when_its_time_comes() -> None:
    gossip = Gossip(seeded(1))
    for count in range(ISSUES_AT_ONCE):
        gossip.news(contact(1, issued=NOW + count), None)
        assert gossip.due(PEERS[:1], NOW + count * ROUND_PAUSE)
    for count in range(20, 30):
        gossip.news(contact(1, issued=NOW + count), None)
    now = gossip.deadline()
    assert now == NOW + ISSUE_PAUSE
    (tell,) = gossip.due(PEERS[:1], now)
    assert tell.records == (contact(1, issued=NOW + 29).raw,)
    gossip.expire(NOW + 10 * ISSUE_PAUSE)
    assert gossip._quota == {}
