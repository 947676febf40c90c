"""The check `hls`: a film over HTTP Live Streaming, played by the distribution's own ffmpeg.

The player shows pictures at their time and not before (`-re`), keeps no buffer, and tells ten times
a second how many it has shown. How far it is behind the clock grows by each standstill; ffmpeg
catches up afterwards, people's players do not, so the worst of it is what they would have stood
still for.
"""

from __future__ import annotations

import os
import re
import select
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

from orchestrator.backends import clean_environment
from orchestrator.checklist_media import HlsCheck
from orchestrator.checks.exhibits import series
from orchestrator.checks.needs import missing_needs
from orchestrator.checks.network import Network
from orchestrator.checks.verdict import Verdict, failed, held
from orchestrator.units import format_seconds

__all__ = ["Playing", "check_hls", "faults_of"]

FFMPEG = "ffmpeg"
TELLS_S = 0.1
STALL_S = 0.25
"""A standstill that people notice: more than two of ffmpeg's tellings."""
SLACK_S = 5.0
"""For ffmpeg to begin and end on a machine that is busy."""
LEAST_FRAMES = 0.98
"""Of those that the time has room for: where a film is cut off, the last few of a group are not
shown."""
BLOCK = re.compile(r"frame=\s*(\d+)\n(?:.*\n)*?progress=(\w+)\n")
RATE = re.compile(r"Video: .*?([\d.]+) fps")
FAULT = re.compile(r"^(?:\[[^]]*\] )*\[(?:error|fatal)\] (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Playing:
    """What a player showed, and when."""

    wanted_s: float
    """How much of the film it was to play."""
    shown: Sequence[tuple[float, int]]
    """(seconds since its start, pictures until then), from the first picture on."""
    has_ended: bool
    """By itself: at the end of what was to be played, or of the film."""
    words: str
    """What it said besides, each line with its level."""

    @property
    def frames(self) -> int:
        """Pictures decoded."""
        return self.shown[-1][1] if self.shown else 0

    @property
    def rate(self) -> float:
        """Pictures in a second, by the film's own word; 0 if it never said."""
        found = RATE.search(self.words)
        return float(found[1]) if found else 0.0

    @property
    def wanted(self) -> int:
        """Pictures it was to show; 0 if nobody knows."""
        return round(self.rate * self.wanted_s)

    @property
    def behind(self) -> list[tuple[float, float]]:
        """(seconds since the start, seconds behind the clock), from the first picture on.

        Without the last few pictures, which a player that ends holds back for a moment.
        """
        last = self.wanted * LEAST_FRAMES
        return [(when, when - seen / self.rate) for when, seen in self.shown if seen <= last]

    @property
    def start_s(self) -> float:
        """Until the first picture, as near as it can be told."""
        return max(0.0, self.behind[0][1]) if self.behind else 0.0

    @property
    def stalled_s(self) -> float:
        """How long people would have looked at a picture that stands."""
        worst, best = 0.0, float("inf")
        for _, behind in self.behind:
            best = min(best, behind)
            worst = max(worst, behind - best)
        return worst

    @property
    def stalls(self) -> int:
        """How many times it stood still for longer than STALL_S."""
        behind = [seconds for _, seconds in self.behind]
        return sum(b - a > STALL_S for a, b in pairwise(behind))


def check_hls(network: Network, check: HlsCheck) -> Verdict:
    """Play it, and judge what was shown when."""
    host, port = network.host(check.to), check.port or network.port(check.to)
    url = f"http://{host}{'' if port == 80 else f':{port}'}{check.path}"
    expected = (
        f"{format_seconds(check.for_)} of {url} without a missing picture, begun within "
        f"{format_seconds(check.starts_within)}, stalled {format_seconds(check.stalls_at_most)} "
        "at most"
    )
    lack = missing_needs(expected, {FFMPEG: "ffmpeg"})
    if lack is not None:
        return lack
    most_s = check.starts_within + check.for_ + check.stalls_at_most + SLACK_S
    playing = _played(network, check, url, most_s)
    if not playing.behind:
        return failed(expected, _why_nothing(network, check.from_, host, port, playing, most_s))
    wrong = list(_wrong(check, playing))
    figures = {
        "frames": float(playing.frames),
        "start_s": playing.start_s,
        "stalled_s": playing.stalled_s,
        "stalls": float(playing.stalls),
    }
    line = [(when, seconds * 1000) for when, seconds in playing.behind]
    way = f"{check.from_} ← {check.to}"
    exhibits = {"hls.series.json": series("film behind the clock", "s", "ms", {way: line})}
    told = (
        f"{playing.frames} pictures, the first after {format_seconds(playing.start_s)}, behind by "
        f"{format_seconds(playing.stalled_s)} at worst, {playing.stalls} stalls"
    )
    if wrong:
        return failed(expected, f"{'; '.join(wrong)}: {told}", exhibits=exhibits, **figures)
    return held(expected, told, exhibits=exhibits, **figures)


def faults_of(words: str) -> list[str]:
    """What ffmpeg called an error."""
    return FAULT.findall(words)


def _wrong(check: HlsCheck, playing: Playing) -> Iterator[str]:
    wanted = playing.wanted
    if not playing.has_ended:
        yield f"not at its end after {format_seconds(playing.shown[-1][0])}"
    if playing.start_s > check.starts_within:
        yield f"the first picture came after {format_seconds(playing.start_s)}"
    if playing.stalled_s > check.stalls_at_most:
        yield f"it stood still for {format_seconds(playing.stalled_s)}"
    if playing.frames < wanted * LEAST_FRAMES:
        yield f"{wanted - playing.frames} of {wanted} pictures missing"
    if faults := faults_of(playing.words):
        yield f"{len(faults)} errors, {faults[0]}"


def _why_nothing(
    network: Network, node: str, host: str, port: int, playing: Playing, most_s: float
) -> str:
    """Why no picture came, in words."""
    words = playing.words
    if "Failed to resolve hostname" in words:
        rcode = network.ask(node, host).rcode
        return f"{'no such name' if rcode == 'NXDOMAIN' else 'no address for'} {host} ({rcode})"
    if "Connection refused" in words:
        return f"nothing answers at {host}:{port}"
    if "Connection timed out" in words:
        return f"{host}:{port} does not answer"
    if found := re.search(r"HTTP error (\d+ [^\n]*)", words):
        return f"{found[1]} from {host}"
    if not playing.has_ended:
        return f"no picture within {format_seconds(most_s)}"
    return f"no picture: {(faults_of(words) or ['ffmpeg said nothing'])[-1]}"


def _played(network: Network, check: HlsCheck, url: str, most_s: float) -> Playing:
    """One run of the player in the node's network, to its end or until that time is over."""
    argv = [FFMPEG, "-nostdin", "-hide_banner", "-nostats", "-v", "level+info"]
    argv += ["-stats_period", str(TELLS_S), "-progress", "pipe:1", "-re", "-i", url]
    argv += ["-t", f"{check.for_:g}", "-f", "null", "-"]
    with ExitStack() as stack:
        nothing = os.open(os.devnull, os.O_RDONLY)
        stack.callback(os.close, nothing)
        words = stack.enter_context(tempfile.TemporaryFile())
        reading, writing = os.pipe2(os.O_CLOEXEC)
        stack.callback(os.close, reading)
        try:
            began = time.monotonic()
            running = network.backend.beside(
                check.from_, argv, (nothing, writing, words.fileno()), clean_environment()
            )
        finally:
            os.close(writing)
        try:
            shown, has_ended = _told(reading, began, most_s)
        finally:
            running.close()
        words.seek(0)
        return Playing(check.for_, shown, has_ended, words.read().decode(errors="replace"))


def _told(reading: int, began: float, most_s: float) -> tuple[list[tuple[float, int]], bool]:
    """The pictures shown so far, each time that is told; and whether the player ended."""
    poll = select.poll()
    poll.register(reading, select.POLLIN)
    shown: list[tuple[float, int]] = []
    text = ""
    while (left_s := began + most_s - time.monotonic()) > 0:
        if not poll.poll(left_s * 1000):
            break
        got = os.read(reading, 1 << 16)
        if not got:
            return shown, True
        text += got.decode(errors="replace")
        when = time.monotonic() - began
        end = 0
        for block in BLOCK.finditer(text):
            end = block.end()
            if int(block[1]) > 0:
                shown.append((when, int(block[1])))
        text = text[end:]
    return shown, False
