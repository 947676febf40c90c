"""The sound card and the screens of stock clients, without a network."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from orchestrator.voice.desktop import RATE, Desktop, wait_until
from orchestrator.voice.sound import Samples

PNG = struct.Struct("!8s8xLL")
DEADLINE_S = 20.0
"""Both come up within a second and end within a tenth of one."""
MAKER = """\
import sys
from pathlib import Path
from orchestrator.voice.desktop import Desktop
with Desktop.opened(Path(sys.argv[1]), ["alice"]) as desktop:
    desktop.record()
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desktop]:
    with Desktop.opened(tmp_path_factory.mktemp("desktop"), ["alice", "bob"]) as found:
        yield found


def said(seed: int) -> Samples:
    """Half a second of noise, each seed its own."""
    return np.random.default_rng(seed).integers(1, 1000, RATE // 2, dtype=np.int16)


def test_what_two_say_at_once_is_recorded_sample_by_sample_each_on_its_own(
    desktop: Desktop,
) -> None:
    words = {"alice": said(1), "bob": said(2)}
    recording = desktop.record()
    players = [desktop.play(person, samples.tobytes()) for person, samples in words.items()]
    wait_until(lambda: all(player.poll() == 0 for player in players), DEADLINE_S, "they play")
    end = recording.seconds() + 0.2
    wait_until(lambda: recording.seconds() > end, DEADLINE_S, "it records")
    raw = np.fromfile(recording.file, dtype="<i2")
    sound = raw[: len(raw) // 4 * 4].reshape(-1, 4)
    for person, samples in words.items():
        mouth = sound[:, desktop.said_by(person)]
        began = int(mouth.nonzero()[0][0])
        assert (mouth[began : began + len(samples)] == samples).all()
        assert not sound[:, desktop.heard_by(person)].any()


def test_everybody_has_a_screen_and_nobody_else_may_look_at_it(desktop: Desktop) -> None:
    for person in desktop.people:
        assert PNG.unpack_from(desktop.screenshot(person)) == (b"\x89PNG\r\n\x1a\n", 800, 600)
    stranger = {**desktop.environment("alice", Path("/")), "XAUTHORITY": "/dev/null"}
    look = subprocess.run(
        ["import", "-window", "root", "png:-"], env=stranger, capture_output=True, check=False
    )
    assert (look.returncode != 0, look.stdout) == (True, b"")


def test_nothing_is_left_of_it_when_its_maker_is_killed(tmp_path: Path) -> None:
    maker = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with maker:
        assert maker.stdout is not None
        assert maker.stdout.readline() == b"up\n"
        children = Path(f"/proc/{maker.pid}/task/{maker.pid}/children").read_text().split()
        handles = [os.pidfd_open(int(child)) for child in children]
        assert len(handles) == 3  # the screen, the sound card, the recorder
        maker.send_signal(signal.SIGKILL)
    for handle in handles:
        ended, _, _ = select.select([handle], [], [], DEADLINE_S)
        assert ended
        os.close(handle)
