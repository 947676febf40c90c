"""Files of a node that is root in its container, opened by a user who cannot give them away."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from orchestrator.backends.docker_files import open_to_group
from orchestrator.engine.custody import has_foreign


def modes(folder: Path) -> dict[str, int]:
    found = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in found}


def test_the_group_may_what_the_owner_may_and_nobody_else_more(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("somebody's")
    outside.chmod(0o600)
    folder = tmp_path / "alice"
    (folder / "nginx").mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    for name, mode in (("service.key", 0o600), ("run", 0o700), ("nginx/page", 0o600)):
        (folder / name).write_text("")
        (folder / name).chmod(mode)
    (folder / "link").symlink_to(outside)
    open_to_group(folder, os.getegid(), apart_from=["nginx"])
    found = modes(folder)
    assert found["."] == 0o770
    assert found["service.key"] == 0o660
    assert found["run"] == 0o770
    assert found["nginx/page"] == 0o600
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600, "no link is followed"


def test_only_folders_of_others_have_to_be_taken_back(tmp_path: Path) -> None:
    (tmp_path / "own" / "deeper").mkdir(parents=True)
    (tmp_path / "to-root").symlink_to("/")
    assert not has_foreign(tmp_path)
    if os.geteuid() == 0:
        os.chown(tmp_path / "own" / "deeper", 12345, -1)
        assert has_foreign(tmp_path)
