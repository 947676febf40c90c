"""A topology file becomes a `Topology`, or one error with a line for each thing wrong with it.

Rules: at most 1 MiB; plain YAML data only; a key may be written once; aliases may not blow the file
up; every complaint reads `file:line: text`, and an unknown key is answered with the nearest known
one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.errors import UsageError
from orchestrator.topology import Topology, problems

__all__ = ["find_topology", "load", "parse"]

MAX_BYTES = 1 << 20
MAX_VALUES = 20_000
"""Values after all aliases are followed: far above any real file, far below a bomb."""

Location = tuple[str | int, ...]
Lines = dict[Location, int]

BUNDLED = Path(__file__).parent / "topologies"


def find_topology(name: str) -> Path:
    """A path is taken as it is; a bare word names a topology that comes with `testnet`."""
    path = Path(name)
    if path.exists() or "/" in name or path.suffix:
        return path
    bundled = BUNDLED / f"{name}.yaml"
    if not bundled.is_file():
        known = ", ".join(sorted(entry.stem for entry in BUNDLED.glob("*.yaml")))
        raise UsageError(f"no topology {name!r}: give a file, or one of {known}")
    return bundled


def load(path: Path) -> Topology:
    """Read, check and validate one file; raises UsageError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read topology {path}: {error.strerror}") from error
    return parse(data, str(path))


def parse(data: bytes, file: str) -> Topology:
    """Like `load`, for bytes at hand; `file` is only used in messages."""
    if len(data) > MAX_BYTES:
        raise UsageError(f"{file}: larger than {MAX_BYTES} bytes: not a topology")
    try:
        root = yaml.compose(data, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{file}:{line}: not YAML: {error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}:1: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(f"{file}:1: a topology is a mapping that begins with `name:`")
    builder = _Builder(file)
    raw = builder.build(root, ())
    return _validated(raw, builder.lines, file)


def _validated(raw: object, lines: Lines, file: str) -> Topology:
    try:
        topology = Topology.model_validate(raw)
    except ValidationError as error:
        complaints = {_complaint(detail, raw, lines) for detail in error.errors(include_url=False)}
        raise UsageError(_joined(complaints, file)) from error
    found = problems(topology)
    if found:
        raise UsageError(
            _joined(((_line(problem.location, lines), problem.message) for problem in found), file)
        )
    return topology


def _joined(complaints: Iterable[tuple[int, str]], file: str) -> str:
    return "\n".join(f"{file}:{line}: {text}" for line, text in sorted(complaints))


class _Builder:
    """YAML nodes to plain data, noting the line of every key and item."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: Lines = {(): 1}
        self._values_left = MAX_VALUES
        self._open: set[int] = set()
        self._scalars = yaml.CSafeLoader("")

    def build(self, node: yaml.Node, location: Location) -> Any:  # the values of YAML
        line = node.start_mark.line + 1
        self.lines.setdefault(location, line)
        self._values_left -= 1
        if self._values_left < 0:
            raise UsageError(f"{self.file}:{line}: aliases expand to too many values")
        if id(node) in self._open:
            raise UsageError(f"{self.file}:{line}: an alias contains itself")
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
            raise UsageError(f"{self.file}:{line}: {text}") from error

    def _mapping(self, node: yaml.MappingNode, location: Location) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self.build(key_node, (*location, "?"))
            if not isinstance(key, str):
                raise UsageError(f"{self.file}:{line}: key {key!r} is not text: put it in quotes")
            if key in result:
                first = self.lines[(*location, key)]
                raise UsageError(f"{self.file}:{line}: key {key!r} was given on line {first}")
            self.lines[(*location, key)] = line
            result[key] = self.build(value_node, (*location, key))
        return result


def _line(location: Location, lines: Lines) -> int:
    """The line of a place, or of the nearest thing around it that was written."""
    while location not in lines:
        location = location[:-1]
    return lines[location]


def _complaint(detail: ErrorDetails, raw: object, lines: Lines) -> tuple[int, str]:
    location, tags = _without_tags(detail["loc"], raw)
    where = ".".join(str(part) for part in location) or "topology"
    kind = detail["type"]
    if kind == "extra_forbidden":
        known = _known_keys(detail["loc"][:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1)
        hint = f": did you mean {near[0]!r}?" if near else f": known here are {', '.join(known)}"
        text = f"unknown key {location[-1]!r}{_role(tags)}{hint}"
    elif location[-1:] == ("[key]",):
        text = f"{detail['input']!r} is no name: a-z, 0-9 and '-' only, at most 31 characters"
    elif kind == "missing":
        text = f"{where} is missing"
    elif kind == "union_tag_invalid":
        context = detail.get("ctx", {})
        text = f"{where}: {context.get('tag')!r} is not one of {context.get('expected_tags')}"
    elif kind == "union_tag_not_found":
        text = f"{where} needs its {detail.get('ctx', {}).get('discriminator')}"
    else:
        message = detail["msg"].removeprefix("Value error, ")
        text = f"{where}: {message[:1].lower()}{message[1:]}"
        if isinstance(detail["input"], str | int | float):
            text += f" (it is {detail['input']!r})"
    return _line(location, lines), text


def _role(tags: list[str]) -> str:
    return f" for {tags[-1]}" if tags else ""


def _without_tags(location: Location, raw: object) -> tuple[Location, list[str]]:
    """Pydantic puts the chosen union member into the path; a file has no such step."""
    kept: list[str | int] = []
    tags: list[str] = []
    here: Any = raw
    for position, part in enumerate(location):
        last = position == len(location) - 1
        inside = isinstance(here, dict) and part in here
        inside = inside or (isinstance(here, list) and isinstance(part, int))
        if inside:
            here = here[part]
            kept.append(part)
        elif last:
            kept.append(
                part
            )  # a missing key, or the tag of a bad union: named, found by its parent
        else:
            tags.append(str(part))
    return tuple(kept), tags


def _known_keys(location: Location) -> list[str]:
    """The keys the model at `location` (tags included) takes, as written in files."""
    model: type[BaseModel] = Topology
    for part in location:
        for candidate in _models_below(model):
            if part in get_args(_tag(candidate)):
                model = candidate
                break
    return [field.alias or name for name, field in model.model_fields.items()]


def _tag(model: type[BaseModel]) -> Any:
    """The Literal that picks this model in a union."""
    for name in ("role", "kind"):
        if name in model.model_fields:
            return model.model_fields[name].annotation
    return None


def _models_below(model: type[BaseModel]) -> list[type[BaseModel]]:
    found: list[type[BaseModel]] = []
    pending = [field.annotation for field in model.model_fields.values()]
    while pending:
        annotation = pending.pop()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found.append(annotation)
        else:
            pending += get_args(annotation)
    return found
