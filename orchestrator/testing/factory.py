"""Networks of one run of tests: each topology brought up once, all taken down at the end.

Rules: what makes and removes them is what `testnet up` and `testnet down` run; what failed once is
not tried again; a child that a test forked takes nothing down.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from orchestrator.backends.opening import open_backend
from orchestrator.cli.changing import INTERRUPTS
from orchestrator.cli.down import brought_down
from orchestrator.cli.network import chosen
from orchestrator.cli.up import DEFAULT, Wanted, brought_up
from orchestrator.errors import OperatorError
from orchestrator.load import find_topology
from orchestrator.scaling import read_definition, topology_of
from orchestrator.testing.testnet import Testnet

__all__ = ["TestnetFactory"]

READY_S = 120.0
"""As the GitHub action allows: machines of a CI are slow."""
SHOWN = 12
"""Characters of the topology's name in a network's: 31 in all, and XDG_RUNTIME_DIR shares 107."""


@dataclass
class TestnetFactory:
    """Brings up a network for each topology that is asked for."""

    __test__ = False  # not a class of tests

    backend: str | None = None
    """`auto`, `netns` or `docker`; None: TESTNET_BACKEND or the topology say."""
    keep: bool = False
    """Networks stay, and the next run that keeps them finds them again."""
    worker: str = ""
    """Who else runs tests beside this process, and must not share kept networks."""
    reported_as: str | None = None
    """What reports of networks that do not come up are written by; None: there are none."""
    _up: dict[Path, Testnet | OperatorError] = field(default_factory=dict)
    _process: int = field(default_factory=os.getpid)

    def up(self, topology: str = DEFAULT, folder: Path | None = None) -> Testnet:
        """The network of a topology, brought up if this is the first time; raises OperatorError.

        Args:
            topology: a path, or the name of one that comes with `testnet`.
            folder: where a relative path begins; None: the current directory.
        """
        is_path = "/" in topology or Path(topology).suffix != ""
        wanted = str((folder or Path()) / topology) if is_path else topology
        path = find_topology(wanted).resolve()
        if path not in self._up:
            try:
                self._up[path] = self._bring_up(path)
            except OperatorError as error:
                self._up[path] = error
        found = self._up[path]
        if isinstance(found, OperatorError):
            raise found.with_traceback(None)
        return found

    def names(self) -> list[str]:
        """Of the networks that are up."""
        return [each.name for each in self._up.values() if isinstance(each, Testnet)]

    def down(self) -> list[OperatorError]:
        """Remove all of them, unless they are kept; what could not be removed."""
        failures: list[OperatorError] = []
        if os.getpid() != self._process:
            return failures
        for path, each in list(self._up.items()):
            if isinstance(each, OperatorError):
                continue
            del self._up[path]
            each.backend.close()
            if self.keep:
                continue
            try:
                with undisturbed():
                    brought_down(chosen(each.name))
            except OperatorError as error:
                failures.append(error)
        return failures

    def _bring_up(self, path: Path) -> Testnet:
        definition = read_definition(path)
        places = chosen(self._name(topology_of(definition).name, path))
        wanted = Wanted(self.backend, self.keep, READY_S, reported_as=self.reported_as)
        brought_up(places, definition, wanted)
        return Testnet(places.name, open_backend(places))

    def _name(self, topology: str, path: Path) -> str:
        """Its own for this process; of kept ones the same in the next run."""
        who = self.worker if self.keep else str(self._process)
        number = sha256(f"{who} {path}".encode()).hexdigest()[:8]
        return f"pytest-{topology[:SHOWN]}-{number}"


@contextmanager
def undisturbed() -> Iterator[None]:
    """No Ctrl-C and no SIGTERM in between: what is half removed would stay."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in INTERRUPTS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
