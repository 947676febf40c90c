"""The command line: wrong words end with 2 and say why."""

from __future__ import annotations

import pytest

from orchestrator.cli.arguments import parse
from orchestrator.cli.network import chosen
from orchestrator.errors import UsageError

OF_ALL_NETWORKS = ("ls", "gc")
COMMANDS = (
    "up",
    "plan",
    "wait",
    "stop",
    "start",
    "restart",
    "down",
    "ps",
    "status",
    "inspect",
    "logs",
    "exec",
    "shell",
)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["upp"], "invalid choice: 'upp'"),
        (["up", "--timeout", "60"], "'60' is not a duration"),
        (["up", "--tim", "60s"], "unrecognized arguments"),
        (["logs", "--lines", "x"], "'x' is not a number of lines"),
        (["shell"], "the following arguments are required: NODE"),
        (["down", "alice"], "unrecognized arguments: alice"),
    ],
)
def test_bad_usage_ends_with_2_and_a_reason(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(argv)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", [*COMMANDS, *OF_ALL_NETWORKS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([command, "--help"])
    assert caught.value.code == 0
    assert f"usage: testnet {command}" in capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["-n", "--name"])
def test_every_command_takes_the_networks_name_short_and_long(command: str, option: str) -> None:
    node = ["alice"] if command in ("inspect", "exec", "shell") else []
    assert parse([command, option, "other", *node]).name == "other"


def test_everything_after_the_node_belongs_to_the_command() -> None:
    arguments = parse(["exec", "--name", "n", "alice", "--", "curl", "--json", "-n"])
    assert arguments.argv == ["curl", "--json", "-n"]
    assert (arguments.name, arguments.node) == ("n", "alice")
    assert parse(["exec", "alice", "ls", "--name"]).argv == ["ls", "--name"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "-a", "a" * 32])
def test_what_can_be_no_name_is_no_path_either(name: str) -> None:
    with pytest.raises(UsageError, match="is no name"):
        chosen(name)
