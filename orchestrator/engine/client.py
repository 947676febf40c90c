"""The container engine of this machine, in the few words a network needs.

What changes something goes through docker-py, what only asks through `questions`. Rules: only an
engine behind a UNIX socket, as mounts and namespaces are this machine's; what it refuses is an
OperatorError in its own words. One client serves several threads.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from orchestrator.engine.questions import Questions
from orchestrator.errors import HostUnfit, OperatorError

__all__ = ["Engine", "EngineAway", "NameTaken", "Refused", "engine_socket"]

Row = dict[str, Any]
DEFAULT = "unix:///var/run/docker.sock"
TIMEOUT_S = 60.0
THREADS = 16
"""Connections kept; more threads would wait for one."""
OK = 200
CREATED = 201
NOT_MODIFIED = 304
NOT_FOUND = 404
CONFLICT = 409
BLOCK_BYTES = 1 << 16
START = (
    "to start one: `sudo systemctl start docker`, or `.ci/engine start` where there is no systemd"
)


class EngineAway(HostUnfit):
    """No engine answers."""


class Refused(OperatorError):
    """The engine said no."""

    def __init__(self, text: str, status: int = 0) -> None:
        """Its words, and its HTTP status."""
        super().__init__(text)
        self.status = status


class NameTaken(Refused):
    """Something else has that name."""


def engine_socket() -> str:
    """The path of the engine's socket; raises HostUnfit for an engine elsewhere."""
    url = os.environ.get("DOCKER_HOST") or DEFAULT
    kind, _, path = url.partition("://")
    if kind != "unix":
        raise HostUnfit(
            f"DOCKER_HOST is {url}: containers of a network share folders and namespaces with this "
            "machine, so the engine must be on it: `env -u DOCKER_HOST testnet …`"
        )
    return path


class Engine:
    """Connected when the first question is asked."""

    def __init__(self) -> None:
        """Finds the socket; raises HostUnfit."""
        self.path = engine_socket()
        self._client: Any = None
        self._questions = Questions(self.path, TIMEOUT_S)

    @property
    def _api(self) -> Any:
        if self._client is None:
            from docker.api import APIClient  # takes 0.2 s, which other commands do not need

            with _told("the engine"):
                self._client = APIClient(
                    base_url=f"unix://{self.path}",
                    version="auto",
                    timeout=TIMEOUT_S,
                    max_pool_size=THREADS,
                )
        return self._client

    def version(self) -> Row:
        """`GET /version`."""
        return dict(self._ask("the engine", "/version"))

    def info(self) -> Row:
        """`GET /info`."""
        return dict(self._ask("the engine", "/info"))

    def containers(self, labels: Mapping[str, str]) -> list[Row]:
        """All with these labels, running or not."""
        filters = {"label": _words(labels)}
        return list(self._ask("the engine", "/containers/json", all=True, filters=filters))

    def networks(self, labels: Mapping[str, str] | None = None) -> list[Row]:
        """All, or those with these labels."""
        filters = {"filters": {"label": _words(labels)}} if labels else {}
        return list(self._ask("the engine", "/networks", **filters))

    def image(self, name: str) -> Row | None:
        """What an image is; None if there is none of that name."""
        return self._details(name, f"/images/{name}/json")

    def create_network(self, body: Mapping[str, Any]) -> str:
        """Its number; raises NameTaken, or Refused where its addresses are taken."""
        with _told(f"network {body['Name']}"):
            api = self._api
            answer = api._post_json(api._url("/networks/create"), data=dict(body))
            return str(api._result(answer, json=True)["Id"])

    def remove_network(self, number: str) -> None:
        """One that is gone is fine."""
        with _told(f"network {number}"), _gone_is_fine():
            self._api.remove_network(number)

    def connected_to(self, number: str) -> list[str]:
        """Names of the containers that run in a network; none if it is gone."""
        found = self._details(f"network {number}", f"/networks/{number}") or {}
        return sorted(str(each["Name"]) for each in (found.get("Containers") or {}).values())

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        """A container that does not run yet; its number."""
        with _told(name):
            return str(self._api.create_container_from_config(dict(body), name)["Id"])

    def connect(self, network: str, container: str, endpoint: Mapping[str, Any]) -> None:
        """Give a container one more network; `endpoint` as in the engine's API."""
        with _told(network):
            api = self._api
            body = {"Container": container, "EndpointConfig": dict(endpoint)}
            url = api._url("/networks/{0}/connect", network)
            api._raise_for_status(api._post_json(url, data=body))

    def start(self, container: str, name: str) -> None:
        """Started; the number is told by the name where that fails."""
        with _told(name):
            self._api.start(container)

    def stop(self, container: str, grace_s: int) -> None:
        """Asked first, killed if it does not go."""
        with _told(container), _gone_is_fine():
            self._api.stop(container, timeout=grace_s)

    def kill(self, container: str, number: int) -> None:
        """Send its first process a signal."""
        with _told(container):
            self._api.kill(container, number)

    def wait(self, container: str) -> int:
        """Until it has ended: its exit code."""
        with _told(container):
            return int(self._api.wait(container)["StatusCode"])

    def rename(self, container: str, name: str) -> None:
        """Call it something else."""
        with _told(name):
            self._api.rename(container, name)

    def remove(self, container: str) -> None:
        """With all that runs in it and what it wrote; one that is gone is fine."""
        with _told(container), _gone_is_fine():
            self._api.remove_container(container, v=True, force=True)

    def inspect(self, container: str) -> Row | None:
        """Everything about one; None if it is gone."""
        return self._details(container, f"/containers/{container}/json")

    def _details(self, what: str, path: str) -> Row | None:
        try:
            return dict(self._ask(what, path))
        except Refused as error:
            if error.status == NOT_FOUND:
                return None
            raise

    def _ask(self, what: str, path: str, **query: Mapping[str, Any] | bool) -> Any:
        try:
            status, answer = self._questions.ask(path, **query)
        except (OSError, HTTPException) as error:
            raise _away(error) from error
        if status != OK:
            raise Refused(f"{what}: {answer.get('message', status)}", status)
        return answer

    def prepare_exec(
        self, container: str, argv: Sequence[str], env: Mapping[str, str], tty: bool
    ) -> str:
        """A command to be run in a container; its number."""
        body = {
            "Cmd": list(argv),
            "Env": [f"{name}={value}" for name, value in env.items()],
            "Tty": tty,
            "AttachStdin": True,
            "AttachStdout": True,
            "AttachStderr": True,
        }
        try:
            status, answer = self._questions.tell(f"/containers/{container}/exec", body)
        except (OSError, HTTPException) as error:
            raise _away(error) from error
        if status != CREATED:
            raise Refused(f"{container}: {answer.get('message', status)}", status)
        return str(answer["Id"])

    def inspect_exec(self, number: str) -> Row:
        """How a command does."""
        return dict(self._ask("a command", f"/exec/{number}/json"))

    def resize_exec(self, number: str, rows: int, columns: int) -> None:
        """Of a command on a terminal."""
        with _told("a command"), _gone_is_fine():
            self._api.exec_resize(number, height=rows, width=columns)

    def start_exec(self, number: str, tty: bool) -> tuple[socket.socket, bytes]:
        """Start a command: its stream, and what of it came with the answer.

        Asked by hand: the client's reader would keep the first bytes of the stream for itself.
        """
        body = json.dumps({"Detach": False, "Tty": tty}).encode()
        request = (
            f"POST {self._questions.prefix()}/exec/{number}/start HTTP/1.1\r\nHost: docker\r\n"
            "Content-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            channel.settimeout(TIMEOUT_S)
            channel.connect(self.path)
            channel.sendall(request + body)
            head, rest = _read_head(channel)
            status = int(head.split(b" ", 2)[1])
            if status not in (101, 200):
                raise Refused(_words_of(rest) or head.decode(errors="replace"), status)
            channel.settimeout(None)
        except OSError as error:
            channel.close()
            raise EngineAway(f"the engine hung up: {error.strerror or error}") from error
        except BaseException:
            channel.close()
            raise
        return channel, rest

    def close(self) -> None:
        """Let go of connections."""
        self._questions.close()
        if self._client is not None:
            self._client.close()


def _read_head(channel: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        block = channel.recv(BLOCK_BYTES)
        if not block:
            raise ConnectionResetError("it ended before it answered")
        data += block
    head, _, rest = data.partition(b"\r\n\r\n")
    return head, rest


def _words_of(body: bytes) -> str:
    """What is said in a JSON body, chunked or not."""
    start, end = body.find(b"{"), body.rfind(b"}")
    try:
        return str(json.loads(body[start : end + 1])["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _words(labels: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in labels.items()]


@contextmanager
def _gone_is_fine() -> Iterator[None]:
    from docker.errors import APIError

    try:
        yield
    except APIError as error:
        # 409: somebody else is removing it at this moment, which is what was wanted
        going = error.status_code == CONFLICT and "already in progress" in str(error.explanation)
        if error.status_code not in (NOT_FOUND, NOT_MODIFIED) and not going:
            raise


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Errors of the client as ours."""
    from docker.errors import APIError, DockerException

    try:
        yield
    except APIError as error:
        status = int(error.status_code or 0)
        text = f"{what}: {error.explanation or error}"
        raise (NameTaken if status == CONFLICT else Refused)(text, status) from error
    except (DockerException, OSError) as error:  # the latter of its HTTP library
        raise _away(error) from error


def _away(error: Exception) -> EngineAway:
    if isinstance(error, PermissionError) or "Permission denied" in str(error):
        return EngineAway(
            f"this user may not ask the engine ({engine_socket()}): "
            "`sudo adduser $USER docker` and a new login, or use root"
        )
    return EngineAway(f"no engine answers at {engine_socket()}: {START}")
