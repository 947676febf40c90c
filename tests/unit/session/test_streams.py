"""Streams: what is sealed opens once, in order of arrival, and nothing else leaves a row."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.burst import CELL, ROWS, Cells
from lokinet_node.session import streams
from lokinet_node.session.plaintexts import PLAINTEXT, TYPE_PACKET, Plaintexts
from lokinet_node.session.streams import (
    DATA_HEADS,
    MOST_RECORDS,
    RECORD_HEAD,
    WORN,
    ReceiveStream,
    SendStream,
    router_stream_key,
    stream_index,
    stream_key,
)

KEY = stream_key(bytes(range(32)), 3)
HANDLE = 0xABCDEF0123456789


def plaintexts(count: int, first: int = 0) -> Plaintexts:
    plain = Plaintexts()
    for row in range(count):
        plain.put(first + row, TYPE_PACKET, b"packet %d" % row)
    return plain


def sealed(count: int, stream: SendStream | None = None, at: int = 0) -> Cells:
    cells = Cells()
    stream = stream or SendStream(KEY)
    assert stream.seal(plaintexts(count), 0, count, cells, at, HANDLE) == count
    return cells


def heads(cells: Cells, first: int, count: int) -> tuple[int, ...]:
    return DATA_HEADS[count].unpack_from(cells.buffer, first * CELL)


def contents(plain: Plaintexts, first: int, count: int) -> list[bytes]:
    return [bytes(plain.content(row) or b"") for row in range(first, first + count)]


def open_all(
    stream: ReceiveStream, cells: Cells, first: int, count: int, at: int = 0
) -> list[bytes]:
    plain = Plaintexts()
    counters = heads(cells, first, count)[2::3]
    return contents(plain, at, stream.open(cells, first, count, counters, plain, at))


def test_a_record_is_handle_index_counter_and_aes_gcm_under_the_stream_key() -> None:
    stream = SendStream(KEY)
    stream.counter = 7
    cells = sealed(2, stream, at=3)
    assert heads(cells, 3, 2) == (HANDLE, stream_index(KEY), 7, HANDLE, stream_index(KEY), 8)
    body = bytes(cells.bodies[4])
    nonce = (int.from_bytes(KEY[32:44], "big") ^ 8).to_bytes(12, "big")
    plain = AESGCM(KEY[:32]).decrypt(nonce, body[20:], None)
    assert len(plain) == PLAINTEXT
    assert plain == b"\x01\x00\x08packet 1".ljust(PLAINTEXT, b"\0")


def test_stream_keys_differ_by_number_and_secret() -> None:
    keys = {stream_key(bytes([secret]) * 32, number) for secret in (1, 2) for number in range(9)}
    assert len(keys) == 18
    assert {len(key) for key in keys} == {48}


def test_sealing_leaves_cell_heads_and_other_rows_alone() -> None:
    cells = Cells()
    cells.buffer[:] = b"\xee" * len(cells.buffer)
    SendStream(KEY).seal(plaintexts(2, first=5), 5, 2, cells, 1, HANDLE)
    untouched = [0, 3, ROWS - 1]
    assert all(bytes(cells.rows[row]) == b"\xee" * CELL for row in untouched)
    assert all(bytes(cells.rows[row][:16]) == b"\xee" * 16 for row in (1, 2))


def test_a_burst_opens_whole_and_in_order() -> None:
    stream = ReceiveStream(KEY)
    assert open_all(stream, sealed(ROWS), 0, ROWS) == [b"packet %d" % n for n in range(ROWS)]
    assert (stream.opened, stream.failed, stream.replayed) == (ROWS, 0, 0)


def test_rows_and_cells_may_start_anywhere() -> None:
    cells = sealed(4, at=9)
    assert open_all(ReceiveStream(KEY), cells, 10, 2, at=20) == [b"packet 1", b"packet 2"]


def test_counters_are_reserved_for_good_before_sealing() -> None:
    stream = SendStream(KEY)
    sealed(5, stream)
    assert stream.counter == 5
    body = stream.seal_one(bytes(PLAINTEXT), HANDLE)
    assert body is not None
    assert RECORD_HEAD.unpack_from(body) == (HANDLE, stream.index, 5)
    assert stream.counter == 6


def test_a_replayed_burst_leaves_no_row_and_is_counted() -> None:
    stream, cells = ReceiveStream(KEY), sealed(8)
    assert len(open_all(stream, cells, 0, 8)) == 8
    assert open_all(stream, cells, 0, 8) == []
    assert open_all(stream, cells, 3, 1) == []
    assert (stream.opened, stream.replayed) == (8, 9)


def test_a_forged_record_costs_only_itself_and_its_row_is_wiped() -> None:
    stream, cells, plain = ReceiveStream(KEY), sealed(6), Plaintexts()
    plain.buffer[:] = b"\xee" * len(plain.buffer)
    cells.bodies[2][700] ^= 1
    cells.bodies[5][700] ^= 1
    opened = stream.open(cells, 0, 6, tuple(range(6)), plain, 0)
    assert contents(plain, 0, opened) == [b"packet %d" % n for n in (0, 1, 3, 4)]
    assert bytes(plain.rows[4]) == bytes(PLAINTEXT), "unverified plaintext must not stay behind"
    assert stream.failed == 2
    cells.bodies[2][700] ^= 1
    assert open_all(stream, cells, 2, 1) == [b"packet 2"], "a forged record marks nothing"


def test_a_record_under_another_counter_or_key_does_not_open() -> None:
    cells, plain = sealed(1), Plaintexts()
    assert ReceiveStream(KEY).open(cells, 0, 1, (1,), plain, 0) == 0
    assert ReceiveStream(stream_key(bytes(32), 3)).open(cells, 0, 1, (0,), plain, 0) == 0


def test_any_counter_a_stranger_writes_is_only_a_failed_record() -> None:
    stream, cells, plain = ReceiveStream(KEY), sealed(3), Plaintexts()
    top = (1 << 64) - 1
    assert stream.open(cells, 0, 3, (top, 0, top - 1), plain, 0) == 0
    assert stream.failed == 3
    assert len(open_all(stream, cells, 0, 3)) == 3


def test_a_used_up_key_seals_nothing_more() -> None:
    stream = SendStream(KEY)
    stream.counter = WORN - 1
    assert not stream.is_worn
    stream.counter = MOST_RECORDS - 1
    assert stream.is_worn
    assert stream.seal(plaintexts(2), 0, 2, Cells(), 0, HANDLE) == 0
    assert stream.seal_one(bytes(PLAINTEXT), HANDLE) is not None
    assert stream.seal_one(bytes(PLAINTEXT), HANDLE) is None
    assert (stream.refused, stream.counter) == (3, MOST_RECORDS)


def test_router_streams_use_index_one() -> None:
    key = router_stream_key(bytes(44))
    assert SendStream(key).index == ReceiveStream(key).index == 1


class SlowReader:
    """The obvious twin: one record at a time, all counters ever seen in a set."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.aead = AESGCM(KEY[:32])

    def open(self, body: bytes) -> bytes | None:
        counter = RECORD_HEAD.unpack_from(body)[2]
        nonce = (int.from_bytes(KEY[32:44], "big") ^ counter).to_bytes(12, "big")
        try:
            plain = self.aead.decrypt(nonce, body[20:], None)
        except Exception:
            return None
        if counter in self.seen:
            return None
        self.seen.add(counter)
        return plain[3 : 3 + int.from_bytes(plain[1:3], "big")]


arrivals = st.lists(
    st.lists(st.tuples(st.integers(0, 19), st.booleans()), min_size=1, max_size=ROWS), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(arrivals)
def test_lost_repeated_mixed_and_forged_records_open_as_in_the_slow_twin(
    bursts: list[list[tuple[int, bool]]],
) -> None:
    source, stream, slow = sealed(20), ReceiveStream(KEY), SlowReader()
    for burst in bursts:
        cells = Cells()
        for row, (record, is_forged) in enumerate(burst):
            cells.rows[row][:] = source.rows[record]
            cells.bodies[row][-1] ^= is_forged
        expected = [slow.open(bytes(cells.bodies[row])) for row in range(len(burst))]
        assert open_all(stream, cells, 0, len(burst)) == [one for one in expected if one]


def test_the_heads_of_a_burst_are_read_at_the_stride_of_cells() -> None:
    assert [head.size for head in DATA_HEADS] == [CELL * count for count in range(ROWS + 1)]
    assert streams.STREAM_KEY == 48
