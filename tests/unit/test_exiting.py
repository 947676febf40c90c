"""The methods about exits: Lokinet's older one, shapes, and what two callers do to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lokinet_node.base.errors import LokinetError
from lokinet_node.crypto.kdf import blake2s
from lokinet_node.node.status import client_report, summary
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.wire.offer import Offer
from tests.unit.served import ServedNode

NOBODY = "y" * 52 + ".loki"


class Bench:
    """Alice, whose node is asked, and two exits."""

    def __init__(self, directory: Path) -> None:
        self.world = World(seed=6, chain=True)
        self.one, self.two = self.exit("one"), self.exit("two")
        self.alice = self.world.client("alice")
        self.world.settle()
        self.node = ServedNode(directory, self.world, self.alice)
        self.handlers = self.node.handlers()

    def exit(self, name: str) -> ClientMachine:
        machine = self.world.client(name)
        machine.role.offer = Offer(is_exit=True)
        return machine

    def during(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do something while the node lives."""

        async def main() -> Any:
            life = asyncio.create_task(self.node.live())
            try:
                return await act()
            finally:
                life.cancel()

        return asyncio.run(main())

    async def ask(self, method: str, **params: Any) -> Any:
        """The result, or the text of the error."""
        try:
            result = self.handlers[f"llarp.{method}"](params)
            return await result if asyncio.iscoroutine(result) else result
        except LokinetError as error:
            return f"error: {error}"

    def call(self, method: str, **params: Any) -> Any:
        return self.during(lambda: self.ask(method, **params))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("exiting"))


@pytest.fixture
def bench(shared: Bench) -> Iterator[Bench]:
    """Nothing is mapped before, nor after."""
    yield shared
    shared.call("unmap_exit")


def test_shapes_of_the_newer_methods(bench: Bench) -> None:
    one = str(bench.one.remote)
    assert bench.call("list_exits") == "No exits"
    assert bench.call("map_exit", address=one) == "OK"
    assert bench.call("map_exit", address=one, ip_range="10.0.0.0/8") == "OK", "a text will do"
    ranges = ["203.0.113.0/24", "2001:db8::/32"]
    assert bench.call("map_exit", address="null", ip_range=ranges) == "OK"
    shown = {"::/0": one, "10.0.0.0/8": one, "203.0.113.0/24": "null", "2001:db8::/32": "null"}
    assert bench.call("list_exits") == shown
    assert bench.call("unmap_exit", ip_range=["203.0.113.0/24", "10.0.0.0/8"]) == "OK"
    assert bench.call("list_exits") == {"::/0": one, "2001:db8::/32": "null"}
    assert bench.call("unmap_exit") == "OK"
    assert bench.call("unmap_exit") == "OK", "whoever wants nothing has it"
    assert bench.call("list_exits") == "No exits"


def test_the_older_method_says_it_in_its_own_words(bench: Bench) -> None:
    one = str(bench.one.remote)
    assert bench.call("exit", exit=one) == f"OK: connected to {one}"
    assert bench.call("exit", exit="null", range="10.0.0.0/8") == "added null exit"
    assert bench.call("list_exits") == {"::/0": one, "10.0.0.0/8": "null"}
    assert bench.call("exit", unmap=True, range="10.0.0.0/8") == "OK"
    assert bench.call("exit", unmap=True) == "OK"
    assert bench.call("list_exits") == "No exits"


@pytest.mark.parametrize(
    ("method", "params", "said"),
    [
        ("exit", {}, "no exit address provided"),
        ("exit", {"exit": NOBODY}, "could not find exit"),
        ("exit", {"exit": "nobody.loki"}, "name does not exist"),
        ("exit", {"exit": "example.com"}, "invalid exit address"),
        ("exit", {"exit": 5}, "invalid exit address"),
        ("exit", {"exit": "y" * 52 + ".snode"}, "lns name resolved to a snode"),
        ("exit", {"exit": NOBODY, "range": "10/8/8"}, "invalid ip range"),
        ("exit", {"exit": NOBODY, "unmap": "yes"}, "unmap is neither true nor false"),
        ("map_exit", {}, "no exit address provided"),
        ("map_exit", {"address": 5}, "address is no text"),
        ("map_exit", {"address": NOBODY, "ip_range": []}, "no ranges provided"),
        ("map_exit", {"address": NOBODY, "ip_range": [5]}, "invalid ip range: 5"),
        ("map_exit", {"address": NOBODY, "token": 5}, "token: not 1 to 128 printable bytes"),
        ("map_exit", {"address": NOBODY, "endpoint": "x"}, "no such local endpoint: 'x'"),
        ("unmap_exit", {"ip_range": "x"}, "invalid ip range: x"),
        ("swap_exits", {}, "exit_addresses is not a list of two addresses: [old, new]"),
        ("swap_exits", {"exit_addresses": [NOBODY]}, "exit_addresses is not a list"),
        ("swap_exits", {"exit_addresses": [NOBODY, NOBODY]}, f"exit not mapped: {NOBODY}"),
        ("swap_exits", {"exit_addresses": ["null", NOBODY]}, "null is no exit to swap"),
        ("list_exits", {"endpoint": 1}, "no such local endpoint: 1"),
    ],
)
def test_what_is_wrong_is_said(
    bench: Bench, method: str, params: dict[str, Any], said: str
) -> None:
    assert bench.call(method, **params).startswith(f"error: {said}")
    assert bench.call("list_exits") == "No exits"


def test_a_range_unmapped_meanwhile_is_not_mapped_after_all(bench: Bench) -> None:
    async def race() -> Any:
        mapping = asyncio.create_task(bench.ask("map_exit", address=str(bench.two.remote)))
        await asyncio.sleep(0)
        assert await bench.ask("unmap_exit") == "OK"
        return await mapping

    assert bench.during(race) == "error: exits were unmapped or swapped meanwhile"
    assert bench.call("list_exits") == "No exits"


def test_an_exit_is_tried_by_one_call_at_a_time(bench: Bench) -> None:
    two = str(bench.two.remote)

    async def both() -> list[Any]:
        calls = (
            bench.ask("map_exit", address=two, token=token, ip_range=[range_])
            for token, range_ in (("one", "10.0.0.0/8"), ("other", "11.0.0.0/8"))
        )
        return await asyncio.gather(*calls)

    assert bench.during(both) == ["OK", f"error: {two} is being tried already: in progress"]
    assert bench.call("list_exits") == {"10.0.0.0/8": two}
    assert bench.alice.role.exits.use.tokens[bench.two.remote] == "one"
    assert bench.call("map_exit", address=two, ip_range=["11.0.0.0/8"]) == "OK"


def test_one_that_calls_us_is_an_exit_only_if_its_introset_says_so(bench: Bench) -> None:
    caller = bench.world.client("caller")
    bench.world.settle()
    bench.world.connect(caller, bench.alice)
    said = bench.call("map_exit", address=str(caller.remote))
    assert said == "error: it is not an exit"
    assert bench.call("list_exits") == "No exits"


def test_what_the_hosts_routes_cannot_follow_is_not_mapped(bench: Bench) -> None:
    one, two = str(bench.one.remote), str(bench.two.remote)
    assert bench.call("map_exit", address=one, ip_range=["10.0.0.0/8", "::/0"]) == "OK"
    bench.node.route_problem = "another node of this host leads exits' ranges through its tun"
    ranges = ["::/0", "203.0.113.0/24"]
    assert bench.call("map_exit", address=two, ip_range=ranges) == (
        f"error: {bench.node.route_problem}"
    )
    bench.node.route_problem = ""
    assert bench.call("list_exits") == {"10.0.0.0/8": one, "::/0": one}


def test_status_shows_exits_and_hides_tokens(bench: Bench) -> None:
    one = str(bench.one.remote)
    assert bench.call("map_exit", address=one, token="s3cret") == "OK"
    now = bench.world.network.now
    report = client_report(bench.alice.node, bench.alice.role, now)
    service = report["services"]["default"]
    assert service["exitMap"] == {"::/0": one}
    (row,) = service["exits"]
    assert row | {"refusals": []} == {
        "exit": one,
        "ranges": ["::/0"],
        "state": "up",
        "isDown": False,
        "reason": "",
        "pins": 0,
        "refusals": [],
    }
    short = summary(bench.alice.node, bench.alice.role, 0, now)
    assert short["exitMap"] == {"::/0": one}
    assert short["authCodes"] == service["authCodes"]
    assert len(short["authCodes"][one]) == 5
    unkeyed = blake2s(b"s3cret").hex()
    assert short["authCodes"][one][:4] != unkeyed[:4], "guesses could be tried against that"
    assert "s3cret" not in f"{report} {short}"
