"""Programs in nodes begin as a terminal would start them, whoever started the network."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import cast

import pytest

from orchestrator.world.spawn import Namespaces, spawn

IGNORED = (signal.SIGHUP, signal.SIGINT)


class Here:
    """Where we are already."""

    def enter(self) -> None:
        pass


@pytest.fixture
def nohup() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_IGN) for number in IGNORED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("nohup")
def test_a_program_of_a_network_that_nohup_started_is_still_hung_up_on() -> None:
    reader, writer = os.pipe()
    argv = ["sh", "-c", "kill -HUP $$; echo ignored"]
    here = cast("Namespaces", Here())
    pid = spawn(here, argv, dict(os.environ), "/", (0, writer, 2), 0o22, controlling_tty=False)
    os.close(writer)
    with os.fdopen(reader) as told:
        assert told.read() == ""
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGHUP
