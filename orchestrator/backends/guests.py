"""Programs of this machine in a node's network, with this machine's files, display and sound.

Where the world starts them they are in the node already; into a container's network root puts them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from orchestrator.backends.keys import PACKAGE_ROOT
from orchestrator.errors import CheckFailed, HostUnfit
from orchestrator.world.guest import GRACE_S, Invitation

__all__ = ["GuestRunning", "guard_of", "start_guest"]

START = "import sys; sys.path.insert(0, sys.argv.pop(1)); from orchestrator.world import guest"
END_S = GRACE_S + 8.0
"""For a guard to end after its program's grace, on a machine that is busy."""


@dataclass(slots=True, eq=False)
class GuestRunning:
    """A program at work; see `Running`."""

    guard: subprocess.Popen[bytes]
    lifeline: int
    """Ours: its end hangs up."""

    def signal(self, number: int) -> None:
        """For the program's process group; SIGKILL for everything it started."""
        self.guard.send_signal(number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Its exit code, negative for a signal; raises TimeoutError."""
        try:
            return self.guard.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None

    def close(self) -> None:
        """Hang up, and wait until it is gone with all it started."""
        lifeline, self.lifeline = self.lifeline, -1
        if lifeline >= 0:
            os.close(lifeline)
        try:
            self.wait(END_S)
        except TimeoutError:
            self.guard.kill()
            self.guard.wait()


def guard_of(invitation: Invitation, env: Mapping[str, str]) -> list[str]:
    """The command that starts a program with its guard; raises CheckFailed if there is none."""
    name = invitation.argv[0]
    if shutil.which(name, path=env.get("PATH", os.defpath)) is None:
        raise CheckFailed(f"no program {name!r} on this machine")
    start = f"{START}; guest.main()"
    message = json.dumps(asdict(invitation))
    return [sys.executable, "-I", "-S", "-c", start, str(PACKAGE_ROOT), message]


def start_guest(
    pid: int,
    resolv_conf: str,
    keep: Sequence[str],
    argv: Sequence[str],
    stdio: tuple[int, int, int],
    env: Mapping[str, str],
) -> GuestRunning:
    """Start a program in the network of a process; raises HostUnfit for who is not root.

    Args:
        pid: whose network.
        resolv_conf: the text of its resolv.conf.
        keep: directories it sees even if they are below /run.
        argv: the program and its arguments.
        stdio: its descriptors 0, 1 and 2; they stay the caller's.
        env: its whole environment.
    """
    if os.geteuid() != 0:
        raise HostUnfit(
            f"{argv[0]} of this machine can only be put into a container's network by root: run "
            "testnet as root, or bring the network up with `--backend netns`"
        )
    network, lifeline, held = -1, -1, -1
    try:
        network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        lifeline, held = os.pipe2(os.O_CLOEXEC)
        invitation = Invitation(list(argv), network, lifeline, resolv_conf, list(keep))
        guard = subprocess.Popen(
            guard_of(invitation, env),
            stdin=stdio[0],
            stdout=stdio[1],
            stderr=stdio[2],
            env=dict(env),
            start_new_session=True,
            pass_fds=(network, lifeline),
        )
    except BaseException as error:
        if held >= 0:
            os.close(held)
        if isinstance(error, FileNotFoundError):
            raise CheckFailed("the node went down just now") from error
        raise
    finally:
        for descriptor in (network, lifeline):
            if descriptor >= 0:
                os.close(descriptor)
    return GuestRunning(guard, held)
