"""Around every command that changes a network: its lock, its journal, and what a failure leaves.

Rules: a network that was promised to stay (`definition`) and runs is left as it is; one that was
promised and did not run is stopped again, with all its keys; one that was never promised is
removed, unless it shall be kept. Ctrl-C and a supervisor's SIGTERM are failures like others; a
second one does not stop the cleaning up.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.backends import Backend
from orchestrator.backends.opening import open_backend
from orchestrator.cli.output import tell
from orchestrator.definition import Definition, is_promised, keep
from orchestrator.directories import Places
from orchestrator.errors import OperatorError
from orchestrator.homes import Home
from orchestrator.journal import Journal
from orchestrator.lifecycle import bring_down, stop_world
from orchestrator.locks import locked
from orchestrator.ops import describe
from orchestrator.plan import Step

__all__ = ["INTERRUPTS", "Change", "changing", "deaf_when_interrupted"]

INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@dataclass(slots=True)
class Change:
    """A network that this command alone may change now."""

    places: Places
    backend: Backend
    journal: Journal
    definition: Definition | None

    def begin(self, step: Step) -> None:
        """Note a step before anything of it is done."""
        self.journal.begin(describe(step.op), step.reason)

    def promise(self, definition: Definition) -> None:
        """Keep the network from now on, as it is defined here."""
        keep(self.places, definition)


@contextmanager
def changing(
    places: Places,
    definition: Definition | None = None,
    keep_on_failure: bool = False,
    home: Home | None = None,
) -> Iterator[Change]:
    """Change a network; when the block ends well it is promised to stay.

    Args:
        places: of the network.
        definition: what it shall be from now on; None: as it was promised before.
        keep_on_failure: leave what a first `up` could not finish.
        home: where it shall live if it is begun here.
    """
    with deaf_when_interrupted(), locked(places) as lock:
        journal = Journal.open(places, home or Home())
        was_promised = is_promised(places)
        backend = open_backend(places, lock)
        change = Change(places, backend, journal, definition)
        was_up = False
        try:
            places.create(journal.owner.network_id)
            was_up = backend.observe().exists
            if definition is not None and was_promised:
                keep(places, definition)
            yield change
            if definition is not None and not was_promised:
                keep(places, definition)
        except BaseException as error:
            may_keep = keep_on_failure and isinstance(error, OperatorError)
            if not was_promised and may_keep and definition is not None:
                keep(places, definition)
                tell(
                    f"network {places.name!r} is left as it is: "
                    f"`testnet down --name {places.name}` removes it"
                )
            else:
                _clean_up(places, was_promised, was_up)
            raise


def _clean_up(places: Places, was_promised: bool, was_up: bool) -> None:
    """Take back what this command began; no Ctrl-C may stop that."""
    ignore_interrupts()
    if not was_promised:
        bring_down(places, may_be_in_flight=False)  # what was asked for here has been awaited
    elif not was_up:
        stop_world(places)


@contextmanager
def deaf_when_interrupted() -> Iterator[None]:
    """The first Ctrl-C or SIGTERM is a KeyboardInterrupt, and the last that is heard."""

    def interrupt(*_: object) -> None:
        ignore_interrupts()
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in INTERRUPTS}
    try:
        yield
    except KeyboardInterrupt:
        raise  # still deaf: nothing but the end of the process comes now
    except BaseException:
        _restore(before)
        raise
    _restore(before)


def ignore_interrupts() -> None:
    """Until the process ends."""
    for number in INTERRUPTS:
        signal.signal(number, signal.SIG_IGN)


def _restore(handlers: dict[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
