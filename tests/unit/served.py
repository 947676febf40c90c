"""A node of a small in-memory network behind a real control socket, and programs that ask it.

Virtual time passes as fast as it can while a program runs.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lokinet_node.base.units import SECOND
from lokinet_node.cli import load
from lokinet_node.drivers.control import ControlSocket, Handler
from lokinet_node.drivers.log import Log
from lokinet_node.exiting import Exiting
from lokinet_node.naming import Naming
from lokinet_node.node.config import Role
from lokinet_node.testing.builders import TUN, ClientMachine, RouterMachine, World

INI = "[router]\nnetid=mine\ndata-dir=.\n[bootstrap]\nseed-node=1\n"
TURN_S = 0.05
"""Virtual seconds between two looks at what the node noted."""


@dataclass(frozen=True)
class Ended:
    """A program that ended."""

    code: int
    stdout: str
    stderr: str


class ServedNode:
    """One machine's exits, as `lokinet_node.wiring` serves them."""

    def __init__(
        self, directory: Path, world: World, machine: ClientMachine | RouterMachine
    ) -> None:
        ini = directory / "lokinet.ini"
        ini.write_text(INI)
        self.path = str(directory / "rpc.sock")
        self.world = world
        self.machine = machine
        self.log = Log("none", str(directory / "log"))
        self.stopped = 0
        clock: Callable[[], int] = lambda: world.network.now  # noqa: E731
        config = load(str(ini), Role.CLIENT)
        self.naming = Naming(config, machine.node, machine.role, TUN, clock)
        self.naming.after = lambda: world.network.poke(machine.address)
        self.route_problem = ""
        self.exiting = Exiting(
            machine.role, self.naming, clock, 5 * SECOND, lambda: self.route_problem
        )

    def handlers(self) -> dict[str, Handler]:
        def halt(_params: dict[str, Any]) -> str:
            self.stopped += 1
            return "OK"

        return self.exiting.handlers() | {"llarp.halt": halt}

    async def live(self) -> None:
        """Let time pass; hand over what the node noted."""
        while True:
            self.world.run(TURN_S)
            for effect in self.machine.node.take_effects():
                self.naming.take(effect)
                self.exiting.take(effect)
            await asyncio.sleep(0)

    def run(self, *commands: Sequence[str]) -> list[Ended]:
        """Run programs, one after the other, while the node lives."""

        async def main() -> list[Ended]:
            control = ControlSocket(self.path, self.handlers(), self.log)
            await control.open()
            life = asyncio.create_task(self.live())
            try:
                ended = [await _program(command) for command in commands]
                assert not life.done(), f"the node died: {life}"
                return ended
            finally:
                life.cancel()
                await control.close()

        return asyncio.run(main())


async def _program(command: Sequence[str]) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    stdout, stderr = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, stdout.decode(), stderr.decode())


def module(name: str, *arguments: str) -> list[str]:
    """A command line that runs one of our programs."""
    return [sys.executable, "-m", name, *arguments]
