"""Topology files: what is wrong is named with its line and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.load import BUNDLED, BadTopology, find_topology, load, parse
from orchestrator.topology import Topology

GOOD = """\
name: x
nodes:
  router: {role: router, count: 4}
  web: {role: service, app: nginx}
  alice:
    role: client
"""


def error_of(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        parse(text.encode(), "net.yaml")
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_bundled_topology_loads_and_is_called_like_its_file(path: Path) -> None:
    assert load(path).name == path.stem
    assert len(path.read_text().splitlines()) <= 24, "a topology fits a screen"


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ("    hosp: 4\n", "net.yaml:7: unknown key 'hosp' for client: did you mean 'hops'?"),
        ("netdi: a\n", "net.yaml:7: unknown key 'netdi': did you mean 'netid'?"),
        ("    app: nginx\n", "net.yaml:7: unknown key 'app' for client: known here are count, "),
        ("    count: '3'\n", "net.yaml:7: nodes.alice.count: input should be a valid integer"),
        ("    ifaddr: 1.2.3.4\n", "net.yaml:7: nodes.alice.ifaddr: must be an address with"),
        ("  b: {role: clent}\n", "net.yaml:7: nodes.b: 'clent' is not one of 'router', 'client'"),
        ("  b: {}\n", "net.yaml:7: nodes.b needs its 'role'"),
        ("  B: {role: client}\n", "net.yaml:7: 'B' is no name: a-z, 0-9 and '-' only"),
        ("  b: {role: service, app: x}\n", "net.yaml:7: nodes.b.app: 'x' is not one of 'nginx'"),
        (
            "  b: {role: service, app: {kind: nginx, pag: x}}\n",
            "net.yaml:7: unknown key 'pag' for nginx: did you mean 'page'?",
        ),
        ("netid: lokinet\n", "net.yaml:7: netid: 'lokinet' is a public network"),
        ("underlay: 10.0.0.0/8\n", "net.yaml:7: underlay: must be a private /16"),
        ("underlay: 8.8.0.0/16\n", "net.yaml:7: underlay: must be a private /16"),
        ("hops: 9\n", "net.yaml:7: hops: input should be less than or equal to 8 (it is 9)"),
        ("log: loud\n", "net.yaml:7: log: 'loud' is not one of 'trace', 'debug', 'info', "),
        ("log: Inf\n", "'error', 'critical', 'none': did you mean 'info'?"),
        ("  b: {role: clent}\n", "'chain', 'exit', 'server': did you mean 'client'?"),
        ("unique-range-size: 3\n", "net.yaml:7: unique-range-size: must be 4 to 32, or 0 for off"),
        ("private-network: {a: [1]}\n", "private-network.a: must be a number, a text, true or fa"),
        (
            "private-network:\n  path-lifetime: 20 minn\n",
            "net.yaml:8: private-network.path-lifetime: '20 minn' is not a duration",
        ),
        ("name: y\n", "net.yaml:7: key 'name' was given on line 1"),
        ("x: [\n", "net.yaml:8: not YAML: "),
        ("? [a]\n: 1\n", "net.yaml:7: key ['a'] is not text: put it in quotes"),
    ],
)
def test_a_mistake_is_named_with_file_line_and_fix(added: str, message: str) -> None:
    assert message in error_of(GOOD + added)


def test_too_few_routers_for_the_hops_point_at_the_count_and_say_both_ways_out() -> None:
    assert error_of(GOOD.replace("count: 4", "count: 3")) == (
        "net.yaml:3: 3 routers cannot make the 4-hop paths of web, hops are all different: "
        "add routers (count: 4) or set hops to 3 or fewer"
    )


def test_hops_of_one_client_point_at_that_client() -> None:
    assert error_of(f"{GOOD}    hops: 5\n").startswith(
        "net.yaml:7: 4 routers cannot make the 5-hop"
    )


def test_other_contradictions_are_named_where_they_stand() -> None:
    assert "net.yaml:7: 9 seeds but 4 routers" in error_of(f"{GOOD}seeds: 9\n")
    assert "two nodes would be called 'router-1'" in error_of(
        f"{GOOD}  router-1: {{role: client}}\n"
    )
    assert "no group has role router" in error_of("name: x\nnodes:\n  a: {role: client}\n")
    long = f"{GOOD}  {'a' * 30}: {{role: client, count: 2}}\n"
    assert "is longer than 31 characters" in error_of(long)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    lines = error_of(f"{GOOD}    hosp: 4\nnetdi: a\n").splitlines()
    assert [line.split(":")[1] for line in lines] == ["7", "8"]


def test_a_key_given_twice_hides_no_other_mistake() -> None:
    with pytest.raises(BadTopology) as caught:
        parse(f"{GOOD}name: y\nnetdi: a\n3: x\n".encode(), "net.yaml")
    assert [line for line, _ in caught.value.faults] == [7, 8, 9]
    with pytest.raises(BadTopology, match=r"^net.yaml:7: key 'name' was given on line 1$"):
        parse(f"{GOOD}name: y\n".encode(), "net.yaml")


def test_an_alias_bomb_is_refused_and_a_plain_alias_is_not() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
        for before, name in zip("abcd", "bcde", strict=True)
    )
    assert "aliases expand to too many values" in error_of(GOOD + bomb)
    assert "an alias contains itself" in error_of(f"{GOOD}z: &z [*z]\n")
    aliased = GOOD.replace("  alice:\n    role: client\n", "  a: &c {role: client}\n  b: *c\n")
    assert set(parse(aliased.encode(), "x").nodes) == {"router", "web", "a", "b"}


def test_python_objects_and_oversized_files_are_refused() -> None:
    assert "could not determine a constructor" in error_of("name: !!python/name:os.system x\n")
    assert "larger than" in error_of("#" * (1 << 20) + "\n")


def test_an_unknown_bundled_name_lists_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no topology 'defualt': did you mean 'default'\?"):
        find_topology("defualt")
    with pytest.raises(UsageError, match=r"no topology 'moon': give a file, or one of default, "):
        find_topology("moon")
    with pytest.raises(UsageError, match=r"cannot read topology nowhere\.yaml: No such file"):
        load(find_topology("./nowhere.yaml"))


@given(st.binary(max_size=200))
def test_any_bytes_give_a_topology_or_a_usage_error(data: bytes) -> None:
    try:
        outcome: object = parse(data, "f")
    except UsageError as error:
        outcome = str(error)
    assert isinstance(outcome, Topology) or str(outcome).startswith("f:")
