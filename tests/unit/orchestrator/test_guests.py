"""Who may put a program into a container's network, and what is said to who may not."""

from __future__ import annotations

import os

import pytest

from orchestrator.backends.guests import start_guest
from orchestrator.errors import CheckFailed, HostUnfit

STDIO = (0, 1, 2)
GONE = 1 << 30
"""More than a kernel counts."""


def test_who_is_not_root_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostUnfit, match=r"^firefox of this machine can only .* `--backend netns`$"):
        start_guest(os.getpid(), "", [], ["firefox"], STDIO, {})


def test_a_node_that_went_down_and_a_program_that_is_not_there_leave_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(CheckFailed, match="the node went down just now"):
        start_guest(GONE, "", [], ["true"], STDIO, {"PATH": "/bin:/usr/bin"})
    with pytest.raises(CheckFailed, match="no program 'no-such-program' on this machine"):
        start_guest(os.getpid(), "", [], ["no-such-program"], STDIO, {"PATH": "/bin:/usr/bin"})
    assert set(os.listdir("/proc/self/fd")) == before
