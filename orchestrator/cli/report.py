"""`testnet report`: what is to be known of a network in any condition, as a page and a folder."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from orchestrator.backends.opening import open_backend
from orchestrator.cli.defined import desired_of
from orchestrator.cli.network import running
from orchestrator.cli.output import print_json
from orchestrator.cli.reporting import kernel_states_of
from orchestrator.definition import Definition, is_promised, kept
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK, CheckFailed, OperatorError
from orchestrator.journal import read_owner
from orchestrator.networks import look
from orchestrator.ops import Desired
from orchestrator.report.evidence import gather
from orchestrator.report.folder import place_for, summary, write_folder
from orchestrator.report.occasion import Occasion, Subject
from orchestrator.report.witness import Witness

__all__ = ["report"]


def report(arguments: argparse.Namespace) -> int:
    """Write it and say where, and what is wrong; changes nothing and takes no lock."""
    places = running(arguments.name)
    if places is None:
        raise CheckFailed("there is no network: `testnet up` brings one up")
    owner = read_owner(places.journal)
    if owner is None:
        raise CheckFailed(f"there is no network {places.name!r}")
    definition = kept(places) if is_promised(places) else None
    backend = open_backend(places)
    desired = _desired(definition, places)
    subject = Subject(
        places,
        backend,
        str(look(owner).condition),
        definition,
        desired,
        lambda observed: kernel_states_of(places, observed),
    )
    witness = Witness(backend, desired.registry if desired else None)
    evidence = gather(subject, Occasion("testnet report"), witness)
    at = time.time()
    directory = Path(arguments.output).absolute() if arguments.output else place_for(owner.name, at)
    page = write_folder(evidence, directory)
    found = summary(evidence)
    if arguments.json:
        print_json({**found, "directory": str(directory), "page": str(page)})
        return EXIT_OK
    for trouble in evidence.troubles:
        print(f"{trouble.layer}: {trouble.subject}: {trouble.seen}, since {trouble.since}")
    if not evidence.troubles:
        print("nothing is wrong: every node has reached the last layer of its role")
    print(f"report   {page}")
    return EXIT_OK


def _desired(definition: Definition | None, places: Places) -> Desired | None:
    """None where nobody can say any more: no definition, or no engine that knows the images."""
    if definition is None:
        return None
    try:
        return desired_of(definition, places)
    except OperatorError:
        return None
