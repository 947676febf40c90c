"""Every topology we ship becomes ini files that the node accepts without a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokinet_node.node.config import Config, Role, Source, Surroundings, parse_config
from orchestrator.directories import Places
from orchestrator.load import load
from orchestrator.render import render

TOPOLOGIES = sorted((Path(__file__).parents[3] / "topologies").glob("*.yaml"))
PLACES = Places("n", Path("/state"), Path("/run"))


def configs(file: Path) -> dict[str, Config]:
    found = {}
    for node in render(load(file), PLACES, "python3").nodes:
        if node.role in ("chain", "server"):
            continue  # they have options, no ini file
        around = Surroundings(
            node.directory, "/", lambda path: not path.endswith("bootstrap.signed")
        )
        source = Source(f"{node.name}.ini", node.files["lokinet.ini"])
        found[node.name] = parse_config([source], None, around)
    return found


@pytest.mark.parametrize("file", TOPOLOGIES, ids=lambda file: file.stem)
def test_rendered_files_are_accepted_and_mean_what_the_topology_says(file: Path) -> None:
    found = configs(file)
    assert all(config.warnings == () for config in found.values())
    assert {config.netid for config in found.values()} == {load(file).netid}
    routers = [config for config in found.values() if config.role is Role.ROUTER]
    assert len(routers) >= 4
    assert all(config.public == config.inbound for config in routers)
    assert all(config.api.path for config in found.values())
    assert sum(config.seed_node for config in found.values()) == 1


def test_there_are_topologies_to_check() -> None:
    assert TOPOLOGIES
