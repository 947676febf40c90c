"""What a chain should hold, and which acts that needs: topology to plan, in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.crypto.ons import name_hash, validate_name
from orchestrator.apply import apply
from orchestrator.backends.memory import MemoryBackend
from orchestrator.directories import Places
from orchestrator.errors import UsageError
from orchestrator.load import parse
from orchestrator.naming import name_problem
from orchestrator.ops import Desired, Observed
from orchestrator.plan import plan
from orchestrator.readiness.layers import Layer, judge
from orchestrator.registry import hash_of
from orchestrator.render import render
from orchestrator.verbs import plan_replace

TEXT = """name: n
hops: 1
nodes:
  r: {role: router, count: 2}
  w: {role: service}
  c: {role: chain}
names:
  web.loki: w
"""
ADDRESS = "y" * 52 + ".loki"


def desired(text: str = TEXT) -> Desired:
    places = Places("n", Path("/state/n"), Path("/run/n"))
    return render(parse(text.encode(), "x"), places, "python3")


def running(text: str = TEXT) -> MemoryBackend:
    backend = MemoryBackend()
    apply(plan(desired(text), backend.observe()), backend)
    return backend


def lines(wanted: Desired, observed: Observed) -> list[str]:
    return [" ".join(line.split()) for line in str(plan(wanted, observed)).splitlines()]


# --- topology ------------------------------------------------------------------------------------

NAMES = [
    "a.loki",
    "web.loki",
    "a-b.loki",
    "xn--a.loki",
    "a--b.loki",
    "a" * 32 + ".loki",
    "a" * 31 + "-" + "b" * 31 + ".loki",
    "web",
    ".loki",
    "a.b.loki",
    "-a.loki",
    "a-.loki",
    "a_b.loki",
    "ab--c.loki",
    "localhost.loki",
    "loki.loki",
    "snode.loki",
    "a" * 33 + ".loki",
    "a" * 32 + "-" + "b" * 31 + ".loki",
    "bücher.loki",
    "a\n.loki",
]


@pytest.mark.parametrize("name", NAMES)
def test_topologies_take_the_names_the_registry_takes(name: str) -> None:
    try:
        validate_name(name)
    except NameSyntaxError:
        assert name_problem(name) is not None
    else:
        assert name_problem(name) is None


def test_names_are_filed_under_the_registrys_hash() -> None:
    assert hash_of("Web.loki") == name_hash("web.loki").hex()


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        (("  c: {role: chain}\n", ""), "x:6: there is no chain to buy them on"),
        (("web.loki: w\n", "web.loki: r-1\n"), "x:8: 'r-1' is neither a service here nor"),
        (("web.loki: w\n", "web.loki: {to: w, years: 3}\n"), "x:8: names.web.loki.years"),
        (("web.loki: w\n", "a.b.loki: w\n"), "x:8: "),
        (("web.loki: w\n", "web.loki: {to: w, backup-owner: owner}\n"), "is the owner already"),
        (("{role: chain}", "{role: chain, count: 2}"), "unknown key 'count'"),
        (("{role: chain}", "{role: chain, block-time: 5}"), "block-time"),
        (("{role: chain}", "{role: chain, block-time: 25 h}"), "block-time"),
        (("{role: chain}", "{role: chain, block-time: never}"), "block-time"),
        (("{role: chain}", "{role: chain, network-type: moon}"), "network-type"),
        (
            ("names:", "  d: {role: chain}\nnames:"),
            "x:7: a network has one chain: this one has 'c'",
        ),
    ],
)
def test_what_cannot_be_is_named_with_its_line(edit: tuple[str, str], complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        parse(TEXT.replace(*edit).encode(), "x")
    assert complaint in str(error.value)


def test_a_name_may_stand_for_any_address() -> None:
    wanted = desired(TEXT.replace("web.loki: w", f"web.loki: {ADDRESS}"))
    assert wanted.registry is not None
    (name,) = wanted.registry.names
    assert (name.to, name.identity, name.owner, name.term) == (
        ADDRESS,
        None,
        "owner",
        "lokinet_1y",
    )


# --- files and command lines ---------------------------------------------------------------------


def test_routers_are_told_of_the_chain_and_nobody_else_is() -> None:
    inis = {node.name: node.files.get("lokinet.ini", "") for node in desired().nodes}
    assert "[lokid]\nenabled=1\nrpc=http://10.77.8.1:22023\n" in inis["r-1"]
    assert "lokid" not in inis["w"]
    alone = desired(TEXT.replace("  c: {role: chain}\n", "").partition("names:")[0])
    assert "[lokid]\nenabled=0\n" in alone.nodes[0].files["lokinet.ini"]
    assert alone.registry is None


def test_the_chain_listens_to_routers_on_the_underlay_and_to_writers_at_home() -> None:
    text = TEXT.replace("{role: chain}", "{role: chain, block-time: 250ms, network-type: testnet}")
    chain = desired(text).nodes[-1]
    (process,) = chain.processes
    argv = " ".join(process.argv)
    assert "--rpc 10.77.8.1:22023 --admin 127.0.0.1:22024 --control /run/n/c.sock" in argv
    assert "--network-type testnet --block-time 0.25 " in argv
    assert chain.key is None


# --- plans ---------------------------------------------------------------------------------------


def test_routers_start_when_all_of_them_are_registered() -> None:
    assert lines(desired(), Observed()) == [
        "[] -> #1 keys:3, CreateKeys, not found",
        "[] -> #2 network:n, CreateNetwork, not found",
        "[2] -> #3 node:c, CreateNode, not found",
        "[1,3] -> #4 process:c/oxend, StartProcess, not running",
        "[1,4] -> #5 routers:2, RegisterRouters, 2 not registered",
        "[1,4] -> #6 names:web.loki, SettleNames, not registered as wanted",
        "[2] -> #7 node:r-1, CreateNode, not found",
        "[1,5,7] -> #8 process:r-1/lokinet, StartProcess, not running",
        "[2] -> #9 node:r-2, CreateNode, not found",
        "[1,5,9] -> #10 process:r-2/lokinet, StartProcess, not running",
        "[2] -> #11 node:w, CreateNode, not found",
        "[1,8,11] -> #12 process:w/lokinet, StartProcess, not running",
        "12 changes",
    ]


def test_a_chain_that_holds_all_needs_no_change() -> None:
    assert lines(desired(), running().observe()) == ["0 changes"]


def test_a_router_more_is_registered_before_it_starts() -> None:
    more = desired(TEXT.replace("count: 2", "count: 3"))
    assert lines(more, running().observe())[:2] == [
        "[] -> #1 keys:1, CreateKeys, not found",
        "[1] -> #2 routers:1, RegisterRouters, 1 not registered",
    ]


def test_a_router_less_is_deregistered() -> None:
    fewer = desired(TEXT.replace("count: 2", "count: 1"))
    assert "#3 routers:1, RegisterRouters, 1 gone" in "\n".join(lines(fewer, running().observe()))


@pytest.mark.parametrize(
    "edit",
    [
        ("web.loki: w", "web.loki: {to: w, owner: eve}"),
        ("web.loki: w", "web.loki: {to: w, backup-owner: eve}"),
        ("web.loki: w", f"web.loki: {ADDRESS}"),
        ("web.loki: w", "web.loki: w\n  mail.loki: w"),
    ],
)
def test_a_name_that_shall_be_otherwise_is_settled(edit: tuple[str, str]) -> None:
    name = "mail.loki" if "mail" in edit[1] else "web.loki"
    assert lines(desired(TEXT.replace(*edit)), running().observe()) == [
        f"[] -> #1 names:{name}, SettleNames, not registered as wanted",
        "1 change",
    ]


def test_a_name_that_expired_or_was_changed_by_hand_is_settled() -> None:
    observed = running().observe()
    assert observed.registry is not None
    for records in ({}, {hash_of("web.loki"): "another transaction"}):
        seen = replace(observed, registry=replace(observed.registry, records=records))
        assert lines(desired(), seen)[0].endswith("SettleNames, not registered as wanted")


def test_a_chain_that_nobody_asked_is_filled_again() -> None:
    """Acts on it look first, so that is safe."""
    seen = replace(running().observe(), registry=None)
    assert lines(desired(), seen)[-1] == "2 changes"


def test_a_new_identity_is_told_to_the_chain() -> None:
    observed = running().observe()
    text = str(plan_replace(desired(), observed, ["r-1", "w"], new_identity=True))
    assert "RegisterRouters, a new identity" in text
    assert "SettleNames, a new identity" in text
    assert "Register" not in str(plan_replace(desired(), observed, ["r-1"]))


# --- readiness -----------------------------------------------------------------------------------


def test_a_chain_is_ready_when_it_holds_what_it_should() -> None:
    registry = desired().registry
    bought = {hash_of("web.loki"): 5}
    nodes = {"active": 1, "decommissioned": 1}
    assert judge("chain", {"serviceNodes": nodes, "names": bought}, registry) is None
    unbought = judge("chain", {"serviceNodes": nodes, "names": {}}, registry)
    assert unbought is not None
    assert (unbought.layer, unbought.seen) == (Layer.CHAIN, "web.loki not registered")
    short = judge("chain", {"serviceNodes": {"active": 1}, "names": bought}, registry)
    assert short is not None
    assert short.seen == "1 of 2 routers registered"
    assert judge("chain", {}) is None, "nobody said what it should hold"
