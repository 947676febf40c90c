"""`testnet completion SHELL`, and the names of networks, nodes and topologies it offers.

A shell asks `testnet` itself at each TAB (argcomplete's protocol), so that what is offered is what
the parser takes and what exists. Whatever goes wrong while completing offers nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from argcomplete.completers import DirectoriesCompleter, FilesCompleter, SuppressCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.shell_integration import shellcode

from orchestrator.cli.output import tell
from orchestrator.directories import state_root
from orchestrator.errors import EXIT_OK

__all__ = ["answer", "completion"]

Completer = Callable[..., Iterable[str]]
WHERE = {
    "bash": 'eval "$(testnet completion bash)" in ~/.bashrc',
    "zsh": 'eval "$(testnet completion zsh)" in ~/.zshrc, after compinit',
    "fish": "testnet completion fish | source in ~/.config/fish/config.fish",
}


def completion(arguments: argparse.Namespace) -> int:
    """Print what a shell must be told."""
    print(shellcode(["testnet"], shell=arguments.shell))
    tell(f"to have it in every shell: {WHERE[arguments.shell]}")
    return EXIT_OK


def answer(parser: argparse.ArgumentParser) -> None:
    """Tell the shell what may come next, and end the process."""
    _attach(parser)
    CompletionFinder()(parser, default_completer=SuppressCompleter())


def _attach(parser: argparse.ArgumentParser) -> None:
    """Give each argument that names something a completer."""
    completers: dict[str, Completer] = {
        "NAME": _networks,
        "NODE": _nodes,
        "LOAD": _loads,
        "TOPOLOGY": _topologies,
        "compose": _forms,
        "FILE": FilesCompleter(),
        "DIR": DirectoriesCompleter(),
    }
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _attach(command)
        elif isinstance(action.metavar, str) and action.metavar in completers:
            action.completer = completers[action.metavar]  # type: ignore[attr-defined]


def _networks(**_: object) -> list[str]:
    """As directories have them: nobody is asked, so that a TAB is answered at once."""
    return sorted(_names(state_root().glob("*/nodes/..")))


def _topologies(prefix: str = "", **_: object) -> list[str]:
    from orchestrator.load import bundled_names

    files: Iterable[str] = FilesCompleter(("yaml", "yml"))(prefix)
    return [*bundled_names(), *files]


def _forms(prefix: str = "", **_: object) -> list[str]:
    """Of `render`: its one word, or the topology at once."""
    return ["compose", *_topologies(prefix)]


def _nodes(parsed_args: argparse.Namespace | None = None, **_: object) -> list[str]:
    """Those of the network that is named, or of all."""
    network = getattr(parsed_args, "name", None) or "*"
    return sorted(_names(state_root().glob(f"{network}/nodes/*")))


def _loads(parsed_args: argparse.Namespace | None = None, **_: object) -> list[str]:
    network = getattr(parsed_args, "name", None) or "*"
    return sorted(_names(state_root().glob(f"{network}/load/*")))


def _names(paths: Iterable[Path]) -> set[str]:
    with suppress(OSError, ValueError):
        return {path.resolve().name for path in paths}
    return set()
