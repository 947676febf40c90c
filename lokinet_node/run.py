"""Where the core meets sockets, tun and clock: one process, one event loop, one node.

Reading is done in bounded turns, so that no source starves another: up to TURNS bursts of the
wire, then as many reads of the tun, then what is due, as the agenda says. Socket and tun are served
inside the selector (drivers/selector.py); everything else is asyncio's.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Final

from lokinet_node.agenda import Agenda
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.units import SECOND
from lokinet_node.burst import Datagrams
from lokinet_node.drivers.clock import start_clock
from lokinet_node.drivers.keyfiles import read_contacts
from lokinet_node.drivers.log import Log
from lokinet_node.drivers.selector import BurstSelector
from lokinet_node.drivers.slices import ask_for_short_slices
from lokinet_node.drivers.udp import UdpSocket, source_towards
from lokinet_node.node.config import Role
from lokinet_node.node.config_parts import ANY_ADDRESS
from lokinet_node.routing import Routing
from lokinet_node.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.node.config import Config

TURNS: Final = 16
"""Bursts taken from one source before another gets its turn."""
TUN_READ: Final = 1 << 16


def run(config: Config) -> int:
    """Run a node until it is told to stop; 0, or 2 when the loop failed.

    OperatorError for whatever only the operator can mend, before anything has been sent.
    """
    log = Log(config.log.level, config.log.file, config.log.form)
    for warning in config.warnings:
        log.warn("config.ignored", what=str(warning))
    ask_for_short_slices()
    try:
        process = _Process(config, log)
        make_loop = partial(asyncio.SelectorEventLoop, process.selector)
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(process.main())
    except OperatorError:
        raise
    except KeyboardInterrupt:
        return 0
    except Exception as error:  # the door of the process: say what ended it, then end
        log.error("loop.failed", error=repr(error))
        raise
    finally:
        log.close()
    return 0


class _Process:
    """One running node."""

    def __init__(self, config: Config, log: Log) -> None:
        self._config = config
        self._log = log
        self._now = start_clock()
        self._datagrams = Datagrams()
        self._tun_buffer = bytearray(TUN_READ)
        self.selector = BurstSelector(self._turn)
        self._tun_alone = False
        """Whether nothing lay behind the last first read of the tun."""
        self._agenda = Agenda()
        self._has_acted = False
        """Whether anything was read, or done to the node, since the last turn."""
        self._stop = asyncio.Event()
        self._failure: OperatorError | None = None

    async def main(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        with contextlib.ExitStack() as stack:
            # Before the socket: an earlier run's guard would be in the way of choosing its address.
            routing = Routing(self._config, self._log)
            stack.callback(routing.close)
            self._udp = UdpSocket(_bind_address(self._config))
            stack.callback(self._udp.close)
            send = routing.carried(self._udp.send)
            underlay = self._udp.address[0]
            wiring = Wiring(self._config, send, os.urandom, self._now, self._log, routing, underlay)
            self._wiring = wiring
            stack.callback(wiring.close)
            self._node = wiring.node
            self._serve(stack, self._udp.fileno(), self._from_wire)
            if wiring.tun is not None:
                self._serve(stack, wiring.tun.fileno(), self._from_tun)
            await wiring.serve(self._after, self._stop.set)
            self._log.info("node.started", role=self._config.role.name.lower())
            self._agenda.begin()
            # Nothing is due any more then: the loop still turns while asyncio tidies up.
            stack.callback(self._agenda.rest)
            await self._stop.wait()
            if self._failure is not None:
                raise self._failure
            self._log.info("node.stopping")
            await wiring.stop()
            routing.release()

    def _serve(
        self, stack: contextlib.ExitStack, descriptor: int, reader: Callable[[], bool]
    ) -> None:
        self.selector.serve(descriptor, reader)
        stack.callback(self.selector.forget, descriptor)

    # --- readers

    def _from_wire(self) -> bool:
        receive, datagrams, node = self._udp.receive, self._datagrams, self._node
        now = self._now()
        for _ in range(TURNS):
            read = receive(datagrams)
            if read is None:
                break
            count, address = read
            if count:
                node.from_wire(datagrams, count, address, now)
        return self._after()

    def _from_tun(self) -> bool:
        tun, buffer, node = self._wiring.tun, self._tun_buffer, self._node
        if tun is None:
            return False
        now = self._now()
        try:
            reads = 0
            while reads < TURNS and (size := tun.read_into(buffer)):
                node.from_tun(buffer, size, now)
                reads += 1
                if self._tun_alone:  # if the last one came alone, this goes on before we look
                    self._tun_alone = False
                    node.flush_tun(now)
            self._tun_alone = reads == 1
        except OperatorError as error:
            # Somebody removed the device: nothing can be done without it.
            self.selector.forget(tun.fileno())
            self._failure = error
            self._stop.set()
            return True
        node.flush_tun(now)
        return self._after()

    # --- what follows a turn

    def _after(self) -> bool:
        """Pass hints and effects on; have the deadline looked at soon. True: asyncio has work."""
        self._has_acted = True
        if self._udp.may_have_hints:
            now = self._now()
            for address in self._udp.take_hints():
                self._node.hint(address, now)
        return bool(self._node.effects) and self._wiring.handle_effects()

    def _turn(self) -> float:
        """Do what is due; seconds until there may be more, 0 when asyncio has work."""
        agenda, now = self._agenda, self._now()
        if self._has_acted:
            self._has_acted = False
            agenda.stir(now)
        if now >= agenda.wakes_at:
            due = self._node.deadline()
            if due <= now:
                self._node.tick(now)
                due = self._node.deadline()
            agenda.look(now, due)
            if self._wiring.handle_effects():
                return 0
        return (agenda.wakes_at - now) / SECOND


def _bind_address(config: Config) -> tuple[str, int]:
    """Where the link socket is bound: never a wildcard, for the tun would be behind it too."""
    endpoint = config.inbound if config.role is Role.ROUTER else config.outbound
    if endpoint is not None and endpoint.ip != ANY_ADDRESS:
        return (endpoint.ip, endpoint.port)
    for path in config.bootstrap_files:
        for contact in read_contacts(path):
            return (source_towards(contact.ip), endpoint.port if endpoint is not None else 0)
    raise OperatorError(f"{config.path}: no route to a bootstrap router; say [bind] outbound=IP")
