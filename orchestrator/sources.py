"""What images are built of, laid out in a folder: from a checkout or from an installed wheel alike.

Rules: the folder looks like a checkout as far as images are concerned, byte by byte, so that a
builder's cache knows it again; nothing that is there is written over.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import orchestrator
from orchestrator.errors import UsageError

__all__ = ["image_names", "lay_out"]

CONTEXT = Path(orchestrator.__file__).parent / "context"
NODE = Path(orchestrator.__file__).parent.parent / "lokinet_node"


def image_names() -> list[str]:
    """Words for the images that can be built."""
    return sorted(["node", *(path.parent.name for path in CONTEXT.glob("images/*/Dockerfile"))])


def lay_out(folder: Path) -> None:
    """Write Dockerfiles, what they copy, and the scripts that build; raises UsageError.

    Args:
        folder: is made, or is an empty directory.
    """
    left_out = shutil.ignore_patterns("__pycache__", ".*_cache")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty: name a new directory")
        shutil.copytree(CONTEXT, folder, dirs_exist_ok=True, ignore=left_out)  # follows links
        shutil.copytree(NODE, folder / NODE.name, ignore=left_out)
    except shutil.Error as error:
        source, _, why = error.args[0][0]
        raise UsageError(f"cannot copy {source} to {folder}: {why}") from error
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}") from error
