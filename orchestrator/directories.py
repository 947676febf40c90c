"""Where a network keeps what: state, sockets and locks, one directory of each per network.

Rules: directories are 0700 and files 0600; whatever is created here is removed by `remove()`,
parents that were made for it included, and nothing else is.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import HostUnfit, OperatorError

__all__ = ["Places", "locked", "network_names", "run_root", "state_root"]

APPLICATION = "lokinet-testnet"
CREATED_FILE = "created-directories.json"
"""In the state root: parents that did not exist before, to be removed with the last network."""
LONGEST_SOCKET_PATH = 107
"""Bytes; sizeof(sockaddr_un.sun_path) is 108, one of them the closing zero: unix(7)."""
LONGEST_NODE_NAME = 31
"""Characters; the topology refuses longer ones."""


def state_root() -> Path:
    """What must outlive a reboot: keys, configuration, logs."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base).absolute() / APPLICATION


def run_root() -> Path:
    """What must not: sockets, locks, and who the world is."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base:
        return Path(base).absolute() / APPLICATION
    user = os.geteuid()
    return Path("/run") / APPLICATION if user == 0 else Path(f"/tmp/{APPLICATION}-{user}")


@dataclass(frozen=True, slots=True)
class Places:
    """Every path of one network; pure, nothing is looked at or made until asked."""

    name: str
    state: Path
    run: Path

    @classmethod
    def of(cls, name: str) -> Places:
        """The places of the network called `name`, by the environment of this process.

        Raises HostUnfit where its sockets' paths would be longer than the kernel takes: nobody
        could make such a network, and nobody can ask one. A node's socket has the longest of them.
        """
        places = cls(name, state_root() / name, run_root() / name)
        excess = len(os.fsencode(places.control("x" * LONGEST_NODE_NAME))) - LONGEST_SOCKET_PATH
        if excess > 0:
            # The directories taken without the variable are short enough for every name.
            most = len(os.fsencode(run_root().parent)) - excess
            raise HostUnfit(
                f"XDG_RUNTIME_DIR={run_root().parent} is too long for paths of sockets: set it to "
                f"a directory of at most {most} bytes, or unset it (`env -u XDG_RUNTIME_DIR "
                "testnet …`)"
            )
        return places

    def node(self, node: str) -> Path:
        """A node's data directory: configuration, keys, logs."""
        return self.state / "nodes" / node

    def control(self, node: str) -> Path:
        """A node's control socket."""
        return self.run / f"{node}.sock"

    @property
    def world_socket(self) -> Path:
        """Where the world answers."""
        return self.run / "world.sock"

    @property
    def world_file(self) -> Path:
        """Who the world is: its pid and namespaces, written before it does anything."""
        return self.run / "world.json"

    @property
    def world_log(self) -> Path:
        """What the world itself had to say."""
        return self.state / "world.log"

    @property
    def lock(self) -> Path:
        """Held by whoever changes the network."""
        return self.run.with_suffix(".lock")

    def create(self) -> None:
        """Make both directories and what is missing above them; raises HostUnfit."""
        _make_roots(self)
        for directory in (self.state, self.run):
            _make(directory)

    def remove(self) -> None:
        """Delete both directories, and with the last network what was made above them."""
        for directory in (self.run, self.state):
            if directory.is_symlink():
                raise OperatorError(f"{directory} is a symbolic link: not ours, remove it yourself")
            shutil.rmtree(directory, ignore_errors=True)
        _remove_empty_roots(self)

    def leftovers(self) -> list[Path]:
        """Files of this network that still exist."""
        return [path for path in (self.state, self.run) if path.exists()]


def _make_roots(places: Places) -> None:
    """Make the parents of both directories, and note which of them did not exist."""
    note = places.state.parent / CREATED_FILE
    created = [path for root in (places.state.parent, places.run.parent) for path in _make(root)]
    if created:
        note.write_text(json.dumps([*_noted(note), *created]))


def _remove_empty_roots(places: Places) -> None:
    """Remove what `_make_roots` made, unless something else lives there by now."""
    note = places.state.parent / CREATED_FILE
    with suppress(OSError):
        places.run.parent.rmdir()
    if places.run.parent.exists() or [entry.name for entry in _entries(note.parent)] != [note.name]:
        return
    created = _noted(note)
    note.unlink()
    for path in sorted({*created, str(note.parent)}, key=len, reverse=True):
        with suppress(OSError):
            Path(path).rmdir()


def _noted(note: Path) -> list[str]:
    try:
        return [str(path) for path in json.loads(note.read_text())]
    except (OSError, ValueError, TypeError):
        return []


def _entries(directory: Path) -> list[Path]:
    try:
        return list(directory.iterdir())
    except OSError:
        return []


def _make(directory: Path) -> list[str]:
    """Create a directory 0700; returns those that did not exist, outermost first."""
    created = []
    try:
        for path in reversed([directory, *directory.parents]):
            if not path.exists():
                path.mkdir(mode=0o700)
                created.append(str(path))
        if directory.lstat().st_uid != os.geteuid():  # of a link: its own
            raise PermissionError(errno.EPERM, "it belongs to somebody else", str(directory))
    except OSError as error:
        raise HostUnfit(
            f"cannot make {error.filename}: {error.strerror}: "
            "set XDG_STATE_HOME and XDG_RUNTIME_DIR to directories of yours"
        ) from error
    return created


def network_names() -> list[str]:
    """Networks that left a trace in either root, running or not."""
    names = set()
    for root in (state_root(), run_root()):
        with suppress(OSError):
            names |= {entry.name for entry in root.iterdir() if entry.is_dir()}
    return sorted(names)


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """Hold the network's lock; who comes second is told so at once. Leaves no file behind."""
    _make_roots(places)
    while True:
        descriptor = os.open(
            places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OperatorError(
                f"another testnet command is changing network {places.name!r}: "
                "try again when it has ended"
            ) from None
        if _is_same_file(descriptor, places.lock):
            break
        os.close(descriptor)  # the one before us unlinked it between our open and our lock
    try:
        yield
    finally:
        places.lock.unlink(missing_ok=True)
        os.close(descriptor)
        _remove_empty_roots(places)


def _is_same_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
