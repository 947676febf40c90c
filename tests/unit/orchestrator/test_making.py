"""Content: the same bytes everywhere, made once, made anew when what it is made of changes."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from cryptography import x509

from orchestrator.backends import making
from orchestrator.backends.making import make_content
from orchestrator.content import Certificate, Film, NoiseFile
from orchestrator.errors import HostUnfit
from orchestrator.owners import Identified

SITE = "nginx/www"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / SITE).mkdir(parents=True)
    return tmp_path


def certificate_of(directory: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((directory / SITE / "certificate.pem").read_bytes())


def test_a_file_of_noise_is_the_same_on_every_machine(directory: Path) -> None:
    make_content(directory, [NoiseFile(f"{SITE}/file.bin", 3_000_000)])
    data = (directory / SITE / "file.bin").read_bytes()
    assert (len(data), hashlib.sha256(data).hexdigest()) == (
        3_000_000,
        "94b33505d1602a5b77e2e3364a4abe2f09ac2536106b86f9b8e0027d3f6f5bbc",
    )
    assert stat.S_IMODE((directory / SITE / "file.bin").stat().st_mode) == 0o644


def test_what_is_there_stays_and_what_changed_is_made_anew(directory: Path) -> None:
    file = directory / SITE / "file.bin"
    make_content(directory, [NoiseFile(f"{SITE}/file.bin", 10)])
    first = file.stat().st_ino
    make_content(directory, [NoiseFile(f"{SITE}/file.bin", 10)])
    assert file.stat().st_ino == first
    make_content(directory, [NoiseFile(f"{SITE}/file.bin", 11)])
    assert file.stat().st_size == 11
    file.unlink()
    make_content(directory, [NoiseFile(f"{SITE}/file.bin", 11)])
    assert file.stat().st_size == 11
    assert not list(directory.glob(".making-*"))


def test_a_certificate_is_for_its_names_and_the_address_of_its_service(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "identified", lambda _: [Identified("abc.loki", "")])
    wanted = Certificate("nginx/tls", f"{SITE}/certificate.pem", ("web.loki", "203.0.113.1"), "key")
    make_content(directory, [wanted])
    first = certificate_of(directory)
    names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["web.loki", "abc.loki"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["203.0.113.1"]
    own = directory / "nginx/tls"
    assert stat.S_IMODE((own / "key.pem").stat().st_mode) == 0o600
    assert (own / "certificate.pem").read_bytes() == (
        directory / SITE / "certificate.pem"
    ).read_bytes()
    make_content(directory, [wanted])
    assert certificate_of(directory) == first
    monkeypatch.setattr(making, "identified", lambda _: [Identified("new.loki", "")])
    make_content(directory, [wanted])
    assert certificate_of(directory) != first


def test_without_ffmpeg_no_film_is_left_half_made(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "clean_environment", lambda: {"PATH": "/nowhere"})
    with pytest.raises(HostUnfit, match="apt-get install ffmpeg"):
        make_content(directory, [Film(f"{SITE}/video", 1)])
    assert list((directory / SITE).iterdir()) == []
    assert not list(directory.glob(".making-*"))
