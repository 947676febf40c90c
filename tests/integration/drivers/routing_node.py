"""A tun and its exit routes in a process of their own: tests kill it. Arguments: ranges.

Says `mapped` when everything is mapped; follows what the kernel tells; SIGTERM ends it cleanly.
`--restarted`: it begins where a killed one ended, and only reaches the relay.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from ipaddress import ip_network

from lokinet_node.base.addresses import parse_range
from lokinet_node.drivers.exit_routes import ExitRoutes
from lokinet_node.drivers.tun import Tun
from lokinet_node.exits.routes import Route

RELAY = "198.51.100.7"


def main(words: list[str]) -> None:
    def fail(verb: str, route: Route, error: OSError) -> None:
        print("failed", verb, route, error, flush=True)

    routes = ExitRoutes(fail, has_guard=True)
    routes.add_relay(RELAY)
    tun = Tun("loki0", parse_range("172.16.0.1/16"))
    routes.use_tun(tun.name, carries_ipv6=False)
    if words[0] == "--restarted":
        print("held" if routes.holds_guard else "free", flush=True)
    else:
        print("mapped" if routes.map(map(ip_network, words)) else "taken", flush=True)
    ending, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.set_wakeup_fd(woken)
    poll = select.poll()
    for one in (routes, ending):
        poll.register(one, select.POLLIN)
    while ending not in {descriptor for descriptor, _ in poll.poll()}:
        routes.heard()
        routes.mend()
    routes.release()
    tun.close()


if __name__ == "__main__":
    main(sys.argv[1:])
