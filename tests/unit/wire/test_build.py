"""Records and answers of a path build come back from their bytes, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import PathID, RouterID
from lokinet_node.wire.build import (
    ANSWER_SIZE,
    RECORD_SIZE,
    BuildAnswer,
    BuildRecord,
    decode_answer,
    decode_record,
    encode_answer,
    encode_record,
)
from lokinet_node.wire.kinds import BuildStatus

keys = st.binary(min_size=32, max_size=32)
records = st.builds(
    BuildRecord,
    next_router=keys.map(RouterID),
    next_path_id=st.integers(0, 2**64 - 1).map(PathID),
    expiry_s=st.integers(0, 2**32 - 1),
    slot_key=keys,
    backward_start=st.integers(0, 2**48 - 1),
)
answers = st.builds(BuildAnswer, st.sampled_from(BuildStatus), keys)


@given(records)
def test_every_record_comes_back_from_its_bytes(record: BuildRecord) -> None:
    assert decode_record(encode_record(record)) == record


@given(answers)
def test_every_answer_comes_back_from_its_bytes(answer: BuildAnswer) -> None:
    assert decode_answer(encode_answer(answer)) == answer


def test_the_bytes_are_where_the_specification_puts_them() -> None:
    record = BuildRecord(RouterID(b"r" * 32), PathID(1), 2, b"k" * 32, 3)
    assert encode_record(record) == (
        b"r" * 32 + b"\0" * 7 + b"\1" + b"\0\0\0\2" + b"k" * 32 + b"\0" * 5 + b"\3" + bytes(26)
    )
    answer = BuildAnswer(BuildStatus.BUSY, b"d" * 32)
    assert encode_answer(answer) == b"\4" + b"d" * 32 + bytes(79)


@given(st.binary(max_size=120))
def test_random_bytes_are_only_ever_a_wire_error(data: bytes) -> None:
    for decode in (decode_record, decode_answer):
        try:
            decode(data)
        except WireError:
            continue


@given(st.binary(min_size=RECORD_SIZE, max_size=RECORD_SIZE), st.integers(0, 25))
def test_a_record_with_something_in_its_zeros_is_refused(data: bytes, at: int) -> None:
    dirty = bytearray(data[:-26] + bytes(26))
    dirty[-26 + at] = 1
    with pytest.raises(WireError):
        decode_record(bytes(dirty))


@given(st.binary(min_size=ANSWER_SIZE, max_size=ANSWER_SIZE), st.integers(0, 78))
def test_an_answer_with_something_in_its_zeros_is_refused(data: bytes, at: int) -> None:
    dirty = bytearray(b"\0" + data[1:33] + bytes(79))
    dirty[33 + at] = 1
    with pytest.raises(WireError):
        decode_answer(bytes(dirty))


@given(st.integers(len(BuildStatus), 255))
def test_an_unknown_status_is_refused(status: int) -> None:
    with pytest.raises(WireError):
        decode_answer(bytes((status,)) + bytes(ANSWER_SIZE - 1))
