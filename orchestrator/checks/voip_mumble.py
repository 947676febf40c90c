"""`voip-mumble`: people meet on a Mumble server and talk, each packet being followed.

1. The server's name is looked up by every client, and whose it is.
2. Clients of our own join, with sockets that live in their nodes' networks.
3. They talk, at once or in turn, and everything that comes to anybody is kept. A tap at the
   service's tun sees the datagrams pass.
4. What each heard of each other is compared with what was said.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack

from orchestrator.checklist_media import VoipMumbleCheck
from orchestrator.checks.needs import missing_needs
from orchestrator.checks.network import Network
from orchestrator.checks.servers import Server, find_server
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.checks.voip_stock import check_stock_call
from orchestrator.checks.wiretap import Wiretap
from orchestrator.errors import CheckFailed

__all__ = ["check_voip_mumble"]

MUMBLE_PORT = 64738
PROGRAMS = {"espeak-ng": "espeak-ng"}
MODULES = ("numpy", "scipy", "pesq", "pystoi", "av")
ANSWERS = (
    "Rice is often served in round bowls.",
    "The box was thrown beside the parked truck.",
    "Four hours of steady work faced us.",
    "The boy was there when the sun rose.",
    "The source of the huge river is the clear spring.",
    "Help the woman get back to her feet.",
    "Smoky fires lack flame and heat.",
    "The salt breeze came across from the sea.",
)
"""What those say who are called: Harvard sentences as well."""
PAUSE_S = 0.2
"""Between two who talk in turn."""


def check_voip_mumble(network: Network, check: VoipMumbleCheck) -> Verdict:
    """Join, talk, compare."""
    if check.client == "stock":
        return check_stock_call(network, check)
    people = [check.from_, *check.others]
    expected = f"{', '.join(people)} to hear each other by {check.server}, over UDP"
    if lacking := missing_needs(expected, PROGRAMS, "voip", MODULES):
        return lacking
    try:
        return _called(network, check, people, expected)
    except CheckFailed as error:
        return failed(expected, str(error))


def _called(network: Network, check: VoipMumbleCheck, people: list[str], expected: str) -> Verdict:
    from orchestrator.checks.hearing import Passed, judged  # numpy costs every start 0.1 s
    from orchestrator.voice.mumble.call import PACKET_S, Call, Caller, Turn
    from orchestrator.voice.opus import encoded
    from orchestrator.voice.speech import spoken

    servers = [find_server(network, each, check.server, check.port, MUMBLE_PORT) for each in people]
    said = [
        spoken(check.says),
        *(spoken(words) for words, _ in zip(ANSWERS, check.others, strict=False)),
    ]
    sounds = [encoded(speech) for speech in said]
    with ExitStack() as sockets:
        callers = []
        for person, server in zip(people, servers, strict=True):
            tcp = sockets.enter_context(network.socket(person, "tcp"))
            udp = sockets.enter_context(network.socket(person, "udp"))
            caller = Caller(person, tcp, udp)
            nickname = f"{person}-{secrets.token_hex(3)}"
            caller.join(nickname, server.address, server.port)
            sockets.callback(caller.leave)
            callers.append(caller)
        tap = _tap(network, servers[0])
        begins, turns = 0.0, []
        for number, packets in enumerate(sounds):
            turns.append(Turn(number, begins, packets))
            begins += (len(packets) * PACKET_S + PAUSE_S) if check.in_turn else 0.0
        streams = Call(callers).talk(turns)
        if tap is not None:
            sockets.callback(tap.close)
            tap.look()
    to_hear = [spoken(check.to_be_heard), *said[1:]]
    passed = [
        Passed(people[turns[turn].caller], people[listener], to_hear[turn], stream)
        for (listener, turn), stream in sorted(streams.items(), key=lambda way: way[0][::-1])
    ]
    findings = judged(passed, check.loss, check.mos)
    if tap is not None:
        findings.judge_tap(tap)
    verdict = failed if findings.faults else held
    return verdict(expected, findings.text(), exhibits=findings.exhibits(), **findings.figures())


def _tap(network: Network, server: Server) -> Wiretap | None:
    """At the service; None where its node's own address is called, without Lokinet."""
    if server.address == network.observed.nodes[server.node].address:
        return None
    return Wiretap.at(network, server.node, server.port)
