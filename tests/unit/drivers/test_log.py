"""Log lines: one per event, short, and silent about people unless asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers.log import Log


def lines(level: str, path: Path) -> list[str]:
    log = Log(level, str(path))
    log.debug("link.opened", peer="yyyyyyyy", index=1)
    log.info("path.ready", hops=4, rtt_ms=2.5, router="yyyyyyyy", key=bytes(range(32)))
    log.warn("config.ignored", text='a "b"\nc=d', none=None, empty="")
    log.error("loop.failed")
    log.close()
    return path.read_text().splitlines()


def test_each_event_is_one_line_with_time_level_and_fields(tmp_path: Path) -> None:
    found = lines("info", tmp_path / "log")
    assert len(found) == 3
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info path\.ready hops=4 rtt_ms=2\.5 key=00010203",
        found[0],
    )
    assert found[1].endswith(r'warn config.ignored text="a \"b\"\nc=d" none=None empty=""')


def test_peers_are_named_only_by_a_log_asked_for_debug(tmp_path: Path) -> None:
    assert not any("yyyyyyyy" in line for line in lines("info", tmp_path / "a"))
    assert sum("yyyyyyyy" in line for line in lines("debug", tmp_path / "b")) == 2


@pytest.mark.parametrize(("level", "count"), [("trace", 4), ("warn", 2), ("error", 1), ("none", 0)])
def test_a_level_writes_itself_and_what_is_worse(tmp_path: Path, level: str, count: int) -> None:
    assert len(lines(level, tmp_path / "log")) == count


def test_logs_are_private_and_appended_to(tmp_path: Path) -> None:
    lines("error", tmp_path / "log")
    assert len(lines("error", tmp_path / "log")) == 2
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be written"):
        Log("info", str(tmp_path / "no" / "log"))


def test_wants_tells_before_a_line_is_prepared(tmp_path: Path) -> None:
    log = Log("warn", str(tmp_path / "log"))
    assert log.wants("error")
    assert not log.wants("info")
    log.close()
