"""The `testnet` command: words in, words out.

Each command is a function of `arguments` that gives the exit code; its module is imported only when
it is called, so that `--help` is quick. Nothing below this package prints, parses arguments or
exits. Standard output is data, standard error is chatter.

This file imports nothing that takes time: a Ctrl-C before `main` runs is a traceback of Python's.
"""

from __future__ import annotations

import os

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code. Only for a process that ends with it."""
    try:
        from orchestrator.cli.process import run

        return run(argv)
    except KeyboardInterrupt:
        # `run` catches its own, so nothing has begun; not by sys.exit, which a second one may hit.
        os.write(2, b"testnet: interrupted\n")
        os._exit(130)
