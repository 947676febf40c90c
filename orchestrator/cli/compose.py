"""`testnet render compose`: a topology as a compose file, printed or written beside others."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import orchestrator
from orchestrator.cli.network import chosen
from orchestrator.cli.output import print_json, tell
from orchestrator.errors import EXIT_OK, UsageError
from orchestrator.load import find_topology, load
from orchestrator.render_compose import (
    RESOLVER_FILE,
    compose_data,
    compose_text,
    first_line,
    resolver_text,
)

__all__ = ["compose"]

CHECKOUT = Path(orchestrator.__file__).resolve().parents[1]


def compose(arguments: argparse.Namespace) -> int:
    """Print it, or write it with the file it needs beside it."""
    topology = load(find_topology(arguments.topology or "default"))
    topology = topology.model_copy(update={"name": chosen(arguments.name or topology.name).name})
    folder = Path(arguments.output or ".")
    context = _context(arguments.context, folder)
    if arguments.json:
        print_json(compose_data(topology, context))
    text = compose_text(topology, context)
    if arguments.output is not None:
        file, resolver = folder / f"{topology.name}.yaml", folder / RESOLVER_FILE
        _refuse_others(file, first_line(topology.name) + "\n")
        _refuse_others(resolver, resolver_text())
        _write(file, text)
        _write(resolver, resolver_text())
        tell(f"wrote {file}: docker-compose -f {file} up -d")
    elif not arguments.json:
        print(text, end="")
    return EXIT_OK


def _context(wanted: str | None, folder: Path) -> str:
    """The checkout with the images' Dockerfiles, as seen from where the file lies."""
    checkout = Path(wanted) if wanted is not None else CHECKOUT
    if not (checkout / "Dockerfile").is_file():
        raise UsageError(
            f"no Dockerfile in {checkout}: `testnet images -o DIR` writes what images are built "
            "from, and --context DIR names it"
        )
    return os.path.relpath(checkout, folder)


def _refuse_others(path: Path, beginning: str) -> None:
    """Only what was written here is written over."""
    try:
        if path.exists() and not path.read_text(encoding="utf-8").startswith(beginning):
            raise UsageError(f"{path} is there already, and not from here: name another directory")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
