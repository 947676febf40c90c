"""Which ids exist inside the world."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.world import maps


def test_root_maps_what_it_has_onto_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    chosen = maps.choose_maps()
    assert all(inside == outside for inside, outside, _ in chosen.users + chosen.groups)
    assert sum(count for _, _, count in chosen.users) <= 65536
    assert not chosen.by_tool


def test_a_plain_user_without_a_range_has_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(os, "getegid", lambda: 4343)
    monkeypatch.setattr(maps, "_subordinate", lambda path, user: None)
    chosen = maps.choose_maps()
    assert chosen.users == ((0, 4242, 1),)
    assert chosen.groups == ((0, 4343, 1),)
    assert chosen.one_id


def test_a_plain_user_with_a_range_uses_it_through_the_tools(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    monkeypatch.setattr(maps, "_subordinate", lambda path, user: (1, 100000, 65535))
    monkeypatch.setattr(shutil, "which", lambda tool: f"/usr/bin/{tool}")
    chosen = maps.choose_maps()
    assert chosen.by_tool
    assert not chosen.one_id
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    assert maps.choose_maps().one_id


@pytest.mark.parametrize(
    ("text", "extent"),
    [
        ("4242:100000:65536\n", (1, 100000, 65535)),
        ("other:1:2\n4242:500:10\n", (1, 500, 10)),
        ("root:100000:65536\n", None),
        ("4242:x:y\nnonsense\n", None),
    ],
)
def test_the_users_own_line_is_taken(
    tmp_path: Path, text: str, extent: tuple[int, int, int] | None
) -> None:
    file = tmp_path / "subuid"
    file.write_text(text)
    assert maps._subordinate(str(file), 4242) == extent


def test_no_file_is_no_range(tmp_path: Path) -> None:
    assert maps._subordinate(str(tmp_path / "none"), 4242) is None
