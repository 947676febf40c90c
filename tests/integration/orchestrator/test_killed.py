"""`kill -9` of `testnet up` after every line of its journal, then `gc`: nothing of ours is left.

The command is killed from within, right after the line is written, so every line is met exactly.
Beside it lie look-alikes: directories, files, journals, labels, locks, namespaces, a bridge and
processes of others. Faults that turn these red stand in docs/testing.md.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet, host_state
from tests.integration.orchestrator.killing import (
    KILL_OVER_CHILD,
    kill,
    kill_after,
    kill_up,
    lines_of,
    states,
)

LINES = 12
"""Of the journal of SMALL: whose it is, keys, the world, four nodes, five programs."""
NAMES = ("small", "router-1", "web", "underlay", "testnet")
STRANGER = f"""
mount --make-rprivate / && mount -t tmpfs none /run || exit 1
for name in {" ".join(NAMES)}; do ip netns add $name || exit 1; done
ip link add underlay type bridge && ip link add veth1 type veth peer name eth0 && echo up
exec cat
"""


def test_every_line_is_met(testnet: Testnet) -> None:
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    assert lines_of(testnet) == LINES
    assert testnet.run("down").returncode == 0


@pytest.mark.parametrize("line", range(1, LINES + 1))
def test_killed_after_a_line_up_leaves_nothing_that_gc_does_not_remove(
    testnet: Testnet, line: int
) -> None:
    host = host_state()
    kill_up(testnet, line, testnet.configure(SMALL))
    assert lines_of(testnet) == line
    with look_alikes(testnet) as decoys:
        assert states(testnet) == {"small": "left over"}
        planned = json.loads(testnet.run("gc", "--dry-run", "--json").stdout)
        assert planned["would_remove"] == ["small"]
        collected = testnet.run("gc")
        assert collected.returncode == 0, collected.stderr
        assert "removed small: " in collected.stdout
        decoys.check()
        assert set(testnet.leftovers()) <= decoys.listed(testnet)
    assert testnet.run("gc").stdout == "nothing is left over\n"
    assert testnet.leftovers() == [], "with the last stranger our folders go, too"
    assert host_state() == host


@pytest.mark.parametrize("child", ["lokinet_node.keys", "orchestrator.world"])
def test_killed_over_a_working_child_it_leaves_nothing_either(testnet: Testnet, child: str) -> None:
    """The child holds the lock: `gc` waits for it instead of working against it."""
    pid = int(kill(testnet, KILL_OVER_CHILD, child, "up", testnet.configure(SMALL)))
    handle = os.pidfd_open(pid)
    try:
        assert states(testnet) == {"small": "being changed"}
        assert testnet.run("gc").stdout == "left small: a command is at work on it\n"
        signal.pidfd_send_signal(handle, signal.SIGCONT)
        collected = testnet.run("gc")
        assert collected.returncode == 0, collected.stderr
        assert "removed small: " in collected.stdout
        assert testnet.leftovers() == []
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
        os.close(handle)


def test_what_was_killed_can_be_brought_up_instead(testnet: Testnet) -> None:
    path = testnet.configure(SMALL)
    kill_up(testnet, LINES - 2, path)
    result = testnet.run("up", path)
    assert result.returncode == 0, result.stderr
    assert states(testnet) == {"small": "running"}
    assert testnet.run("gc").stdout == "nothing is left over\n"
    assert testnet.run("down").returncode == 0
    assert testnet.leftovers() == []


def test_a_killed_second_up_leaves_the_network_and_the_next_one_converges(
    testnet: Testnet,
) -> None:
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    edited = SMALL.replace("count: 2", "count: 4")
    path = testnet.configure(edited)
    kill_up(testnet, 2, path)
    assert testnet.run("gc").stdout == "nothing is left over\n"
    assert states(testnet) == {"small": "running"}
    result = testnet.run("up", path)
    assert result.returncode == 0, result.stderr
    assert {row["node"] for row in json.loads(testnet.run("ps", "--json").stdout)} >= {"router-4"}
    assert testnet.run("down").returncode == 0
    assert testnet.leftovers() == []


@pytest.mark.parametrize("function", ["orchestrator.lifecycle.forget", "shutil.rmtree"])
def test_a_killed_down_is_finished_by_gc(testnet: Testnet, function: str) -> None:
    assert testnet.run("up", testnet.configure(SMALL)).returncode == 0
    kill_after(testnet, function, 1, "down")
    assert states(testnet) == {"small": "left over"}
    assert testnet.run("gc").returncode == 0
    assert testnet.leftovers() == []


@pytest.mark.parametrize("note", ["kept", "lost"])
def test_gc_finds_the_world_also_when_its_runtime_directory_was_taken_away(
    testnet: Testnet, note: str
) -> None:
    """A login session's runtime directory goes with the session, the world does not."""
    kill_up(testnet, LINES, testnet.configure(SMALL))
    if note == "lost":
        shutil.rmtree(testnet.runtime)
    assert testnet.run("gc").returncode == 0
    assert testnet.leftovers() == []


@dataclass
class LookAlikes:
    """What others have, under our names."""

    files: dict[Path, str]
    processes: list[subprocess.Popen[str]]
    stranger: subprocess.Popen[str]
    before: str

    def check(self) -> None:
        """All of it is as it was."""
        for path, text in self.files.items():
            assert path.read_text() == text, path
        for process in self.processes:
            assert process.poll() is None, process.args
        assert belongings(self.stranger) == self.before

    def listed(self, testnet: Testnet) -> set[str]:
        """Their files with the folders around, as `leftovers` has them, and our note of folders."""
        paths = {testnet.state / "created-directories.json", *self.files}
        around = {parent for path in paths for parent in path.parents}
        return {f"file {path}" for path in paths | around}


def belongings(stranger: subprocess.Popen[str]) -> str:
    inside = ["nsenter", f"--target={stranger.pid}", "--mount", "--net", "sh", "-c"]
    command = [*inside, "ip netns list; ip -o link"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@contextmanager
def look_alikes(testnet: Testnet) -> Iterator[LookAlikes]:
    """Everything that could be taken for the killed network's."""
    journal = testnet.state / "small.journal"
    number = json.loads(journal.read_text().splitlines()[0])["id"]
    texts = {
        testnet.state / "smaller" / "keys": "not yours",
        testnet.state / "small-2" / "network-id": number,  # a label can be copied
        testnet.state / "small-2" / "service.key": "not yours",
        testnet.state / "small-2.journal": journal.read_text(),  # and so can a journal
        testnet.state / "other.journal": "",
        testnet.state / ".small.draft": "",
        testnet.runtime / "small.lock.txt": "not yours",
        testnet.runtime / "lonely.lock": "",
        testnet.runtime / "other" / "world.json": "{}",
        testnet.root / "small" / "nodes" / "web" / "service.key": "not yours",
    }
    with ExitStack() as stack:
        stack.callback(remove, texts)
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        label = ["orchestrator.world", "--network-id", number]
        wait = [sys.executable, "-c", "import sys; sys.stdin.read()"]
        commands = [
            [*wait, *label],  # the label without a pid namespace of its own
            ["unshare", "-p", "-f", "--kill-child", *wait, *label[:2], number[::-1]],
        ]
        processes = [stack.enter_context(holding(command)) for command in commands]
        stranger = stack.enter_context(holding(["unshare", "-n", "-m", "sh", "-c", STRANGER]))
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "up\n"
        yield LookAlikes(texts, processes, stranger, belongings(stranger))


@contextmanager
def holding(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process until the block ends."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/"
    )
    try:
        yield process
    finally:
        process.communicate()


def remove(texts: dict[Path, str]) -> None:
    for path in texts:
        path.unlink(missing_ok=True)
        with suppress(OSError):
            for parent in path.parents[:3]:
                os.rmdir(parent)
