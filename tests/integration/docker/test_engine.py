"""`.ci/engine` in a network namespace of its own: what it starts, ends, and leaves as it was."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.docker.engine import eventually
from tests.integration.docker.machine import Place, machine


@pytest.fixture
def place() -> Iterator[Place]:
    with machine() as opened:
        yield opened


def test_what_start_began_is_gone_after_stop(place: Place) -> None:
    place.output("iptables", "-A", "FORWARD", "-p", "tcp", "--dport", "9", "-j", "ACCEPT")
    before = place.look()
    place.started()
    assert "started by .ci/engine" in place.engine("status").stderr
    place.output("docker", "network", "create", "one")
    during = place.look()
    assert {name for name, seen in during.items() if seen != before[name]} == set(before)
    stopped = place.engine("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert place.look() == before
    assert place.processes() == []
    assert {path.name for path in place.folder.iterdir()} == {"data"}
    assert place.engine("status").returncode == 3


def test_a_killed_engine_is_cleared_away_too(place: Place) -> None:
    before = place.look()
    pid = place.started()
    place.output("docker", "network", "create", "one")
    os.kill(pid, signal.SIGKILL)
    stopped = place.engine("stop")
    assert stopped.returncode == 0, stopped.stderr
    assert place.look() == before
    assert eventually(lambda: place.processes() == [])
    assert place.engine("purge").returncode == 0
    assert list(place.folder.iterdir()) == []


def test_a_start_after_a_killed_engine_takes_back_what_it_left_and_starts(place: Place) -> None:
    before = place.look()
    pid = place.started()
    place.output("docker", "network", "create", "one")
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: place.engine("status").returncode == 3)
    assert eventually(lambda: not Path(f"/proc/{pid}/exe").exists())
    assert place.started() != pid
    assert "started by .ci/engine" in place.engine("status").stderr
    assert place.engine("stop").returncode == 0
    assert place.look() == before
    assert place.processes() == []


def test_networks_made_before_a_stop_are_there_after_the_next_start(place: Place) -> None:
    place.started()
    number = place.output("docker", "network", "create", "one").strip()
    assert place.engine("stop").returncode == 0
    place.started()
    listed = place.output("docker", "network", "ls", "--quiet", "--no-trunc")
    assert number in listed.split()
    assert place.engine("stop").returncode == 0


def test_an_engine_that_answers_is_left_alone(place: Place) -> None:
    pid = place.started()
    elsewhere = {
        "ENGINE_STATE": str(place.folder / "other-state"),
        "ENGINE_DATA": str(place.folder / "other-data"),
    }
    again = place.engine("start", **elsewhere)
    assert again.returncode == 0
    assert "it is left as it is" in again.stderr
    assert "not started by .ci/engine" in place.engine("status", **elsewhere).stderr
    assert "nothing to stop" in place.engine("stop", **elsewhere).stderr
    assert place.engine("status").returncode == 0
    os.kill(pid, 0)


def test_a_process_under_a_number_used_again_is_not_ended(place: Place) -> None:
    place.state.mkdir()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        (place.state / "process").write_text(f"{stranger.pid} 12345\n")
        assert place.engine("stop").returncode == 0
        assert stranger.poll() is None
    assert not place.state.exists()


def test_a_socket_of_somebody_else_stops_it_from_starting(place: Place) -> None:
    place.socket.write_text("")
    refused = place.engine("start")
    assert refused.returncode == 1
    assert f"{place.socket} is there and nobody answers" in refused.stderr
    place.engine("stop")
    assert place.socket.exists()
    assert place.processes() == []


def test_an_engine_named_elsewhere_is_not_replaced(place: Place) -> None:
    refused = place.engine("start", DOCKER_HOST="unix:///nowhere.sock")
    assert refused.returncode == 1
    assert "nothing answers there" in refused.stderr
    assert not place.state.exists()
