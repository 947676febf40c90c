"""Files are private, whole, and never overwritten by accident."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers.files import (
    make_directory,
    read_config,
    read_file,
    write_file,
    write_new_file,
)


def test_written_files_are_private_and_leave_nothing_beside_them(tmp_path: Path) -> None:
    old_mask = os.umask(0)
    try:
        assert write_new_file(str(tmp_path / "a"), b"one")
        write_file(str(tmp_path / "b"), b"two")
        make_directory(str(tmp_path / "c" / "d"))
    finally:
        os.umask(old_mask)
    assert sorted(os.listdir(tmp_path)) == ["a", "b", "c"]
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "b", "c/d")]
    assert modes == [0o600, 0o600, 0o700]
    assert (tmp_path / "a").read_bytes() == b"one"


def test_a_new_file_never_replaces_and_a_written_one_does(tmp_path: Path) -> None:
    path = str(tmp_path / "a")
    assert write_new_file(path, b"one")
    assert not write_new_file(path, b"two")
    assert read_file(path, 10) == b"one"
    write_file(path, b"three")
    assert read_file(path, 10) == b"three"
    assert os.listdir(tmp_path) == ["a"]


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "long").write_bytes(b"12345")
    for name, words in [
        ("absent", "No such file"),
        ("pipe", "not a regular file"),
        ("long", "longer than 4"),
        (".", "not a regular file"),
    ]:
        with pytest.raises(OperatorError, match=words) as caught:
            read_file(str(tmp_path / name), 4)
        assert str(caught.value).startswith(str(tmp_path / name))
    with pytest.raises(OperatorError, match="cannot be written"):
        write_new_file(str(tmp_path / "no" / "where"), b"")
    with pytest.raises(OperatorError, match="cannot be written"):
        write_file(str(tmp_path / "no" / "where"), b"")
    with pytest.raises(OperatorError, match="cannot be made"):
        make_directory(str(tmp_path / "long" / "x"))


def test_a_failed_replacement_leaves_no_temporary(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OperatorError):
        write_file(str(tmp_path / "taken"), b"x")
    assert os.listdir(tmp_path) == ["taken"]


def test_config_files_are_read_in_order_of_names(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "lokinet.ini").write_text("main")
    for name in ("20.ini", "10.ini", "30.txt"):
        (tmp_path / "conf.d" / name).write_text(name)
    found = read_config(str(tmp_path / "lokinet.ini"))
    assert [(Path(path).name, text) for path, text in found] == [
        ("lokinet.ini", "main"),
        ("10.ini", "10.ini"),
        ("20.ini", "20.ini"),
    ]


def test_text_that_is_not_utf8_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.ini").write_bytes(b"[s]\nk=\xff\n")
    with pytest.raises(OperatorError, match=r"a\.ini:2: not UTF-8"):
        read_config(str(tmp_path / "a.ini"))


def test_a_conf_d_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.ini").write_text("")
    (tmp_path / "conf.d").write_text("a file")
    with pytest.raises(OperatorError, match=r"conf\.d: cannot be read: Not a directory"):
        read_config(str(tmp_path / "a.ini"))
