"""What may be written of exits: what they serve and whom, and which of them a client uses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from orchestrator.complaints import Location, Problem, did_you_mean
from orchestrator.models import HostName, Rate, Seconds, Strict

__all__ = ["ExitPolicy", "ExitUse", "ExitUses", "Quota", "policy_problems", "use_problems"]

TOKEN_PATTERN = r"^[\x21-\x7e]{1,128}$"
SERVICE_PATTERN = r"^([a-z][a-z0-9-]*|0x[0-9a-fA-F]{1,2})(/([a-z][a-z0-9-]*|\d{1,5}))?$"


def _where(text: str) -> str:
    if "/" not in text:
        return text
    return str(IPv4Network(text))


def _range(text: str) -> str:
    return str(IPv4Network(text))


def _use(value: object) -> object:
    return {"exit": value} if isinstance(value, str) else value


Where = Annotated[str, Field(min_length=1), AfterValidator(_where)]
"""A range, or a server of the clearnet by its name."""
Service = Annotated[str, Field(pattern=SERVICE_PATTERN)]
Token = Annotated[str, Field(pattern=TOKEN_PATTERN)]
Size = Annotated[str, Field(pattern=r"^[1-9]\d{0,14}[kMGT]?$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class Quota(Strict):
    """How much one may use; what is left out is not counted."""

    rate: Annotated[Rate | None, Field(examples=["4 Mbit/s"])] = None
    """Both directions together; what is over it is dropped."""
    bytes: Annotated[Size | None, Field(examples=["20G"])] = None
    """In all, both directions together: plain or in k, M, G, T (thousands)."""
    time: Annotated[Seconds | None, Field(examples=["1 h"])] = None
    """Of being connected, used or not."""


class ExitPolicy(Strict):
    """What an exit passes on and for whom."""

    allow_range: list[Where] = Field(default=[], examples=[["203.0.113.0/24"]])
    """Ranges or servers it serves; without any the whole clearnet."""
    deny_range: list[Where] = Field(default=[], examples=[["198.51.100.0/24"]])
    """Ranges or servers it does not serve."""
    deny: list[Service] = Field(default=[], examples=[["tcp/25"]])
    """PROTOCOL[/PORT] it does not serve."""
    whitelist: list[Service] = Field(default=[], examples=[["tcp", "udp/53"]])
    """PROTOCOL[/PORT] it serves, and no other: `traffic-whitelist`."""
    countries: dict[Country, list[Where]] = Field(default={}, examples=[{"NL": ["203.0.113.0/28"]}])
    """Where countries are: becomes the exit's `country-file`."""
    deny_country: list[Country] = Field(default=[], examples=[["NL"]])
    """Countries it does not serve."""
    allow_country: list[Country] = Field(default=[], examples=[["NL"]])
    """The only countries it serves."""
    tokens: list[Token] = Field(default=[], examples=[["a-secret"]])
    """Whoever knows one of them is let in, and nobody else; without any everybody is."""

    per_client: Annotated[Quota | None, Field(examples=[{"bytes": "20G"}])] = None
    """What each client's address may use."""
    per_token: Annotated[Quota | None, Field(examples=[{"bytes": "20G"}])] = None
    """What all who bring a token may use together."""

    @model_validator(mode="after")
    def _known_countries(self) -> ExitPolicy:
        for country in (*self.deny_country, *self.allow_country):
            if country not in self.countries:
                raise ValueError(f"country {country} has no ranges: write it under countries")
        return self

    def places(self) -> Iterator[tuple[Location, str]]:
        """Every range and server, and where it is written."""
        for key, found in (("allow-range", self.allow_range), ("deny-range", self.deny_range)):
            for number, where in enumerate(found):
                yield (key, number), where
        for country, found in self.countries.items():
            for number, where in enumerate(found):
                yield ("countries", country, number), where


class ExitUse(Strict):
    """An exit a client uses, and for what."""

    exit: HostName
    """A bought name or a `<52>.loki` address; `null` for ranges that no exit is used for."""
    range: Annotated[str, AfterValidator(_range)] = "0.0.0.0/0"
    """Destinations."""
    token: Annotated[Token | None, Field(examples=["a-secret"])] = None
    """What it is asked with."""


ExitUses = list[
    Annotated[ExitUse, BeforeValidator(_use, json_schema_input_type=ExitUse | HostName)]
]


def policy_problems(
    location: Location, policy: ExitPolicy, servers: Collection[str]
) -> Iterator[Problem]:
    """Ranges that are neither ranges nor servers."""
    for where, text in policy.places():
        if "/" not in text and text not in servers:
            hint = did_you_mean(text, servers) or ": write 203.0.113.0/24, or a server's name"
            yield Problem((*location, *where), f"no server {text!r}{hint}")


def use_problems(location: Location, uses: ExitUses, names: Collection[str]) -> Iterator[Problem]:
    """Names nobody buys: a name is all that is known of an exit before its keys are made."""
    for number, use in enumerate(uses):
        if use.exit in names or use.exit == "null" or len(use.exit) == len("x" * 52 + ".loki"):
            continue
        hint = did_you_mean(use.exit, names) or ": buy it under names, such as `exit.loki: exit`"
        yield Problem((*location, "exits", number), f"no name {use.exit!r}{hint}")
