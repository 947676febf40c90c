"""Files that containers see, given to who runs in there.

Rules: a node's folder is written by who runs in it, so no link in it is followed by root.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from orchestrator.backends.docker_containers import (
    NODE_USER,
    RULES,
    Ground,
    application_user,
    contact_copy,
    is_node_program,
)
from orchestrator.backends.docker_gate import Gate
from orchestrator.backends.files import make_private, make_shared, write_files
from orchestrator.errors import Leftovers
from orchestrator.ops import NodeSpec, StartProcess

__all__ = ["furnish", "furnish_program"]

ROOT = 0
PUBLIC = 0o644


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
    if user := application_user(spec.shared):
        for name, _ in spec.shared:
            give(directory / name, user)


def furnish_program(ground: Ground, op: StartProcess) -> None:
    """What one program reads and writes, before it starts."""
    spec, process = op.spec, op.process
    assert spec is not None
    directory = Path(spec.directory)
    write_files(directory, op.files, op.shared)
    is_node = is_node_program(process)
    if is_node:
        extras = ground.extras(spec.name)
        for path in spec.reads:
            _write_public(extras / contact_copy(path), Path(path).read_bytes())
        user = ROOT if spec.tun else NODE_USER
        folder = ground.sockets(spec.name)
        folder.mkdir(mode=0o700, exist_ok=True)
        _link(Path(spec.control), folder)
        Gate(ground.places.run).show_in(folder)
        give(folder, user)
        give(directory, user, apart_from=[name for name, _ in spec.shared])
    elif user_of_files := application_user(spec.shared):
        for name, _ in spec.shared:
            give(directory / name, user_of_files)
    log = Path(process.log)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if not is_node:
            # Who an image runs as is its own business; nobody else gets into the folder.
            os.fchmod(descriptor, 0o666)
        else:
            os.fchown(descriptor, user, user)
    finally:
        os.close(descriptor)


def give(folder: Path, user: int, apart_from: list[str] | None = None) -> None:
    """A folder with all in it, links themselves instead of what they lead to."""
    os.chown(folder, user, user, follow_symlinks=False)
    for place, folders, files in os.walk(folder):
        if place == str(folder) and apart_from:
            folders[:] = [name for name in folders if name not in apart_from]
        for name in [*folders, *files]:
            os.chown(os.path.join(place, name), user, user, follow_symlinks=False)


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
