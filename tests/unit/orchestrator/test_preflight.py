"""A machine that is not fit is told what to do."""

from __future__ import annotations

import errno
import os

import pytest

from orchestrator import preflight
from orchestrator.errors import HostUnfit
from orchestrator.findings import Verdict


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOENT, "mknod -m 0666 /dev/net/tun c 10 200"),
        (errno.ENODEV, "modprobe tun"),
        (errno.EACCES, "chmod 0666 /dev/net/tun"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_each_way_a_tun_can_be_refused_has_its_fix(number: int, fix: str) -> None:
    def refuse(path: str, flags: int) -> int:
        raise OSError(number, os.strerror(number), path)

    tun = next(each for each in preflight.essentials([], refuse) if each.subject == "tun")
    assert tun.verdict is Verdict.FATAL
    assert fix in tun.message
    with pytest.raises(HostUnfit) as caught:
        preflight._refuse([tun])
    assert (str(caught.value), caught.value.exit_code) == (tun.message, 4)


def test_a_missing_program_names_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "SEARCH_PATH", "/nowhere")
    with pytest.raises(HostUnfit, match="no program 'ip': install it: `apt-get install iproute2`"):
        preflight.check_host([])


def test_a_program_of_the_topology_is_looked_for_too() -> None:
    with pytest.raises(HostUnfit, match="no program 'no-such-server'"):
        preflight.check_host(["no-such-server"])
