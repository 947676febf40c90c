"""Rows of IPv6 packets as runs of flows, against a twin that goes row by row."""

from __future__ import annotations

from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.burst import ROWS
from lokinet_node.session.exit_rows import ExitRun
from lokinet_node.session.exit_rows6 import exit_runs6
from lokinet_node.session.plaintexts import TYPE_EXIT4, TYPE_EXIT6, Plaintexts
from lokinet_node.wire.ip import UDP
from lokinet_node.wire.ip6 import FRAGMENT

Row = tuple[int, int, int, int]
"""Type of the record, next header, last byte of the destination, port."""


def content(row: Row) -> bytes:
    _, protocol, host, port = row
    if protocol == FRAGMENT:
        behind = bytes((UDP, 0)) + (port << 3).to_bytes(2, "big") + bytes(4) + bytes((0, 7, 0, 9))
    else:
        behind = bytes((0, 7, 0, port)) + bytes(8)
    head = bytes((0x60, 0, 0, 0, 0, len(behind), protocol, 64))
    return head + bytes(16) + bytes((0x20, *bytes(14), host)) + behind


def plain_of(rows: list[Row]) -> Plaintexts:
    plain = Plaintexts()
    for at, row in enumerate(rows):
        plain.put(at, row[0], content(row))
    return plain


def forbid(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a run is made once, whatever its rows")


def test_a_run_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExitRun, "_replace", forbid)
    (run,) = exit_runs6(plain_of([(TYPE_EXIT6, UDP, 1, 9)] * ROWS), 0, ROWS)
    assert (run.first, run.rows, run.protocol) == (0, ROWS, UDP)
    assert run.ports == bytes((0, 7, 0, 9))


@given(
    st.lists(
        st.tuples(
            st.sampled_from([TYPE_EXIT6, TYPE_EXIT6, TYPE_EXIT4]),
            st.sampled_from([UDP, UDP, FRAGMENT]),
            st.integers(1, 2),
            st.integers(1, 2),
        ),
        max_size=ROWS - 1,
    ),
    st.integers(0, 1),
)
def test_runs_are_those_of_a_slow_twin(rows: list[Row], first: int) -> None:
    first = min(first, len(rows))
    expected: list[list[int]] = []
    before: Row | None = None
    for at in range(first, len(rows)):
        kind, protocol, host, _ = row = rows[at]
        if kind == TYPE_EXIT6:
            if row == before and protocol != FRAGMENT:
                expected[-1][1] += 1
            else:
                expected.append([at, 1, host, rows[at][3] if protocol == FRAGMENT else 0])
        before = row
    runs = exit_runs6(plain_of(rows), first, len(rows) - first)
    found = [[run.first, run.rows, run.destination[15], run.fragment] for run in runs]
    assert found == expected
    assert all(run.protocol == UDP and run.kind == TYPE_EXIT6 for run in runs)
