"""`lokinet [CONFIG]`: arguments to a configuration, and a configuration to a running node.

Exit codes: 0 ended as asked; 1 arguments, configuration, key file or start are wrong, and
standard error says where and what to do; 2 the running node failed.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from lokinet_node.base.constants import PROGRAM
from lokinet_node.base.errors import OperatorError
from lokinet_node.drivers.files import make_directory, read_config, write_file, write_new_file
from lokinet_node.node.config import Config, Role, Source, Surroundings, parse_config

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG_NAME = "lokinet.ini"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.config and options.config_option:
        parser.error("CONFIG is given twice")
    if options.force and not options.generate:
        parser.error("--force goes with --generate")
    path = options.config or options.config_option
    role = Role.ROUTER if options.router else None
    try:
        if options.generate:
            return _generate(path, role or Role.CLIENT, options.force)
        config = load(_existing(path, role or Role.CLIENT), role)
        return _run(config)
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 1


def load(path: str, role: Role | None) -> Config:
    """The configuration in a file and its conf.d; OperatorError says what is wrong where."""
    sources = [Source(*source) for source in read_config(path)]
    around = Surroundings(
        directory=os.path.dirname(os.path.abspath(path)),
        default_data_dir=_default_directory(),
        exists=os.path.exists,
    )
    return parse_config(sources, role, around)


def _run(config: Config) -> int:
    from lokinet_node.run import run  # here: --version and bad configurations need no node

    try:
        return run(config)
    except OperatorError:
        raise
    except Exception as error:
        print(f"lokinet: the node failed: {error!r}", file=sys.stderr)
        return 2


def _generate(path: str | None, role: Role, force: bool) -> int:
    """Write a new ini file and say where."""
    from lokinet_node.node.config_template import new_ini

    if path is None:
        path = _default_path()
        make_directory(os.path.dirname(path))
    data = new_ini(role, os.path.dirname(os.path.abspath(path))).encode()
    if force:
        write_file(path, data)
    elif not write_new_file(path, data):
        raise OperatorError(f"{path}: exists; --force replaces it")
    print(path)
    return 0


def _existing(path: str | None, role: Role) -> str:
    """The file to read: the one named, or the default one, written first where it is missing."""
    if path is not None:
        return path
    path = _default_path()
    if not os.path.exists(path):
        _generate(None, role, force=False)
    return path


def _default_path() -> str:
    return os.path.join(_default_directory(), CONFIG_NAME)


def _default_directory() -> str:
    return "/var/lib/lokinet" if os.geteuid() == 0 else os.path.expanduser("~/.lokinet")


class _Parser(argparse.ArgumentParser):
    """A parser whose usage errors end with 1: 2 is kept for a loop that failed."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lokinet", description="Run a Lokinet node until it is told to stop.")
    parser.add_argument("config", nargs="?", metavar="CONFIG", help="ini file; docs/config.md")
    parser.add_argument("--config", dest="config_option", metavar="PATH", help="the same")
    parser.add_argument("-g", "--generate", action="store_true", help="write a new ini file, end")
    parser.add_argument("-f", "--force", action="store_true", help="replace an existing one")
    parser.add_argument("-r", "--router", action="store_true", help="be a router")
    parser.add_argument("--version", action="version", version=PROGRAM)
    return parser
