"""What pydantic found wrong, in the words of topology files: the key as written, and the near miss.

Pure: locations in, text out; which line a location has is `load`'s business.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

__all__ = ["MODEL_TAGS", "Location", "Problem", "complaint", "did_you_mean"]

Location = tuple[str | int, ...]
QUOTED = re.compile(r"'([^']*)'")
MODEL_TAGS = ("role", "kind")
"""Keys that pick a model where several are possible."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong and where: `location` is the path of keys to the culprit."""

    location: Location
    message: str


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`: did you mean 'client'?`, or nothing if nothing is near."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1)
    return f": did you mean {by_lower[near[0]]!r}?" if near else ""


def complaint(detail: ErrorDetails, raw: object, model: type[BaseModel]) -> tuple[Location, str]:
    """Where one error is, by the keys of the file, and what to say about it.

    Args:
        detail: the error.
        raw: the data that was validated.
        model: what it was validated as.
    """
    location, tags = _without_tags(detail["loc"], raw)
    where = _dotted(location) or "topology"
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(detail["loc"][:-1], model)
        hint = did_you_mean(str(location[-1]), known) or f": known here are {', '.join(known)}"
        text = f"unknown key {location[-1]!r}{f' for {tags[-1]}' if tags else ''}{hint}"
    elif location[-1:] == ("[key]",):
        text = f"{detail['input']!r} is no name: a-z, 0-9 and '-' only, at most 31 characters"
    elif kind == "missing":
        text = f"{where} is missing"
    elif kind == "union_tag_invalid":
        text = _not_one_of(where, str(context.get("tag")), str(context.get("expected_tags")))
    elif kind == "union_tag_not_found":
        text = f"{where} needs its {context.get('discriminator')}"
    elif kind == "literal_error":
        text = _not_one_of(where, detail["input"], str(context.get("expected")))
    else:
        text = _in_pydantics_words(where, detail)
    return location, text


def _in_pydantics_words(where: str, detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    text = f"{where}: {message[:1].lower()}{message[1:]}"
    if isinstance(detail["input"], str | int | float):
        text += f" (it is {detail['input']!r})"
    return text


def _not_one_of(where: str, value: object, expected: str) -> str:
    known = QUOTED.findall(expected)
    hint = did_you_mean(value, known) if isinstance(value, str) else ""
    listed = ", ".join(map(repr, known)) or expected
    return f"{where}: {value!r} is not one of {listed}{hint}"


def _dotted(location: Location) -> str:
    """`nodes.alice.hops`, `tests.2.http`: items of lists are counted from 1."""
    return ".".join(str(part + 1) if isinstance(part, int) else part for part in location)


def _without_tags(location: Location, raw: object) -> tuple[Location, list[str]]:
    """Pydantic puts the chosen union member into the path; a file has no such step."""
    kept: list[str | int] = []
    tags: list[str] = []
    here: Any = raw
    for position, part in enumerate(location):
        inside = isinstance(here, dict) and part in here
        inside = inside or (isinstance(here, list) and isinstance(part, int))
        if inside:
            here = here[part]
            kept.append(part)
        elif position == len(location) - 1:
            # a missing key, or the tag of a bad union: named, found by its parent
            kept.append(part)
        else:
            tags.append(str(part))
    return tuple(kept), tags


def _known_keys(location: Location, model: type[BaseModel]) -> list[str]:
    """The keys the model at `location` (tags included) takes, as written in files."""
    here: Any = model
    for part in location:
        here = _step(here, part)
    models = [found for found in _alternatives(here) if _is_model(found)]
    return [field.alias or name for found in models for name, field in found.model_fields.items()]


def _step(annotation: Any, part: str | int) -> Any:
    """The type one step further down: into a field, an item, or a member of a union."""
    alternatives = _alternatives(annotation)
    for candidate in alternatives:
        if _is_model(candidate):
            if part in _tag_values(candidate):
                return candidate
            for name, field in candidate.model_fields.items():
                if part == (field.alias or name):
                    return field.annotation
        elif get_origin(candidate) in (dict, list):
            return get_args(candidate)[-1]
    return annotation


def _alternatives(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _alternatives(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return [each for option in get_args(annotation) for each in _alternatives(option)]
    return [annotation]


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


def _tag_values(model: type[BaseModel]) -> tuple[Any, ...]:
    """The values of the Literal that picks this model in a union."""
    for name in MODEL_TAGS:
        if name in model.model_fields:
            return get_args(model.model_fields[name].annotation)
    return ()
