"""One command as a process: its exit code, its last words, and what Ctrl-C does to it.

Ctrl-C: until the command's module is there nothing was made, so the process ends at once; a
KeyboardInterrupt would come out of the middle of an import, and some swallow it. In the command it
is a KeyboardInterrupt, unless the command has its own way (`up`, `exec`). After the command nothing
is left to interrupt.
"""

from __future__ import annotations

import os
import signal
import sys

from orchestrator.errors import EXIT_INTERRUPTED, OperatorError

__all__ = ["run"]

INTERRUPTED = "testnet: interrupted"


def run(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code. Leaves SIGINT ignored: the process is to end."""
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # not under nohup
    try:
        if is_default:
            signal.signal(signal.SIGINT, _leave)
        from orchestrator.cli.arguments import parse

        arguments = parse(sys.argv[1:] if argv is None else argv)
        command = arguments.load()
        if is_default:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return int(command(arguments))
    except OperatorError as error:
        print(f"testnet: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # we are ending; no second one changes how
        print(INTERRUPTED, file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read us has enough; stop writing without a complaint at exit.
        sys.stdout = None
        return 0
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave(*_: object) -> None:
    """End without unwinding: whatever runs now, it is an import."""
    os.write(2, f"{INTERRUPTED}\n".encode())
    os._exit(EXIT_INTERRUPTED)
