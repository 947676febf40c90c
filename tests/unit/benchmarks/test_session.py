"""A go through benchmarks: what is printed and written when they succeed, fail, are interrupted."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import cli
from benchmarks.figures import (
    NEVER,
    Benchmark,
    BenchmarkFailed,
    Figure,
    Reading,
    Readings,
    summarise,
)
from benchmarks.machine import Machine, this_machine
from benchmarks.network import NotRemoved
from benchmarks.registry import BENCHMARKS
from benchmarks.table import COLUMNS, MARGIN, head, preamble, row, shown

QUIET = Machine(2, "Some CPU", "6.1", "3.11.7", "50.0", (0.2, 0.5, 0.9), 0.6)
BUSY = Machine(2, "Some CPU", "6.1", "3.11.7", "50.0", (1.2, 0.5, 0.9), 0.6)


def benchmark(name: str, *values: float | BaseException) -> Benchmark:
    """One that gives, or raises, these in turn."""
    left = iter(values)

    def measure() -> Readings:
        value = next(left)
        if isinstance(value, BaseException):
            raise value
        return {"speed": Reading(value, 2.0)}

    figures = (Figure("speed", f"speed of {name}", "m/s", "≥ 3", "1"),)
    return Benchmark(name, f"how fast {name} is", figures, measure)


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[pytest.MonkeyPatch, Path]]:
    monkeypatch.setattr(cli, "this_machine", lambda: QUIET)
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield monkeypatch, tmp_path / "figures.json"
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


Run = tuple[pytest.MonkeyPatch, Path]


def go(run: Run, runs: int, *benchmarks: Benchmark) -> int:
    monkeypatch, file = run
    monkeypatch.setattr(cli, "BENCHMARKS", benchmarks)
    return cli.main(["--runs", str(runs), "--json", str(file)])


def test_medians_spread_and_cpu_time_are_printed_and_written(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(run, 3, benchmark("snail", 2, 4, 3)) == 0
    text = capsys.readouterr().out
    assert "2 cores, Some CPU; Linux 6.1" in text
    assert "snail: how fast snail is" in text
    line = next(line for line in text.splitlines() if "speed of snail" in line)
    assert line.split()[-9:] == ["3.00", "m/s", "2.00", "–", "4.00", "2.00", "≥", "3", "1"]
    written = json.loads(run[1].read_text())
    assert written["runs"] == 3
    assert written["machine"]["model"] == "Some CPU"
    figure = written["benchmarks"]["snail"]["speed"]
    assert (figure["median"], figure["values"], figure["cpu_s"]) == (3, [2, 4, 3], 2)


def test_one_that_fails_says_why_keeps_its_runs_and_does_not_stop_the_next(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code = go(
        run, 2, benchmark("hare", 9.0, BenchmarkFailed("fell asleep")), benchmark("snail", 2, 2)
    )
    assert code == 1
    text = capsys.readouterr().out
    assert "failed in run 2: fell asleep" in text
    assert "1 of 2 runs:" in text
    written = json.loads(run[1].read_text())
    assert written["failed"] == {"hare": "fell asleep"}
    assert list(written["benchmarks"]) == ["hare", "snail"]


def test_an_interrupt_ends_with_130_and_what_was_measured_is_written(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    never_run = benchmark("hare", 1)
    assert (
        go(run, 1, benchmark("snail", 2), benchmark("cat", KeyboardInterrupt()), never_run) == 130
    )
    captured = capsys.readouterr()
    assert "speed of snail" in captured.out
    assert "hare" not in captured.out
    assert "interrupted" in captured.err
    assert list(json.loads(run[1].read_text())["benchmarks"]) == ["snail"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_interrupt_even_where_the_shell_had_them_ignored(
    run: Run, number: signal.Signals
) -> None:
    signal.signal(number, signal.SIG_IGN)
    snail = benchmark("snail", 1)

    def measure() -> Readings:
        signal.raise_signal(number)
        return snail.measure()

    assert go(run, 1, Benchmark("snail", "", snail.figures, measure)) == 130


def test_a_network_that_stays_stops_everything(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    left = NotRemoved("it is busy; to remove it: testnet down")
    assert go(run, 1, benchmark("hare", left), benchmark("snail", 2)) == 1
    captured = capsys.readouterr()
    assert "benchmarks: it is busy; to remove it: testnet down" in captured.err
    assert "snail" not in captured.out


def test_a_missing_program_is_named_with_the_way_to_get_it() -> None:
    lacking = Benchmark("x", "", (), dict, programs=("sh", "no-such-program"))
    with pytest.raises(BenchmarkFailed, match=r"not installed: no-such-program .*setup-test"):
        cli.check_programs(lacking)
    cli.check_programs(Benchmark("x", "", (), dict, programs=("sh",)))


def test_a_busy_machine_is_warned_of_and_a_quiet_one_is_not() -> None:
    assert "WARNING" in preamble(BUSY, 5)
    assert "WARNING" not in preamble(QUIET, 5)


def test_this_machine_can_be_described() -> None:
    here = this_machine()
    assert here.cores >= 1
    assert here.model
    assert 0.01 < here.seal_us < 1000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (0.00001, "< 0.001"), (0.12345, "0.123"), (1.2345, "1.23"), (12.345, "12.3"),
        (123.45, "123"), (98765.4, "98765"), (NEVER, "never"),
    ],
)  # fmt: skip
def test_values_are_shown_with_three_digits(value: float, text: str) -> None:
    assert shown(value) == text


def test_what_never_came_is_null_in_the_file(run: Run) -> None:
    assert go(run, 1, benchmark("snail", NEVER)) == 0
    assert json.loads(run[1].read_text())["benchmarks"]["snail"]["speed"]["median"] is None


@pytest.mark.parametrize("one", BENCHMARKS, ids=lambda one: one.name)
def test_each_figure_has_a_key_of_its_own_and_fits_its_column(one: Benchmark) -> None:
    keys = [figure.key for figure in one.figures]
    assert len(set(keys)) == len(keys)
    width = dict(COLUMNS)
    for figure in one.figures:
        assert len(MARGIN + figure.title) <= -width["figure"]
        assert len(figure.unit) <= -width["unit"]
        assert len(figure.goal) <= 7


def test_the_columns_stand_under_their_heads() -> None:
    figure = Figure("speed", "speed", "m/s", "≥ 3", "1")
    summary = summarise([Reading(value, 2.0) for value in (1, 2, 3)])
    line = row(figure, summary)
    assert line.index("m/s") == head().index("unit")
    assert line.index("≥ 3") == head().index("goal")
    assert line.rindex("1") == head().index("C++")
    assert line.index("2.00") + 4 == head().index("median") + 6
