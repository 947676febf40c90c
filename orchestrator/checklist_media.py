"""What `tests:` of a topology may say of applications that people use: one model for each kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from orchestrator.models import HostName, Name, Port, Seconds, Strict

__all__ = ["BrowserCheck", "HlsCheck", "VoipMumbleCheck", "VoipSipCheck"]

WORDS = "The birch canoe slid on the smooth planks. Glue the sheet to the dark blue background."
"""Two of the Harvard sentences, IEEE 297-1969: made for judging lines."""
MOST_PEOPLE = 8
Words = Annotated[str, Field(max_length=500)]

Path = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")]
ANSWERED = "Nobody waters the roses today. Four grey horses wait in front of the old gate."
Sentence = Annotated[str, Field(max_length=200)]
"""200 characters take 15 s to say."""


class HlsCheck(Strict):
    """A film plays in the machine's own ffmpeg: every picture is decoded, and it keeps going."""

    from_: Name
    """The node that watches."""
    to: HostName
    """A node, or any name: `web`, `web.loki`."""
    port: Port | None = None
    """Where it is asked; without it where the node's application answers, or 80."""
    path: Path = "/video/index.m3u8"
    """Of the playlist."""
    for_: Annotated[Seconds, Field(ge=1, le=3600)] = 10.0
    """How much of the film is played; it has to be as long."""
    stalls_at_most: Seconds = 1.0
    """How long it may stand still, all in all, once the first picture is there."""
    starts_within: Seconds = 10.0
    """How long the first picture may take."""


class VoipMumbleCheck(Strict):
    """People talk over a Mumble server; each must hear the others."""

    from_: Name
    """The client that calls."""
    to: Name | Annotated[list[Name], Field(min_length=1, max_length=MOST_PEOPLE)]
    """The client that is called, or several: a conference."""
    server: HostName
    """Where they meet: the service that has Mumble's server, or its name: `probably.loki`. The
    address of its node on the underlay: without Lokinet, to compare."""
    port: Port | None = None
    """Of the server; without it where the service answers, or 64738."""
    client: Literal["scripted", "stock"] = "scripted"
    """What they talk with: `scripted` is a client without a screen that measures each packet, for
    any number of people; `stock` the distribution's Mumble, unchanged, on screens and a sound card
    that nobody sees, for two."""
    in_turn: bool = False
    """One after the other; without it all at once."""
    says: Words = WORDS
    """What `from` says; "" is a silent microphone."""
    hears: Words | None = None
    """What the others must hear of `from`; without it what it says, or what it is to say."""
    loss: Annotated[float, Field(ge=0, le=1)] = 0.02
    """The share of voice packets that may be lost or come too late, from anybody to anybody."""
    mos: Annotated[float, Field(ge=1, le=4.5)] = 3.6
    """What a listener must at least be expected to say of it, from delay and loss (G.107)."""

    @model_validator(mode="after")
    def _different_people(self) -> VoipMumbleCheck:
        people = [self.from_, *self.others]
        if len(set(people)) < len(people):
            raise ValueError("nobody calls themselves, and everybody is called once")
        if self.client == "stock" and (len(self.others) > 1 or self.in_turn):
            raise ValueError("with `client: stock` two talk, both at once: name one in `to`")
        return self

    @property
    def others(self) -> list[str]:
        """Who is called."""
        return [self.to] if isinstance(self.to, str) else self.to

    @property
    def to_be_heard(self) -> str:
        """Of `from`, by the others."""
        return self.hears if self.hears is not None else self.says or WORDS


class BrowserCheck(Strict):
    """A page comes in stock Chromium, without a window, and does there what is asked of it."""

    from_: Name
    """The node that has the browser."""
    to: HostName
    """A node, or any name: `web`, `web.loki`."""
    port: Port | None = None
    """Where it is asked; without it where the node's application answers, or 80."""
    path: Path = "/"
    """Of the page."""
    title: str | None = None
    """What the page's title must be."""
    contains: str | None = None
    """A text that must come to be seen on the page."""
    fetch: Annotated[Path | None, Field(examples=["/file.bin"])] = None
    """A path that the page's own script must get by `fetch`."""
    websocket: Annotated[Path | None, Field(examples=["/echo"])] = None
    """The path of a WebSocket that must send back what the page sends."""
    websocket_port: Port | None = None
    """Where it answers; without it where the page came from."""
    frames: Annotated[int | None, Field(ge=1, le=100_000, examples=[100])] = None
    """How many frames of the page's first video must be decoded."""
    dropped: Annotated[int | None, Field(ge=0, le=100_000)] = None
    """How many of them may be dropped; without it any."""
    at_most: Annotated[Seconds | None, Field(examples=["2s"])] = None
    """How long the page may take to be loaded."""
    for_: Seconds = 15.0
    """How long each of the other things may take."""


class VoipSipCheck(Strict):
    """One node calls another with a stock SIP phone; both talk at once and must be heard."""

    from_: Name
    """The node that calls."""
    to: Name
    """The node that is called."""
    name: Annotated[HostName | None, Field(examples=["bob.loki"])] = None
    """The name that is dialled; without it the called node's address. Its address on the underlay:
    a call without Lokinet."""
    codec: Literal["opus", "pcmu"] = "opus"
    """How sound is coded: Opus at 40 kbit/s, or G.711."""
    says: Sentence = WORDS
    """What the caller says; "" is a silent microphone."""
    hears: Annotated[Sentence | None, Field(pattern=r"\w")] = None
    """What must be heard at `to`; without it what the caller says, or is to say."""
    answers: Annotated[Sentence, Field(pattern=r"\w")] = ANSWERED
    """What is said at `to`, and must be heard by the caller."""
    loss: Annotated[float, Field(ge=0, le=1)] = 0.02
    """The share of voice packets that may be lost or come too late to be played, each way."""
    mos: Annotated[float, Field(ge=1, le=4.5)] = 3.6
    """What a listener must at least be expected to say, by G.107 from delay and loss."""

    @model_validator(mode="after")
    def _two_people(self) -> VoipSipCheck:
        if self.from_ == self.to:
            raise ValueError("nobody calls themselves")
        return self

    @property
    def to_be_heard(self) -> str:
        """Of the caller, at the called node."""
        return self.hears if self.hears is not None else self.says or WORDS
