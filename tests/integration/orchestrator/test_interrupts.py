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

INTERRUPT = "import os; os.kill(os.getpid(), 2)"
GO_ON = "print('went on'); raise SystemExit(77)"
INTERRUPT_AND_SWALLOW = f"""
try:
    {INTERRUPT}
    for _ in range(1000):
        pass
except KeyboardInterrupt:
    pass
{GO_ON}
"""
"""What some weak references do in the middle of an import."""
INTERRUPT_AT_EXIT = """
import atexit, os, signal, sys
from orchestrator.cli import main
atexit.register(os.kill, os.getpid(), signal.SIGINT)
sys.exit(main(sys.argv[1:]))
"""
IGNORE = ("sh", "-c", "trap '' INT; exec \"$@\"", "sh")


def replace_module(testnet: Testnet, module: str, text: str) -> None:
    """From now on, importing `module` runs this instead."""
    folder = testnet.root / "first"
    folder.mkdir()
    (folder / f"{module}.py").write_text(text)
    testnet.env["PYTHONPATH"] = f"{folder}:{testnet.env['PYTHONPATH']}"


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("signal", f"{INTERRUPT}; {GO_ON}"),  # the first that is imported
        ("argparse", INTERRUPT_AND_SWALLOW),
        ("pydantic", INTERRUPT_AND_SWALLOW),
    ],
)
def test_ctrl_c_while_modules_are_imported_ends_at_once_with_130(
    testnet: Testnet, module: str, text: str
) -> None:
    replace_module(testnet, module, text)
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
    replace_module(testnet, "pydantic", INTERRUPT_AND_SWALLOW)
    result = testnet.run("up", testnet.configure(SMALL), prefix=IGNORE)
    assert (result.returncode, result.stdout) == (77, "went on\n")
