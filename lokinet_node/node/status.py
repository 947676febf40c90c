"""What a node tells of itself: the replies of `llarp.status` and `llarp.get_status`.

Key names are Lokinet's where it has them. Nothing secret is in here: no path ids, handles, keys
or tokens (security rule: redacted in status). Instants are milliseconds since the Unix epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lokinet_node import __version__
from lokinet_node.base.names import format_loki, format_snode
from lokinet_node.burst import DATAGRAM
from lokinet_node.exits.provider import ExitProvider
from lokinet_node.link.links import Drop as LinkDrop
from lokinet_node.node.client import ClientRole
from lokinet_node.node.status_auth import gate_status, session_auth
from lokinet_node.node.status_exits import auth_codes, exit_map, exits_status
from lokinet_node.node.status_provider import offer_status, provider_status, refusal_rows
from lokinet_node.node.traffic import Drop as TunDrop
from lokinet_node.path.owned import Path
from lokinet_node.path.pump import Drop as PathDrop
from lokinet_node.session.addresses import remote_loki

if TYPE_CHECKING:
    from lokinet_node.base.units import Micros
    from lokinet_node.node.node import Node
    from lokinet_node.node.router import RouterRole
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.ons.desk import Chain

VERSION = f"lokinet-{__version__}"


def milliseconds(instant: Micros) -> int:
    """Microseconds as the control socket shows them."""
    return instant // 1000


def links_status(node: Node) -> list[dict[str, Any]]:
    """One row for each link."""
    rows = []
    for link in node.network.links.by_key.values():
        router = node.network.router_of(link)
        rows.append(
            {
                "router": format_snode(router) if router is not None else None,
                "address": f"{link.address[0]}:{link.address[1]}",
                "state": "up" if link.is_up else "connecting",
                "rtt_ms": None if link.rtt is None else link.rtt / 1000,
                "cells_in": link.cells_in,
                "cells_out": link.cells_out,
            }
        )
    return rows


def drops_status(node: Node) -> dict[str, int]:
    """Named counters that are not zero."""
    named = {f"link.{kind.name.lower()}": node.network.links.drops[kind] for kind in LinkDrop}
    named |= {f"path.{kind.name.lower()}": node.pump.drops[kind] for kind in PathDrop}
    if node.traffic is not None:
        traffic = node.traffic
        uncut, unjoined = traffic.other_drops()
        named |= {f"tun.{kind.name.lower()}": traffic.drops[kind] for kind in TunDrop}
        named |= {f"tun.out.{name}": count for name, count in uncut.items()}
        named |= {f"tun.in.{name}": count for name, count in unjoined.items()}
        if traffic.door is not None:
            named |= {f"exit.{name}": count for name, count in traffic.door.counters().items()}
    named["control.malformed"] = node.bad_messages
    named["contacts.refused"] = node.network.refused_contacts
    return {name: count for name, count in named.items() if count}


def path_status(path: Path) -> dict[str, Any]:
    """One path of ours, hops nearest first."""
    return {
        "status": path.state.name.lower(),
        "ready": path.is_ready,
        "purpose": path.purpose or "pool",
        "expiresAt": milliseconds(path.expires),
        "rtt_ms": None if path.rtt is None else path.rtt / 1000,
        "cells_in": path.cells_in,
        "cells_out": path.cells_out,
        "hops": [{"router": format_snode(c.router), "ip": c.ip} for c in path.contacts],
    }


def base_status(node: Node) -> dict[str, Any]:
    """What routers and clients have in common."""
    return {
        "running": True,
        "version": VERSION,
        "numNodesKnown": len(node.network.book),
        "netid": node.ground.netid.rstrip(b"\0").decode(),
        "links": links_status(node),
        "drops": drops_status(node),
    }


def router_report(node: Node, role: RouterRole) -> dict[str, Any]:
    """`llarp.status` of a router."""
    report = base_status(node) | {
        "role": "router",
        "identity": format_snode(role.router),
        "dht": {"stored": len(role.store)},
        "transit": {"paths": len(role.transit.hops), "buildsRefused": role.transit.builds_refused},
        "names": names_status(role),
    }
    if role.names.chain is not None:
        report["chain"] = chain_status(node, role, role.names.chain)
    if node.traffic is not None:
        report |= tun_status(node.traffic)
        report["snodeSessions"] = len(node.traffic.flows)
    return report


def names_status(role: RouterRole) -> dict[str, int]:
    """What paths that end here asked about names; `unable` is neither found nor not found."""
    tally = role.names.tally
    return {
        "asked": tally.asked,
        "found": tally.found,
        "notFound": tally.not_found,
        "unable": tally.unable,
    }


def chain_status(node: Node, role: RouterRole, chain: Chain) -> dict[str, Any]:
    """The last list of the chain; `height` is null before there was any."""
    roster = node.network.book.roster
    state = "unregistered"
    if roster.is_registered(role.router):
        state = "active" if roster.is_active(role.router) else "decommissioned"
    return {
        "reachable": chain.is_reachable,
        "height": role.chain_height,
        "active": len(roster.active),
        "decommissioned": len(roster.decommissioned),
        "state": state,
    }


def client_report(node: Node, role: ClientRole, now: Micros) -> dict[str, Any]:
    """`llarp.status` of a client."""
    paths = sorted(role.own.paths, key=lambda path: path.started)
    own = role.own
    publisher = role.directory.publisher
    published = publisher.published_at(now) if publisher is not None else None
    introductions = [] if published is None else role.introductions(now)
    service: dict[str, Any] = {
        "identity": format_loki(role.address),
        "networkReady": is_client_ready(role, now),
        "numHops": role.keeper.hops,
        "numPaths": role.keeper.wanted,
        "paths": [path_status(path) for path in paths],
        "pathProblem": role.keeper.problem,
        "introset": {
            "published": milliseconds(published or 0),
            "holders": publisher.holders(now) if publisher is not None else 0,
            "intros": [
                {"router": format_snode(one.router), "expiresAt": one.expires_s * 1000}
                for one in introductions
            ],
            **offer_status(role.offer),
        },
        "remoteSessions": session_rows(node, role),
        "snodeSessions": [
            {"remote": str(flow.remote), "ready": flow.path is not None}
            for flow in role.snodes.flows.values()
        ],
        "lookups": lookups_status(role),
        "auth": gate_status(role.gate),
        "exitMap": exit_map(role.exits.use),
        "exits": exits_status(role.exits.use, role.sessions),
        "authCodes": auth_codes(role.exits.use),
        "buildStats": {
            "success": own.built,
            "attempts": own.attempts,
            "timeouts": own.timeouts,
            "fails": own.failures,
        },
    }
    if node.traffic is not None:
        service |= tun_status(node.traffic)
        if node.traffic.door is not None and isinstance(node.traffic.door.provider, ExitProvider):
            service["exit"] = provider_status(node.traffic.door.provider, node.traffic.addresses)
    return base_status(node) | {"role": "client", "services": {"default": service}}


def lookups_status(role: ClientRole) -> dict[str, int]:
    """What came of names that were asked for; `routersAsked` counts questions, not names."""
    lookups = role.names.lookups
    tally = lookups.tally
    return {
        "running": len(lookups),
        "found": tally.found,
        "notRegistered": tally.not_registered,
        "failed": tally.failed,
        "cached": tally.cached,
        "routersAsked": tally.asked,
        "lastRoutersAsked": tally.last_asked,
    }


def session_rows(node: Node, role: ClientRole) -> list[dict[str, Any]]:
    """One row for each session, with the hops its packets take on our side now."""
    rows = []
    for remote, session in role.sessions.by_remote.items():
        way = session.sending()
        ip4 = None
        if node.traffic is not None:
            ip4 = node.traffic.addresses.by_remote.get(remote_loki(remote))
        hops = way[1].routers if way is not None and isinstance(way[1], Path) else ()
        rows.append(
            {
                "remote": format_loki(remote),
                "ip": None if ip4 is None else ".".join(map(str, ip4)),
                "ready": way is not None,
                "route": [format_snode(router) for router in hops],
                "auth": session_auth(session),
                "refusals": refusal_rows(session),
            }
        )
    return rows


def tun_status(traffic: Traffic) -> dict[str, Any]:
    """The addresses of a tun."""
    addresses = traffic.addresses
    return {
        "ourIP": ".".join(map(str, addresses.own)),
        "addrs": {
            ".".join(map(str, ip4)): {"remote": str(remote)}
            for ip4, remote in addresses.by_ip.items()
        },
        "packetsIn": traffic.packets_in,
        "packetsOut": traffic.packets_out,
    }


def is_client_ready(role: ClientRole, now: Micros) -> bool:
    """Lokinet's networkReady: the own introset is out and there are paths to two pivots."""
    pivots = {path.pivot for path in role.keeper.ready()}
    publisher = role.directory.publisher
    is_out = publisher is None or publisher.published_at(now) is not None
    return is_out and len(pivots) >= min(2, role.keeper.wanted)


def summary(
    node: Node, role: RouterRole | ClientRole, uptime: Micros, now: Micros
) -> dict[str, Any]:
    """`llarp.get_status`."""
    links = [link for link in node.network.links.by_key.values() if link.is_up]
    built = attempts = 0
    exits, codes = {}, {}
    if isinstance(role, ClientRole):
        exits, codes = exit_map(role.exits.use), auth_codes(role.exits.use)
        built, attempts = role.own.built, role.own.attempts
        ready, address = is_client_ready(role, now), format_loki(role.address)
    else:
        ready, address = bool(node.network.linked_routers()), format_snode(role.router)
    return {
        "running": True,
        "version": VERSION,
        "uptime": milliseconds(uptime),
        "numPathsBuilt": built,
        "numPeersConnected": len(links),
        "numRoutersKnown": len(node.network.book),
        "ratio": built / attempts if attempts else 1.0,
        "txRate": sum(link.cells_out for link in links) * DATAGRAM,
        "rxRate": sum(link.cells_in for link in links) * DATAGRAM,
        "authCodes": codes,
        "exitMap": exits,
        "networkReady": ready,
        "lokiAddress": address,
    }
