"""A report of a network on which somebody's test failed, as `testnet test` writes one."""

from __future__ import annotations

import time
from pathlib import Path

from orchestrator.cli.network import chosen
from orchestrator.cli.reporting import reporter_of_running
from orchestrator.report.tried import TriedTest
from orchestrator.testing.testnet import Testnet

__all__ = ["WRITER", "write_report"]

WRITER = "pytest"


def write_report(network: Testnet, test: str, seen: str, told: str, seconds: float) -> Path | None:
    """The page; None if it could not be written, which is told on standard error.

    Args:
        network: as it is now.
        test: its name.
        seen: a line.
        told: all that pytest says of it, an exhibit of the report.
        seconds: how long the test took.
    """
    exhibits = {"pytest.txt": told.encode(errors="replace")}
    tried = TriedTest(test, False, "the test to pass", seen, time.time(), seconds, 1, {}, exhibits)
    reporter = reporter_of_running(WRITER, chosen(network.name), network.backend)
    return reporter.write(tests=[tried])
