"""The clock: the host's date at start, elapsed time from there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lokinet_node.base.units import SECOND
from lokinet_node.drivers import clock

if TYPE_CHECKING:
    import pytest


def test_the_clock_starts_at_the_hosts_date() -> None:
    assert abs(clock.start_clock()() - clock.wall()) < 10 * SECOND


def test_a_step_of_the_hosts_date_does_not_move_a_running_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = clock.start_clock()
    before = now()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert clock.wall() == 0
    assert before <= now() < before + 60 * SECOND
