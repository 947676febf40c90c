"""`python -m benchmarks`: bad usage ends with 2 and says why; good usage is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cli import RUNS, Session, main, parse
from benchmarks.figures import Benchmark
from benchmarks.machine import this_machine
from benchmarks.registry import BENCHMARKS


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["tpc"], "no benchmark 'tpc': there are relay, "),
        (["--runs", "0", "rtt"], "'0' is not a number of runs"),
        (["--runs", "-1", "rtt"], "'-1' is not a number of runs"),
        (["--runs", "²"], "'²' is not a number of runs"),
        (["--runs"], "expected one argument"),
        (["--json", "/nowhere/at/all.json"], "/nowhere/at is no directory"),
        (["--json", "/tmp"], "/tmp is a directory"),
        (["--jsn", "x"], "unrecognized arguments: --jsn"),
        (["--run", "1"], "unrecognized arguments: --run"),
    ],
)
def test_bad_usage_ends_with_2_before_anything_is_measured(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_without_names_everything_runs_in_the_order_of_the_registry() -> None:
    arguments = parse([])
    assert arguments.benchmarks == list(BENCHMARKS)
    assert arguments.runs == RUNS == 5
    assert arguments.json is None


def test_named_benchmarks_run_once_each_and_in_the_registrys_order(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    arguments = parse(["udp", "relay", "udp", "--runs", "1", "--json", str(file)])
    assert [one.name for one in arguments.benchmarks] == ["relay", "udp"]
    assert arguments.runs == 1
    assert arguments.json == file


def test_list_names_every_benchmark_and_measures_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [one.name for one in BENCHMARKS]


def test_each_run_is_told_where_errors_go_also_when_nobody_watches(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A benchmark may take minutes, and its figures come last."""
    Session([Benchmark("nothing", "…", (), dict)], 2, this_machine()).run()
    told = capsys.readouterr()
    assert told.err.splitlines() == ["nothing: run 1 of 2 …", "nothing: run 2 of 2 …"]
    assert "run 1" not in told.out
