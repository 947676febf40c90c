"""Methods of the control socket, in Lokinet's names and shapes; docs/architecture.md lists them.

Rules: a method answers with a JSON value or raises a LokinetError, whose text is the answer. What
changes files is checked as a whole first: no call leaves a configuration that cannot be started.
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import TYPE_CHECKING, Any, Final

from lokinet_node.base.addresses import format_ipv4
from lokinet_node.base.errors import LokinetError, NameSyntaxError
from lokinet_node.base.names import parse_snode
from lokinet_node.dns.message import CLASS_IN, new_query, show_answer
from lokinet_node.drivers.files import (
    CONF_D,
    make_directory,
    read_config,
    remove_file,
    write_file,
)
from lokinet_node.node.config import OVERRIDES, Source, Surroundings, parse_config
from lokinet_node.node.ini import parse_ini
from lokinet_node.node.router import RouterRole
from lokinet_node.node.status import VERSION, client_report, milliseconds, router_report, summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.units import Micros
    from lokinet_node.drivers.control import Client, Handler, Subscription
    from lokinet_node.drivers.dns_resolver import Resolver
    from lokinet_node.drivers.log import Log
    from lokinet_node.drivers.tun import Tun
    from lokinet_node.naming import Naming
    from lokinet_node.node.client import ClientRole
    from lokinet_node.node.config import Config
    from lokinet_node.node.node import Node

OK: Final = "OK"
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,60}\.ini")
_WORD: Final = re.compile(r"[a-z0-9*.-]{1,64}")
_MAX_TYPE: Final = 0xFFFF


class Methods:
    """What one node answers; made once it is put together."""

    def __init__(
        self,
        config: Config,
        node: Node,
        role: RouterRole | ClientRole,
        clock: Callable[[], Micros],
        log: Log,
    ) -> None:
        """What uptimes count from is now."""
        self._config = config
        self._node = node
        self._role = role
        self._clock = clock
        self._log = log
        self._started = clock()
        self._overrides: dict[str, dict[str, list[str]]] = {}

    def handlers(
        self, tun: Tun | None, naming: Naming, resolver: Resolver, stop: Callable[[], None]
    ) -> dict[str, Handler]:
        """Method -> what answers it."""

        def halt(_params: dict[str, Any]) -> str:
            asyncio.get_running_loop().call_soon(stop)  # after the answer has left
            return OK

        return {
            "llarp.version": self.version,
            "llarp.status": lambda _: self.status(tun),
            "llarp.get_status": self.get_status,
            "llarp.dns_query": lambda params: dns_query(resolver, params),
            "llarp.lookup_snode": lambda params: lookup_snode(naming, params),
            "llarp.config": self.configure,
            "llarp.halt": halt,
        }

    def subscriptions(self) -> dict[str, Subscription]:
        """Methods that go on telling."""
        subscribers: dict[Client, Callable[[], None]] = {}
        return {"llarp.logs": lambda params, client: self.logs(subscribers, params, client)}

    def version(self, _params: dict[str, Any]) -> dict[str, Any]:
        """`llarp.version`."""
        return {"version": VERSION, "uptime": milliseconds(self._clock() - self._started)}

    def status(self, tun: Tun | None) -> dict[str, Any]:
        """`llarp.status`."""
        now = self._clock()
        if isinstance(self._role, RouterRole):
            report = router_report(self._node, self._role)
        else:
            report = client_report(self._node, self._role, now)
        if tun is not None:
            place = report.get("services", {}).get("default", report)
            place |= {"ifname": tun.name, "ifaddr": str(tun.address)}
            if self._config.dns.bind:
                place["localResolver"] = str(self._config.dns.bind[0])
        return report

    def get_status(self, _params: dict[str, Any]) -> dict[str, Any]:
        """`llarp.get_status`."""
        now = self._clock()
        return summary(self._node, self._role, now - self._started, now)

    # --- llarp.logs

    def logs(
        self,
        subscribers: dict[Client, Callable[[], None]],
        params: dict[str, Any],
        client: Client,
    ) -> str:
        """The last lines, then every further one, pushed under the name of the endpoint."""
        endpoint = _text(params, "endpoint", "llarp.log")
        if endpoint == "unsubscribe":
            end = subscribers.pop(client, None)
            if end is not None:
                end()
            return OK
        if client in subscribers:
            return "ALREADY"

        def push(line: str) -> None:
            client.push(endpoint, {"line": line})

        def unsubscribe() -> None:
            subscribers.pop(client, lambda: None)()

        def begin() -> None:
            if client in subscribers:
                for line in self._log.recent():
                    push(line)
                subscribers[client] = self._log.listen(push)

        subscribers[client] = lambda: None
        client.at_end(unsubscribe)
        asyncio.get_running_loop().call_soon(begin)  # the answer comes before the lines
        return OK

    # --- llarp.config

    def configure(self, params: dict[str, Any]) -> str:
        """Values to override, or whole files of conf.d; they count from the next start on."""
        if "filename" in params:
            return self._write_file(params)
        is_last = _flag(params, "reload")
        if "override" not in params and not is_last:
            raise LokinetError("override, reload or filename is missing")
        wanted = {section: dict(keys) for section, keys in self._overrides.items()}
        for section, values in _table(params.get("override", {}), "override").items():
            mine = wanted.setdefault(_word(section), {})
            for key, value in _table(values, f"override.{section}").items():
                mine[_word(key)] = _values(value, f"{section}.{key}")
        self._save(os.path.basename(OVERRIDES), self._ini_with(wanted), only_check=not is_last)
        self._overrides = wanted
        return OK

    def _write_file(self, params: dict[str, Any]) -> str:
        name = _text(params, "filename", "")
        if not _FILE_NAME.fullmatch(name):
            raise LokinetError(f"{name!r} is no file name of conf.d: letters, digits, _ - and .ini")
        if _flag(params, "delete"):
            self._save(name, None)
        else:
            self._save(name, _text(params, "ini", None))
        return OK

    def _save(self, name: str, text: str | None, *, only_check: bool = False) -> None:
        """Put a text under a name in conf.d, or remove what is there, if the whole remains good."""
        main = os.path.abspath(self._config.path)
        path = os.path.join(os.path.dirname(main), CONF_D, name)
        sources = [Source(*source) for source in read_config(main)]
        if text is None and path not in [source.path for source in sources]:
            raise LokinetError(f"{path} does not exist")
        first, *others = [source for source in sources if source.path != path]
        if text is not None:
            others = sorted([*others, Source(path, text)])
        config = self._config
        around = Surroundings(os.path.dirname(main), config.data_dir, os.path.exists)
        parse_config([first, *others], config.role, around)
        if only_check:
            return
        if text is None:
            remove_file(path)
        else:
            make_directory(os.path.dirname(path))
            write_file(path, text.encode())

    def _ini_with(self, overrides: dict[str, dict[str, list[str]]]) -> str:
        """What was overridden before, and these, as an ini file."""
        main = os.path.abspath(self._config.path)
        sections: dict[str, dict[str, list[str]]] = {}
        for path, text in read_config(main):
            if path.endswith(OVERRIDES):
                for entry in parse_ini([Source(path, text)]).entries:
                    keys = sections.setdefault(entry.section, {})
                    keys.setdefault(entry.key, []).append(entry.value)
        for section, values in overrides.items():
            sections.setdefault(section, {}).update(values)
        lines = []
        for section, keys in sections.items():
            lines.append(f"[{section}]")
            lines += [f"{key}={value}" for key, values in keys.items() for value in values]
        return "\n".join(lines) + "\n"


async def dns_query(resolver: Resolver, params: dict[str, Any]) -> dict[str, Any]:
    """`llarp.dns_query`: a question as an application would ask it, and its answers."""
    endpoint, name = _text(params, "endpoint", "default"), _text(params, "qname", None)
    if endpoint != "default":
        raise LokinetError(f"no such local endpoint: {endpoint!r}")
    qtype = params.get("qtype", 1)
    if not isinstance(qtype, int) or isinstance(qtype, bool) or not 0 <= qtype <= _MAX_TYPE:
        raise LokinetError("qtype is no number of a type")
    query = new_query(name, qtype)
    code, records = show_answer(await resolver.ask(query, is_stream=True))
    return {
        "questions": [{"qname": name, "qtype": qtype, "qclass": CLASS_IN}],
        "answers": [
            {
                "name": one.name,
                "type": one.type,
                "class": one.qclass,
                "ttl": one.ttl,
                "rdata": one.text,
            }
            for one in records
        ],
        "rcode": code,
    }


def lookup_snode(naming: Naming, params: dict[str, Any]) -> dict[str, Any]:
    """`llarp.lookup_snode`: the tun address of a router's session, on routers only."""
    text = _text(params, "routerID" if "routerID" in params else "snode", None)
    if not naming.is_router():
        raise LokinetError("not supported")
    try:
        router = parse_snode(text if text.endswith(".snode") else f"{text}.snode")
    except NameSyntaxError as error:
        raise LokinetError(f"invalid remote: {error}") from error
    ip = naming.own_ip() if router == naming.own_key() else None
    if ip is None:
        raise LokinetError("failed to obtain snode session")
    return {"ip": format_ipv4(ip)}


# --- parameters


def _text(params: dict[str, Any], key: str, default: str | None) -> str:
    value = params.get(key, default)
    if not isinstance(value, str):
        raise LokinetError(f"{key} is missing or no text")
    return value


def _flag(params: dict[str, Any], key: str) -> bool:
    value = params.get(key, False)
    if not isinstance(value, bool):
        raise LokinetError(f"{key} is neither true nor false")
    return value


def _table(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise LokinetError(f"{what} is no object")
    return value


def _word(text: str) -> str:
    """The name of a section or key: nothing that could begin another line."""
    if not _WORD.fullmatch(text):
        raise LokinetError(f"{text!r} is no name of a section or key")
    return text


def _values(value: object, what: str) -> list[str]:
    """One value, or several of a key that may be repeated, as they stand in an ini file."""
    if isinstance(value, list):
        return [one for single in value for one in _values(single, what)]
    if isinstance(value, bool):
        return [str(int(value))]
    if not isinstance(value, str | int | float) or not str(value).isprintable():
        raise LokinetError(f"{what} is neither text, number nor yes or no, on one line")
    return [str(value).strip()]
