"""What a topology may hold, told from its models: as JSON Schema, as a page, as comments.

Pure. The words are the texts under the models' fields, so that nothing is said twice.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from orchestrator.complaints import MODEL_TAGS
from orchestrator.topology import Topology
from orchestrator.units import DURATION_PATTERN, RATE_PATTERN

__all__ = ["commented_rest", "field_texts", "json_schema", "topology_page"]

Schema = dict[str, Any]
TITLES = {
    "role": "Groups of nodes",
    "kind": "Applications of services and servers",
    "": "Parts of other keys",
}
"""Sections of the page, by the key that tells the models of a section apart."""
NO_DEFAULT = "–"
COMMENT_COLUMN = 34


def json_schema() -> Schema:
    """The schema editors and other programs check topology files with (draft 2020-12)."""
    schema = Topology.model_json_schema(by_alias=True, mode="validation")
    _describe(schema, Topology)
    for definition in schema["$defs"].values():
        definition.pop("title", None)
    for model in _models():
        if model.__name__ in schema["$defs"]:
            _describe(schema["$defs"][model.__name__], model)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "testnet topology",
    }


def field_texts(model: type[BaseModel]) -> dict[str, str]:
    """The text under each field of a model and of what it is made of, by the field's name."""
    found: dict[str, str] = {}
    for part in reversed(model.__mro__):
        if issubclass(part, BaseModel) and part is not BaseModel:
            found |= _texts_of(part)
    return found


def topology_page() -> str:
    """docs/topology.md."""
    schema = json_schema()
    return "\n".join([*_page_lines(schema), ""])


def commented_rest(written: Mapping[str, Any]) -> str:
    """Comment lines for all that may be added to a topology which has the keys of `written`."""
    schema = json_schema()
    lines = ["# What else may be written here, with its default or an example:"]
    lines += [
        _comment(name, entry) for name, entry in schema["properties"].items() if name not in written
    ]
    for model in _models():
        definition = schema["$defs"].get(model.__name__, {})
        role = definition.get("properties", {}).get("role")
        if role is None:
            continue
        lines += ["#", f"# and in a group with `role: {role['const']}`:"]
        lines += [
            _comment(name, entry)
            for name, entry in definition["properties"].items()
            if name != "role"
        ]
    return "\n".join([*lines, ""])


def _texts_of(model: type[BaseModel]) -> dict[str, str]:
    body = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def _models() -> dict[type[BaseModel], str]:
    """Every model of a topology in the order of the file, with the keys that lead to it."""
    found: dict[type[BaseModel], str] = {}
    pending: list[tuple[str, Any]] = [("", Topology)]
    while pending:
        where, here = pending.pop(0)
        if not (isinstance(here, type) and issubclass(here, BaseModel)):
            pending = [*((where, part) for part in getattr(here, "__args__", ())), *pending]
        elif here not in found:
            found[here] = where
            fields = here.model_fields.items()
            pending += [
                (f"{where} {_written(name, field)}".strip(), field.annotation)
                for name, field in fields
            ]
    return found


def _describe(schema: Schema, model: type[BaseModel]) -> None:
    texts = field_texts(model)
    for entry in schema["properties"].values():
        if "patternProperties" in entry:
            entry["additionalProperties"] = False
        if entry.get("pattern") == DURATION_PATTERN and "default" in entry:
            entry["default"] = f"{entry['default']:g}s"  # as it is written
    for name, field in model.model_fields.items():
        entry = schema["properties"][_written(name, field)]
        entry.pop("title", None)
        if name in texts:
            entry["description"] = texts[name]


def _written(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _page_lines(schema: Schema) -> Iterator[str]:
    yield from (
        "# Topology files",
        "",
        "<!-- Made by `make docs` from the models in orchestrator/: change the texts there. -->",
        "",
        "A topology is one YAML file of at most 1 MiB. Unknown keys, keys given twice and values "
        "of another type are errors with file, line and the nearest known word;",
        "`testnet validate FILE` tells all of them, `testnet init` writes a first file, "
        "`testnet schema` prints a JSON Schema for editors. Durations are written with their unit "
        "(`250ms`, `20s`, `10 min`), rates as `10 Mbit/s`.",
        "",
        "## The network",
        "",
    )
    yield from _table(schema, schema)
    for key, title in TITLES.items():
        models = {model: where for model, where in _models().items() if _tag_key(model) == key}
        models.pop(Topology, None)
        if models:
            yield from ("", f"## {title}")
        for model, where in models.items():
            yield from _section(schema, model, where)


def _tag_key(model: type[BaseModel]) -> str:
    return next((key for key in MODEL_TAGS if key in model.model_fields), "")


def _section(schema: Schema, model: type[BaseModel], where: str) -> Iterator[str]:
    definition = schema["$defs"][model.__name__]
    title = _tag(definition) or f"`{where}`"
    yield from ("", f"### {title}", "", definition.get("description", ""), "")
    yield from _table(definition, schema)


def _tag(definition: Schema) -> str:
    """`role: router` of a model that is picked by such a key, else nothing."""
    for key, entry in definition.get("properties", {}).items():
        if key in MODEL_TAGS and "const" in entry:
            return f"`{key}: {entry['const']}`"
    return ""


def _table(model: Schema, schema: Schema) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    required = model.get("required", [])
    for name, entry in model["properties"].items():
        if "const" in entry:
            continue
        default = entry.get("default")
        shown = NO_DEFAULT if default in (None, {}, []) else f"`{_yaml(default)}`"
        if name in required:
            shown = "needed"
        yield f"| `{name}` | {_kind(entry, schema)} | {shown} | {entry.get('description', '')} |"


def _kind(entry: Schema, schema: Schema) -> str:
    """What may stand there, in a few words."""
    if "$ref" in entry:
        name = entry["$ref"].rpartition("/")[2]
        return _tag(schema["$defs"][name]) or "a mapping, below"
    for union in ("anyOf", "oneOf"):
        if union in entry:
            options = [option for option in entry[union] if option.get("type") != "null"]
            return ", ".join(dict.fromkeys(_kind(option, schema) for option in options))
    if "enum" in entry:
        return ", ".join(f"`{_yaml(value)}`" for value in entry["enum"])
    if entry.get("type") == "array":
        return f"list: {_kind(entry.get('items', {}), schema)}"
    if entry.get("type") == "object":
        values = next(iter(entry.get("patternProperties", {}).values()), None)
        values = values or entry.get("additionalProperties", {})
        return f"by name: {_kind(values, schema)}"
    return _plain_kind(entry)


def _plain_kind(entry: Schema) -> str:
    if "const" in entry:
        return f"`{_yaml(entry['const'])}`"
    kind, low, high = entry.get("type"), entry.get("minimum"), entry.get("maximum")
    if low is not None:
        return f"{low} to {high}" if high is not None else f"{low} or more"
    names = {"integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    written = {DURATION_PATTERN: "duration", RATE_PATTERN: "rate"}.get(entry.get("pattern", ""))
    return written or names.get(str(kind), "text")


def _comment(name: str, entry: Schema) -> str:
    value = entry.get("default")
    if value in (None, {}, []):
        value = (entry.get("examples") or ["…"])[0]
    left = f"# {name}: {_yaml(value)}"
    return f"{left:<{COMMENT_COLUMN}} # {entry.get('description', '')}"


def _yaml(value: Any) -> str:
    """One value as it would be written on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    return str(value)
