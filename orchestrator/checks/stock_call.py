"""Two unchanged Mumble clients in their nodes, with what they say, hear and send being recorded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.backends import Running
from orchestrator.checks.network import Network
from orchestrator.checks.servers import Server
from orchestrator.checks.wiretap import Datagram, Wiretap
from orchestrator.errors import CheckFailed, OperatorError
from orchestrator.voice.desktop import Desktop, Recording, wait_until
from orchestrator.voice.passage import VOICE_BYTES, followed
from orchestrator.voice.stock_mumble import mumble_command, prepare_home

__all__ = ["StockCall"]

JOIN_S = 45.0
"""From the start of the clients to their voice at the server: some 4 s."""
SAY_S = 60.0
"""Longer than the words take: what a player takes to begin and to end."""
REST_S = 1.5
"""Recorded after the last word, for what is on its way."""
JOINED_DATAGRAMS = 25
"""Half a second of voice."""
JOINED_BYTES = 10_000
"""Two seconds of voice if it goes over TCP, as silence does, too; joining takes a third of it."""
NUDGE_EVERY_S = 2.0
LONGEST_LOG = 200


@dataclass(slots=True)
class StockCall:
    """From the clients' start to their end, which comes with the stack's."""

    network: Network
    server: Server
    desktop: Desktop
    stack: ExitStack
    clients: dict[str, Running] = field(default_factory=dict)
    taps: dict[str, Wiretap] = field(default_factory=dict)
    began_us: int = 0
    ended_us: int = 0

    def join(self, certificate: bytes) -> None:
        """Both are in, with open microphones; raises CheckFailed."""
        own = self.network.observed.nodes[self.server.node].address
        is_bare = self.server.address == own
        for node in (*self.desktop.people, self.server.node):
            if node not in self.taps:
                tap = Wiretap.at(self.network, node, self.server.port, is_bare)
                self.taps[node] = tap
                self.stack.callback(tap.close)
        for person in self.desktop.people:
            self._start(person, certificate)
        began = time.monotonic()
        nudges = 0

        def has_joined() -> bool:
            nonlocal nudges
            if time.monotonic() - began > (nudges + 1) * NUDGE_EVERY_S:
                nudges += 1
                self.desktop.nudge()
            return not self._absent()

        try:
            wait_until(has_joined, JOIN_S, "")
        except CheckFailed:
            raise CheckFailed("; ".join(self._absent())) from None

    def talk(self, words: Mapping[str, bytes]) -> Recording:
        """Everybody says their words at once; what all said and heard meanwhile.

        Args:
            words: samples of 48 kHz, 16 bit, mono, by who says them.
        """
        recording = self.desktop.record()
        self.began_us = time.time_ns() // 1000
        players = [self.desktop.play(person, samples) for person, samples in words.items()]
        self._follow(lambda: all(player.poll() is not None for player in players), "a player hangs")
        self.ended_us = time.time_ns() // 1000
        enough = recording.seconds() + REST_S
        self._follow(lambda: recording.seconds() >= enough, "the recording has ended")
        return recording

    def way(self, speaker: str, listener: str) -> tuple[list[float], dict[int, float]]:
        """When the speaker's packets were sent while the words were said, and when they came.

        Seconds; see `followed`. Raises CheckFailed.
        """
        for tap in self.taps.values():
            tap.look()
            if tap.missed:
                text = f"{tap.missed} frames were missed: this machine is too busy to tell"
                raise CheckFailed(text)
        server = [seen for seen in self.taps[self.server.node].datagrams if _is_voice(seen)]
        address = self._address_at_server(listener)
        return followed(
            [
                (seen.at_us, seen.payload)
                for seen in self.taps[speaker].datagrams
                if seen.is_to_server
                and _is_voice(seen)
                and self.began_us <= seen.at_us < self.ended_us
            ],
            [(seen.at_us, seen.payload) for seen in server if seen.is_to_server],
            [
                (seen.at_us, seen.payload)
                for seen in server
                if not seen.is_to_server and seen.peer == address
            ],
            [(seen.at_us, seen.payload) for seen in self.taps[listener].datagrams],
        )

    def screens(self) -> dict[str, bytes]:
        """What is on everybody's screen, as exhibits; nothing of whoever has none."""
        found = {}
        for person in self.desktop.people:
            with suppress(OperatorError):
                found[f"mumble-{person}.png"] = self.desktop.screenshot(person)
        return found

    def _start(self, person: str, certificate: bytes) -> None:
        home = self.desktop.directory / person
        home.mkdir()
        sound = (self.desktop.microphone(person), self.desktop.ears(person))
        prepare_home(home, person, self.server.host, self.server.port, certificate, sound)
        argv = mumble_command(person, self.server.host, self.server.port)
        environment = self.desktop.environment(person, home)
        with open(os.devnull, "rb") as nothing, open(self._log(person), "wb") as log:
            stdio = (nothing.fileno(), log.fileno(), log.fileno())
            client = self.network.backend.beside(person, argv, stdio, environment)
        self.stack.callback(client.close)
        self.clients[person] = client

    def _log(self, person: str) -> Path:
        return self.desktop.directory / f"{person}.log"

    def _absent(self) -> list[str]:
        """Who has not joined, and how far they are."""
        for tap in self.taps.values():
            tap.look()
        absent = []
        for person, client in self.clients.items():
            try:
                code = client.wait(0)
            except TimeoutError:
                pass
            else:
                raise CheckFailed(f"{person}'s Mumble ended with {code}{self._last_words(person)}")
            if not self.desktop.has_sound(person):
                absent.append(f"{person}'s Mumble has not opened the sound card")
            elif not self._is_sending(person):
                absent.append(f"{person}'s Mumble has not joined {self.server}")
        return absent

    def _is_sending(self, person: str) -> bool:
        tap = self.taps[person]
        voice = sum(seen.is_to_server and _is_voice(seen) for seen in tap.datagrams)
        over_tcp = sum(size for (_, is_to_server), size in tap.tcp_bytes.items() if is_to_server)
        return voice >= JOINED_DATAGRAMS or over_tcp >= JOINED_BYTES

    def _address_at_server(self, person: str) -> str:
        """The address the server knows somebody by; raises CheckFailed if it heard nothing."""
        own = {seen.payload for seen in self.taps[person].datagrams if seen.is_to_server}
        for seen in self.taps[self.server.node].datagrams:
            if seen.is_to_server and seen.payload in own:
                return seen.peer
        sizes = self.taps[person].tcp_bytes
        over_tcp = sum(size for (_, is_to_server), size in sizes.items() if is_to_server)
        raise CheckFailed(
            f"no datagram of {person}'s came to {self.server.node}: {over_tcp} bytes went over TCP"
        )

    def _last_words(self, person: str) -> str:
        lines = self._log(person).read_text(encoding="utf-8", errors="replace").split("\n")
        said = [line for line in lines if line.strip()]
        return f": {said[-1][:LONGEST_LOG]}" if said else ""

    def _follow(self, holds: Callable[[], bool], text: str) -> None:
        """Wait, and take what the taps see meanwhile."""

        def look() -> bool:
            for tap in self.taps.values():
                tap.look()
            return holds()

        wait_until(look, SAY_S, text)


def _is_voice(seen: Datagram) -> bool:
    return len(seen.payload) >= VOICE_BYTES
