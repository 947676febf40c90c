"""Trying a check once, or until it holds."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from orchestrator.checklist import (
    AnyCheck,
    DnsCheck,
    ExitCheck,
    HttpCheck,
    LeakCheck,
    OnsCheck,
    PingCheck,
    ThroughputCheck,
    UdpEchoCheck,
)
from orchestrator.checklist_media import BrowserCheck, HlsCheck, VoipMumbleCheck, VoipSipCheck
from orchestrator.checks.browser import check_browser
from orchestrator.checks.carry import check_throughput
from orchestrator.checks.echo import check_udp_echo
from orchestrator.checks.exits import check_exit, check_leak
from orchestrator.checks.hls import check_hls
from orchestrator.checks.names import check_dns, check_ons
from orchestrator.checks.network import Network
from orchestrator.checks.pages import check_http
from orchestrator.checks.programs import check_ping
from orchestrator.checks.verdict import Verdict, failed
from orchestrator.checks.voip_mumble import check_voip_mumble
from orchestrator.checks.voip_sip import check_voip_sip
from orchestrator.errors import OperatorError
from orchestrator.models import Strict

__all__ = ["Held", "attempt", "eventually", "make"]

PAUSE_MS = 200
"""Between two tries: short against what is waited for, long against what a try costs."""

Model = TypeVar("Model", bound=Strict)
Clock = Callable[[], float]
HOW: Mapping[type[Strict], Callable[[Network, Any], Verdict]] = {
    HttpCheck: check_http,
    DnsCheck: check_dns,
    PingCheck: check_ping,
    UdpEchoCheck: check_udp_echo,
    ThroughputCheck: check_throughput,
    OnsCheck: check_ons,
    ExitCheck: check_exit,
    LeakCheck: check_leak,
    HlsCheck: check_hls,
    BrowserCheck: check_browser,
    VoipMumbleCheck: check_voip_mumble,
    VoipSipCheck: check_voip_sip,
}
"""Each kind is tried."""


@dataclass(frozen=True, slots=True)
class Held:
    """The last verdict, and how it came about. True if the check held."""

    verdict: Verdict
    seconds: float
    """From the first try to the last verdict."""
    tries: int

    def __bool__(self) -> bool:
        return self.verdict.has_held

    def __str__(self) -> str:
        return f"{self.verdict} (try {self.tries}, {self.seconds:.2f} s)"


def attempt(network: Network, check: AnyCheck) -> Verdict:
    """Once; whatever hinders it is what was seen."""
    try:
        return HOW[type(check)](network, check)
    except OperatorError as error:
        return failed("the check to be made", str(error))
    except OSError as error:
        return failed("the check to be made", error.strerror or str(error))


def eventually(
    network: Network, check: AnyCheck, within_s: float | None, clock: Clock = time.monotonic
) -> Held:
    """Try until it holds or the time is over, at least once; None: exactly once.

    What cannot be tried here is not tried again.
    """
    began = clock()
    tries = 0
    while True:
        tries += 1
        verdict = attempt(network, check)
        seconds = clock() - began
        if verdict or verdict.is_skipped or within_s is None or seconds >= within_s:
            return Held(verdict, seconds, tries)
        select.poll().poll(PAUSE_MS)


def make(model: type[Model], **words: Any) -> Model:
    """A check with the words of topology files, spelled as Python wants: `from_`, `at_most`."""
    return model.model_validate(
        {word.rstrip("_").replace("_", "-"): value for word, value in words.items()}
    )
