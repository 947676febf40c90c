"""Files of nodes: private, but for folders that applications read which dropped their rights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

__all__ = ["make_private", "make_shared", "nodes_with_keys", "open_to_all", "write_files"]


def nodes_with_keys(nodes: Path) -> list[str]:
    """Nodes whose identity exists."""
    routers = {file.parent.name for file in nodes.glob("*/self.signed")}
    services = {file.parent.name for file in nodes.glob("*/service.key")}
    return sorted(routers | services)


def make_private(directory: Path) -> None:
    """A node's directory and the one of all nodes; a mode given to `parents` would be ignored."""
    for path in (directory.parent, directory):
        path.mkdir(mode=0o700, exist_ok=True)


def make_shared(directory: Path, names: Iterable[str]) -> None:
    """Folders that will be shown to applications at another place."""
    for name in names:
        (directory / name).mkdir(exist_ok=True)
        (directory / name).chmod(0o755)


def write_files(directory: Path, files: Mapping[str, str], shared: Sequence[str]) -> None:
    """Files are 0600; those of shared directories are for applications that dropped root."""
    make_private(directory)
    for name, text in files.items():
        path = directory / name
        is_shared = path.relative_to(directory).parts[0] in shared
        for parent in reversed(path.relative_to(directory).parents[:-1]):
            (directory / parent).mkdir(exist_ok=True)
            (directory / parent).chmod(0o755 if is_shared else 0o700)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644 if is_shared else 0o600)
            file.write(text)


def open_to_all(directory: Path, folders: Iterable[str]) -> None:
    """Let a node's applications write into folders, whoever they became.

    Nobody else gets there: the node's directory is private, in the node they are shown elsewhere.
    """
    for name in folders:
        (directory / name).chmod(0o1777)
