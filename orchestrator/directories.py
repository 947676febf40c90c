"""Where a network keeps what: state, sockets and locks, one directory of each per network.

Rules: directories are 0700 and files 0600; whatever is created here is removed by `remove()`,
parents that were made for it included, and nothing else is. A directory is a network's only if it
holds a label with the network's number: a name alone proves nothing.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import HostUnfit, Leftovers

__all__ = [
    "CREATED_FILE",
    "LABEL_FILE",
    "Places",
    "draft",
    "is_abandoned_draft",
    "is_ours",
    "run_root",
    "state_root",
    "sync_directory",
    "write_private",
]

APPLICATION = "lokinet-testnet"
CREATED_FILE = "created-directories.json"
"""In the state root: parents that did not exist before, to be removed with the last network."""
LABEL_FILE = "network-id"
DRAFT = re.compile(r"\..+\.draft-(\d+)")
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


def write_private(path: Path, text: str, durable: bool = False) -> None:
    """Put a whole file in its place at once, 0600; `durable`: also before a loss of power."""
    new = draft(path, text, durable)
    new.replace(path)
    if durable:
        sync_directory(path.parent)


def draft(path: Path, text: str, durable: bool = False) -> Path:
    """A finished file beside the place it is meant for, under a name that says who wrote it."""
    new = path.with_name(f".{path.name}.draft-{os.getpid()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(new, flags, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    return new


def is_abandoned_draft(path: Path) -> bool:
    """Whether a file is a draft of somebody of this user who was killed over it."""
    match = DRAFT.fullmatch(path.name)
    if match is None or Path(f"/proc/{match[1]}").exists():
        return False
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()


def sync_directory(directory: Path) -> None:
    """Make the names in a directory outlive a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    def definition(self) -> Path:
        """What the network is, once it was brought up: see `definition`."""
        return self.state / "network.json"

    @property
    def journal(self) -> Path:
        """What was begun; beside the state directory, as it is older and outlives it."""
        return self.state.with_name(f"{self.name}.journal")

    @property
    def lock(self) -> Path:
        """Held by whoever changes the network."""
        return self.run.with_suffix(".lock")

    def make_roots(self) -> None:
        """Make the parents of both directories, and note which of them did not exist."""
        note = self.state.parent / CREATED_FILE
        created = [path for root in (self.state.parent, self.run.parent) for path in _make(root)]
        if created:
            write_private(note, json.dumps([*_noted(note), *created]))

    def create(self, network_id: str) -> None:
        """Make both directories, labelled, and what is missing above them.

        Raises HostUnfit where that is not possible, Leftovers where somebody else's are there.
        """
        self.make_roots()
        for directory in (self.state, self.run):
            if os.path.lexists(directory) and not is_ours(directory, network_id):
                raise Leftovers(f"{directory} is in the way and not ours: {LABEL_FILE} is missing")
            _make(directory)
            write_private(directory / LABEL_FILE, network_id)

    def remove(self, network_id: str) -> None:
        """Delete both directories as far as they are ours, then the journal."""
        for directory in (self.run, self.state):
            if is_ours(directory, network_id):
                _remove_tree(directory)
        self.journal.unlink(missing_ok=True)

    def leftovers(self) -> list[Path]:
        """Files of this network that still exist."""
        return [path for path in (self.state, self.run, self.journal) if os.path.lexists(path)]

    def remove_empty_roots(self) -> None:
        """Remove what `make_roots` made, unless something else lives there by now."""
        note = self.state.parent / CREATED_FILE
        with suppress(OSError):
            self.run.parent.rmdir()
        others = {entry.name for entry in _entries(note.parent)} - {note.name}
        if self.run.parent.exists() or others:
            return
        created = _noted(note)
        note.unlink(missing_ok=True)
        for path in sorted({*created, str(note.parent)}, key=len, reverse=True):
            with suppress(OSError):
                Path(path).rmdir()


def is_ours(directory: Path, network_id: str) -> bool:
    """Whether a directory (no link to one) is labelled with this number, or still empty.

    Empty ones are what was begun just before; the journal names them, and nothing is lost.
    """
    try:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        entries = [entry for entry in directory.iterdir() if not DRAFT.fullmatch(entry.name)]
        return not entries or (directory / LABEL_FILE).read_text() == network_id
    except OSError:
        return False


def _remove_tree(directory: Path) -> None:
    """Everything but the label first: what is interrupted halfway can still be told as ours."""
    for entry in _entries(directory):
        if entry.name != LABEL_FILE:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
    if [entry.name for entry in _entries(directory)] == [LABEL_FILE]:
        (directory / LABEL_FILE).unlink()
    with suppress(OSError):
        directory.rmdir()


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
