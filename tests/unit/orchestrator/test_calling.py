"""A call's ends, without phones."""

from __future__ import annotations

import signal

from orchestrator.voice.calling import _end


class Phone:
    """Something that runs, and ends by one signal only."""

    def __init__(self, ends_by: int) -> None:
        self.ends_by = ends_by
        self.acts: list[int | str] = []

    def signal(self, number: int) -> None:
        self.acts.append(number)

    def wait(self, timeout_s: float | None = None) -> int:
        if self.acts[-1] != self.ends_by:
            raise TimeoutError
        self.acts.append("gone")
        return 0

    def close(self) -> None:
        self.acts.append("closed")


def test_a_phone_is_asked_first() -> None:
    phone = Phone(signal.SIGTERM)
    _end(phone)
    assert phone.acts == [signal.SIGTERM, "gone", "closed"]


def test_one_that_waits_for_the_other_end_is_gone_all_the_same_before_the_next_call() -> None:
    phone = Phone(signal.SIGHUP)
    _end(phone)
    assert phone.acts == [signal.SIGTERM, signal.SIGHUP, "gone", "closed"]
