"""`.ci/setup`: what it will not do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_an_environment_that_another_checkout_lends_is_not_emptied(tmp_path: Path) -> None:
    checkout, lent = tmp_path / "checkout", tmp_path / "lent"
    (checkout / ".ci").mkdir(parents=True)
    lent.mkdir()
    (lent / "kept").touch()
    shutil.copy(ROOT / ".ci" / "setup", checkout / ".ci")
    shutil.copy(ROOT / "packages.txt", checkout)
    (checkout / ".venv").symlink_to(lent)
    done = subprocess.run(
        [checkout / ".ci" / "setup", "run"],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f".venv is a link to {lent}" in done.stderr
    assert "rm .venv" in done.stderr
    assert (lent / "kept").exists()
