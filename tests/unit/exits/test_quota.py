"""Shares of bytes, time and rate: counted in batches, kept over sessions and restarts."""

from __future__ import annotations

import pytest

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import SECOND
from lokinet_node.exits import quota as module
from lokinet_node.exits.quota import LEAST_BURST, Ledger
from lokinet_node.exits.share import Quota, Quotas

ALICE, BOB = LokiAddress(bytes(31) + b"\1"), LokiAddress(bytes(31) + b"\2")
NOW = 1_000 * SECOND
HERE = {ALICE, BOB}
ANY = Quota()


def ledger(client: Quota = ANY, token: Quota = ANY, stored: bytes | None = None) -> Ledger:
    return Ledger(Quotas(client, token), lambda size: b"k" * size, stored)


def test_a_share_of_bytes_ends_with_the_batch_that_reaches_it() -> None:
    one = ledger(Quota(size=10_000))
    tab = one.open(ALICE, "", NOW)
    assert tab.take(5, 6000, NOW) == 5
    assert one.deadline() != 0
    assert tab.take(5, 6000, NOW) == 5
    assert one.deadline() == 0, "whoever is done is told at once"
    assert tab.take(1, 40, NOW) == 0
    reason = "your quota of 10000 bytes is used up"
    assert one.look(HERE, NOW) == [(ALICE, reason)]
    assert one.look(HERE, NOW + SECOND) == [], "told once"
    assert one.open(ALICE, "", NOW).spent() == reason, "in the next session, too"
    assert one.open(BOB, "", NOW).spent() == ""


def test_all_who_bring_a_token_share_it() -> None:
    one = ledger(token=Quota(size=1000))
    alice, bob = one.open(ALICE, "voucher", NOW), one.open(BOB, "voucher", NOW)
    other = one.open(LokiAddress(bytes(32)), "another", NOW)
    assert alice.take(1, 600, NOW) == bob.take(1, 600, NOW) == 1
    assert alice.take(1, 1, NOW) == bob.take(1, 1, NOW) == 0
    assert other.take(1, 600, NOW) == 1
    reason = "the token's quota of 1000 bytes is used up"
    assert sorted(one.look(HERE, NOW)) == [(ALICE, reason), (BOB, reason)]
    assert not any(account.is_on for account in one.clients.values())


def test_time_runs_while_somebody_is_there_and_once_for_a_shared_token() -> None:
    one = ledger(Quota(), Quota(time=5 * SECOND))
    one.open(ALICE, "voucher", NOW)
    one.open(BOB, "voucher", NOW)
    now = NOW
    for _ in range(4):
        assert one.look(HERE, now) == []
        now += SECOND
    for _ in range(10):
        assert one.look((), now) == [], "nobody is there"
        now += SECOND
    assert one.deadline() is None
    one.open(BOB, "voucher", now)
    found = [one.look(HERE, now + second * SECOND) for second in range(4)]
    (account,) = one.tokens.values()
    assert account.time == 5 * SECOND
    assert found == [[], [(BOB, "the token's quota of 5 seconds is used up")], [], []]


def test_who_lost_leave_for_another_reason_uses_no_time() -> None:
    one = ledger(Quota(time=5 * SECOND))
    one.open(ALICE, "", NOW)
    one.look(HERE, NOW)
    one.look(HERE, NOW + SECOND)
    assert one.clients[ALICE].is_on
    one.leave(ALICE, NOW + SECOND)
    assert not one.clients[ALICE].is_on
    for second in range(2, 20):
        assert one.look(HERE, NOW + second * SECOND) == []
    assert one.deadline() is None
    assert one.clients[ALICE].time == SECOND


def test_the_first_packets_within_the_rate_pass_and_credit_comes_back() -> None:
    one = ledger(Quota(rate=100_000))
    tab = one.open(ALICE, "", NOW)
    assert tab.take(50, 50_000, NOW) == 50
    assert tab.take(100, 100_000, NOW) == 50, "the credit of one second, not more"
    assert tab.take(10, 10_000, NOW) == 0
    assert tab.take(40, 40_000, NOW + SECOND // 10) == 10
    assert one.clients[ALICE].over_rate == 50 + 10 + 30
    assert one.clients[ALICE].size == 110_000
    assert tab.spent() == "", "too fast is no reason to end"
    slow = ledger(Quota(rate=1)).open(ALICE, "", NOW)
    assert slow.take(1, LEAST_BURST, NOW) == 1, "some packets pass at any rate"


def test_a_rate_holds_over_time() -> None:
    one = ledger(Quota(rate=1_000_000))
    tab = one.open(ALICE, "", NOW)
    passed = sum(tab.take(45, 45 * 1280, NOW + step * SECOND // 100) for step in range(1000))
    assert 10_900_000 < passed * 1280 <= 11_000_000 + 1280


def test_a_record_brings_back_what_was_used_and_tells_no_token() -> None:
    one = ledger(Quota(size=1000), Quota(size=5000))
    one.open(ALICE, "voucher", NOW).take(1, 999, NOW)
    one.open(BOB, "", NOW)
    stored = one.dump()
    assert b"voucher" not in stored
    again = Ledger(Quotas(Quota(size=1000), Quota(size=5000)), bytes, stored)
    tab = again.open(ALICE, "voucher", NOW)
    assert [account.size for account in tab.accounts] == [999, 999]
    assert BOB not in again.clients, "who used nothing is not written"
    assert again.dump() == stored


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"[]",
        b'{"key": "zz", "clients": {}, "tokens": {}}',
        b'{"key": "00", "clients": {"web.loki": [1, 2]}, "tokens": {}}',
        b'{"key": "00", "clients": {}, "tokens": {"a": 5}}',
        b'{"key": "00", "clients": [], "tokens": {}}',
        b'{"key": "00", "clients": {}}',
    ],
)
def test_another_record_is_refused(stored: bytes) -> None:
    with pytest.raises(NameSyntaxError):
        ledger(stored=stored)


def test_the_time_of_one_that_comes_and_goes_counts() -> None:
    one = ledger(Quota(time=60 * SECOND))
    now = NOW
    for _ in range(20):
        one.open(ALICE, "", now)
        assert one.look(HERE, now + SECOND // 2) == []
        now += SECOND
        assert one.look((), now) == [], "it has gone"
    assert one.clients[ALICE].time == 20 * SECOND
    for _ in range(10):
        one.open(ALICE, "", now)
        one.open(ALICE, "", now + SECOND // 4)
        one.leave(ALICE, now + SECOND // 2)
        now += SECOND
    assert one.clients[ALICE].time == 25 * SECOND
    assert not one.clients[ALICE].is_on


def test_tokens_are_forgotten_before_the_table_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 2)
    one = ledger()
    for number in range(5):
        one.open(ALICE, f"token {number}", NOW)
    assert len(one.tokens) == 2
    assert [account.is_on for account in one.tokens.values()] == [False, True]


def test_the_largest_record_can_be_read_again() -> None:
    one = ledger()
    address = (number.to_bytes(32, "big") for number in range(module.MOST_ACCOUNTS))
    for name in address:
        tab = one.open(LokiAddress(name), "", NOW)
        tab.accounts[0].size = tab.accounts[0].time = 1 << 62
    for number in range(module.MOST_TOKENS + 5):
        tab = one.open(ALICE, str(number), NOW)
        tab.accounts[1].size = tab.accounts[1].time = 1 << 62
    stored = one.dump()
    assert len(stored) <= module.STORED_LIMIT
    again = ledger(stored=stored)
    assert (len(again.clients), len(again.tokens)) == (module.MOST_ACCOUNTS, module.MOST_TOKENS)


def test_of_a_larger_record_what_was_used_last_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    one = ledger()
    for number in range(5):
        one.open(ALICE, str(number), NOW).take(1, 10 + number, NOW)
    monkeypatch.setattr(module, "MOST_TOKENS", 2)
    assert [row.size for row in ledger(stored=one.dump()).tokens.values()] == [13, 14]


def test_only_use_makes_a_record_worth_writing() -> None:
    one = ledger()
    assert not one.is_dirty
    tab = one.open(ALICE, "", NOW)
    one.is_dirty = False
    assert one.look((), NOW + SECOND) == []
    assert one.is_dirty, "time was used"
    one.is_dirty = False
    one.look((), NOW + 9 * SECOND)
    assert not one.is_dirty
    tab.take(1, 100, NOW)
    assert one.is_dirty


def test_addresses_that_are_not_there_are_forgotten_before_the_table_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_ACCOUNTS", 2)
    one = ledger(Quota(size=1))
    one.open(ALICE, "", NOW)
    one.open(BOB, "", NOW)
    one.look({ALICE}, NOW + SECOND)
    one.open(LokiAddress(bytes(32)), "", NOW)
    assert set(one.clients) == {ALICE, LokiAddress(bytes(32))}
