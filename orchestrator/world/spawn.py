"""Starting programs inside a node's namespaces, and running `ip`.

Rules: argv only, no shell; a child gets exactly descriptors 0, 1 and 2; failing to start is an
error of the caller, not a silent exit code.
"""

from __future__ import annotations

import fcntl
import os
import signal
import termios
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from orchestrator.world import syscalls

__all__ = ["Namespaces", "SpawnError", "fork", "inhabitants", "ip_batch", "run_batch", "spawn"]

MAX_ERROR_BYTES = 4096
NOT_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT)
"""By programs in nodes: Python ignores the first two, who was started by nohup or as a background
job the others. A program in a node is hung up on when its caller goes, whoever that was."""


class SpawnError(Exception):
    """A program could not be started, or `ip` refused; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Descriptors that keep a node's namespaces alive."""

    net: int
    mnt: int
    uts: int

    def enter(self) -> None:
        """Join them; the mount namespace last, as it changes what paths mean."""
        syscalls.setns(self.net, syscalls.CLONE_NEWNET)
        syscalls.setns(self.uts, syscalls.CLONE_NEWUTS)
        syscalls.setns(self.mnt, syscalls.CLONE_NEWNS)

    def enter_network(self) -> None:
        """Join the network namespace alone."""
        syscalls.setns(self.net, syscalls.CLONE_NEWNET)

    def close(self) -> None:
        """Let them go; they end with their last process."""
        for descriptor in (self.net, self.mnt, self.uts):
            os.close(descriptor)


def inhabitants(namespaces: Namespaces) -> list[int]:
    """Every process of a node, those that left their parents included."""
    wanted = os.fstat(namespaces.net).st_ino
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.stat(f"/proc/{entry}/ns/net").st_ino == wanted:
                found.append(int(entry))
        except OSError:
            continue  # it has just ended
    return found


def fork(child: Callable[[], None]) -> int:
    """Run `child` in a new process that never returns here; gives its pid."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        child()
        status = 0
    finally:
        os._exit(status)


def spawn(
    namespaces: Namespaces,
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str,
    stdio: Sequence[int],
    umask: int = 0o022,
    controlling_tty: bool = False,
) -> int:
    """Start a program in its own session; gives its pid, raises SpawnError.

    Args:
        namespaces: where it runs.
        argv: the program, found by PATH of `env` inside its namespaces, and its arguments.
        env: its whole environment.
        cwd: where it starts; `/` if there is no such directory in there.
        stdio: its descriptors 0, 1 and 2; they stay the caller's.
        umask: its umask.
        controlling_tty: descriptor 0 is a terminal it shall control.
    """
    reader, writer = os.pipe()

    def child() -> None:
        try:
            os.setsid()
            os.umask(umask)
            namespaces.enter()
            try:
                os.chdir(cwd)
            except OSError:
                os.chdir("/")
            _become(stdio, controlling_tty)
            os.execvpe(argv[0], list(argv), dict(env))
        except OSError as error:
            os.write(writer, f"{argv[0]}: {error.strerror}".encode()[:MAX_ERROR_BYTES])

    pid = fork(child)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        failure = pipe.read()
    if failure:
        os.waitpid(pid, 0)
        raise SpawnError(failure.decode(errors="replace"))
    return pid


def _become(stdio: Sequence[int], controlling_tty: bool) -> None:
    # Above 2 first: a wanted descriptor could be one of 0 to 2 itself.
    high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3) for descriptor in stdio]
    for number, descriptor in enumerate(high):
        os.dup2(descriptor, number)
    if controlling_tty:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    for number in NOT_IGNORED:
        signal.signal(number, signal.SIG_DFL)


def ip_batch(ip: str, lines: Sequence[str]) -> None:
    """Run one `ip -batch`; raises SpawnError with what it said."""
    run_batch([ip, "-batch", "-"], "".join(f"{line}\n" for line in lines))


def run_batch(argv: Sequence[str], text: str) -> None:
    """Run a command, by its path, that reads what to do; raises SpawnError with what it said."""
    name = os.path.basename(argv[0])
    batch = os.memfd_create("batch", 0)
    said = os.memfd_create("said", 0)
    try:
        os.write(batch, text.encode())
        os.lseek(batch, 0, os.SEEK_SET)
        actions = [
            (os.POSIX_SPAWN_DUP2, batch, 0),
            (os.POSIX_SPAWN_DUP2, said, 1),
            (os.POSIX_SPAWN_DUP2, said, 2),
        ]
        pid = os.posix_spawn(argv[0], list(argv), {"LC_ALL": "C"}, file_actions=actions)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status != 0:
            text = os.pread(said, MAX_ERROR_BYTES, 0).decode(errors="replace").strip()
            raise SpawnError(f"{name}: {text or f'ended with {status}'}")
    except OSError as error:
        raise SpawnError(f"{argv[0]}: {error.strerror}") from error
    finally:
        os.close(batch)
        os.close(said)
