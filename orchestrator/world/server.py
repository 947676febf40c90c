"""Process 1 of the world: does what it is asked over its socket, reaps what ends.

One loop, one thread, no decision. Every verb is one atomic, idempotent act. Making a node is the
only thing that takes long enough to matter, so its child runs beside the loop and answers when it
is done.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from orchestrator.world.messages import MAX_BYTES, Message, receive, send
from orchestrator.world.nodes import BRIDGE, Node, NodeRequest, start_making
from orchestrator.world.spawn import Namespaces, SpawnError, inhabitants, ip_batch, spawn
from orchestrator.world.starter import Starter, now_us

__all__ = ["World"]

HANG_UP_GRACE_US = 2_000_000
"""A program whose caller went away is told so, and killed after this."""
STOP_GRACE_US = 2_000_000
"""A program asked to stop is killed after this."""


@dataclass(slots=True, eq=False)
class Connection:
    """One client; `running` is the program it waits for, if any."""

    socket: socket.socket
    running: int | None = None


@dataclass(slots=True, eq=False)
class _Making:
    pid: int
    request: NodeRequest
    fingerprint: str
    labels: dict[str, str]
    waiting: list[Connection]


class Refused(Exception):
    """The request cannot be granted; the text goes to the client."""


@dataclass(slots=True, eq=False)
class World:
    """Everything that exists, and the loop that changes it."""

    ip: str
    keep: tuple[str, ...]
    listener: socket.socket
    nodes: dict[str, Node] = field(default_factory=dict)
    _making: dict[str, _Making] = field(default_factory=dict)
    _sessions: dict[int, Connection] = field(default_factory=dict)
    _stopping: dict[int, list[Connection]] = field(default_factory=dict)
    _deadlines: dict[int, int] = field(default_factory=dict)
    """pid → when its process group is killed."""
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    _starter: Starter = field(init=False)
    _bridges: set[str] = field(default_factory=lambda: {BRIDGE})

    def __post_init__(self) -> None:
        """The starter shares our selector."""
        self._starter = Starter(self._selector)

    def run(self, ready: Callable[[], None]) -> None:
        """Serve for ever; only a `shutdown` or a signal ends it."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os._exit(0))
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._reap(reader))
        self._selector.register(self.listener, selectors.EVENT_READ, self._accept)
        ready()
        while True:
            for key, _ in self._selector.select(self._timeout()):
                key.data()
            self._kill_overdue()

    def _timeout(self) -> float | None:
        if not self._deadlines:
            return None
        return max(0.0, (min(self._deadlines.values()) - now_us()) / 1e6)

    def _kill_overdue(self) -> None:
        now = now_us()
        for pid in [pid for pid, due in self._deadlines.items() if due <= now]:
            del self._deadlines[pid]
            _signal_group(pid, signal.SIGKILL)

    # Clients

    def _accept(self) -> None:
        accepted, _ = self.listener.accept()
        accepted.setblocking(False)
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_BYTES)
        connection = Connection(accepted)
        self._selector.register(
            accepted, selectors.EVENT_READ, lambda: self._handle_message(connection)
        )

    def _handle_message(self, connection: Connection) -> None:
        try:
            message, descriptors = receive(connection.socket)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            message, descriptors = None, []
        if message is None:
            self._hang_up(connection)
            return
        try:
            verb = VERBS.get(str(message.get("verb")))
            if verb is None:
                raise Refused(f"unknown verb {message.get('verb')!r}")
            verb(self, connection, message, descriptors)
        except (Refused, SpawnError) as error:
            self._answer(connection, {"error": str(error)})
        except (KeyError, TypeError, ValueError, OSError) as error:
            self._answer(connection, {"error": f"{type(error).__name__}: {error}"})
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _answer(self, connection: Connection, message: Message, descriptor: int = -1) -> None:
        try:
            send(connection.socket, message, [descriptor] if descriptor >= 0 else [])
        except OSError:
            self._hang_up(connection)

    def _hang_up(self, connection: Connection) -> None:
        if connection.socket.fileno() < 0:
            return
        self._selector.unregister(connection.socket)
        connection.socket.close()
        if connection.running is not None:
            _signal_group(connection.running, signal.SIGHUP)
            self._deadlines[connection.running] = now_us() + HANG_UP_GRACE_US

    # Children

    def _reap(self, reader: int) -> None:
        with suppress(BlockingIOError):
            os.read(reader, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._ended(pid, os.waitstatus_to_exitcode(status))

    def _ended(self, pid: int, code: int) -> None:
        self._deadlines.pop(pid, None)
        for node in self.nodes.values():
            for process in node.processes.values():
                if process.pid == pid and process.exit_code is None:
                    process.exit_code = code
        self._starter.note_end(pid, code)
        session = self._sessions.pop(pid, None)
        if session is not None:
            session.running = None
            if session.socket.fileno() >= 0:
                self._answer(session, {"exit": code})
        for waiting in self._stopping.pop(pid, []):
            self._answer(waiting, {"ok": code})

    # Verbs

    def _observe(self, connection: Connection, _message: Message, _fds: list[int]) -> None:
        nodes = {
            node.request.name: {
                "address": node.request.address,
                "fingerprint": node.fingerprint,
                "labels": {**node.labels, "port": node.request.legs[0][1]},
                "processes": {
                    name: {
                        "pid": process.pid,
                        "started_us": process.started_us,
                        "exit_code": process.exit_code,
                        "fingerprint": process.fingerprint,
                        "stopped": process.stopped,
                    }
                    for name, process in node.processes.items()
                },
            }
            for node in self.nodes.values()
        }
        self._answer(connection, {"ok": nodes})

    def _create_node(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        request = NodeRequest(**message["node"])
        if request.name in self.nodes:
            self._answer(connection, {"ok": "exists"})
            return
        if request.name in self._making:
            self._making[request.name].waiting.append(connection)
            return
        pid, channel = start_making(self.ip, request, self.keep)
        making = _Making(pid, request, message["fingerprint"], message["labels"], [connection])
        self._making[request.name] = making
        self._selector.register(
            channel, selectors.EVENT_READ, lambda: self._finish_node(channel, making)
        )

    def _finish_node(self, channel: socket.socket, making: _Making) -> None:
        message, descriptors = receive(channel)
        self._selector.unregister(channel)
        channel.close()
        del self._making[making.request.name]
        answer: Message = {"ok": "made"}
        if message is None or "error" in message:
            reason = message["error"] if message else "the child that makes it died"
            answer = {"error": f"node {making.request.name}: {reason}"}
        else:
            namespaces = Namespaces(*descriptors)
            try:
                self._plug_in(making.request)
                node = Node(making.request, making.fingerprint, making.labels, namespaces)
                self.nodes[making.request.name] = node
            except SpawnError as error:
                namespaces.close()
                answer = {"error": f"node {making.request.name}: {error}"}
        for connection in making.waiting:
            self._answer(connection, answer)

    def _plug_in(self, request: NodeRequest) -> None:
        """Each link into its bridge; one that nobody was in yet is made."""
        lines = []
        new = {bridge for _, _, bridge in request.legs} - self._bridges
        for bridge in new:
            lines += [f"link add {bridge} type bridge", f"link set {bridge} up"]
        lines += [f"link set {port} master {bridge} up" for _, port, bridge in request.legs]
        ip_batch(self.ip, lines)
        self._bridges |= new

    def _remove_node(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        node = self.nodes.pop(message["node"], None)
        if node is not None:
            for pid in inhabitants(node.namespaces):
                os.kill(pid, signal.SIGKILL)
            # The dying may hold the namespace a moment longer than its link may exist.
            ip_batch(self.ip, [f"link del {port}" for _, port, _ in node.request.legs])
            node.namespaces.close()
        self._answer(connection, {"ok": "gone"})

    def _start(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        node = self._node(message)
        self._starter.start(node, message, lambda reply: self._answer(connection, reply))

    def _warm(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        self._starter.warm(message)
        self._answer(connection, {"ok": "warming"})

    def _stop(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        process = self._node(message).processes.get(message["process"])
        if process is None or process.exit_code is not None:
            self._answer(connection, {"ok": process.exit_code if process else None})
            return
        process.stopped = True
        os.kill(process.pid, signal.SIGTERM)
        self._deadlines[process.pid] = now_us() + STOP_GRACE_US
        self._stopping.setdefault(process.pid, []).append(connection)

    def _forget(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        """Keep no record of a program that has ended."""
        processes = self._node(message).processes
        process = processes.get(message["process"])
        if process is not None and process.exit_code is None:
            raise Refused(f"{message['process']} still runs")
        processes.pop(message["process"], None)
        self._answer(connection, {"ok": "forgotten"})

    def _kill(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        """A signal for a program and the rest of its process group; answered once it is sent."""
        process = self._node(message).processes.get(message["process"])
        if process is None or process.exit_code is not None:
            raise Refused(f"{message['node']}: {message['process']} does not run")
        _signal_group(process.pid, int(message["signal"]))
        self._answer(connection, {"ok": "sent"})

    def _run(self, connection: Connection, message: Message, fds: list[int]) -> None:
        if connection.running is not None or len(fds) != 3:
            raise Refused("run needs three descriptors and a connection of its own")
        pid = spawn(
            self._node(message).namespaces,
            message["argv"],
            message["env"],
            message["cwd"],
            fds,
            message["umask"],
            controlling_tty=message["tty"],
        )
        connection.running = pid
        self._sessions[pid] = connection
        self._answer(connection, {"ok": pid})

    def _signal(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        """For the program this connection runs; not answered, as its end will be."""
        if connection.running is not None:
            _signal_group(connection.running, int(message["signal"]))

    def _socket(self, connection: Connection, message: Message, _fds: list[int]) -> None:
        """A socket made in a node's network namespace, for the client to use from outside."""
        kinds = {
            "tcp": (socket.AF_INET, socket.SOCK_STREAM),
            "udp": (socket.AF_INET, socket.SOCK_DGRAM),
            "packet": (socket.AF_PACKET, socket.SOCK_RAW),  # hears nothing before it is bound
        }
        node = self._node(message)
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            node.namespaces.enter_network()
            made = socket.socket(*kinds[message["kind"]])
        finally:
            Namespaces(home, -1, -1).enter_network()
            os.close(home)
        with made:
            self._answer(connection, {"ok": "socket"}, made.fileno())

    def _shutdown(self, connection: Connection, _message: Message, _fds: list[int]) -> None:
        self._answer(connection, {"ok": "bye"})
        os._exit(0)

    def _node(self, message: Message) -> Node:
        node = self.nodes.get(message["node"])
        if node is None:
            raise Refused(f"no node {message['node']!r}")
        return node


VERBS: dict[str, Callable[[World, Connection, Message, list[int]], None]] = {
    "observe": World._observe,
    "create_node": World._create_node,
    "remove_node": World._remove_node,
    "start": World._start,
    "warm": World._warm,
    "stop": World._stop,
    "forget": World._forget,
    "kill": World._kill,
    "run": World._run,
    "signal": World._signal,
    "socket": World._socket,
    "shutdown": World._shutdown,
}


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):  # it has just ended; its exit code is on its way
        os.killpg(pid, number)
