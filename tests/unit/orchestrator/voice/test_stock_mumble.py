"""What a first start of a stock Mumble finds, so that it asks nothing."""

from __future__ import annotations

import configparser
import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import pkcs12

from orchestrator.voice.stock_mumble import mumble_command, prepare_home


def test_a_home_has_the_answers_to_all_that_is_asked(tmp_path: Path) -> None:
    prepare_home(tmp_path, "alice", "probably.loki", 64738, b"a certificate", ("mic0", "ears0"))
    settings = configparser.ConfigParser()
    settings.read(tmp_path / ".config/Mumble/Mumble.conf")
    assert settings["pulseaudio"] == {"input": "mic0", "output": "ears0"}
    assert settings["net"]["tcponly"] == "false"
    assert settings["General"]["lastupdate"] == "2"  # else the audio wizard comes
    database = tmp_path / ".local/share/Mumble/Mumble/mumble.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT hostname, port, digest FROM cert").fetchall()
    assert rows == [("probably.loki", 64738, hashlib.sha1(b"a certificate").hexdigest())]
    backup = (tmp_path / "Documents/MumbleAutomaticCertificateBackup.p12").read_bytes()
    key, certificate, others = pkcs12.load_key_and_certificates(backup, None)
    assert isinstance(key, RSAPrivateKey)  # Mumble 1.3 takes no other for a certificate
    assert certificate is not None
    assert certificate.subject.rfc4514_string() == "CN=alice"
    assert others == []


def test_the_command_names_the_server_as_the_trusted_row_does() -> None:
    assert mumble_command("bob", "probably.loki", 64738)[-1].startswith(
        "mumble://bob@probably.loki:64738/"
    )
