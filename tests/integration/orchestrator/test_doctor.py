"""`doctor` on this machine: the trial is a real world, and nothing of it stays.

Faults that turn these red: the trial world is not ended; limits are read from somewhere else than
the process's; the exit code is 0 whatever was found.
"""

from __future__ import annotations

import json
import re

import pytest

from tests.integration.orchestrator.command import Testnet, host_state

pytestmark = pytest.mark.integration


def test_a_fit_machine_is_found_fit_by_trying_and_nothing_stays(testnet: Testnet) -> None:
    before = host_state()
    testnet.env["TMPDIR"] = str(testnet.root)  # so that what the trial leaves is found as ours
    result = testnet.run("doctor", "--json")
    data = json.loads(result.stdout)
    assert (result.returncode, data["fit"]) == (0, True), result.stdout
    seen = {finding["subject"]: finding["seen"] for finding in data["findings"]}
    assert seen["world"].startswith("made and ended in ")
    assert seen["mtu"] == "links have 1500 bytes, datagrams take 1404"
    assert host_state() == before
    assert testnet.leftovers() == []
    assert sorted(path.name for path in testnet.root.iterdir()) == ["run", "state"]


def test_a_machine_without_descriptors_is_not_fit(testnet: Testnet) -> None:
    result = testnet.run("doctor", prefix=("prlimit", "--nofile=100:100"))
    assert result.returncode == 4
    found = re.search(r"100 files may be open, (\d+) are needed", result.stdout)
    assert found, result.stdout
    assert f"fix: as root: `ulimit -n {2 * int(found[1])}`" in result.stdout
    assert "made and ended" not in result.stdout
