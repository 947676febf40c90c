"""How a compose file is written down: values in, text out, and no template between them. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

import yaml

__all__ = ["dumped", "json_text"]

LONGEST = 110
"""Characters of a list or a mapping that is written on one line."""


def dumped(data: Mapping[str, Any]) -> str:
    """The file's values as YAML, in their order."""
    return yaml.dump(_escaped(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def json_text(parts: Mapping[str, Any]) -> str:
    """An object of objects, a line for each of the inner entries."""
    texts = []
    for name, value in parts.items():
        entries = value.items() if isinstance(value, dict) else ()
        lines = [f"  {json.dumps(key)}: {json.dumps(entry)}" for key, entry in entries]
        inner = "{\n" + ",\n".join(lines) + "\n }" if lines else json.dumps(value)
        texts.append(f" {json.dumps(name)}: {inner}")
    return "{\n" + ",\n".join(texts) + "\n}"


def _escaped(value: Any) -> Any:
    """With every `$` doubled: compose puts its environment in the place of single ones."""
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {name: _escaped(entry) for name, entry in value.items()}
        case list():
            return [_escaped(entry) for entry in value]
        case _:
            return value


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such, short lists on one line, nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _list(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, _is_short(value, value))


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
    items = value.items()
    return dumper.represent_mapping(
        "tag:yaml.org,2002:map", items, _is_short(value, value.values())
    )


def _is_short(value: object, parts: Collection[Any]) -> bool:
    simple = not any(isinstance(part, (dict, list)) for part in parts)
    return simple and len(str(value)) < LONGEST and "\\n" not in str(value)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(list, _list)
_Dumper.add_representer(dict, _mapping)
