"""What an exit's machine is, as its kernel tells: nothing of it is reached through the exit."""

from __future__ import annotations

import asyncio
import errno
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from lokinet_node import providing
from lokinet_node.base.addresses import Range, parse_range
from lokinet_node.base.errors import OperatorError
from lokinet_node.exits.exit_range import parse_exit_range
from lokinet_node.exits.refusals import Refusal
from lokinet_node.node.config import Role, Source, Surroundings, parse_config
from lokinet_node.node.config_exit import ExitConfig
from lokinet_node.providing import Providing
from lokinet_node.session.addresses import AddressMap
from lokinet_node.wire.ip import UDP
from lokinet_node.wiring import Wiring
from tests.integration.drivers.namespaces import join, two_namespaces

if TYPE_CHECKING:
    from lokinet_node.drivers.tun import Tun
    from lokinet_node.node.traffic import Traffic

TUN = parse_range("172.20.0.1/16")
NEW = "10.7.0.1"
WAIT_S = 10.0
CONFIG = ExitConfig((), (), (parse_exit_range("10.0.0.0/8"),), (), (), None, (), ())


def packed(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


async def until_refused(exit_: Providing, address: str) -> None:
    until = time.monotonic() + WAIT_S
    while exit_.provider.policy.verdict(UDP, 53, packed(address)) != Refusal.LOCAL:
        assert time.monotonic() < until, f"{address} of the machine is reached through its exit"
        await asyncio.sleep(0)


def test_a_new_address_is_closed_at_once() -> None:
    async def run() -> None:
        exit_ = Providing(CONFIG, TUN, AddressMap(TUN), "192.0.2.1")
        exit_.serve()
        assert not exit_.provider.policy.verdict(UDP, 53, packed(NEW))
        host.run(f"ip address add {NEW}/32 dev lo")
        await until_refused(exit_, NEW)
        exit_.close()

    with two_namespaces() as (host, gateway):
        join(host, gateway)
        with host.entered():
            asyncio.run(run())


def test_a_kernel_that_shows_no_addresses_is_told_to_the_operator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> list[Range]:
        raise OSError(errno.EPERM, "as a sandbox says")

    monkeypatch.setattr(providing, "used_ranges", fail)
    with pytest.raises(OperatorError, match="addresses of this machine"):
        Providing(CONFIG, TUN, AddressMap(TUN), "192.0.2.1")


@pytest.mark.parametrize("outbound", ["", "[bind]\noutbound=:1190\n"])
def test_an_exit_whose_underlay_the_kernel_chose_is_no_way_into_it(
    monkeypatch: pytest.MonkeyPatch, outbound: str
) -> None:
    monkeypatch.setattr(providing, "used_ranges", lambda: [parse_range("10.5.0.7/24")])
    monkeypatch.setattr(providing, "used_ranges6", list)
    text = "[network]\nexit=1\n[exit]\nallow-range=10.0.0.0/8\n[bootstrap]\nseed-node=1\n"
    around = Surroundings("/", "/", lambda _: True)
    config = parse_config([Source("lokinet.ini", text + outbound)], Role.CLIENT, around)
    wiring = object.__new__(Wiring)
    wiring._config = config
    tun = cast("Tun", SimpleNamespace(address=TUN, address6=None))
    traffic = cast("Traffic", SimpleNamespace(door=SimpleNamespace(), addresses=AddressMap(TUN)))
    exit_ = wiring._provide(tun, traffic, "10.5.0.7")
    assert exit_ is not None
    assert exit_.provider.policy.verdict(UDP, 53, packed("10.5.0.9")) == Refusal.LOCAL
    assert not exit_.provider.policy.verdict(UDP, 53, packed("10.6.0.9"))
