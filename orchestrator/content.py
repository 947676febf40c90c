"""What is made for applications on this machine, too large or too binary for a topology: values.

Paths are relative to the directory of the node that has it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Certificate", "Content", "Film", "NoiseFile", "described"]


@dataclass(frozen=True, slots=True)
class NoiseFile:
    """Bytes that do not compress, the same for each file of that size."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Film:
    """A moving picture with sound in a folder: `index.m3u8` with its segments, and `video.mp4`."""

    path: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """`certificate.pem` and `key.pem` in a folder, signed by itself."""

    path: str
    public: str
    """Where a copy of the certificate lies, for everybody."""
    names: tuple[str, ...]
    """Host names and addresses it is for."""
    identity: str = ""
    """Key file of a service, absolute: the certificate is for its `.loki` address, too."""


Content = NoiseFile | Film | Certificate


def described(content: Content) -> dict[str, object]:
    """As JSON holds it: what it was made of."""
    return {"kind": type(content).__name__, **asdict(content)}
