"""Making what applications serve: noise, films by ffmpeg, certificates; on this machine.

Rules: what is there and was made of the same stays; all is made beside its place and moved there,
so that nobody serves half of it. A note of what each was made of lies in the node's directory.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.backends import clean_environment
from orchestrator.content import Certificate, Content, Film, NoiseFile, described
from orchestrator.errors import HostUnfit, OperatorError
from orchestrator.fingerprints import fingerprint
from orchestrator.owners import identified

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["make_content"]

NOTE = "content.json"
CHUNK = 1 << 20
NOISE_SEED = "lokinet-testnet"
PICTURE = "testsrc=size=640x360:rate=25"
"""ffmpeg's own moving picture, with a clock in it."""
TONE = "sine=frequency=440:sample_rate=48000"
VIDEO_BITS_PER_S = "800k"
GROUP_OF_PICTURES = 50
"""Frames from one that stands alone to the next: as long as a segment."""
SEGMENT_S = 2
FFMPEG_TIMEOUT_S = 600.0
VALID_DAYS = 3650
PUBLIC_FOLDER, PUBLIC_FILE, OWN_FILE = 0o755, 0o644, 0o600


def make_content(directory: Path, wanted: Sequence[Content]) -> None:
    """Everything that is not there yet, in a node's directory; raises OperatorError."""
    if not wanted:
        return
    note = _read_note(directory)
    for content in wanted:
        made_of = fingerprint(_made_of(content))
        if note.get(content.path) == made_of and (directory / content.path).exists():
            continue
        with tempfile.TemporaryDirectory(prefix=".making-", dir=directory) as name:
            making = Path(name)
            match content:
                case NoiseFile():
                    _noise(making / "made", content.size)
                case Film():
                    _film(making / "made", content.seconds)
                case Certificate():
                    _certificate(making / "made", content)
                    public = making / "certificate.pem"
                    shutil.copyfile(making / "made" / "certificate.pem", public)
                    _move(public, directory / content.public)
            _move(making / "made", directory / content.path)
        note[content.path] = made_of
        _write_note(directory, note)


def _made_of(content: Content) -> dict[str, object]:
    parts = described(content)
    if isinstance(content, Certificate):
        parts["names"] = _names(content)
    return parts


def _names(content: Certificate) -> list[str]:
    """Those it has, and the address behind the key, which may be a new one."""
    if not content.identity:
        return list(content.names)
    (who,) = identified([("service", content.identity)])
    return [*content.names, who.address]


def _read_note(directory: Path) -> dict[str, str]:
    try:
        found = json.loads((directory / NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def _write_note(directory: Path, note: dict[str, str]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=directory, delete=False) as file:
        json.dump(note, file)
    os.replace(file.name, directory / NOTE)


def _move(made: Path, place: Path) -> None:
    """To where it is served, readable for everybody but for keys; takes the place of the former."""
    for path in [made, *made.rglob("*")]:
        if path.is_dir():
            path.chmod(PUBLIC_FOLDER)
        else:
            path.chmod(OWN_FILE if path.name == "key.pem" else PUBLIC_FILE)
    for parent in reversed(place.parents):
        if not parent.exists():
            parent.mkdir()
            parent.chmod(PUBLIC_FOLDER)
    if made.is_dir():
        with suppress(FileNotFoundError):
            shutil.rmtree(place)
    os.replace(made, place)


def _noise(path: Path, size: int) -> None:
    """The same bytes on every machine: Python promises that of a seeded generator."""
    source = random.Random(NOISE_SEED)
    with path.open("wb") as file:
        while size > 0:
            file.write(source.randbytes(CHUNK)[:size])
            size -= CHUNK


def _film(folder: Path, seconds: float) -> None:
    """Encoded once, then cut."""
    folder.mkdir()
    film, frames = str(folder / "video.mp4"), str(GROUP_OF_PICTURES)
    sources = ["-f", "lavfi", "-i", PICTURE, "-f", "lavfi", "-i", TONE, "-t", f"{seconds:g}"]
    picture = ["-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"]
    picture += ["-b:v", VIDEO_BITS_PER_S, "-g", frames, "-keyint_min", frames, "-sc_threshold", "0"]
    _ffmpeg(*sources, *picture, "-c:a", "aac", "-movflags", "+faststart", film)
    parts = ["-hls_time", str(SEGMENT_S), "-hls_playlist_type", "vod"]
    parts += ["-hls_segment_filename", str(folder / "segment%03d.ts")]
    _ffmpeg("-i", film, "-c", "copy", "-f", "hls", *parts, str(folder / "index.m3u8"))


def _ffmpeg(*arguments: str) -> None:
    try:
        ended = subprocess.run(
            ["ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-y", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=FFMPEG_TIMEOUT_S,
            env=clean_environment(),
        )
    except FileNotFoundError:
        text = "no program 'ffmpeg' to make a film with: install it: `apt-get install ffmpeg`"
        raise HostUnfit(text) from None
    if ended.returncode != 0:
        raise OperatorError(f"ffmpeg ended with {ended.returncode}: {ended.stderr.strip()}")


def _certificate(folder: Path, content: Certificate) -> None:
    """Signed by its own key, so that who trusts it trusts nothing else."""
    # imported here: it costs a start 0.05 s
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    names = _names(content)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "lokinet-testnet")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir()
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    descriptor = os.open(folder / "key.pem", os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWN_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _general(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
