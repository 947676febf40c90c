"""Epochs: stream numbers, how far ahead the other end listens, which keys send, when they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import SECOND
from lokinet_node.burst import Cells
from lokinet_node.session import epochs
from lokinet_node.session.epochs import SILENT, STREAMS_AHEAD, Epoch, Epochs
from lokinet_node.session.handshake import Keys
from lokinet_node.session.plaintexts import Plaintexts
from lokinet_node.session.session import Session
from lokinet_node.session.streams import ReceiveStream, SendStream, stream_index, stream_key

LOW, HIGH = LokiAddress(b"\x01" * 32), LokiAddress(b"\x02" * 32)


@dataclass
class Nobody:
    name: str = "session"


def epoch(
    secret: int = 1,
    *,
    by: LokiAddress = LOW,
    confirmed: int | None = 0,
    started: int = 0,
    table: dict[int, ReceiveStream] | None = None,
    flipped: bool = False,
) -> Epoch:
    there, back = bytes([secret]) * 32, bytes([100 + secret]) * 32
    keys = Keys(back, there) if flipped else Keys(there, back)
    session = cast("Session", Nobody())
    return Epoch(session, by, keys, {} if table is None else table, started, confirmed=confirmed)


def two_ends() -> tuple[Epoch, Epoch, dict[int, ReceiveStream]]:
    table: dict[int, ReceiveStream] = {}
    return epoch(), epoch(flipped=True, table=table), table


def arrives(stream: SendStream, table: dict[int, ReceiveStream]) -> bool:
    """Whether the other end listens to a stream and opens what comes on it."""
    receiver = table.get(stream.index)
    if receiver is None:
        return False
    plain, cells = Plaintexts(), Cells()
    counter = stream.counter
    stream.seal(plain, 0, 1, cells, 0, 5)
    return receiver.open(cells, 0, 1, (counter,), plain, 0) == 1


def test_a_route_keeps_its_stream_and_another_takes_the_next_number() -> None:
    one = epoch()
    first, second = one.sending((10, 20)), one.sending((10, 21))
    assert first is not None
    assert second is not None
    assert (first.number, second.number) == (0, 1)
    assert one.sending((10, 20)) is first
    assert first.index != second.index


def test_the_receiver_listens_to_eight_streams_and_no_more() -> None:
    sender, _, table = two_ends()
    streams = [sender.sending((n, n)) for n in range(STREAMS_AHEAD)]
    assert all(stream is not None and arrives(stream, table) for stream in streams)
    assert len(table) == STREAMS_AHEAD
    assert sender.sending((99, 99)) is None, "the sender must not run ahead of what is proven"


def test_a_record_further_on_moves_the_window_and_proof_lets_the_sender_follow() -> None:
    sender, receiver, table = two_ends()
    for number in range(5):
        sender.sending((number, number))
    receiver.advance(4)
    assert len(table) == 4 + 1 + STREAMS_AHEAD
    receiver.advance(2)
    assert len(table) == 4 + 1 + STREAMS_AHEAD, "never backwards"
    sender.prove(4)
    sender.prove(1)
    more = [sender.sending((50 + n, 0)) for n in range(STREAMS_AHEAD + 1)]
    assert [stream.number for stream in more if stream] == list(range(5, 13))
    assert more[-1] is None
    assert all(arrives(stream, table) for stream in more if stream)


def test_both_ends_skip_a_stream_whose_index_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    def key_with_zero(secret: bytes, number: int) -> bytes:
        key = stream_key(secret, number)
        return key[:44] + bytes(4) if number in (0, 3) else key

    monkeypatch.setattr(epochs, "stream_key", key_with_zero)
    sender, _, table = two_ends()
    streams = [sender.sending((n, n)) for n in range(4)]
    assert [stream.number for stream in streams if stream] == [1, 2, 4, 5]
    assert all(stream is not None and arrives(stream, table) for stream in streams)
    assert 0 not in table


def test_an_index_in_use_elsewhere_stays_where_it_is() -> None:
    key = stream_key(bytes([101]) * 32, 2)
    other = ReceiveStream(key)
    table = {stream_index(key): other}
    one = epoch(table=table)
    assert table[stream_index(key)] is other
    assert len(table) == STREAMS_AHEAD
    one.close()
    assert table == {stream_index(key): other}


def test_closing_stops_listening_and_drops_the_answer() -> None:
    _, receiver, table = two_ends()
    receiver.answer = b"message 2"
    receiver.close()
    assert not table
    assert receiver.answer is None


def test_the_epoch_confirmed_last_sends() -> None:
    all_ = Epochs()
    assert all_.best() is None
    old, new = epoch(1, confirmed=0), epoch(2, confirmed=60 * SECOND)
    waiting = epoch(3, confirmed=None)
    for one in (new, old, waiting):
        all_.add(one)
    assert all_.best() is new
    assert all_.unconfirmed == [waiting]
    new.is_doubtful = True
    assert all_.best() is old


@pytest.mark.parametrize("low_first", [False, True])
def test_of_two_simultaneous_epochs_the_lower_ones_sends(low_first: bool) -> None:
    all_ = Epochs()
    lower = epoch(1, by=LOW, confirmed=0 if low_first else SECOND)
    higher = epoch(2, by=HIGH, confirmed=SECOND if low_first else 0)
    all_.add(higher)
    all_.add(lower)
    assert all_.best() is lower


def test_a_later_dial_by_the_higher_one_wins_all_the_same() -> None:
    all_ = Epochs()
    lower, higher = epoch(1, by=LOW, confirmed=0), epoch(2, by=HIGH, confirmed=10 * SECOND)
    all_.add(lower)
    all_.add(higher)
    assert all_.best() is higher


def test_a_replaced_epoch_ends_when_it_has_been_silent() -> None:
    all_ = Epochs()
    old, new = epoch(1, confirmed=0), epoch(2, confirmed=100 * SECOND)
    all_.add(old)
    all_.add(new)
    assert all_.expired(1000 * SECOND) == [], "the new one was never heard"
    new.heard_first = 101 * SECOND
    old.last_heard = 110 * SECOND
    assert all_.expired(110 * SECOND + SILENT) == []
    assert all_.expired(110 * SECOND + SILENT + 1) == [old]


def test_epochs_that_are_renewed_often_end_all_the_same() -> None:
    all_ = Epochs()
    for number in range(1, 7):  # every 10 s, which is shorter than they may be silent
        one = epoch(number, confirmed=number * 10 * SECOND)
        one.heard_first = one.last_heard = number * 10 * SECOND
        all_.add(one)
        for old in all_.expired(number * 10 * SECOND):
            all_.remove(old)
    assert len(all_) == 4, "each 30 s after its successor was heard, not after the newest"


def test_an_unconfirmed_epoch_ends_after_a_while() -> None:
    all_ = Epochs()
    waiting = epoch(1, confirmed=None, started=5 * SECOND)
    all_.add(waiting)
    assert all_.expired(5 * SECOND + SILENT) == []
    assert all_.expired(5 * SECOND + SILENT + 1) == [waiting]


def test_counts_outlive_the_epochs() -> None:
    all_ = Epochs()
    one, other = epoch(1), epoch(2)
    all_.add(one)
    all_.add(other)
    for each, records in ((one, 5), (other, 7)):
        stream = each.sending((1, 1))
        assert stream is not None
        stream.counter = records
    assert all_.sent == 12
    all_.remove(one)
    assert (all_.sent, len(all_)) == (12, 1)
    all_.clear()
    assert (all_.sent, all_.received, len(all_)) == (12, 0, 0)


def test_keys_are_not_shown() -> None:
    shown = repr(epoch(7))
    assert "keys" not in shown
    assert repr(bytes([7]) * 32)[2:-1] not in shown
    assert repr(bytes([107]) * 32)[2:-1] not in shown
