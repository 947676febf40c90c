"""`testnet forward` and `testnet browse`: a person's own programs on the host see what a node sees.

A forward in the foreground ends with Ctrl-C; one in the background belongs to the network's world,
so `forward --stop` or `down` ends it.
"""

from __future__ import annotations

import argparse
import os
import sys
import urllib.error
import urllib.request
import webbrowser
from dataclasses import asdict
from urllib.parse import SplitResult, urlsplit

from orchestrator.backends import Running
from orchestrator.checks.network import Network
from orchestrator.cli.network import node_of, observed_network
from orchestrator.cli.output import print_json, print_table, tell
from orchestrator.directories import Places
from orchestrator.errors import EXIT_OK, CheckFailed, UsageError
from orchestrator.forwards import (
    LOOPBACK,
    Forward,
    end_forward,
    find_forwards,
    listen,
    parse_target,
    start,
)
from orchestrator.journal import read_owner
from orchestrator.networks import world_of
from orchestrator.worlds import World

__all__ = ["browse", "forward"]

FETCH_S = 30.0


def forward(arguments: argparse.Namespace) -> int:
    """Listen on the host's loopback, connect from the node."""
    if arguments.list or arguments.stop is not None:
        return _manage(arguments)
    if arguments.node is None or arguments.target is None:
        raise UsageError("say which: testnet forward NODE LOCAL:HOST:PORT, for example 8080:web:80")
    target = parse_target(arguments.target)
    places, backend, observed = observed_network(arguments.name)
    node_of(observed, arguments.node)
    network = Network(backend, observed)
    host, port = network.host(target.host), target.port or network.port(target.host)
    with listen(target.local) as listener:
        local = int(listener.getsockname()[1])
        log = places.state / f"forward-{local}.log" if arguments.background else None
        running = start(backend, arguments.node, listener, (host, port), log)
    try:
        _print_forward(arguments, local, host, port)
        if not arguments.background:
            _wait(running)
    finally:
        running.close()
    return EXIT_OK


def _print_forward(arguments: argparse.Namespace, local: int, host: str, port: int) -> None:
    if arguments.json:
        where = {"listen": f"{LOOPBACK}:{local}", "node": arguments.node}
        print_json({**where, "target": f"{host}:{port}", "background": arguments.background})
        sys.stdout.flush()
        return
    print(f"http://{LOOPBACK}:{local}/ is {host}:{port} as {arguments.node} sees it", flush=True)
    if arguments.background:
        tell(f"`testnet forward --stop {local}` or `testnet down` ends it")
    else:
        tell("Ctrl-C ends it")


def _wait(running: Running) -> None:
    """Until Ctrl-C, or until the node or its network is gone."""
    code = running.wait()
    raise CheckFailed(f"the forward ended with {code}: its node was stopped")


def _manage(arguments: argparse.Namespace) -> int:
    places, _, _ = observed_network(arguments.name)
    world = _world(places)
    if arguments.stop is not None:
        ended = end_forward(world, arguments.stop)
        tell(f"port {ended.local} is no longer forwarded")
        return EXIT_OK
    found = find_forwards(world)
    if arguments.json:
        print_json([asdict(each) for each in found])
    else:
        print_table(("PORT", "NODE", "TARGET", "PID"), [_row(each) for each in found])
    return EXIT_OK


def _row(each: Forward) -> tuple[str, ...]:
    return (str(each.local), each.node, f"{each.host}:{each.port}", str(each.pid))


def _world(places: Places) -> World:
    owner = read_owner(places.journal)
    world = world_of(owner) if owner else None
    if world is None:
        raise CheckFailed(f"network {places.name!r} has no forwards in the background")
    return world


def browse(arguments: argparse.Namespace) -> int:
    """Open a page of the network in the person's own browser, or print it."""
    url = _parsed(arguments.url)
    _, backend, observed = observed_network(arguments.name)
    node_of(observed, arguments.node)
    network = Network(backend, observed)
    name = str(url.hostname)
    target = (network.host(name), url.port or network.port(name))
    with listen(0) as listener:
        local = listener.getsockname()[1]
        running = start(backend, arguments.node, listener, target)
    try:
        rest = (url.path or "/") + (f"?{url.query}" if url.query else "")
        return _open(f"http://{LOOPBACK}:{local}{rest}", running, arguments.fetch)
    finally:
        running.close()


def _parsed(text: str) -> SplitResult:
    """A URL, `http://` or nothing before the host; raises UsageError."""
    url = urlsplit(text if "://" in text else f"http://{text}")
    try:
        good = url.scheme == "http" and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:  # of a port that is none
        good = False
    if not good:
        raise UsageError(f"{text!r} is no http URL, for example http://web.loki/")
    return url


def _open(url: str, running: Running, fetch: bool) -> int:
    if fetch:
        return _fetch(url)
    print(url, flush=True)
    if _has_browser() and webbrowser.open(url):
        tell("opened in your browser; Ctrl-C ends the way there")
    else:
        tell("no browser here: open it yourself; Ctrl-C ends the way there")
    _wait(running)
    return EXIT_OK


def _has_browser() -> bool:
    """One with a window of its own: a text browser would take the terminal."""
    return any(name in os.environ for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _fetch(url: str) -> int:
    """The page itself, to standard output."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=FETCH_S) as page:
            sys.stdout.buffer.write(page.read())
    except urllib.error.HTTPError as error:
        raise CheckFailed(f"the page came with {error.code} {error.reason}") from error
    except (OSError, ValueError) as error:
        raise CheckFailed(f"no page came: {error}") from error
    return EXIT_OK
