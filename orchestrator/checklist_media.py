"""What `tests:` of a topology may say of applications that people use: one model for each kind."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.models import HostName, Name, Port, Seconds, Strict

__all__ = ["HlsCheck"]

Path = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")]


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
