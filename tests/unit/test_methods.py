"""What the methods of the control socket answer, and what they leave on disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lokinet_node.base.errors import LokinetError
from lokinet_node.base.ids import RouterID
from lokinet_node.base.names import format_snode
from lokinet_node.cli import load
from lokinet_node.drivers.dns_resolver import Resolver
from lokinet_node.drivers.log import REMEMBERED, Log
from lokinet_node.methods import Methods
from lokinet_node.naming import Naming
from lokinet_node.node.config import Config, Role
from lokinet_node.testing.builders import TUN, World

INI = "[router]\nnetid=mine\ndata-dir=.\n[bootstrap]\nseed-node=1\n[logging]\nlevel=warn\n"


class Served:
    """The methods of a node of a small world, with an ini file of their own."""

    def __init__(self, directory: Path, *, router: bool = False) -> None:
        self.directory = directory
        self.ini = directory / "lokinet.ini"
        self.ini.write_text(INI)
        world = World(seed=1, routers=1)
        machine = world.routers[0] if router else world.client("alice")
        self.router = world.routers[0].router
        self.log = Log("info", str(directory / "log"))
        clock: Callable[[], int] = lambda: world.network.now  # noqa: E731
        config = self.config()
        self.methods = Methods(config, machine.node, machine.role, clock, self.log)
        self.naming = Naming(config, machine.node, machine.role, TUN, clock)
        self.resolver = Resolver(self.naming, self.naming, None, 1_000_000, self.log)
        self.stopped: list[bool] = []

    def config(self) -> Config:
        """What a start would read now."""
        return load(str(self.ini), Role.CLIENT)

    def call(self, method: str, **params: object) -> Any:
        async def main() -> Any:
            handlers = self.methods.handlers(
                None, self.naming, self.resolver, lambda: self.stopped.append(True)
            )
            found = handlers[method](params)
            found = await found if asyncio.iscoroutine(found) else found
            await asyncio.sleep(0)
            json.dumps(found)
            return found

        return asyncio.run(main())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    one = Served(tmp_path)
    yield one
    one.log.close()


def test_halt_answers_before_it_stops(served: Served) -> None:
    assert served.call("llarp.halt") == "OK"
    assert served.stopped == [True]


def test_the_older_methods_have_their_shapes(served: Served) -> None:
    assert set(served.call("llarp.version")) == {"version", "uptime"}
    assert served.call("llarp.status")["role"] == "client"
    assert served.call("llarp.get_status")["lokiAddress"].endswith(".loki")


# --- llarp.dns_query


def test_a_question_is_answered_with_its_records(served: Served) -> None:
    own = served.call("llarp.get_status")["lokiAddress"]
    assert served.call("llarp.dns_query", qname="localhost.loki") == {
        "questions": [{"qname": "localhost.loki", "qtype": 1, "qclass": 1}],
        "answers": [
            {"name": "localhost.loki.", "type": 5, "class": 1, "ttl": 1, "rdata": own + "."},
            {"name": own + ".", "type": 1, "class": 1, "ttl": 1, "rdata": "172.16.0.1"},
        ],
        "rcode": "NOERROR",
    }
    text = served.call(
        "llarp.dns_query", endpoint="default", qname="netid.localhost.loki", qtype=16
    )
    assert text["answers"][0]["rdata"] == '"netid=mine;"'
    missing = served.call("llarp.dns_query", qname="no_body.loki")
    assert (missing["answers"], missing["rcode"]) == ([], "NXDOMAIN")
    assert served.call("llarp.dns_query", qname="example.com")["rcode"] == "SERVFAIL"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "qname is missing"),
        ({"qname": 1}, "qname is missing"),
        ({"qname": "a.loki", "qtype": "A"}, "qtype"),
        ({"qname": "a.loki", "qtype": 65536}, "qtype"),
        ({"qname": "a.loki", "endpoint": "other"}, "no such local endpoint"),
        ({"qname": "x" * 64 + ".loki"}, "no name that DNS knows"),
        ({"qname": "é.loki" * 60}, "no name that DNS knows"),
    ],
)
def test_a_question_that_is_none_says_why(
    served: Served, params: dict[str, object], words: str
) -> None:
    with pytest.raises(LokinetError, match=words):
        served.call("llarp.dns_query", **params)


# --- llarp.lookup_snode


def test_only_routers_look_up_sessions_and_only_their_own_is_there(tmp_path: Path) -> None:
    served = Served(tmp_path, router=True)
    own = format_snode(served.router)
    assert served.call("llarp.lookup_snode", snode=own) == {"ip": "172.16.0.1"}
    assert served.call("llarp.lookup_snode", routerID=own) == {"ip": "172.16.0.1"}
    assert served.call("llarp.lookup_snode", snode=own.removesuffix(".snode"))["ip"]
    for params, words in (
        ({"snode": format_snode(RouterID(bytes(32)))}, "failed to obtain snode session"),
        ({"snode": "web.loki"}, "invalid remote"),
        ({}, "snode is missing"),
    ):
        with pytest.raises(LokinetError, match=words):
            served.call("llarp.lookup_snode", **params)


def test_a_client_does_not_support_it(served: Served) -> None:
    with pytest.raises(LokinetError, match="not supported"):
        served.call("llarp.lookup_snode", snode=format_snode(served.router))


# --- llarp.config


def test_overrides_are_kept_until_they_are_asked_to_be_written(served: Served) -> None:
    assert served.call("llarp.config", override={"logging": {"level": "debug"}}) == "OK"
    assert not (served.directory / "conf.d").exists()
    assert served.call("llarp.config", override={"network": {"hops": 3}}, reload=True) == "OK"
    config = served.config()
    assert (config.log.level, config.network.hops) == ("debug", 3)
    # the next call adds to what is there, a restarted node too
    fresh = Served(served.directory)
    fresh.call(
        "llarp.config",
        override={
            "network": {"hops": 5, "reachable": False},
            "dns": {"upstream": ["192.0.2.1", "192.0.2.2"]},
        },
        reload=True,
    )
    config = fresh.config()
    assert (config.log.level, config.network.hops, config.network.reachable) == ("debug", 5, False)
    assert [one.ip for one in config.dns.upstream] == ["192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({}, "missing"),
        ({"override": []}, "override is no object"),
        ({"override": {"network": 3}}, "override.network is no object"),
        ({"override": {"network]\n[dns": {}}}, "no name of a section"),
        ({"override": {"network": {"hops\nx": 1}}}, "no name of a section or key"),
        ({"override": {"network": {"hops": "3\npaths=4"}}}, "on one line"),
        ({"override": {"network": {"hops": None}}}, "neither text, number"),
        ({"override": {"network": {"hops": 9}}}, "not between 1 and 8"),
        ({"override": {"network": {"hops": 9}}, "reload": True}, "not between 1 and 8"),
        ({"override": {"netwrok": {"hops": 3}}, "reload": True}, "unknown section"),
        ({"override": {"network": {"hops": 3}}, "reload": 1}, "neither true nor false"),
        ({"filename": "x.ini"}, "ini is missing"),
        ({"filename": "x.ini", "ini": "[network]\nhops=9\n"}, "not between 1 and 8"),
        ({"filename": "x.ini", "ini": "[logging]\nlevel=info\n"}, "duplicate value"),
        ({"filename": "../x.ini", "ini": ""}, "no file name of conf.d"),
        ({"filename": "x", "ini": ""}, "no file name of conf.d"),
        ({"filename": ".ini", "ini": ""}, "no file name of conf.d"),
        ({"filename": "x.ini", "delete": True}, "does not exist"),
    ],
)
def test_nothing_is_written_that_a_start_would_refuse(
    served: Served, params: dict[str, object], words: str
) -> None:
    with pytest.raises(LokinetError, match=words):
        served.call("llarp.config", **params)
    assert not (served.directory / "conf.d").exists()
    served.config()
    # what was refused is forgotten
    served.call("llarp.config", override={"network": {"paths": 5}}, reload=True)
    assert served.config().network.paths == 5


def test_files_of_conf_d_are_written_and_deleted(served: Served) -> None:
    served.call("llarp.config", filename="20-hops.ini", ini="[network]\nhops=2\n")
    path = served.directory / "conf.d" / "20-hops.ini"
    assert path.read_text() == "[network]\nhops=2\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert served.config().network.hops == 2
    served.call("llarp.config", filename="20-hops.ini", ini="[network]\nhops=3\n")
    assert served.config().network.hops == 3
    served.call("llarp.config", filename="20-hops.ini", delete=True)
    assert not path.exists()


# --- llarp.logs


class Listening:
    """A client of the control socket that only remembers."""

    missed = 0

    def __init__(self) -> None:
        self.pushed: list[tuple[str, str]] = []
        self.endings: list[Callable[[], None]] = []

    def push(self, method: str, params: dict[str, Any]) -> None:
        self.pushed.append((method, params["line"].split(" ", 1)[1]))

    def at_end(self, act: Callable[[], None]) -> None:
        self.endings.append(act)


def test_logs_are_the_last_hundred_lines_and_then_every_one(served: Served) -> None:
    for number in range(REMEMBERED + 5):
        served.log.info("before", number=number)
    client: Any = Listening()

    async def main() -> None:
        logs = served.methods.subscriptions()["llarp.logs"]
        assert logs({"endpoint": "mine"}, client) == "OK"
        assert client.pushed == []
        await asyncio.sleep(0)
        assert len(client.pushed) == REMEMBERED
        assert client.pushed[0] == ("mine", "info before number=5")
        assert logs({"endpoint": "mine"}, client) == "ALREADY"
        served.log.info("live")
        served.log.debug("not at this level")
        assert client.pushed[REMEMBERED:] == [("mine", "info live")]
        assert logs({"endpoint": "unsubscribe"}, client) == "OK"
        served.log.info("later")
        assert len(client.pushed) == REMEMBERED + 1
        assert logs({}, client) == "OK"
        await asyncio.sleep(0)
        assert client.pushed[-1] == ("llarp.log", "info later")
        for act in client.endings:
            act()
        served.log.info("gone")
        assert client.pushed[-1] == ("llarp.log", "info later")
        with pytest.raises(LokinetError, match="endpoint"):
            logs({"endpoint": 1}, client)

    asyncio.run(main())


def test_a_client_that_left_at_once_is_not_listened_for(served: Served) -> None:
    client: Any = Listening()

    async def main() -> None:
        served.methods.subscriptions()["llarp.logs"]({}, client)
        for act in client.endings:
            act()
        await asyncio.sleep(0)
        served.log.info("gone")
        assert client.pushed == []

    asyncio.run(main())
