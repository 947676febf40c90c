"""What is told about topology files is what the models take, and nothing is left untold."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchestrator.checklist import KINDS
from orchestrator.cli.arguments import new_parser
from orchestrator.cli.pages import pages
from orchestrator.errors import UsageError
from orchestrator.load import BUNDLED, parse
from orchestrator.reference import commented_rest, field_texts, json_schema
from orchestrator.topology import Topology

DOCS = Path(__file__).parents[3] / "docs"
BARE = "name: x\nnodes:\n  router: {role: router, count: 4}\n"
CLIENTS = "  web: {role: client}\n  alice: {role: client}\n"
NAMED = f"{BARE}  chain: {{role: chain}}\n  web: {{role: service}}\n"


def accepted_by_models(text: str) -> bool:
    try:
        parse(text.encode(), "x")
    except UsageError:
        return False
    return True


def accepted_by_schema(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(json_schema())
    return bool(validator.is_valid(yaml.safe_load(text)))


@pytest.mark.parametrize("name", sorted(pages()))
def test_every_made_page_is_current(name: str) -> None:
    assert (DOCS / name).read_text() == pages()[name], "run `make docs`"


def test_every_kind_of_check_has_a_row_that_says_what_turns_it_red() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| [^|]+ \| [^|]+ \|", (DOCS / "checks.md").read_text(), re.M
    )
    assert sorted(rows) == sorted(KINDS)


def test_every_key_says_what_it_means() -> None:
    def undescribed(schema: dict[str, Any]) -> list[str]:
        found = [
            key
            for key, entry in schema.get("properties", {}).items()
            if "description" not in entry and "const" not in entry
        ]
        return found + [
            key for each in schema.get("$defs", {}).values() for key in undescribed(each)
        ]

    assert undescribed(json_schema()) == []
    assert field_texts(Topology)["hops"] == "Routers on each path, for all path owners."


def test_every_command_and_option_says_what_it_is() -> None:
    commands = commands_of(new_parser())
    silent = [
        (name, action.dest)
        for name, command in commands.items()
        for action in command._actions
        if not action.help and action.dest != "argv"
    ]
    assert silent == []
    assert all(command.description for command in commands.values())


def commands_of(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    assert parser._subparsers is not None
    (action,) = parser._subparsers._group_actions
    assert isinstance(action.choices, dict)
    return action.choices


def test_one_command_alone_is_what_it_is_among_all() -> None:
    for name, command in commands_of(new_parser()).items():
        alone = commands_of(new_parser(name))
        assert list(alone) == [name]
        assert alone[name].format_help() == command.format_help()


def test_a_word_that_is_no_command_is_told_all_of_them() -> None:
    for word in ("ups", "--version"):
        assert new_parser(word).format_help() == new_parser().format_help()
        assert commands_of(new_parser(word)).keys() == commands_of(new_parser()).keys()


@pytest.mark.parametrize("path", sorted(BUNDLED.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schema_takes_every_bundled_topology(path: Path) -> None:
    assert accepted_by_schema(path.read_text())


@pytest.mark.parametrize(
    ("added", "good"),
    [
        ("", True),
        ("hops: 3\n", True),
        ("hops: 9\n", False),
        ("hops: '3'\n", False),
        ("hosp: 3\n", False),
        ("log: loud\n", False),
        ("private-network: {path-lifetime: 10 min, x: 1, y: true}\n", True),
        ("private-network: {x: [1]}\n", False),
        ("  web: {role: service, app: nginx}\n", True),
        ("  web: {role: service, app: nginy}\n", False),
        ("  web: {role: service, app: {kind: command, run: [a]}}\n", True),
        ("  web: {role: service, app: {kind: command}}\n", False),
        ("  web: {role: clent}\n", False),
        ("  Web: {role: client}\n", False),
        ("  web: {role: client, tun: true}\n", False),
        (f"{CLIENTS}tests: [{{ping: {{from: alice, to: web, count: 5}}, eventually: 5s}}]\n", True),
        (f"{CLIENTS}tests: [{{ping: {{from: alice, to: web}}, eventually: 5}}]\n", False),
        (f"{CLIENTS}tests: [{{pong: {{from: alice, to: web}}}}]\n", False),
        (f"{CLIENTS}tests: [{{throughput: {{from: alice, to: web, at-least: 5 MB}}}}]\n", False),
    ],
)
def test_schema_and_models_agree(added: str, good: bool) -> None:
    assert accepted_by_schema(BARE + added) is good
    assert accepted_by_models(BARE + added) is good


def test_every_comment_of_a_first_file_can_be_taken_as_it_is() -> None:
    """Each line without its `# ` is valid where it says it belongs."""
    network, *groups = re.split(r"^#\n# and in a group with `", commented_rest({}), flags=re.M)
    needed = {"name", "nodes"}
    everybody = BARE + "  web: {role: service}\n  alice: {role: client}\n"
    if any("`role: chain`" in group for group in ["`" + each for each in groups]):
        everybody += "  chain: {role: chain}\n"
    tried = 0
    for line in network.splitlines()[1:]:
        key = line[2:].partition(":")[0]
        if key not in needed:
            rest = NAMED if key == "names" else f"{BARE}{CLIENTS}"
            assert accepted_by_models(f"{line[2:]}\n{rest}"), line
            tried += 1
    for group in groups:
        head, *lines = group.splitlines()
        role = head.partition("`")[0]
        for line in lines:
            entry = re.sub(r"  +#.*| # .*", "", line[2:])
            needs, others, names = "", "", ""
            if entry.startswith("exits:"):
                others = "  way: {role: exit}\n  chain: {role: chain}\n"
                names = "names: {exit.loki: way}\n"
            if "-country:" in entry:
                needs = ", countries: {NL: [203.0.113.0/28]}"
            if role == "role: server":
                needs = "" if entry.startswith("app:") else ", app: nginx"
                others = "  way: {role: exit}\n"
            text = f"{BARE}{others}  more: {{{role}, {entry}{needs}}}\n{names}"
            assert accepted_by_models(text), (role, line)
            tried += 1
    assert tried > 20
    assert json.dumps(json_schema())  # nothing in it that JSON cannot hold
