"""Files that containers see, given to who runs in there; or, by who cannot give, opened to them.

Rules: a node's folder is written by who runs in it, so no link in it is followed by root. What a
plain user opens to the group lies below a directory that nobody else on this machine gets into.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from orchestrator.backends.docker_containers import (
    RULES,
    Ground,
    contact_copy,
    is_node_program,
)
from orchestrator.backends.docker_gate import Gate
from orchestrator.backends.files import make_private, make_shared, write_files
from orchestrator.backends.making import make_content
from orchestrator.errors import Leftovers
from orchestrator.ops import NodeSpec, StartProcess

__all__ = ["TakeBack", "furnish", "furnish_program", "open_to_group"]

PUBLIC = 0o644
TakeBack = Callable[[Path], None]
"""Makes a folder with all in it the caller's again."""


def furnish(ground: Ground, spec: NodeSpec) -> None:
    """Folders and files that every container of a node may need; those that are there stay."""
    directory = Path(spec.directory)
    _refuse_links(directory, [name for name, _ in spec.shared])
    make_private(directory)
    make_shared(directory, [name for name, _ in spec.shared])
    extras = ground.extras(spec.name)
    make_private(extras)
    _write_public(extras / "resolv.conf", f"nameserver {spec.resolver}\n".encode())
    if spec.rules:
        _write_public(extras / RULES, spec.rules.encode())
    if ground.is_roots and (who := ground.application_user(spec.shared)):
        for name, _ in spec.shared:
            give(directory / name, who)


def furnish_program(ground: Ground, op: StartProcess, take_back: TakeBack) -> None:
    """What one program reads and writes, before it starts."""
    spec, process = op.spec, op.process
    assert spec is not None
    directory = Path(spec.directory)
    write_files(directory, op.files, op.shared)
    make_content(directory, process.content)
    is_node = is_node_program(process)
    if is_node:
        extras = ground.extras(spec.name)
        for path in spec.reads:
            _write_public(extras / contact_copy(path), _contact(Path(path), take_back))
        who = ground.node_user(spec)
        folder = ground.sockets(spec.name)
        folder.mkdir(mode=0o700, exist_ok=True)
        _link(Path(spec.control), folder)
        Gate(ground.places.run).show_in(folder)
        shared = [name for name, _ in spec.shared]
        if ground.is_roots:
            give(folder, who)
            give(directory, who, apart_from=shared)
        elif spec.tun:
            open_to_group(folder, ground.group)
            open_to_group(directory, ground.group, apart_from=shared)
    elif ground.is_roots and (user_of_files := ground.application_user(spec.shared)):
        for name, _ in spec.shared:
            give(directory / name, user_of_files)
    log = Path(process.log)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not is_node:
            # Who an image runs as is its own business; nobody else gets into the folder.
            os.fchmod(descriptor, 0o666)
        elif ground.is_roots:
            os.fchown(descriptor, *who)
        elif spec.tun:
            os.fchmod(descriptor, 0o660)
    finally:
        os.close(descriptor)


def give(folder: Path, who: tuple[int, int], apart_from: Sequence[str] = ()) -> None:
    """A folder with all in it, links themselves instead of what they lead to."""
    for path in _all_in(folder, apart_from):
        os.chown(path, *who, follow_symlinks=False)


def open_to_group(folder: Path, group: int, apart_from: Sequence[str] = ()) -> None:
    """Let a group do what the owner may, in a folder and with all of the caller's in it."""
    for path in _all_in(folder, apart_from):
        found = os.lstat(path)
        if found.st_uid != os.geteuid() or stat.S_IFMT(found.st_mode) not in (
            stat.S_IFDIR,
            stat.S_IFREG,
        ):
            continue  # the node's own; or a link, whose other end is none of ours
        os.chown(path, -1, group, follow_symlinks=False)
        mode = stat.S_IMODE(found.st_mode)
        os.chmod(path, mode | (mode & 0o700) >> 3)


def _all_in(folder: Path, apart_from: Sequence[str]) -> Iterator[str]:
    yield str(folder)
    for place, folders, files in os.walk(folder):
        if place == str(folder):
            folders[:] = [name for name in folders if name not in apart_from]
        for name in [*folders, *files]:
            yield os.path.join(place, name)


def _contact(path: Path, take_back: TakeBack) -> bytes:
    """What a router says of itself; one with a tun writes it anew, as root."""
    try:
        return path.read_bytes()
    except PermissionError:
        take_back(path.parent)
        open_to_group(path.parent, os.getegid())
        return path.read_bytes()


def _link(control: Path, folder: Path) -> None:
    """Leads from where the node's socket is looked for to where it is made."""
    target = f"{folder.name}/{control.name}"
    if not control.is_symlink() or os.readlink(control) != target:
        control.unlink(missing_ok=True)
        control.symlink_to(target)


def _write_public(path: Path, data: bytes) -> None:
    """Mounts of one file hold on to what was there: so it is not written over, but made anew."""
    if path.exists() and path.read_bytes() == data:
        return
    path.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, PUBLIC), "wb") as file:
        os.fchmod(file.fileno(), PUBLIC)
        file.write(data)


def _refuse_links(directory: Path, shared: list[str]) -> None:
    for path in (directory, *(directory / name for name in shared)):
        if path.is_symlink() or (path.exists() and not stat.S_ISDIR(path.lstat().st_mode)):
            raise Leftovers(f"{path} is no folder: whoever ran in it put something in its place")
