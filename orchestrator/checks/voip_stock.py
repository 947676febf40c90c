"""`voip-mumble` with `client: stock`: two unchanged Mumble clients talk to each other.

1. The server is looked up and asked for its certificate, as a first client would.
2. Both clients are started in their nodes' networks, with a screen and a sound card from outside.
3. Both people talk at once; everything is recorded on one clock, and voice is seen at three nodes.
4. The recordings are compared with what was said, the datagrams with each other.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from orchestrator.checklist_media import VoipMumbleCheck
from orchestrator.checks.needs import missing_needs
from orchestrator.checks.network import Network
from orchestrator.checks.servers import find_server, server_certificate
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.errors import CheckFailed
from orchestrator.voice.desktop import Desktop

__all__ = ["check_stock_call"]

MUMBLE_PORT = 64738
ANSWER = "Rice is often served in round bowls. The juice of lemons makes fine punch."
"""What `to` says, at the same time: another two of the Harvard sentences."""

PROGRAMS = {
    "mumble": "mumble",
    "setpriv": "util-linux",
    "Xvfb": "xvfb",
    "pulseaudio": "pulseaudio",
    "pacat": "pulseaudio-utils",
    "pactl": "pulseaudio-utils",
    "import": "imagemagick",
    "espeak-ng": "espeak-ng",
}
MODULES = ("numpy", "scipy", "pesq", "pystoi")


def check_stock_call(network: Network, check: VoipMumbleCheck) -> Verdict:
    """Call, talk, compare."""
    caller, called = check.from_, check.others[0]
    expected = f"{caller} and {called} to hear each other by {check.server}, over UDP"
    if lacking := missing_needs(expected, PROGRAMS, "voip", MODULES):
        return lacking
    from orchestrator.checks.stock_call import StockCall  # numpy costs every start 0.1 s
    from orchestrator.checks.stock_hearing import Way, exhibits, figures, judged
    from orchestrator.voice.speech import spoken

    server = find_server(network, caller, check.server, check.port, MUMBLE_PORT)
    certificate = server_certificate(network, caller, server)
    said, answer = spoken(check.says), spoken(ANSWER)
    screens: dict[str, bytes] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="testnet-call-")))
        desktop = stack.enter_context(Desktop.opened(directory, (caller, called)))
        call = StockCall(network, server, desktop, stack)
        try:
            call.join(certificate)
            recording = call.talk(
                {caller: said.samples.tobytes(), called: answer.samples.tobytes()}
            )
            screens = call.screens()
            there = Way(caller, called, said, spoken(check.to_be_heard))
            back = Way(called, caller, answer, answer)
            heard = judged(call, recording, (there, back), check.loss, check.mos)
        except CheckFailed as error:
            return failed(expected, str(error), exhibits=screens or call.screens())
    verdict = failed if any(each.fault for each in heard) else held
    text = "; ".join(str(each) for each in heard)
    return verdict(expected, text, exhibits=screens | exhibits(heard), **figures(heard))
