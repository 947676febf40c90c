"""Two channels joined by a wire that loses, repeats, reorders and delays, in virtual time."""

from __future__ import annotations

import contextlib
import heapq
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.flow.channel import Channel
from lokinet_node.flow.outgoing import QUEUE
from lokinet_node.wire.channel import (
    LINK_CAPACITY,
    PATH_CAPACITY,
    Frame,
    decode_frame,
    encode_frame,
)

Message = tuple[int, bytes]
START = 1_000 * SECOND


class Pair:
    """Two ends, a seeded wire and a heap of deliveries."""

    def __init__(self, seed: int, loss: float, duplicates: float, jitter: int) -> None:
        self.ends = (Channel(LINK_CAPACITY), Channel(LINK_CAPACITY))
        self.got: tuple[list[Message], list[Message]] = ([], [])
        self.failed: tuple[list[Message], list[Message]] = ([], [])
        self.sealed: list[bytes] = []
        self.now = START
        self.cut = False
        self._random = Random(seed)
        self._loss, self._duplicates, self._jitter = loss, duplicates, jitter
        self._heap: list[tuple[int, int, int, bytes]] = []
        self._serial = count()

    def flush(self, end: int) -> None:
        for frame in self.ends[end].frames(self.now):
            self.sealed.append(frame)
            if self.cut or self._random.random() < self._loss:
                continue
            for _ in range(2 if self._random.random() < self._duplicates else 1):
                delay = MILLISECOND + int(self._random.random() * self._jitter)
                heapq.heappush(self._heap, (self.now + delay, next(self._serial), 1 - end, frame))
        self.failed[end].extend(self.ends[end].take_failed())

    def run(self, duration: int) -> None:
        end_at = self.now + duration
        for end in (0, 1):
            self.flush(end)
        while True:
            times = [due for end in self.ends if (due := end.deadline()) is not None]
            times += [self._heap[0][0]] if self._heap else []
            if not times or min(times) > end_at:
                break
            self.now = max(self.now, min(times))
            if self._heap and self._heap[0][0] <= self.now:
                _, _, end, frame = heapq.heappop(self._heap)
                self.got[end].extend(self.ends[end].receive(frame.ljust(1328, b"\0"), self.now))
                self.flush(end)
            else:
                for end in (0, 1):
                    self.flush(end)
        self.now = end_at


@pytest.mark.parametrize("seed", range(8))
def test_every_message_arrives_exactly_once_over_a_bad_wire(seed: int) -> None:
    pair = Pair(seed, loss=0.2, duplicates=0.2, jitter=20 * MILLISECOND)
    random = Random(1000 + seed)
    sent: tuple[list[Message], list[Message]] = ([], [])
    for step in range(300):
        end = random.randrange(2)
        size = random.choice([0, 1, 8, LINK_CAPACITY, LINK_CAPACITY + 1, 16_384])
        message = (1 + step % 255, random.randbytes(size))
        sent[end].append(message)
        pair.ends[end].send(*message, pair.now)
        pair.flush(end)
        if random.random() < 0.5:
            pair.run(random.randrange(60 * MILLISECOND))
    pair.run(20 * SECOND)
    assert pair.failed == ([], [])
    for end in (0, 1):
        assert sorted(pair.got[1 - end]) == sorted(sent[end])
    assert [end.deadline() for end in pair.ends] == [None, None]


def test_a_frame_is_never_sent_twice_as_the_same_object_after_news_arrived() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    one.send(3, b"question", START)
    (first,) = one.frames(START)
    two.send(4, b"other", START)
    (other,) = two.frames(START)
    assert one.receive(other, START) == [(4, b"other")]
    later = START + SECOND
    (again,) = one.frames(later)
    assert decode_frame(first).acknowledged == 0
    assert decode_frame(again).acknowledged == 1
    assert decode_frame(again).payload == b"question"
    assert two.receive(again, later) == [(3, b"question")]
    assert two.receive(first, later) == []


@pytest.mark.parametrize("capacity", [LINK_CAPACITY, PATH_CAPACITY])
def test_a_message_of_16_kib_takes_at_most_13_frames(capacity: int) -> None:
    one, two = Channel(capacity), Channel(capacity)
    payload = Random(1).randbytes(16_384)
    one.send(9, payload, START)
    frames = one.frames(START)
    assert len(frames) == 13
    assert max(map(len, frames)) == capacity + 26
    got = [message for frame in reversed(frames) for message in two.receive(frame, START)]
    assert got == [(9, payload)]


def test_an_empty_message_is_a_message() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    one.send(7, b"", START)
    assert two.receive(one.frames(START)[0], START) == [(7, b"")]


def test_messages_that_cannot_be_sent_are_our_own_error() -> None:
    channel = Channel(LINK_CAPACITY)
    with pytest.raises(LocalProtocolError, match="16385"):
        channel.send(9, bytes(16_385), START)
    with pytest.raises(LocalProtocolError, match="1303"):
        channel.send(1, bytes(LINK_CAPACITY + 1), START, sequenced=False)
    for kind in (0, 256):
        with pytest.raises(LocalProtocolError, match="no kind"):
            channel.send(kind, b"", START)


def test_loose_messages_are_sent_once_and_not_acknowledged() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    one.send(1, bytes(8), START, sequenced=False)
    (frame,) = one.frames(START)
    assert one.deadline() is None
    assert one.frames(START + 10 * SECOND) == []
    assert two.receive(frame, START) == [(1, bytes(8))]
    assert two.deadline() is None
    assert two.frames(START) == []


def test_a_sequenced_frame_is_acknowledged_at_once() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    one.send(3, b"x", START)
    two.receive(one.frames(START)[0], START + MILLISECOND)
    assert two.deadline() == START + MILLISECOND
    (acknowledgement,) = two.frames(START + MILLISECOND)
    assert decode_frame(acknowledgement) == Frame(acknowledged=1)
    assert two.frames(START + MILLISECOND) == []
    one.receive(acknowledgement, START + 2 * MILLISECOND)
    assert one.deadline() is None
    assert one.rtt == 2 * MILLISECOND


def test_the_carrier_s_round_trip_serves_until_there_is_an_own_one() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    one.assume_rtt(40 * MILLISECOND)
    assert not one.flights
    one.send(3, b"x", START)
    (frame,) = one.frames(START)
    assert one.flights
    assert one.deadline() == START + 120 * MILLISECOND
    two.receive(frame, START)
    one.receive(two.frames(START)[0], START + 2 * MILLISECOND)
    assert not one.flights
    one.assume_rtt(SECOND)
    one.send(3, b"y", START)
    one.frames(START)
    assert one.deadline() == START + 50 * MILLISECOND


def test_a_duplicate_is_acknowledged_again_but_not_delivered() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    one.send(3, b"x", START)
    (frame,) = one.frames(START)
    assert two.receive(frame, START) == [(3, b"x")]
    two.frames(START)
    assert two.receive(frame, START) == []
    assert decode_frame(two.frames(START)[0]).acknowledged == 1


def test_a_message_unacknowledged_for_5_s_has_failed_and_the_channel_goes_on() -> None:
    pair = Pair(1, loss=0, duplicates=0, jitter=0)
    pair.cut = True
    lost = [(3, b"small"), (9, bytes(16_384)), (9, bytes(5000))]
    for message in lost:
        pair.ends[0].send(*message, pair.now)
    pair.run(4_999 * MILLISECOND)
    assert pair.failed[0] == []
    pair.run(MILLISECOND)
    assert pair.failed[0] == lost
    pair.cut = False
    after = [(5, bytes([number])) for number in range(200)]
    for message in after:
        pair.ends[0].send(*message, pair.now)
    pair.run(5 * SECOND)
    assert sorted(pair.got[1]) == after
    assert pair.failed[0] == lost
    assert pair.ends[0].deadline() is None


def test_waiting_for_the_carrier_is_not_counted_as_silence() -> None:
    channel = Channel(LINK_CAPACITY)
    channel.send(3, b"x", START)
    assert channel.deadline() == START
    late = START + 60 * SECOND
    assert len(channel.frames(late)) == 1
    assert channel.take_failed() == []


def test_at_most_64_frames_are_in_flight() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    for number in range(100):
        one.send(3, bytes([number]), START)
    frames = one.frames(START)
    assert len(frames) == 64
    for frame in frames[1:]:
        two.receive(frame, START)
    one.receive(two.frames(START)[0], START)
    assert one.frames(START) == []
    two.receive(frames[0], START)
    one.receive(two.frames(START)[0], START)
    assert len(one.frames(START)) == 36


def test_a_full_queue_fails_at_once_and_says_so() -> None:
    channel = Channel(LINK_CAPACITY)
    for number in range(QUEUE + 3):
        channel.send(3, number.to_bytes(2, "big"), START)
    assert channel.take_failed() == [
        (3, number.to_bytes(2, "big")) for number in range(QUEUE, QUEUE + 3)
    ]


def test_the_loose_queue_is_bounded() -> None:
    channel = Channel(LINK_CAPACITY)
    for _ in range(QUEUE + 3):
        channel.send(1, bytes(8), START, sequenced=False)
    assert len(channel.frames(START)) == QUEUE


def test_the_sender_keeps_at_most_4_long_messages_incomplete() -> None:
    one = Channel(LINK_CAPACITY)
    for _ in range(6):
        one.send(9, bytes(2 * LINK_CAPACITY), START)
    assert len(one.frames(START)) == 8


def fragment(sequence: int, message: int, number: int, of: int, kind: int = 9) -> bytes:
    return encode_frame(
        Frame(kind, number, of, sequence, message=message, payload=bytes([number]) * LINK_CAPACITY)
    )


def test_a_fifth_partial_message_is_not_taken_until_there_is_room() -> None:
    channel = Channel(LINK_CAPACITY)
    for sequence in range(1, 6):
        channel.receive(fragment(sequence, sequence, 0, 2), START)
    assert decode_frame(channel.frames(START)[0]).acknowledged == 4
    assert len(channel.receive(fragment(6, 1, 1, 2), START)) == 1
    assert channel.receive(fragment(5, 5, 0, 2), START) == []
    assert decode_frame(channel.frames(START)[0]).acknowledged == 6


def test_partial_messages_are_dropped_after_5_s() -> None:
    channel = Channel(LINK_CAPACITY)
    for sequence in range(1, 5):
        channel.receive(fragment(sequence, sequence, 0, 2), START)
    late = START + 5 * SECOND
    channel.frames(late)
    for sequence in range(5, 9):
        channel.receive(fragment(sequence, sequence, 0, 2), late)
    assert decode_frame(channel.frames(late)[0]).acknowledged == 8


def test_a_message_given_up_by_its_sender_makes_room_at_once() -> None:
    channel = Channel(LINK_CAPACITY)
    for sequence in range(1, 5):
        channel.receive(fragment(sequence, sequence, 0, 2), START)
    assert channel.receive(encode_frame(Frame(sequence=5, message=3)), START) == []
    channel.receive(fragment(6, 6, 0, 2), START)
    assert decode_frame(channel.frames(START)[0]).acknowledged == 6


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (fragment(2, 1, 1, 3), "disagree"),
        (fragment(2, 1, 1, 13, kind=8), "disagree"),
        (fragment(2, 1, 0, 13), "two numbers"),
        (fragment(66, 2, 0, 2), "window"),
        (encode_frame(Frame(acknowledged=1)), "not sent"),
        (b"short", "cut short"),
    ],
)
def test_contradictions_are_wire_errors_and_change_nothing(frame: bytes, problem: str) -> None:
    channel = Channel(LINK_CAPACITY)
    channel.receive(fragment(1, 1, 0, 13), START)
    with pytest.raises(WireError, match=problem):
        channel.receive(frame, START)
    channel.frames(START)
    assert [
        decode_frame(channel.acknowledgement()).acknowledged,
        decode_frame(channel.acknowledgement()).mask,
    ] == [1, 0]


def test_a_message_of_more_than_16_kib_is_refused() -> None:
    channel = Channel(LINK_CAPACITY)
    for number in range(12):
        channel.receive(fragment(number + 1, 1, number, 13), START)
    with pytest.raises(WireError, match="16 KiB"):
        channel.receive(fragment(13, 1, 12, 13), START)


def test_abandoning_gives_back_everything_not_acknowledged_once() -> None:
    one, two = Channel(LINK_CAPACITY), Channel(LINK_CAPACITY)
    messages = [(3, bytes([number])) for number in range(70)]
    for message in messages:
        one.send(*message, START)
    one.send(1, b"loose", START, sequenced=False)
    frames = [frame for frame in one.frames(START) if decode_frame(frame).sequence]
    two.receive(frames[0], START)
    one.receive(two.frames(START)[0], START)
    assert one.abandon() == messages[1:]
    assert one.abandon() == []
    assert one.frames(START + SECOND) == []
    assert one.deadline() is None


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.binary(min_size=26, max_size=26)))
def test_any_bytes_are_taken_or_a_wire_error(frames: list[bytes]) -> None:
    channel = Channel(LINK_CAPACITY)
    for number, frame in enumerate(frames):
        with contextlib.suppress(WireError):
            channel.receive(frame, START + number)
        channel.frames(START + number)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    loss=st.floats(0, 0.3),
    sizes=st.lists(st.integers(0, 16_384), max_size=20),
)
def test_loss_never_repeats_or_invents_a_message(seed: int, loss: float, sizes: list[int]) -> None:
    pair = Pair(seed, loss=loss, duplicates=0.3, jitter=50 * MILLISECOND)
    sent = [(1 + number, bytes([number]) * size) for number, size in enumerate(sizes)]
    for message in sent:
        pair.ends[0].send(*message, pair.now)
    pair.run(60 * SECOND)
    assert sorted(set(pair.got[1])) == sorted(pair.got[1])
    told = set(pair.got[1]) | set(pair.failed[0])
    assert told == set(sent)
