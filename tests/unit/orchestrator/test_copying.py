"""What is packed arrives; what a stream must not do is refused."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from orchestrator.cli.copy import Place
from orchestrator.copying import CopyError, pack, tar_argv, unpack
from orchestrator.errors import UsageError


def packed(source: Path) -> io.BytesIO:
    stream = io.BytesIO()
    pack(source, stream)
    stream.seek(0)
    return stream


def test_a_file_arrives_under_its_name_or_the_one_it_is_given(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_text("text")
    folder = tmp_path / "into"
    folder.mkdir()
    unpack(packed(source), folder)
    unpack(packed(source), tmp_path / "b.txt")
    assert (folder / "a.txt").read_text() == (tmp_path / "b.txt").read_text() == "text"


def test_a_folder_arrives_with_everything_in_it(tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "one").write_bytes(os.urandom(200_000))
    os.link(source / "deep" / "one", source / "same")
    (source / "link").symlink_to("deep/one")
    unpack(packed(source), tmp_path / "copy")
    for name in ("deep/one", "same", "link"):
        assert (tmp_path / "copy" / name).read_bytes() == (source / "deep/one").read_bytes()
    assert (tmp_path / "copy" / "link").is_symlink()


def hostile(name: str, **attributes: object) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        for attribute, value in attributes.items():
            setattr(member, attribute, value)
        member.size = 4 if member.isreg() else 0
        archive.addfile(member, io.BytesIO(b"evil"))
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    "stream",
    [
        hostile("../out"),
        hostile("x/../../out"),
        hostile("x", type=tarfile.SYMTYPE, linkname="../out"),
        hostile("x", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        hostile("x", type=tarfile.LNKTYPE, linkname="../out"),
        hostile("x", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    ],
    ids=["name", "name inside", "link", "absolute link", "hard link", "device"],
)
@pytest.mark.parametrize("target", ["into", "new"])
def test_a_stream_that_leads_out_of_its_target_is_refused(
    tmp_path: Path, stream: io.BytesIO, target: str
) -> None:
    (tmp_path / "into").mkdir()
    with pytest.raises(CopyError):
        unpack(io.BytesIO(stream.getvalue()), tmp_path / target)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path.parent / "out").exists()


def test_special_bits_and_owners_do_not_travel(tmp_path: Path) -> None:
    unpack(hostile("x", mode=0o6777, uid=1234), tmp_path)
    found = (tmp_path / "x").stat()
    assert (found.st_mode & 0o7022, found.st_uid) == (0, os.geteuid())


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    with pytest.raises(CopyError, match="nope: No such file"):
        pack(tmp_path / "nope", io.BytesIO())
    with pytest.raises(CopyError, match=r"far: no such directory"):
        unpack(io.BytesIO(), tmp_path / "far" / "away")
    with pytest.raises(CopyError):
        unpack(io.BytesIO(b""), tmp_path)
    with pytest.raises(CopyError):
        unpack(io.BytesIO(b"no archive" * 100), tmp_path)


def test_places_in_nodes_are_told_from_paths_with_colons() -> None:
    assert Place.of("alice:/etc/hosts") == Place("alice", "/etc/hosts")
    assert Place.of("./a:b") == Place(None, "./a:b")
    assert Place.of("file") == Place(None, "file")
    with pytest.raises(UsageError, match="begins with /"):
        Place.of("alice:etc/hosts")


# --- by tar and a shell, where there is no Python ---


def by_tar(verb: str, path: Path, stream: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = tar_argv("pack" if verb == "pack" else "unpack", str(path))
    return subprocess.run(argv, input=stream, capture_output=True, check=False, timeout=30)


def test_tar_and_python_understand_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "file").write_text("text")
    packed = by_tar("pack", folder)
    assert packed.returncode == 0, packed.stderr
    unpack(io.BytesIO(packed.stdout), tmp_path / "new")
    assert (tmp_path / "new" / "deep" / "file").read_text() == "text"
    back = io.BytesIO()
    pack(tmp_path / "new", back)
    assert by_tar("unpack", tmp_path / "back", back.getvalue()).returncode == 0
    assert (tmp_path / "back" / "deep" / "file").read_text() == "text"
    assert by_tar("unpack", folder, back.getvalue()).returncode == 0
    assert (folder / "new" / "deep" / "file").read_text() == "text", "into a folder that is there"
    assert [entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".cp-")] == []


def test_tar_says_what_is_missing(tmp_path: Path) -> None:
    missing = by_tar("pack", tmp_path / "nothing")
    assert missing.returncode != 0
    assert b"nothing" in missing.stderr
    nowhere = by_tar("unpack", tmp_path / "no" / "place")
    assert nowhere.returncode == 1
    assert b"no such directory" in nowhere.stderr
    empty = by_tar("unpack", tmp_path / "file", b"\0" * 10240)
    assert empty.returncode == 1
    assert b"nothing came" in empty.stderr
