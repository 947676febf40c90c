"""What the benchmark of containers reads: the engine's record, and accounts of memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks.docker import charged_mib, last_start
from benchmarks.figures import BenchmarkFailed


def row(program: str, second: int, running: bool = True) -> dict[str, Any]:
    return {
        "Config": {"Labels": {"lokinet-testnet.program": program}},
        "State": {"StartedAt": f"1970-01-01T00:00:{second:02}.25Z", "Running": running},
    }


def test_all_are_created_when_the_last_was_started() -> None:
    assert last_start([row("lokinet", 7), row("sandbox", 9), row("tools", 30)]) == 9.25


def test_a_container_that_ended_is_no_network() -> None:
    with pytest.raises(BenchmarkFailed, match="not every container"):
        last_start([row("lokinet", 7), row("nginx", 8, running=False)])
    with pytest.raises(BenchmarkFailed, match="not every container"):
        last_start([])


def test_memory_is_read_where_the_cgroup_of_the_process_has_it(tmp_path: Path) -> None:
    lines = Path(f"/proc/{os.getpid()}/cgroup").read_text().splitlines()
    read = 0
    for version, name in ((1, "memory.usage_in_bytes"), (2, "memory.current")):
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if version == 1 and "memory" in controllers.split(","):
                folder = tmp_path / "1" / "memory" / path.lstrip("/")
            elif version == 2 and not controllers:
                folder = tmp_path / "2" / path.lstrip("/")
            else:
                continue
            folder.mkdir(parents=True)
            (folder / name).write_text(f"{3 << 20}\n")
            assert charged_mib(os.getpid(), tmp_path / str(version)) == 3
            read += 1
    assert read


def test_no_account_of_memory_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFailed, match="no memory account"):
        charged_mib(os.getpid(), tmp_path)
