"""Ctrl-C before, between and after everything: one line and 130, never a traceback.

Faults that turn these red: a KeyboardInterrupt that an import swallows or prints, a handler that
stays away until the command's modules are there, a process that ends by the signal itself.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.orchestrator.command import SMALL, Testnet

pytestmark = pytest.mark.integration

INTERRUPT_AND_SWALLOW = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass
except KeyboardInterrupt:
    pass
print("went on")
raise SystemExit(77)
"""
"""What some weak references do in the middle of an import."""
INTERRUPT_AT_EXIT = """
import atexit, os, signal, sys
from orchestrator.cli import main
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.exit(main(sys.argv[1:]))
"""
IGNORE = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")


def interrupted_in_an_import(testnet: Testnet, module: str) -> None:
    """From now on, importing `module` interrupts the process."""
    folder = testnet.root / "first"
    folder.mkdir()
    (folder / f"{module}.py").write_text(INTERRUPT_AND_SWALLOW)
    testnet.env["PYTHONPATH"] = f"{folder}:{testnet.env['PYTHONPATH']}"


@pytest.mark.parametrize("module", ["argparse", "pydantic"])
def test_ctrl_c_while_modules_are_imported_ends_at_once_with_130(
    testnet: Testnet, module: str
) -> None:
    interrupted_in_an_import(testnet, module)
    result = testnet.run("up", testnet.configure(SMALL))
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr == "testnet: interrupted\n"
    assert testnet.leftovers() == []


def test_ctrl_c_after_the_command_changes_nothing(testnet: Testnet) -> None:
    result = subprocess.run(
        [sys.executable, "-P", "-c", INTERRUPT_AT_EXIT, "down"],
        capture_output=True,
        text=True,
        env=testnet.env,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "nothing to remove\n"


def test_who_was_started_deaf_to_ctrl_c_stays_deaf(testnet: Testnet) -> None:
    interrupted_in_an_import(testnet, "pydantic")
    result = testnet.run("up", testnet.configure(SMALL), prefix=IGNORE)
    assert (result.returncode, result.stdout) == (77, "went on\n")
