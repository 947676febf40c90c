"""`testnet images`: builds the container images, or writes what they are built of."""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from orchestrator.cli.output import tell
from orchestrator.complaints import did_you_mean
from orchestrator.errors import EXIT_OK, HostUnfit, UsageError
from orchestrator.sources import image_names, lay_out

__all__ = ["images"]


def images(arguments: argparse.Namespace) -> int:
    """Build them with the engine that answers, by the script of the sources."""
    known = image_names()
    for name in arguments.images:
        if name not in known:
            hint = did_you_mean(name, known) or f": there are {', '.join(known)}"
            raise UsageError(f"no image {name!r}{hint}")
    if arguments.output is not None:
        if arguments.images:
            raise UsageError("-o writes the sources of all images: name none")
        lay_out(Path(arguments.output))
        tell(f"wrote {arguments.output}: {Path(arguments.output, 'images', 'build')} builds them")
        return EXIT_OK
    with tempfile.TemporaryDirectory(prefix="testnet-images-") as work:
        lay_out(Path(work))
        built = subprocess.run([f"{work}/images/build", *arguments.images], check=False)
    if built.returncode != 0:
        raise HostUnfit("the images were not built: what is missing stands above")
    return EXIT_OK
