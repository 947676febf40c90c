"""A `testnet` command that is killed from within, right after an act, which so is met exactly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from tests.integration.orchestrator.command import Testnet

SIGNAL_AFTER_CALL = """
import importlib, os, signal, sys
from orchestrator.cli import main

number = signal.Signals[sys.argv.pop(1)]
names, left = sys.argv.pop(1).split(), int(sys.argv.pop(1))


def killing(function):
    def called(*arguments, **options):
        global left
        result = function(*arguments, **options)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)
        return result

    return called


for name in names:
    module, _, function = name.rpartition(".")
    found = importlib.import_module(module)
    setattr(found, function, killing(getattr(found, function)))
sys.exit(main(sys.argv[1:]))
"""
JOURNAL = "orchestrator.journal.write_private orchestrator.journal._append"
"""What writes the first line, and what writes the others."""
KILL_OVER_CHILD = """
import os, signal, subprocess, sys
from orchestrator.cli import main

wanted = sys.argv.pop(1)
start = subprocess.Popen.__init__


def killing(self, command, *arguments, **options):
    start(self, command, *arguments, **options)
    if wanted in command:
        os.kill(self.pid, signal.SIGSTOP)
        print(self.pid, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


subprocess.Popen.__init__ = killing
sys.exit(main(sys.argv[1:]))
"""
"""The child is held still, so that it certainly outlives its parent."""


def kill(testnet: Testnet, script: str, *words: str) -> str:
    """Run a command until it is killed where the script says; what it printed."""
    result = run_script(testnet, script, *words)
    assert result.returncode == -signal.SIGKILL, f"it was not killed: {result.stderr}"
    return result.stdout


def run_script(testnet: Testnet, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command within a script that does something to it."""
    result = subprocess.run(
        [sys.executable, "-P", "-c", script, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        env=testnet.env,
        cwd=testnet.root,
        check=False,
    )
    testnet.note_processes()
    return result


def kill_after(testnet: Testnet, functions: str, count: int, *words: str) -> None:
    """Run a command until some functions were called so many times."""
    kill(testnet, SIGNAL_AFTER_CALL, "SIGKILL", functions, str(count), *words)


def kill_up(testnet: Testnet, line: int, topology: str) -> None:
    """`up`, killed after a line of its journal."""
    kill_after(testnet, JOURNAL, line, "up", topology)


def interrupt_up(testnet: Testnet, line: int, topology: str) -> subprocess.CompletedProcess[str]:
    """`up`, with Ctrl-C after a line of its journal; how it ended."""
    words = ("SIGINT", JOURNAL, str(line), "up", topology)
    return run_script(testnet, SIGNAL_AFTER_CALL, *words)


def lines_of(testnet: Testnet, network: str = "small") -> int:
    return len((testnet.state / f"{network}.journal").read_text().splitlines())


def states(testnet: Testnet) -> dict[str, str]:
    rows = json.loads(testnet.run("ls", "--all", "--json").stdout)
    return {row["name"]: row["state"] for row in rows}
