"""Around what waits or tests: where it fails, a report is written and its path is told.

A report that cannot be written is told of and hides nothing: the failure it was about goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.backends import Backend
from orchestrator.cli.defined import desired_of
from orchestrator.cli.network import host_pids_of
from orchestrator.cli.output import tell
from orchestrator.definition import Definition, is_promised, kept
from orchestrator.directories import Places
from orchestrator.errors import CheckFailed, NotReady, OperatorError
from orchestrator.ops import Desired, Observed
from orchestrator.report.occasion import Occasion, Subject
from orchestrator.report.tried import TriedTest
from orchestrator.report.witness import Witness

__all__ = [
    "Reporter",
    "kernel_states_of",
    "reported_as",
    "reporter_of",
    "reporter_of_running",
    "reporting",
]

KERNEL_STATES = {
    "T": "stopped by a signal",
    "t": "stopped by a debugger",
    "D": "waits in the kernel",
    "Z": "ended, and nobody was told",
}
"""What /proc/PID/stat may say, and is worth telling."""


@dataclass(slots=True)
class Reporter:
    """Writes at most one report on one network."""

    subject: Subject
    witness: Witness
    what: str | None
    """The command it is about; None: no report is wanted."""
    directory: Path | None = None
    """Where it goes, if somebody said so."""
    path: Path | None = None
    """The page, once it is written."""

    def look(self) -> None:
        """Look once, if a report may come of it; a network that cannot be seen is told of later."""
        if self.is_wanted:
            with suppress(OperatorError, OSError):
                self.witness.look()

    @property
    def is_wanted(self) -> bool:
        """It was not switched off."""
        return self.what is not None

    def write(
        self, error: OperatorError | None = None, tests: Sequence[TriedTest] = ()
    ) -> Path | None:
        """Gather and write; None if it is switched off or could not be."""
        self.witness.end()
        if self.what is None:
            return None
        missing = error.missing if isinstance(error, NotReady) else ()
        occasion = Occasion(self.what, str(error or ""), missing, tests)
        try:
            # not before it is needed: what draws pages takes as long to load as all the rest
            from orchestrator.report.evidence import gather
            from orchestrator.report.folder import place_for, write_folder

            evidence = gather(self.subject, occasion, self.witness)
            place = self.directory or place_for(evidence.name, evidence.at)
            self.path = write_folder(evidence, place)
        except Exception as problem:  # whatever it is: the failure itself must come through
            tell(f"no report: {type(problem).__name__}: {problem}")
            return None
        tell(f"report   {self.path}")
        return self.path


def reported_as(arguments: argparse.Namespace) -> str | None:
    """What a report calls the command; None if it was told to write none."""
    return None if arguments.no_report else f"testnet {arguments.command}"


def reporter_of(
    what: str | None,
    places: Places,
    backend: Backend,
    definition: Definition | None,
    desired: Desired | None,
) -> Reporter:
    """For a network that is there, or is being made."""
    subject = Subject(
        places, backend, "running", definition, desired, lambda seen: kernel_states_of(places, seen)
    )
    witness = Witness(backend, desired.registry if desired else None)
    return Reporter(subject, witness, what)


def reporter_of_running(what: str | None, places: Places, backend: Backend) -> Reporter:
    """Of a network that was brought up to its end all is known, of another what it shows."""
    if not is_promised(places):
        return reporter_of(what, places, backend, None, None)
    definition = kept(places)
    return reporter_of(what, places, backend, definition, desired_of(definition, places))


@contextmanager
def reporting(
    what: str | None,
    places: Places,
    backend: Backend,
    definition: Definition,
    desired: Desired,
    look_after_s: float,
) -> Iterator[Reporter]:
    """Write a report when the block fails, before anything is taken down.

    Args:
        what: the command; None: no report is wanted.
        places: of the network.
        backend: where it is.
        definition: what it shall be.
        desired: the same, as it is made.
        look_after_s: when to begin to look beside the block.
    """
    reporter = reporter_of(what, places, backend, definition, desired)
    if reporter.is_wanted:
        reporter.witness.begin(look_after_s)
    try:
        yield reporter
    except (NotReady, CheckFailed) as error:
        reporter.write(error)
        raise
    finally:
        reporter.witness.stop()


def kernel_states_of(places: Places, observed: Observed) -> Mapping[tuple[str, str], str]:
    """Programs that do not simply run or sleep, as the kernel of this machine says."""
    pids = host_pids_of(places, observed)
    found = {}
    for node, seen in observed.nodes.items():
        for program, process in seen.processes.items():
            pid = pids.get(process.pid)
            if process.exit_code is None and pid is not None and (said := _kernel_state(pid)):
                found[node, program] = said
    return found


def _kernel_state(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return KERNEL_STATES.get(stat.rpartition(")")[2].split()[0])
