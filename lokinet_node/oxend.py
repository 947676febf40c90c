"""`lokinet-oxend`: the private chain as a program; docs/chain.md.

Runs until it is told to stop. Exit codes: 0 ended as asked; 1 arguments, file or listeners are
wrong, and standard error says what to do; 2 the store failed, and a new start finds the last
acknowledged state.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from lokinet_node.base.constants import PROGRAM
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.units import SECOND
from lokinet_node.chain.control import handlers
from lokinet_node.chain.database import StoreFailed
from lokinet_node.chain.listeners import parse_listener
from lokinet_node.chain.server import Server
from lokinet_node.chain.service import Service
from lokinet_node.chain.store import Store
from lokinet_node.chain.terms import TARGET_BLOCK_TIME_S, NetworkType
from lokinet_node.drivers.clock import start_clock
from lokinet_node.drivers.control import ControlSocket
from lokinet_node.drivers.files import make_directory
from lokinet_node.drivers.log import LEVELS, Log

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE_NAME = "chain.sqlite"
DEFAULT_RPC = "127.0.0.1:22023"
"""oxend's port."""
MAX_BLOCK_TIME_S = 86_400.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code."""
    options = _parser().parse_args(arguments)
    log = Log(options.log_level, form=options.log_format)
    try:
        directory = os.path.abspath(options.data_dir)
        make_directory(directory)
        return asyncio.run(_serve(options, directory, log))
    except OperatorError as error:
        print(f"lokinet-oxend: {error}", file=sys.stderr)
        return 1
    except StoreFailed as error:
        log.error("chain.failed", error=str(error))
        return 2
    finally:
        log.close()


async def _serve(options: argparse.Namespace, directory: str, log: Log) -> int:
    """Serve until a signal; 0."""
    told = _listen_to_signals()
    rpc = parse_listener(options.rpc)
    admin = parse_listener(options.admin or f"unix:{directory}/admin.sock")
    now = start_clock()
    network = NetworkType(options.network_type)
    with contextlib.closing(Store(f"{directory}/{FILE_NAME}", network, now() // SECOND)) as store:
        service = Service(store, now)

        def tell(event: str, text: str) -> None:
            log.warn(event, text=text)

        server = Server(service, rpc, admin, options.block_time, tell)
        control = None
        if options.control:
            control = ControlSocket(options.control, handlers(service, store, now), log)
        try:
            if control is not None:
                await control.open()
            rpc_at, admin_at = await server.open()
            log.info(
                "chain.listening",
                rpc=rpc_at,
                admin=admin_at,
                network=network,
                height=store.height,
                block_time_s=options.block_time,
            )
            await server.run(told)
        finally:
            await server.close()
            if control is not None:
                await control.close()
        log.info("chain.ended", height=store.height)
    return 0


def _listen_to_signals() -> asyncio.Event:
    """Set once SIGINT or SIGTERM has come."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    return told


class _Parser(argparse.ArgumentParser):
    """A parser whose usage errors end with 1: 2 is kept for a store that failed."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(1, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="lokinet-oxend", description="Run a private chain; docs/chain.md.")
    parser.add_argument("--data-dir", required=True, metavar="DIR", help="made if missing")
    parser.add_argument(
        "--network-type",
        choices=[str(network) for network in NetworkType],
        default=str(NetworkType.MAINNET),
        help="how long names live (default: %(default)s); fixed when the chain is made",
    )
    parser.add_argument(
        "--block-time",
        type=_block_time,
        default=TARGET_BLOCK_TIME_S,
        metavar="SECONDS",
        help="between two blocks (default: %(default)g); 0: blocks are made on request only",
    )
    parser.add_argument(
        "--rpc", default=DEFAULT_RPC, metavar="WHERE", help="for readers (default: %(default)s)"
    )
    parser.add_argument(
        "--admin", metavar="WHERE", help="for writers (default: unix:DIR/admin.sock)"
    )
    parser.add_argument(
        "--control", metavar="PATH", help="a control socket as nodes have, for supervisors"
    )
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="default: %(default)s")
    parser.add_argument(
        "--log-format", choices=("text", "json"), default="text", help="default: %(default)s"
    )
    parser.add_argument("--version", action="version", version=PROGRAM)
    return parser


def _block_time(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= MAX_BLOCK_TIME_S:
        raise argparse.ArgumentTypeError(f"must be from 0 to {MAX_BLOCK_TIME_S:g}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
