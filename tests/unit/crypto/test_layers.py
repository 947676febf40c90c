"""The running cipher of a layer gives what a fresh cipher for each cell gives."""

import random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.burst import CELL, CELL_BLOCKS, COUNTER_LIMIT, ROWS, Cells
from lokinet_node.crypto.layers import Layer, stream, xor_stream

KEY = bytes(range(32))
LAST = COUNTER_LIMIT - 1


def slow_keystream(key: bytes, counter: int) -> bytes:
    """The obvious twin: one fresh cipher for one cell."""
    start = (CELL_BLOCKS * counter).to_bytes(16, "big")
    return Cipher(AES256(key), CTR(start)).encryptor().update(bytes(CELL))


def slower_keystream(key: bytes, counter: int) -> bytes:
    """The definition: every block of the 128-bit counter enciphered by itself."""
    encryptor = Cipher(AES256(key), ECB()).encryptor()
    blocks = range(CELL_BLOCKS * counter, CELL_BLOCKS * (counter + 1))
    return b"".join(encryptor.update(block.to_bytes(16, "big")) for block in blocks)


def slow_xor(run: bytes, counter: int) -> bytes:
    cells = [run[at : at + CELL] for at in range(0, len(run), CELL)]
    return b"".join(
        bytes(a ^ b for a, b in zip(cell, slow_keystream(KEY, counter + i), strict=True))
        for i, cell in enumerate(cells)
    )


@pytest.mark.parametrize("counter", [0, 1, 2**32 // 84, 2**40 + 3, LAST])
def test_a_cell_owns_84_blocks_of_the_128_bit_counter(counter: int) -> None:
    assert slow_keystream(KEY, counter) == slower_keystream(KEY, counter)


near = st.one_of(
    st.integers(0, 6),
    st.integers(2**32 // 84 - 3, 2**32 // 84 + 3),  # where a 32-bit block counter would wrap
    st.integers(LAST - 8, LAST),
    st.integers(0, LAST),
)


@settings(max_examples=60)
@given(st.lists(st.tuples(near, st.integers(1, 4), st.booleans()), min_size=1, max_size=6))
def test_runs_and_gaps_give_what_fresh_ciphers_give(
    steps: list[tuple[int, int, bool]],
) -> None:
    layer = Layer(KEY)
    source = random.Random(len(steps))
    follow = 0
    for anywhere, count, follows in steps:
        counter = follow if follows else anywhere
        if counter + count > COUNTER_LIMIT:
            counter = COUNTER_LIMIT - count
        data = source.randbytes(count * CELL)
        run = bytearray(data)
        layer.xor_run(memoryview(run), counter)
        assert bytes(run) == slow_xor(data, counter)
        follow = counter + count


def test_a_full_burst_is_one_run_in_an_arena() -> None:
    cells = Cells()
    data = random.Random(2).randbytes(ROWS * CELL)
    cells.buffer[:] = data
    layer = Layer(KEY)
    layer.xor_run(cells.span(0, 20), 100)
    layer.xor_run(cells.span(20, ROWS - 20), 120)
    assert bytes(cells.buffer) == slow_xor(data, 100)


def test_adding_and_removing_a_layer_are_the_same_act() -> None:
    data = random.Random(3).randbytes(3 * CELL)
    run = bytearray(data)
    Layer(KEY).xor_run(memoryview(run), LAST - 2)
    assert bytes(run) != data
    Layer(KEY).xor_run(memoryview(run), LAST - 2)
    assert bytes(run) == data


def test_a_failure_leaves_the_position_forgotten() -> None:
    """After a call that raised, the next run must seek even if it looks like the next one."""
    layer = Layer(KEY)
    run = bytearray(2 * CELL)
    layer.xor_run(memoryview(run), 7)
    with pytest.raises((BufferError, TypeError, ValueError)):
        layer.xor_run(memoryview(bytes(CELL)), 9)
    assert layer._expected == -1
    cell = bytearray(CELL)
    layer.xor_run(memoryview(cell), 9)
    assert bytes(cell) == slow_keystream(KEY, 9)


def test_a_failed_first_run_leaves_the_layer_usable() -> None:
    layer = Layer(KEY)
    with pytest.raises(OverflowError):
        layer.xor_run(memoryview(bytearray(CELL)), -2)
    cell = bytearray(CELL)
    layer.xor_run(memoryview(cell), 0)
    assert bytes(cell) == slow_keystream(KEY, 0)


def test_the_stream_of_one_message_starts_at_block_zero() -> None:
    assert stream(KEY, CELL) == slow_keystream(KEY, 0)
    data = random.Random(4).randbytes(100)
    assert xor_stream(KEY, xor_stream(KEY, data)) == data
    assert xor_stream(KEY, bytes(100)) == stream(KEY, 100)
