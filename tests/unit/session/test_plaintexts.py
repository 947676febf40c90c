"""Rows of session records: whole rows, no leftovers."""

from __future__ import annotations

import pytest

from lokinet_node.burst import ROWS
from lokinet_node.session.plaintexts import (
    MAX_CONTENT,
    PLAINTEXT,
    PLAINTEXT_HEAD,
    TYPE_MESSAGE,
    Plaintexts,
)


def test_a_row_is_what_a_record_seals() -> None:
    plain = Plaintexts()
    assert PLAINTEXT == 1292
    assert [len(row) for row in plain.rows] == [1292] * ROWS


@pytest.mark.parametrize("size", [0, 1, 1279, MAX_CONTENT])
def test_a_short_record_leaves_nothing_of_the_one_before(size: int) -> None:
    plain = Plaintexts()
    plain.buffer[:] = b"\xee" * len(plain.buffer)
    plain.put(1, TYPE_MESSAGE, b"x" * size)
    assert plain.rows[1] == b"\x02" + size.to_bytes(2, "big") + b"x" * size + bytes(1289 - size)
    assert plain.rows[0] == plain.rows[2] == b"\xee" * PLAINTEXT
    assert bytes(plain.content(1) or b"") == b"x" * size


def test_a_length_beyond_the_largest_packet_is_no_content() -> None:
    plain = Plaintexts()
    PLAINTEXT_HEAD.pack_into(plain.buffer, PLAINTEXT, TYPE_MESSAGE, MAX_CONTENT + 1)
    assert plain.content(1) is None


def test_lengths_count_up_to_the_largest_packet_whatever_a_row_says() -> None:
    plain = Plaintexts()
    lengths = [7, 255, 256, 1279, 1280, 1281, 1535, 1536, 65535]
    for row, length in enumerate(lengths):
        PLAINTEXT_HEAD.pack_into(plain.buffer, row * PLAINTEXT, TYPE_MESSAGE, length)
    for first in range(len(lengths)):
        wanted = sum(min(length, MAX_CONTENT) for length in lengths[first:])
        assert plain.content_bytes(first, len(lengths) - first) == wanted
    assert plain.content_bytes(3, 0) == 0
