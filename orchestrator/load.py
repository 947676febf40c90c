"""A topology file becomes a `Topology`, or one error with a line for each thing wrong with it.

Rules: at most 1 MiB; plain YAML data only; a key may be written once; aliases may not blow the file
up; every complaint reads `file:line: text`, and an unknown key is answered with the nearest known
one.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from orchestrator.complaints import Location, complaint, did_you_mean
from orchestrator.errors import UsageError
from orchestrator.topology import Topology, problems

__all__ = [
    "BUNDLED",
    "BadTopology",
    "bundled_names",
    "find_topology",
    "load",
    "load_bytes",
    "parse",
]

MAX_BYTES = 1 << 20
MAX_VALUES = 20_000
"""Values after all aliases are followed: far above any real file, far below a bomb."""

Lines = dict[Location, int]

BUNDLED = Path(__file__).parent / "topologies"


class BadTopology(UsageError):
    """A file that is no topology: everything that is wrong with it, in the order of its lines."""

    def __init__(self, file: str, faults: Iterable[tuple[int, str]]) -> None:
        self.file = file
        self.faults = tuple(sorted(set(faults)))
        """(line, text); line 0 where the file has none to blame."""
        super().__init__(
            "\n".join(f"{file}:{line}: {text}" if line else text for line, text in self.faults)
        )


def bundled_names() -> list[str]:
    """The topologies that come with `testnet`."""
    return sorted(entry.stem for entry in BUNDLED.glob("*.yaml"))


def find_topology(name: str) -> Path:
    """A path is taken as it is; a bare word names a topology that comes with `testnet`."""
    path = Path(name)
    if path.exists() or "/" in name or path.suffix:
        return path
    bundled = BUNDLED / f"{name}.yaml"
    if not bundled.is_file():
        known = bundled_names()
        hint = did_you_mean(name, known) or ": give a file, or one of " + ", ".join(known)
        raise UsageError(f"no topology {name!r}{hint}")
    return bundled


def load(path: Path) -> Topology:
    """Read, check and validate one file; raises UsageError."""
    return parse(load_bytes(path), str(path))


def load_bytes(path: Path) -> bytes:
    """A file as it is, but not more than is too much; raises UsageError."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        text = f"cannot read topology {path}: {error.strerror}"
        raise BadTopology(str(path), [(0, text)]) from error


def parse(data: bytes, file: str) -> Topology:
    """Like `load`, for bytes at hand; `file` is only used in messages."""
    if len(data) > MAX_BYTES:
        raise BadTopology(file, [(1, f"larger than {MAX_BYTES} bytes: not a topology")])
    try:
        root = yaml.compose(data, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadTopology(file, [(line, f"not YAML: {error.problem}")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        text = f"not YAML: {' '.join(str(error).split())}"
        raise BadTopology(file, [(1, text)]) from error
    if not isinstance(root, yaml.MappingNode):
        raise BadTopology(file, [(1, "a topology is a mapping that begins with `name:`")])
    builder = _Builder(file)
    raw = builder.build(root, ())
    return _validated(raw, builder, file)


def _validated(raw: object, builder: _Builder, file: str) -> Topology:
    faults = builder.faults
    try:
        topology = Topology.model_validate(raw)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            location, text = complaint(detail, raw, Topology)
            faults.append((_line(location, builder.lines), text))
        raise BadTopology(file, faults) from error
    faults += [(_line(each.location, builder.lines), each.message) for each in problems(topology)]
    if faults:
        raise BadTopology(file, faults)
    return topology


class _Builder:
    """YAML nodes to plain data, noting the line of every key and item, and what is wrong in YAML.

    Faults that leave something to go on with are collected; the others end it.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: Lines = {(): 1}
        self.faults: list[tuple[int, str]] = []
        self._values_left = MAX_VALUES
        self._open: set[int] = set()
        self._scalars = yaml.CSafeLoader("")

    def build(self, node: yaml.Node, location: Location) -> Any:  # the values of YAML
        line = node.start_mark.line + 1
        self.lines.setdefault(location, line)
        self._values_left -= 1
        if self._values_left < 0:
            raise BadTopology(self.file, [(line, "aliases expand to too many values")])
        if id(node) in self._open:
            raise BadTopology(self.file, [(line, "an alias contains itself")])
        self._open.add(id(node))
        try:
            return self._build(node, location, line)
        finally:
            self._open.discard(id(node))

    def _build(self, node: yaml.Node, location: Location, line: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*location, i)) for i, item in enumerate(node.value)]
        try:
            return self._scalars.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            text = getattr(error, "problem", None) or str(error)
            raise BadTopology(self.file, [(line, text)]) from error

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self.build(key_node, (*location, "?"))
            if not isinstance(key, str):
                self.faults.append((line, f"key {key!r} is not text: put it in quotes"))
            elif key in result:
                first = self.lines[(*location, key)]
                self.faults.append((line, f"key {key!r} was given on line {first}"))
            else:
                self.lines[(*location, key)] = line
                result[key] = self.build(value_node, (*location, key))
        return result


def _line(location: Location, lines: Lines) -> int:
    """The line of a place, or of the nearest thing around it that was written."""
    while location not in lines:
        location = location[:-1]
    return lines[location]
