"""Goals of the Makefile that delete, run in a folder that looks like the checkout."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_clean_leaves_no_compiled_file_and_every_source(tmp_path: Path) -> None:
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    listing = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    sources = {tmp_path / name for name in listing.stdout.splitlines()}
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.pyc"
        compiled.parent.mkdir(parents=True, exist_ok=True)
        compiled.touch()
        source.touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, check=True)
    assert {path for path in tmp_path.rglob("*") if path.is_file()} == {
        *sources,
        tmp_path / "Makefile",
    }
    assert list(tmp_path.rglob("__pycache__")) == []
