"""`python -m orchestrator.cli.pages DIR`: writes the pages of the documentation that are made.

docs/cli.md comes from the parser, docs/topology.md and docs/topology.schema.json from the models. A
test compares; `make docs` writes.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli.arguments import new_parser
from orchestrator.reference import json_schema, topology_page

__all__ = ["pages"]

EXIT_CODES = (
    (
        "0",
        "ok; of `exec` and `shell`: the command's own (128 + signal if one ended it, 127 if it "
        "could not be started)",
    ),
    ("1", "a check failed: no such network, a node that is not ready, a page that is not 200"),
    ("2", "a bad topology (`file:line: what and how to fix it`), key file or command line"),
    ("3", "not ready in time, or a program died on the way: names layer, nodes, last log lines"),
    ("4", "this machine cannot do it; the message has the command that changes that"),
    ("5", "something survived `down`; the message lists it"),
    ("130", "interrupted"),
)


def pages() -> dict[str, str]:
    """Text of every page that is made, by file name."""
    return {
        "cli.md": "\n".join([*_cli_lines(new_parser()), ""]),
        "topology.md": topology_page(),
        "topology.schema.json": json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n",
    }


def _cli_lines(parser: argparse.ArgumentParser) -> Iterator[str]:
    commands = next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    summaries = {choice.dest: choice.help or "" for choice in commands._choices_actions}
    yield from (
        "# The testnet command",
        "",
        "<!-- Made by `make docs` from the words in orchestrator/cli/: change them there. -->",
        "",
        "Data goes to standard output, everything else to standard error. `--json` prints data "
        "instead of tables. [testnet.md](testnet.md) tells the story, "
        "[topology.md](topology.md) what may be in a file.",
        "",
        "| command | what it does |",
        "|---|---|",
    )
    for name in commands.choices:
        yield f"| [`{name}`](#{name}) | {summaries[name]} |"
    yield from ("", "| exit code | meaning |", "|---|---|")
    for code, meaning in EXIT_CODES:
        yield f"| {code} | {meaning} |"
    for name, command in commands.choices.items():
        yield from ("", f"## {name}", "")
        yield from _command_lines(command)


def _command_lines(command: argparse.ArgumentParser) -> Iterator[str]:
    actions = [action for action in command._actions if action.dest != "help"]
    nested = next(
        (action for action in actions if isinstance(action, argparse._SubParsersAction)), None
    )
    yield f"`{' '.join([command.prog, *_usage(actions)])}`"
    yield from ("", command.description or "")
    if command.epilog:
        yield from ("", command.epilog)
    rows = [
        action
        for action in actions
        if action is not nested and (action.help or action.option_strings)
    ]
    if rows:
        yield from ("", "| word | meaning |", "|---|---|")
    for action in rows:
        yield f"| {_words(action)} | {_meaning(action)} |"
    if nested is not None:
        for name, below in nested.choices.items():
            yield from ("", f"### {command.prog.removeprefix('testnet ')} {name}", "")
            yield from _command_lines(below)


def _usage(actions: list[argparse.Action]) -> Iterator[str]:
    """Positional words; options are one word, the table has them."""
    if any(action.option_strings for action in actions):
        yield "[OPTIONS]"
    for action in actions:
        if action.option_strings:
            continue
        word = str(action.metavar or action.dest.upper())
        if action.nargs == "?":
            yield f"[{word}]"
        elif action.nargs in ("*", "+", argparse.REMAINDER):
            yield f"{word} …"
        else:
            yield word


def _words(action: argparse.Action) -> str:
    word = str(action.metavar or ", ".join(map(str, action.choices or [])) or action.dest.upper())
    if not action.option_strings:
        return f"`{word}`"
    value = "" if action.nargs == 0 else f" [{word}]" if action.nargs == "?" else f" {word}"
    return ", ".join(f"`{option}{value}`" for option in action.option_strings)


def _meaning(action: argparse.Action) -> str:
    text = (action.help or "").replace("|", "\\|")
    default = action.default
    if isinstance(default, str) and default is not argparse.SUPPRESS:
        text += f" (default `{default}`)"
    return text


def main() -> int:
    """Write all of them to the directory that is named."""
    for name, text in pages().items():
        Path(sys.argv[1], name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
