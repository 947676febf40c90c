"""Log lines: one per event, short, and silent about people unless asked."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers import log as log_module
from lokinet_node.drivers.log import Log

REMOTE = "kcpyawm9se7trdbzncimdi5t7st4p5mh9i1mg7gkpuubi4k4ku1y"


def lines(level: str, path: Path, form: str = "text") -> list[str]:
    log = Log(level, str(path), form)
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


def test_a_line_of_json_has_the_same_fields_and_cannot_be_faked(tmp_path: Path) -> None:
    found = [json.loads(line) for line in lines("info", tmp_path / "log", "json")]
    assert list(found[0]) == ["time", "level", "event", "hops", "rtt_ms", "key"]
    assert found[0] | {"time": ""} == {
        "time": "",
        "level": "info",
        "event": "path.ready",
        "hops": 4,
        "rtt_ms": 2.5,
        "key": "00010203",
    }
    assert found[1]["text"] == 'a "b"\nc=d'
    log = Log("info", str(tmp_path / "other"), "json")
    log.info("true", level="error", time="never")
    log.close()
    (faked,) = (tmp_path / "other").read_text().splitlines()
    assert json.loads(faked)["level"] == "info"


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    "text",
    [REMOTE, f"no way to {REMOTE}.loki", f"{REMOTE}.snode: dead", "www.web.loki failed", "ab" * 32],
)
def test_names_and_keys_inside_of_texts_are_hidden(tmp_path: Path, form: str, text: str) -> None:
    log = Log("info", str(tmp_path / "log"), form)
    log.info("session.failed", reason=text)
    log.close()
    written = (tmp_path / "log").read_text()
    assert "<hidden>" in written
    for secret in (REMOTE, "web.loki", "abab"):
        assert secret not in written


def test_a_log_asked_for_debug_names_peers_and_still_no_keys(tmp_path: Path) -> None:
    log = Log("debug", str(tmp_path / "log"))
    log.info("x", reason=f"{REMOTE}.loki " + "ab" * 32)
    log.close()
    written = (tmp_path / "log").read_text()
    assert REMOTE in written
    assert "abab" not in written


def test_the_last_hundred_lines_are_remembered_and_listeners_hear_the_next(tmp_path: Path) -> None:
    log = Log("info", str(tmp_path / "log"))
    for number in range(150):
        log.info("n", number=number)
    assert [line.rpartition("=")[2] for line in log.recent()] == [str(n) for n in range(50, 150)]
    heard: list[str] = []
    end = log.listen(heard.append)
    log.info("heard")
    end()
    end()
    log.info("unheard")
    log.close()
    assert [line.split()[2] for line in heard] == ["heard"]


def test_lines_that_come_too_fast_are_counted_and_errors_are_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instant = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: instant[0])
    log = Log("info", str(tmp_path / "log"))
    for _ in range(log_module.BURST + 7):
        log.info("x")
    log.error("bad")
    instant[0] = 1.0
    for _ in range(log_module.LINES_PER_S + 3):
        log.info("y")
    instant[0] = 2.0
    log.info("z")
    log.close()
    events = [line.split()[2:] for line in (tmp_path / "log").read_text().splitlines()]
    assert events[: log_module.BURST] == [["x"]] * log_module.BURST
    assert events[log_module.BURST : log_module.BURST + 2] == [
        ["log.suppressed", "count=7"],
        ["bad"],
    ]
    assert events.count(["y"]) == log_module.LINES_PER_S
    assert events[-2:] == [["log.suppressed", "count=3"], ["z"]]


def test_no_value_makes_a_line_long(tmp_path: Path) -> None:
    log = Log("info", str(tmp_path / "log"))
    log.info("x", text="a" * 100_000)
    log.close()
    assert len((tmp_path / "log").read_text()) < log_module.MAX_TEXT + 100


def test_a_file_that_is_full_makes_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "MAX_FILE", 2000)
    log = Log("info", str(tmp_path / "log"))
    for number in range(200):
        log.info("line", number=number)
    log.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) == {"log", "log.1"}
    assert max(sizes.values()) <= 2000
    assert (tmp_path / "log").read_text().endswith("number=199\n")
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
