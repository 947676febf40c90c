"""The base of all models of topology files, and the types of the values they share.

Rules: keys are written with hyphens; unknown keys are refused; every value has one type; nothing is
changed after it was read. The text under a field is its documentation: docs/topology.md and the
JSON Schema are made of it.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.units import (
    DURATION_PATTERN,
    RATE_PATTERN,
    SIZE_PATTERN,
    parse_duration,
    parse_rate,
    parse_size,
)

__all__ = ["HostName", "Name", "Parameter", "Port", "Rate", "Seconds", "Size", "Strict"]

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,30}$"
HOST_NAME = re.compile(r"(?=.{1,253}$)[a-zA-Z0-9_-]{1,63}(\.[a-zA-Z0-9_-]{1,63})*")


def _to_kebab(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


class Strict(BaseModel):
    """Unknown keys and values of another type are errors; written with hyphens; never changed."""

    # deferred: one model reads a file; validators of the others would cost each start 0.05 s
    model_config = ConfigDict(
        defer_build=True,
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=_to_kebab,
        validate_by_name=False,
    )


def _parameter(value: object) -> object:
    """Durations of extension parameters become seconds; numbers, booleans and other text stay."""
    if isinstance(value, str) and value[:1].isdigit():
        seconds = parse_duration(value)
        return int(seconds) if seconds.is_integer() else seconds
    if not isinstance(value, bool | int | float | str):
        raise ValueError("must be a number, a text, true or false")
    return value


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError("must be a duration with its unit, for example 20s")
    return parse_duration(value)


def _rate(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError("must be a rate with its unit, for example 10 Mbit/s")
    return parse_rate(value)


def _size(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("must be a size with its unit, for example 100 MB")
    return parse_size(value)


def _host_name(text: str) -> str:
    if not HOST_NAME.fullmatch(text):
        raise ValueError("must be a name such as web.loki, or that of a node")
    return text


Name = Annotated[str, Field(pattern=NAME_PATTERN)]
HostName = Annotated[str, AfterValidator(_host_name)]
"""What a resolver is asked for, or a node."""
Port = Annotated[int, Field(ge=1, le=65535)]
Parameter = Annotated[bool | int | float | str, BeforeValidator(_parameter)]
Seconds = Annotated[
    float,
    BeforeValidator(
        _seconds, json_schema_input_type=Annotated[str, Field(pattern=DURATION_PATTERN)]
    ),
]
"""Written with a unit."""
Rate = Annotated[
    float,
    BeforeValidator(_rate, json_schema_input_type=Annotated[str, Field(pattern=RATE_PATTERN)]),
]
"""Bits per second; written with a unit."""
Size = Annotated[
    int,
    BeforeValidator(_size, json_schema_input_type=Annotated[str, Field(pattern=SIZE_PATTERN)]),
]
"""Bytes; written with a unit."""
