"""Programs behind a service's address or on a server of the clearnet, as topology files name them.

All are the distribution's own and know nothing of Lokinet.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from orchestrator.models import Port, Rate, Seconds, Size, Strict

__all__ = [
    "AiosmtpdApp",
    "AnyApp",
    "CommandApp",
    "DnsmasqApp",
    "MumbleApp",
    "NginxApp",
    "ServerAppField",
    "ServiceAppField",
]

ImageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-zA-Z0-9._:/@-]{0,254}$")]

MadeSize = Annotated[Size, Field(le=10**10)]
MadeSeconds = Annotated[Seconds, Field(ge=1, le=600)]
MadeRate = Annotated[Rate, Field(ge=8)]


class NginxApp(Strict):
    """The distribution's nginx, serving one page and whatever is put beside it.

    What it serves besides is made on this machine when the network comes up.
    """

    kind: Literal["nginx"]
    port: Port = 80
    """Where it listens."""
    page: str | None = None
    """Text of its first page; without it one that says whose it is."""
    tls: Annotated[Port | None, Field(examples=[443])] = None
    """Where it speaks TLS and HTTP/2 as well. Its certificate, signed by itself for its address and
    its bought names, is at `/certificate.pem`."""
    file: Annotated[MadeSize | None, Field(examples=["100 MB"])] = None
    """Size of `/file.bin`: bytes that do not compress, the same for each file of that size."""
    video: Annotated[MadeSeconds | None, Field(examples=["20s"])] = None
    """Length of a film by ffmpeg: `/video/index.m3u8` (HLS) and `/video/video.mp4`."""
    websocket: bool = False
    """`/echo` answers each message of a WebSocket with the same."""
    rate: Annotated[MadeRate | None, Field(examples=["1 Mbit/s"])] = None
    """The most it sends for each request; without it as fast as it goes."""


class MumbleApp(Strict):
    """The distribution's mumble-server, murmurd: voice for whoever knows its name."""

    kind: Literal["mumble"]
    port: Port = 64738
    """Where it listens: for control over TCP, for voice over UDP."""


class CommandApp(Strict):
    """Any foreground program, started as written; `port` is where it answers TCP, if it does."""

    kind: Literal["command"]
    run: Annotated[list[str], Field(min_length=1)]
    """The program and its arguments, one item each; no shell is involved."""
    image: Annotated[ImageName | None, Field(examples=["localhost/lokinet-testnet/voip:local"])] = (
        None
    )
    """On docker: what it is started from; without it the image of tools."""
    port: Port | None = None
    """Where it answers TCP, if it does: `up` waits for that."""


class DnsmasqApp(Strict):
    """The distribution's dnsmasq: each server of the clearnet is `NAME.test`; it logs who asks."""

    kind: Literal["dnsmasq"]


class AiosmtpdApp(Strict):
    """The distribution's aiosmtpd: takes mail from anybody and prints it into its log."""

    kind: Literal["aiosmtpd"]
    port: Port = 25
    """Where it listens."""


def _app(value: object) -> object:
    return {"kind": value} if isinstance(value, str) else value


AnyApp = NginxApp | CommandApp | DnsmasqApp | AiosmtpdApp
ServiceApp = Annotated[NginxApp | CommandApp | MumbleApp, Field(discriminator="kind")]
ServerApp = Annotated[AnyApp, Field(discriminator="kind")]
ServiceAppName = Literal["nginx", "mumble"]
ServerAppName = Literal["nginx", "dnsmasq", "aiosmtpd"]
"""All of an application that needs no further words."""
ServiceAppField = Annotated[
    ServiceApp, BeforeValidator(_app, json_schema_input_type=ServiceApp | ServiceAppName)
]
ServerAppField = Annotated[
    ServerApp, BeforeValidator(_app, json_schema_input_type=ServerApp | ServerAppName)
]
