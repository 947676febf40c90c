"""What containers that run once do, in a folder of the test's.

Another user's folders and a real chain are in tests/integration/chain/test_jobs.py.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from lokinet_node.jobs import main


def spec(folder: Path, **changes: object) -> str:
    values: dict[str, Any] = {
        "keys": {
            "router-1": {
                "kind": "router",
                "dir": f"{folder}/router-1",
                "netid": "jobs",
                "public_address": "10.77.0.1:1090",
            },
            "web": {"kind": "service", "file": f"{folder}/web/service.key"},
        },
        "contacts": {"router-1": f"{folder}/contacts/self.signed"},
        "addresses": f"{folder}/names/addresses.json",
        "owners": {f"{folder}/router-1": os.geteuid(), f"{folder}/web": os.geteuid()},
    }
    return json.dumps(values | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As volumes: the nodes' folders are there."""
    (tmp_path / "web").mkdir()
    (tmp_path / "router-1").mkdir()
    return tmp_path


def text(path: Path) -> str:
    return path.read_text()


def test_files_keys_and_contacts_lie_where_they_were_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "shared/www/index.html"
    assert main(["prepare", spec(folder), str(page), "<h1>$5 & more</h1>\n"]) == 0
    assert text(page) == "<h1>$5 & more</h1>\n"
    lines = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert lines["router-1"].endswith(".snode")
    assert lines["web"].endswith(".loki")
    contact = folder / "contacts/self.signed"
    assert contact.read_bytes() == (folder / "router-1/self.signed").read_bytes()
    addresses = json.loads(text(folder / "names/addresses.json"))
    assert {name: who["address"] for name, who in addresses.items()} == lines


def test_what_others_read_is_public_and_keys_are_not(folder: Path) -> None:
    assert main(["prepare", spec(folder)]) == 0
    modes = {
        path.relative_to(folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert {name for name, mode in modes.items() if mode == 0o644} == {
        "contacts/self.signed",
        "names/addresses.json",
    }
    assert {mode for name, mode in modes.items() if name.endswith(".key")} == {0o600}


def test_a_second_run_keeps_every_key(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", spec(folder)]) == 0
    before = {path: path.read_bytes() for path in folder.rglob("*.key")}
    first = capsys.readouterr().out
    assert main(["prepare", spec(folder)]) == 0
    assert len(before) == 4
    assert {path: path.read_bytes() for path in folder.rglob("*.key")} == before
    assert capsys.readouterr().out == first


def test_nothing_is_written_where_a_link_leads(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that may write in its folder cannot make this job write into another's."""
    (folder / "other").mkdir()
    (folder / "www").symlink_to(folder / "other")
    assert main(["prepare", spec(folder), f"{folder}/www/index.html", "hello"]) == 1
    assert f"{folder}/www: leads elsewhere" in capsys.readouterr().err
    assert list((folder / "other").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["prepare", "{"], "SPEC is not as it should be"),
        (["prepare", "[]"], "SPEC is not a JSON object"),
        (["prepare", "{}"], "KeyError('keys')"),
        (["prepare", '{"keys": {"a": {"kind": "bird"}}}'], "kind 'bird' is neither"),
        (["prepare", "{}", "/path"], "/path: a path without a text"),
        (["settle", '{"admin": "chain"}'], "chain: "),
        (["settle", '{"admin": "127.0.0.1:1", "addresses": "/none"}'], "/none: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("lokinet jobs: ")
    assert message in line
