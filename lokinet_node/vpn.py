"""`lokinet-vpn`: exits of a running node, over its control socket.

    lokinet-vpn --up --exit exit.loki [--token-file PATH] [--range CIDR]
    lokinet-vpn --down [--range CIDR]      --swap OLD NEW      --status      --kill

Exit codes are Lokinet's: 0 done; 1 the node refused or could not be asked, standard error says
why; 3 the command line does not say what to do. A token on the command line (`--token T`) shows in
the list of processes, one in a file does not. `--json` prints one JSON value instead of text.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from lokinet_node.base.constants import PROGRAM
from lokinet_node.base.errors import OperatorError

FAILED: Final = 1
MISUSED: Final = 3
INTERRUPTED: Final = 130

ANSWER_S: Final = 120.0
"""Longest wait for an answer: the node gives up on an exit after a name, a dial and a decision."""
MOST_ANSWER: Final = 1 << 20
"""Bytes of one answer."""

MOST_TOKEN_FILE: Final = 1024
"""Bytes; more than any token has."""

_STDIN: Final = "-"
_LEVELS: Final = ("trace", "debug", "info", "warn", "error", "critical", "none")
_IPC: Final = "ipc://"
_COMMANDS: Final = "--add/--remove/--swap/--status/--kill"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    chosen = [options.up, options.down, options.swap, options.status, options.kill]
    if sum(map(bool, chosen)) != 1:
        rule = ("Only one", "may") if any(chosen) else ("One", "must")
        print(f"{rule[0]} of {_COMMANDS} {rule[1]} be specified", file=sys.stderr)
        return MISUSED
    if options.up and not options.exit:
        print("no exit address provided, must specify --exit ADDRESS", file=sys.stderr)
        return FAILED
    try:
        if options.token_file is not None:
            options.token = _read_token(options.token_file)
        with _asking(_socket_path(options.rpc), loud=_is_loud(options)) as ask:
            _run(options, ask)
    except OperatorError as error:
        print(error, file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        # The node goes on with what it was asked for: `--down` takes that back, too.
        print("interrupted; --down undoes what the node may still be doing", file=sys.stderr)
        return INTERRUPTED
    return 0


def _run(options: argparse.Namespace, ask: _Ask) -> None:
    """Do what was chosen; OperatorError with the node's own words where it does not."""
    method, params = _request(options)
    result = ask(method, params)
    if options.json:
        if options.status and not isinstance(result, dict):
            result = {}  # Lokinet's words for it are no mapping
        print(json.dumps(result))
    elif not options.status:
        print(result)
    elif isinstance(result, dict):
        for range_, exits in result.items():
            for one in exits if isinstance(exits, list) else [exits]:
                print(f"{range_} via {one}")
    else:
        print("no exits")


def _request(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The method and its parameters."""
    params: dict[str, Any] = {"endpoint": options.endpoint}
    if options.range is not None:
        params["ip_range"] = [options.range]
    if options.token is not None:
        params["token"] = options.token
    if options.up:
        return "llarp.map_exit", params | {"address": options.exit}
    if options.swap:
        return "llarp.swap_exits", params | {"exit_addresses": options.swap}
    if options.down:
        return "llarp.unmap_exit", params
    return ("llarp.list_exits", params) if options.status else ("llarp.halt", {})


class _Ask:
    """One connection to a control socket; a call is one question."""

    def __init__(self, connection: socket.socket, path: str, *, loud: bool) -> None:
        self._connection = connection
        self._path = path
        self._loud = loud

    def __call__(self, method: str, params: dict[str, Any]) -> Any:
        """The result; OperatorError with the error, or what is wrong with the connection."""
        shown = {key: "..." if key == "token" else value for key, value in params.items()}
        self._say(f"{method} {json.dumps(shown)}")
        line = json.dumps({"id": 1, "method": method, "params": params}).encode() + b"\n"
        try:
            self._connection.sendall(line)
            answer = self._line()
        except TimeoutError:
            raise OperatorError(f"{self._path}: no answer within {ANSWER_S:g} s") from None
        except OSError as error:
            raise OperatorError(f"{self._path}: {error.strerror or error}") from error
        try:
            reply = json.loads(answer)
        except ValueError:
            reply = None
        if not isinstance(reply, dict) or not reply.keys() & {"result", "error"}:
            raise OperatorError(f"{self._path}: failed to parse the answer; is this a lokinet?")
        self._say(answer.decode().rstrip())
        if "error" in reply:
            raise OperatorError(str(reply["error"]))
        return reply["result"]

    def _line(self) -> bytes:
        received = bytearray()
        while not received.endswith(b"\n"):
            part = self._connection.recv(1 << 16)
            if not part or len(received) > MOST_ANSWER:
                raise OperatorError(f"{self._path}: the connection ended without an answer")
            received += part
        return bytes(received)

    def _say(self, text: str) -> None:
        if self._loud:
            print(text, file=sys.stderr)


@contextmanager
def _asking(path: str, *, loud: bool) -> Iterator[_Ask]:
    """A connection to the control socket; OperatorError where nobody listens."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_S)
        try:
            connection.connect(path)
        except OSError as error:
            reason = error.strerror or error
            raise OperatorError(
                f"failed to connect to lokinet at {path}: {reason}; does it run? --rpc says where"
            ) from error
        yield _Ask(connection, path, loud=loud)


def _socket_path(url: str | None) -> str:
    """The path in `ipc:///PATH`, or a bare one; without any the default data directory's."""
    if url is None:
        directory = "/var/lib/lokinet" if os.geteuid() == 0 else os.path.expanduser("~/.lokinet")
        return os.path.join(directory, "rpc.sock")
    path = url.removeprefix(_IPC)
    if "://" in path or not path:
        raise OperatorError(f"{url!r}: a node listens at {_IPC}PATH only, no TCP")
    return path


def _read_token(path: str) -> str:
    """The one line of a file, or of standard input; OperatorError for anything else."""
    shown = "standard input" if path == _STDIN else path
    try:
        with open(0 if path == _STDIN else path, "rb", closefd=path != _STDIN) as file:
            data = file.read(MOST_TOKEN_FILE + 1)
        token = data.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise OperatorError(
            f"{shown}: {error.strerror or error}; it should hold a token"
        ) from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{shown}: a token is text in UTF-8") from error
    if len(data) > MOST_TOKEN_FILE or not token or not token.isprintable():
        raise OperatorError(f"{shown}: it should hold one line, the token, and nothing else")
    return token


def _is_loud(options: argparse.Namespace) -> bool:
    return options.verbose or options.log_level in ("trace", "debug")


class _Parser(argparse.ArgumentParser):
    """A parser whose usage errors end with Lokinet's code for them."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(MISUSED, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="lokinet-vpn",
        description="Map, unmap, swap and show the exits of a running node.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--up", "--add", action="store_true", help="use --exit for --range")
    add("--down", "--remove", action="store_true", help="unmap everything inside --range")
    add("--swap", nargs=2, metavar=("OLD", "NEW"), help="put one exit in the place of another")
    add("--status", action="store_true", help="show what is mapped: RANGE via ADDRESS")
    add("-k", "--kill", action="store_true", help="end the node")
    add("--exit", metavar="ADDRESS", help="<52>.loki or a name; null: no exit for the range")
    token = parser.add_mutually_exclusive_group()
    token.add_argument("--token", "--auth", metavar="T", help="token for the exit, for all to see")
    token.add_argument("--token-file", metavar="PATH", help="file with the token; - for stdin")
    add("--range", metavar="CIDR", help="destinations, IPv4 or IPv6 (default: ::/0, everything)")
    add("--endpoint", metavar="NAME", default="default", help="only `default` exists")
    add("--rpc", metavar="URL", help=f"control socket, {_IPC}PATH (default: in the data directory)")
    add("--json", action="store_true", help="print the result as JSON")
    add("-v", "--verbose", action="store_true", help="show questions and answers, tokens hidden")
    add("--log-level", choices=_LEVELS, default="warn", help="trace and debug are as --verbose")
    add("--version", action="version", version=PROGRAM)
    return parser


if __name__ == "__main__":
    sys.exit(main())
