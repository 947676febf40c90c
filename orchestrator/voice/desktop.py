"""A screen for each of some people and one sound card for all, which nobody sees or hears.

Stock Xvfb and PulseAudio, as the caller, with their files in a private folder. The sound card is
one null sink: channel 2n is person n's microphone, channel 2n+1 what reaches that person's ears. So
one recording has everything on one clock, and what lies between a word and its arrival is counted
in samples of it. All programs end with whoever started them, killed or not.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import struct
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.errors import CheckFailed

__all__ = ["BYTES_PER_SECOND", "RATE", "Desktop", "Recording", "ended", "wait_until"]

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RATE = 48_000
"""Samples of a second, as Opus has it."""
SAMPLE_BYTES = 2
BYTES_PER_SECOND = RATE * SAMPLE_BYTES
PLAYED_AHEAD_MS = 1000
"""What players hand over early, so that a late one leaves no gap in what is said."""
LEAD_BYTES = 250 * BYTES_PER_SECOND // 1000
"""Silence first: what is played while the card takes notice of a new player is not recorded."""
RECORDED_MS = 50
"""How much at once."""
MOST_PEOPLE = 16
"""PulseAudio has 32 channels at most."""
WITH_THEIR_PARENT = ("setpriv", "--pdeathsig", "TERM", "--")
"""Part of every Debian; the signal comes when the thread ends that started them."""
SCREEN = "800x600x24"
START_S = 30.0
"""Half a second in the median; ten times that on a machine that does a lot else, and some."""
SHOT_S = 20.0
END_S = 5.0
PAUSE_MS = 50
FAMILY_WILD = 0xFFFF
COOKIE = b"MIT-MAGIC-COOKIE-1"


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything the sound card has carried since it began; ends with the desktop."""

    file: Path
    channels: int

    def seconds(self) -> float:
        """How long it is by now."""
        return self.file.stat().st_size / (BYTES_PER_SECOND * self.channels)


@dataclass(frozen=True, slots=True)
class Desktop:
    """See the module; made by `opened`."""

    directory: Path
    people: tuple[str, ...]
    display: int
    programs: ExitStack

    @classmethod
    @contextmanager
    def opened(cls, directory: Path, people: Sequence[str]) -> Iterator[Desktop]:
        """Both servers up; raises CheckFailed with what they said if they do not come up.

        Args:
            directory: private to the caller; whoever made it removes it.
            people: who sits there, at most 16.
        """
        if len(people) > MOST_PEOPLE:
            raise CheckFailed(f"{len(people)} people: one sound card has room for {MOST_PEOPLE}")
        with ExitStack() as programs:
            display = _start_screen(programs, directory, len(people))
            desktop = cls(directory, tuple(people), display, programs)
            desktop._start_sound()
            yield desktop

    def environment(self, person: str, home: Path) -> dict[str, str]:
        """What a program needs to find that person's screen and the sound card, and no bus."""
        return {
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "XDG_DATA_HOME": str(home / ".local/share"),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "DISPLAY": f":{self.display}.{self.people.index(person)}",
            "XAUTHORITY": str(self.directory / "xauthority"),
            "QT_X11_NO_MITSHM": "1",  # an X server outside of a container shares no memory with it
            "PULSE_SERVER": f"unix:{self._sound_socket}",
            "PULSE_COOKIE": str(self.directory / "cookie"),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",  # else one is started, and stays
        }

    def microphone(self, person: str) -> str:
        """The source from which that person's programs hear it."""
        return f"mic{self.people.index(person)}"

    def ears(self, person: str) -> str:
        """The sink to which that person's programs play."""
        return f"ears{self.people.index(person)}"

    def heard_by(self, person: str) -> int:
        """The channel of recordings."""
        return 2 * self.people.index(person) + 1

    def said_by(self, person: str) -> int:
        """The channel of recordings."""
        return 2 * self.people.index(person)

    def has_sound(self, person: str) -> bool:
        """Whether a program listens to that person's microphone and one plays into their ears."""
        return self._is_used("source", self.microphone(person), "source-outputs") and (
            self._is_used("sink", self.ears(person), "sink-inputs")
        )

    def nudge(self) -> None:
        """Plug another sound card in and out again.

        Mumble opens its devices when it hears of a new one, and now and then it has missed the last
        there was to hear of.
        """
        number = self._control("load-module", "module-null-sink", "sink_name=visitor").strip()
        if number:
            self._control("unload-module", number)

    def play(self, person: str, samples: bytes) -> subprocess.Popen[bytes]:
        """Into that person's microphone, a quarter of a second from now; 48 kHz, 16 bit, mono."""
        file = self.directory / f"says{self.people.index(person)}.raw"
        file.write_bytes(bytes(LEAD_BYTES) + samples)
        sink = f"mouth{self.people.index(person)}"
        options = ["--rate", str(RATE), "--channels=1", f"--latency-msec={PLAYED_AHEAD_MS}"]
        argv = ["pacat", "--playback", "--raw", "--format=s16le", *options, f"--device={sink}"]
        return self._start([*argv, str(file)], self._client_environment(), "pacat.log")

    def record(self) -> Recording:
        """Everything, from now on; raises CheckFailed if nothing comes."""
        channels = 2 * len(self.people)
        recording = Recording(self.directory / "everything.raw", channels)
        recording.file.write_bytes(b"")
        options = ["--rate", str(RATE), f"--channels={channels}", f"--latency-msec={RECORDED_MS}"]
        options += [f"--channel-map={_positions(channels)}", "--no-remix", "--device=card.monitor"]
        argv = ["pacat", "--record", "--raw", "--format=s16le", *options, str(recording.file)]
        program = self._start(argv, self._client_environment(), "record.log")
        wait_until(lambda: recording.seconds() > 0, START_S, "PulseAudio records nothing", program)
        return recording

    def screenshot(self, person: str) -> bytes:
        """That person's screen as PNG; raises CheckFailed."""
        argv = ["import", "-window", "root", "png:-"]
        environment = self.environment(person, self.directory)
        try:
            done = subprocess.run(
                argv, env=environment, capture_output=True, check=False, timeout=SHOT_S
            )
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"no picture of {person}'s screen within {SHOT_S:g} s") from None
        if done.returncode != 0 or not done.stdout:
            raise CheckFailed(f"no picture of {person}'s screen: {done.stderr.decode().strip()}")
        return done.stdout

    @property
    def _sound_socket(self) -> Path:
        return self.directory / "sound"

    def _client_environment(self) -> dict[str, str]:
        return self.environment(self.people[0], self.directory)

    def _is_used(self, kind: str, name: str, streams: str) -> bool:
        devices = self._listed(f"{kind}s")
        numbers = [device["index"] for device in devices if device["name"] == name]
        return any(stream[kind] in numbers for stream in self._listed(streams))

    def _listed(self, what: str) -> list[dict[str, Any]]:
        text = self._control("--format=json", "list", what)
        found: list[dict[str, Any]] = json.loads(text) if text else []
        return found

    def _control(self, *words: str) -> str:
        try:
            done = subprocess.run(
                ["pactl", *words],
                env=self._client_environment(),
                capture_output=True,
                text=True,
                check=False,
                timeout=SHOT_S,
            )
        except subprocess.TimeoutExpired:
            return ""
        return done.stdout if done.returncode == 0 else ""

    def _start_sound(self) -> None:
        channels = 2 * len(self.people)
        modules = [
            f"module-native-protocol-unix socket={self._sound_socket}",
            f"module-null-sink sink_name=card rate={RATE} format=s16le channels={channels} "
            f"channel_map={_positions(channels)}",
        ]
        for number in range(len(self.people)):
            mouth, ears = f"aux{2 * number}", f"aux{2 * number + 1}"
            mono = "channels=1 channel_map=mono remix=no"
            sink = f"module-remap-sink master=card {mono}"
            modules += [
                f"{sink} sink_name=mouth{number} master_channel_map={mouth}",
                f"{sink} sink_name=ears{number} master_channel_map={ears}",
                f"module-remap-source master=card.monitor {mono} source_name=mic{number} "
                f"master_channel_map={mouth}",
            ]
        argv = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1"]
        # Before everybody else where that is allowed: late sound has gaps that no network made.
        argv += ["--realtime=yes", "--high-priority=yes", "--use-pid-file=no", "--disallow-exit"]
        for module in modules:
            argv += ["-L", module]
        environment = self._client_environment()
        del environment["PULSE_SERVER"]
        program = self._start(argv, environment, "pulseaudio.log")
        last = f"mic{len(self.people) - 1}"
        wait_until(
            lambda: last in self._control("list", "short", "sources"),
            START_S,
            "PulseAudio does not come up",
            program,
            self.directory / "pulseaudio.log",
        )

    def _start(
        self, argv: Sequence[str], environment: Mapping[str, str], log: str
    ) -> subprocess.Popen[bytes]:
        return _start(self.programs, argv, environment, self.directory / log)


def wait_until(
    holds: Callable[[], bool],
    timeout_s: float,
    text: str,
    program: subprocess.Popen[bytes] | None = None,
    log: Path | None = None,
) -> None:
    """Look again and again; raises CheckFailed with `text` when the time is over.

    Args:
        holds: what is waited for.
        timeout_s: at most.
        text: what did not happen.
        program: whose end ends the waiting.
        log: the last line of which is told.
    """
    deadline = time.monotonic() + timeout_s
    while not holds():
        has_ended = program is not None and program.poll() is not None
        if has_ended or time.monotonic() > deadline:
            how = "it ended" if has_ended else f"not within {timeout_s:g} s"
            raise CheckFailed(f"{text}: {how}{_last_line(log)}")
        select.poll().poll(PAUSE_MS)


def ended(program: subprocess.Popen[bytes]) -> None:
    """Its end, asked for and waited for."""
    for act in (program.terminate, program.kill):
        with suppress(ProcessLookupError):
            act()
        with suppress(subprocess.TimeoutExpired):
            program.wait(END_S)
            return


def _last_line(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f": {lines[-1].strip()}" if lines else ""


def _positions(channels: int) -> str:
    return ",".join(f"aux{number}" for number in range(channels))


def _start(
    programs: ExitStack,
    argv: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    keep: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """A program that ends with the desktop, and does not hear the terminal's Ctrl-C."""
    with open(log, "ab") as said:
        program = subprocess.Popen(
            [*WITH_THEIR_PARENT, *argv],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            pass_fds=tuple(keep),
        )
    programs.callback(ended, program)
    return program


def _start_screen(programs: ExitStack, directory: Path, screens: int) -> int:
    """Xvfb with that many screens; its display's number, which it picks itself."""
    authority = directory / "xauthority"
    cookie = secrets.token_bytes(16)
    fields = (b"", b"", COOKIE, cookie)  # any address, any display
    entry = b"".join(struct.pack("!H", len(field)) + field for field in fields)
    with open(authority, "xb", opener=_private) as file:
        file.write(struct.pack("!H", FAMILY_WILD) + entry)
    reader, writer = os.pipe()
    try:
        argv = ["Xvfb", "-displayfd", str(writer), "-nolisten", "tcp", "-auth", str(authority)]
        for number in range(screens):
            argv += ["-screen", str(number), SCREEN]
        environment = {"PATH": PATH}
        log = directory / "xvfb.log"
        _start(programs, argv, environment, log, (writer,))
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], START_S)
        display = pipe.readline().strip() if ready else b""
    if not display:
        raise CheckFailed(f"Xvfb does not come up{_last_line(log)}")
    return int(display)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
