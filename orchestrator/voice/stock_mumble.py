"""The distribution's Mumble, unchanged, started so that it joins a server and talks by itself.

A first start asks three things; each is answered beforehand by a file where Mumble keeps its
answers: how the sound is set up, which certificate is one's own, and whether the server's
certificate, which nobody signed, is the right one. Nothing is clicked.
"""

from __future__ import annotations

import datetime
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

__all__ = ["mumble_command", "prepare_home"]

BITRATE = 40_000
"""Of its Opus; a frame of 20 ms is a packet."""
FRAMES_OF_10_MS = 2
VALID_DAYS = 365
"""In the last weeks of which Mumble would warn."""
KEY_BITS = 2048

CONFIGURATION = """\
[General]
lastupdate=2
[audio]
input=PulseAudio
output=PulseAudio
transmit=0
quality={bitrate}
frames={frames}
noisesupress=0
loudness=1000
echo=false
headphone=true
[pulseaudio]
input={microphone}
output={ears}
[net]
tcponly=false
qos=false
pingservers=false
[tts]
enable=false
[ui]
askonquit=false
state=0
updatecheck=false
pluginUpdateCheck=false
usage=false
disablepubliclist=true
"""
"""`transmit=0`: always, as silence between words is part of what is measured."""

TRUSTED = """\
CREATE TABLE cert (id INTEGER PRIMARY KEY AUTOINCREMENT, hostname TEXT, port INTEGER, digest TEXT);
CREATE UNIQUE INDEX cert_host_port ON cert (hostname, port);
"""


def prepare_home(
    home: Path, person: str, host: str, port: int, certificate: bytes, sound: tuple[str, str]
) -> None:
    """Everything a first start would ask.

    Args:
        home: a new folder, the client's own.
        person: the name on the certificate.
        host: the server, exactly as the client is told it.
        port: the same.
        certificate: the server's, DER.
        sound: the source it hears the person from and the sink it plays to.
    """
    settings = home / ".config/Mumble/Mumble.conf"
    settings.parent.mkdir(parents=True)
    microphone, ears = sound
    settings.write_text(
        CONFIGURATION.format(
            bitrate=BITRATE, frames=FRAMES_OF_10_MS, microphone=microphone, ears=ears
        ),
        encoding="utf-8",
    )
    database = home / ".local/share/Mumble/Mumble/mumble.sqlite"
    database.parent.mkdir(parents=True)
    digest = hashlib.sha1(certificate).hexdigest()  # Mumble's choice
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executescript(TRUSTED)
        row = (host, port, digest)
        connection.execute("INSERT INTO cert (hostname, port, digest) VALUES (?, ?, ?)", row)
    backup = home / "Documents/MumbleAutomaticCertificateBackup.p12"
    backup.parent.mkdir()
    backup.write_bytes(_own_certificate(person))


def mumble_command(person: str, host: str, port: int) -> list[str]:
    """`-m`: beside others, without asking a bus whether there are any."""
    return ["mumble", "-m", f"mumble://{person}@{host}:{port}/?version=1.2.0"]


def _own_certificate(person: str) -> bytes:
    """A fresh one without a password, as Mumble's wizard would make it."""
    from cryptography import x509  # costs a start 0.1 s
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(65537, KEY_BITS)  # Mumble reads no others
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, person)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .sign(key, hashes.SHA256())
    )
    return pkcs12.serialize_key_and_certificates(
        person.encode(), key, certificate, None, NoEncryption()
    )
