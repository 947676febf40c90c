"""The `testnet` command: words in, words out.

Each command is a function of `arguments` that gives the exit code; its module is imported only when
it is called, so that `--help` is quick. Nothing below this package prints, parses arguments or
exits. Standard output is data, standard error is chatter.
"""

from __future__ import annotations

import signal
import sys

from orchestrator.errors import EXIT_INTERRUPTED, OperatorError

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    try:
        from orchestrator.cli.arguments import parse

        arguments = parse(sys.argv[1:] if argv is None else argv)
        return int(arguments.run(arguments))
    except OperatorError as error:
        print(f"testnet: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # we are ending; no second one changes how
        print("testnet: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough; stop writing without a complaint at exit.
        sys.stdout = None
        return 0
