"""Checks of a running network: a small vocabulary for topologies' `tests:` and for pytest alike.

`attempt(network, check)` tries once and tells what was expected and what was seen; `eventually`
tries until it holds. A verdict is true if the check held:

    network = Network.of(NetnsBackend(places))
    assert eventually(network, make(HttpCheck, from_="alice", to="web"), within_s=20)
"""

from orchestrator.checklist import (
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
from orchestrator.checks.network import Network
from orchestrator.checks.trying import Held, attempt, eventually, make
from orchestrator.checks.verdict import Verdict

__all__ = [
    "BrowserCheck",
    "DnsCheck",
    "ExitCheck",
    "Held",
    "HlsCheck",
    "HttpCheck",
    "LeakCheck",
    "Network",
    "OnsCheck",
    "PingCheck",
    "ThroughputCheck",
    "UdpEchoCheck",
    "Verdict",
    "VoipMumbleCheck",
    "VoipSipCheck",
    "attempt",
    "eventually",
    "make",
]
