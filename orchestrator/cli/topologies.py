"""`testnet validate`, `init`, `render`, `schema`: topology files, with no network at all."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from orchestrator.cli.network import chosen
from orchestrator.cli.output import print_json, tell
from orchestrator.complaints import did_you_mean
from orchestrator.errors import EXIT_OK, UsageError
from orchestrator.load import BUNDLED, BadTopology, bundled_names, find_topology, load, parse
from orchestrator.ops import Desired, NodeSpec
from orchestrator.topology import members

__all__ = ["init", "render", "schema", "validate"]

DEFAULT = "default"
FIRST_FILE = "testnet.yaml"
NAME_LINE = re.compile(r"^name: .*$", re.MULTILINE)


def validate(arguments: argparse.Namespace) -> int:
    """Every fault of every file; exit code 2 if there is one."""
    rows = [_validated(name) for name in arguments.files]
    if arguments.json:
        print_json(rows)
    else:
        for row in rows:
            print(_verdict(row))
    return EXIT_OK if all(row["ok"] for row in rows) else UsageError.exit_code


def _validated(name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"file": name, "ok": True, "nodes": 0, "faults": []}
    try:
        row["nodes"] = len(members(load(find_topology(name))))
    except BadTopology as error:
        row["faults"] = [{"line": line, "text": text} for line, text in error.faults]
    except UsageError as error:
        row["faults"] = [{"line": 0, "text": str(error)}]
    row["ok"] = not row["faults"]
    return row


def _verdict(row: dict[str, Any]) -> str:
    if row["ok"]:
        return f"{row['file']}: ok, {row['nodes']} nodes"
    lines = [
        f"{row['file']}:{fault['line']}: {fault['text']}" if fault["line"] else fault["text"]
        for fault in row["faults"]
    ]
    return "\n".join(lines)


def init(arguments: argparse.Namespace) -> int:
    """Write a first topology file; what is there already stays as it is."""
    from orchestrator.reference import commented_rest

    if arguments.list:
        for name in bundled_names():
            print(f"{name:<10} {_summary(name)}")
        return EXIT_OK
    text = _preset(arguments.preset)
    stem = Path(arguments.file).stem
    named = NAME_LINE.sub(f"name: {stem}", text, count=1)
    text = named if _is_topology(named) else text  # a file may be called what no network can be
    text += "\n" + commented_rest(_keys(text))
    if arguments.file == "-":
        sys.stdout.write(text)
        return EXIT_OK
    try:
        with open(arguments.file, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{arguments.file} is there already: name another file") from None
    except OSError as error:
        raise UsageError(f"cannot write {arguments.file}: {error.strerror}") from error
    tell(f"wrote {arguments.file}: `testnet up {shlex.quote(arguments.file)}`")
    return EXIT_OK


def _preset(name: str) -> str:
    known = bundled_names()
    if name not in known:
        hint = did_you_mean(name, known) or f": there are {', '.join(known)}"
        raise UsageError(f"no preset {name!r}{hint}")
    return (BUNDLED / f"{name}.yaml").read_text(encoding="utf-8")


def _summary(preset: str) -> str:
    """The first line of the file, which says what it is."""
    return _preset(preset).partition("\n")[0].removeprefix("# ")


def _is_topology(text: str) -> bool:
    try:
        parse(text.encode(), "")
    except BadTopology:
        return False
    return True


def _keys(text: str) -> dict[str, Any]:
    topology = parse(text.encode(), "")
    return topology.model_dump(by_alias=True, exclude_unset=True)


def schema(_: argparse.Namespace) -> int:
    """JSON Schema of topology files, for editors and other programs."""
    from orchestrator.reference import json_schema

    print_json(json_schema())
    return EXIT_OK


def render(arguments: argparse.Namespace) -> int:
    """Configuration files and command lines a topology becomes, without making anything of it."""
    if arguments.form == "compose":
        from orchestrator.cli.compose import compose

        return compose(arguments)
    from orchestrator.render import render as rendered
    from orchestrator.world.maps import choose_maps

    if arguments.form and arguments.topology:
        raise UsageError(f"{arguments.form}: a topology becomes files, or with `compose` one file")
    if arguments.context is not None:
        raise UsageError("--context is of a compose file: testnet render compose")
    topology = load(find_topology(arguments.form or DEFAULT))
    places = chosen(arguments.name or topology.name)
    desired = rendered(topology, places, sys.executable, choose_maps().one_id)
    if arguments.output is not None:
        _write(desired, Path(arguments.output))
    if arguments.json:
        print_json({"name": desired.name, "nodes": [_as_data(node) for node in desired.nodes]})
    elif arguments.output is None:
        for node in desired.nodes:
            _print_node(node)
    else:
        tell(f"wrote the files of {len(desired.nodes)} nodes to {arguments.output}")
    return EXIT_OK


def _as_data(node: NodeSpec) -> dict[str, Any]:
    return {
        "node": node.name,
        "role": node.role,
        "underlay": node.address,
        "directory": node.directory,
        "control": node.control,
        "files": dict(node.files),
        "programs": {process.name: list(process.argv) for process in node.processes},
    }


def _print_node(node: NodeSpec) -> None:
    for name, text in node.files.items():
        print(f"# --- {node.name}/{name}\n{text}")
    for process in node.processes:
        print(f"# --- {node.name} runs {process.name}\n# {shlex.join(process.argv)}\n")


def _write(desired: Desired, directory: Path) -> None:
    """A directory for each node: its files, and its command lines in `commands`."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise UsageError(f"{directory} is not empty: name another directory")
        for node in desired.nodes:
            commands = "".join(f"{shlex.join(process.argv)}\n" for process in node.processes)
            for name, text in {**node.files, "commands": commands}.items():
                path = directory / node.name / name
                os.makedirs(path.parent, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from error
