"""Where the core meets sockets, tun and clock: one process, one event loop, one node.

Reading is done in bounded turns, so that no source starves another: up to TURNS bursts of the
wire, then as many reads of the tun, then timers. The timer follows the node's own deadline; while
packets flow it is asked for at most every RECHECK, for asking after each burst would cost more
than the burst; after a lone packet at once, for waking up again would cost more than asking.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import OperatorError
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.burst import Datagrams
from lokinet_node.drivers.clock import start_clock
from lokinet_node.drivers.keyfiles import read_contacts
from lokinet_node.drivers.log import Log
from lokinet_node.drivers.udp import UdpSocket, source_towards
from lokinet_node.node.config import Role
from lokinet_node.node.config_parts import ANY_ADDRESS
from lokinet_node.wiring import Wiring

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.node.config import Config

TURNS: Final = 16
"""Bursts taken from one source before another gets its turn."""
RECHECK: Final[Micros] = 20 * MILLISECOND
TUN_READ: Final = 1 << 16


def run(config: Config) -> int:
    """Run a node until it is told to stop; 0, or 2 when the loop failed.

    OperatorError for whatever only the operator can mend, before anything has been sent.
    """
    log = Log(config.log.level, config.log.file, config.log.form)
    for warning in config.warnings:
        log.warn("config.ignored", what=str(warning))
    try:
        asyncio.run(_Process(config, log).main())
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
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: Micros = 0
        self._looked: Micros = 0
        """When the node was asked for its deadline last."""
        self._stop = asyncio.Event()
        self._failure: OperatorError | None = None

    async def main(self) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        with contextlib.ExitStack() as stack:
            self._udp = UdpSocket(_bind_address(self._config))
            stack.callback(self._udp.close)
            wiring = Wiring(self._config, self._udp.send, os.urandom, self._now, self._log)
            self._wiring = wiring
            stack.callback(wiring.close)
            self._node = wiring.node
            loop.add_reader(self._udp.fileno(), self._from_wire)
            if wiring.tun is not None:
                loop.add_reader(wiring.tun.fileno(), self._from_tun)
            await wiring.serve(self._after, self._stop.set)
            self._log.info("node.started", role=self._config.role.name.lower())
            self._check()
            await self._stop.wait()
            if self._failure is not None:
                raise self._failure
            self._log.info("node.stopping")
            await wiring.stop()

    # --- readers

    def _from_wire(self) -> None:
        receive, datagrams, node = self._udp.receive, self._datagrams, self._node
        now = self._now()
        for _ in range(TURNS):
            read = receive(datagrams)
            if read is None:
                break
            count, address = read
            if count:
                node.from_wire(datagrams, count, address, now)
        self._after()

    def _from_tun(self) -> None:
        tun, buffer, node = self._wiring.tun, self._tun_buffer, self._node
        if tun is None:
            return
        now = self._now()
        try:
            for _ in range(TURNS):
                size = tun.read_into(buffer)
                if not size:
                    break
                node.from_tun(buffer, size, now)
        except OperatorError as error:
            # Somebody removed the device: nothing can be done without it.
            self._loop.remove_reader(tun.fileno())
            self._failure = error
            self._stop.set()
            return
        node.flush_tun(now)
        self._after()

    # --- what follows a turn

    def _after(self) -> None:
        """Pass hints and effects on; make sure the timer is looked at soon."""
        hints = self._udp.take_hints()
        if hints:
            now = self._now()
            for address in hints:
                self._node.hint(address, now)
        self._wiring.handle_effects()
        now = self._now()
        if now - self._looked >= RECHECK:
            self._look(now)
        elif self._timer is None or self._timer_due > self._looked + RECHECK:
            self._arm(self._looked + RECHECK)

    def _look(self, now: Micros) -> None:
        """Have the timer follow the node's deadline as it is now."""
        self._looked = now
        due = max(self._node.deadline(), now + MILLISECOND)
        if self._timer is None or self._timer_due > due:
            self._arm(due)

    def _arm(self, due: Micros) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due = due
        delay = max(0, due - self._now()) / SECOND
        self._timer = self._loop.call_later(delay, self._check)

    def _check(self) -> None:
        """The timer: do what is due, then sleep until the node's next deadline."""
        self._timer = None
        now = self._now()
        if self._node.deadline() <= now:
            self._node.tick(now)
            self._wiring.handle_effects()
        self._look(now)


def _bind_address(config: Config) -> tuple[str, int]:
    """Where the link socket is bound: never a wildcard, for the tun would be behind it too."""
    endpoint = config.inbound if config.role is Role.ROUTER else config.outbound
    if endpoint is not None and endpoint.ip != ANY_ADDRESS:
        return (endpoint.ip, endpoint.port)
    for path in config.bootstrap_files:
        for contact in read_contacts(path):
            return (source_towards(contact.ip), endpoint.port if endpoint is not None else 0)
    raise OperatorError(f"{config.path}: no route to a bootstrap router; say [bind] outbound=IP")
