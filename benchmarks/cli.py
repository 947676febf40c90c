"""The command line: which benchmarks, how many runs, and where the data goes.

Exit codes: 0 ok, 1 a benchmark could not measure, 2 usage, 130 interrupted. Ctrl-C and SIGTERM
remove whatever network is up, and what was measured until then is printed and written.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from benchmarks.figures import Benchmark, BenchmarkFailed, Readings, Summary, summarise
from benchmarks.machine import Machine, this_machine
from benchmarks.network import NotRemoved
from benchmarks.registry import BENCHMARKS
from benchmarks.table import as_data, head, preamble, row, title

RUNS = 5
EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str]) -> int:
    """Measure, print, write."""
    arguments = parse(argv)
    if arguments.list:
        for benchmark in BENCHMARKS:
            print(f"{benchmark.name:10}{benchmark.summary}")
        return EXIT_OK
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's background job ignores SIGINT
        signal.signal(number, _interrupt)
    session = Session(arguments.benchmarks, arguments.runs, this_machine())
    try:
        session.run()
    except KeyboardInterrupt:
        print("interrupted; nothing was left behind", file=sys.stderr)
        return EXIT_INTERRUPTED
    except NotRemoved as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return EXIT_FAILED
    finally:
        if arguments.json is not None:
            arguments.json.write_text(session.text(), encoding="utf-8")
    return EXIT_FAILED if session.failures else EXIT_OK


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Namespace of `benchmarks`, `runs`, `json`, `list`; ends the process with 2 on bad usage."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure; prints a table as it goes and judges nothing.",
        epilog="exit codes: 0 ok, 1 a benchmark could not measure, 2 usage, 130 interrupted",
        allow_abbrev=False,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="benchmarks to run; all when none is named"
    )
    parser.add_argument("--json", type=_writable, metavar="FILE", help="write the figures there")
    parser.add_argument(
        "--runs", type=_count, default=RUNS, metavar="N", help=f"runs of each (default {RUNS})"
    )
    parser.add_argument("--list", action="store_true", help="name the benchmarks and end")
    arguments = parser.parse_args(argv)
    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no benchmark {unknown[0]!r}: there are {', '.join(known)}")
    wanted = arguments.names or known
    arguments.benchmarks = [one for one in BENCHMARKS if one.name in wanted]
    return arguments


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs")
    return int(text)


def _writable(text: str) -> Path:
    """A file that can be written when all is measured: better told before than after."""
    path = Path(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a directory")
    if not path.parent.is_dir():
        raise argparse.ArgumentTypeError(f"{path.parent} is no directory")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise argparse.ArgumentTypeError(f"{text} cannot be written")
    return path


class Session:
    """One go through some benchmarks."""

    def __init__(self, benchmarks: Sequence[Benchmark], runs: int, machine: Machine) -> None:
        """Measures nothing yet."""
        self.failures: dict[str, str] = {}
        self._benchmarks = benchmarks
        self._runs = runs
        self._machine = machine
        self._results: dict[str, dict[str, Summary]] = {}

    def run(self) -> None:
        """All of them; one that fails does not stop the next."""
        print(preamble(self._machine, self._runs), head(), sep="\n\n", flush=True)
        for benchmark in self._benchmarks:
            print(f"\n{title(benchmark)}", flush=True)
            self._measure(benchmark)

    def _measure(self, benchmark: Benchmark) -> None:
        readings: list[Readings] = []
        try:
            check_programs(benchmark)
            for number in range(self._runs):
                self._progress(f"{benchmark.name}: run {number + 1} of {self._runs} …")
                readings.append(benchmark.measure())
        except BenchmarkFailed as error:
            self.failures[benchmark.name] = str(error)
            self._progress("")
            print(f"  failed in run {len(readings) + 1}: {error}", flush=True)
        finally:
            self._progress("")
            if readings:
                self._tell(benchmark, readings)

    def _tell(self, benchmark: Benchmark, readings: Sequence[Readings]) -> None:
        found = {
            figure.key: summarise([one[figure.key] for one in readings])
            for figure in benchmark.figures
        }
        self._results[benchmark.name] = found
        if len(readings) < self._runs:
            print(f"  {len(readings)} of {self._runs} runs:")
        for figure in benchmark.figures:
            print(row(figure, found[figure.key]), flush=True)

    def _progress(self, text: str) -> None:
        """One line that the next one replaces, where somebody watches; else one after the other."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
        elif text:
            print(text, file=sys.stderr, flush=True)

    def text(self) -> str:
        """The JSON file."""
        data = as_data(self._machine, self._runs, self._results, self._benchmarks, self.failures)
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def check_programs(benchmark: Benchmark) -> None:
    """BenchmarkFailed when this machine lacks a command that the benchmark starts."""
    path = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
    missing = [name for name in benchmark.programs if shutil.which(name, path=path) is None]
    if missing:
        raise BenchmarkFailed(f"not installed: {', '.join(missing)} (`make setup-test` does that)")
