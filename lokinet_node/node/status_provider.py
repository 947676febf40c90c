"""What a status shows of exits: what a provider let through and refused, what a client was told."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from lokinet_node.exits.exit_range import ExitRange
from lokinet_node.exits.refusals import reason_sentence, reason_word
from lokinet_node.exits.services import ANY_PORT, PORTED, Service

if TYPE_CHECKING:
    from lokinet_node.exits.provider import ExitProvider
    from lokinet_node.session.addresses import AddressMap
    from lokinet_node.session.session import Session
    from lokinet_node.wire.offer import Offer


def provider_status(provider: ExitProvider, addresses: AddressMap) -> dict[str, Any]:
    """`services.default.exit` of a node that is one; counts are of packets."""
    rows = []
    for remote, client in provider.clients.items():
        ip4 = addresses.by_remote.get(remote)
        rows.append(
            {
                "remote": str(remote),
                "ip": None if ip4 is None else str(ip_address(ip4)),
                "packets": client.packets,
                "refused": {reason.word: count for reason, count in client.refused.items()},
            }
        )
    rules = provider.policy.rules
    return {
        "ranges": [str(one) for one in rules.declared],
        "whitelist": [str(one) for one in rules.whitelist],
        "packets": provider.packets,
        "refused": {reason.word: count for reason, count in provider.refused.items() if count},
        "clients": rows,
        "addresses": {"used": len(addresses.by_ip), "left": addresses.left},
    }


def offer_status(offer: Offer) -> dict[str, Any]:
    """What the own introset says of an exit, under Lokinet's names; `exitPolicy` None: no exit."""
    ranges = [str(ExitRange(*one)) for one in offer.ranges]
    protocols = [str(Service(protocol, port or ANY_PORT)) for protocol, port in offer.services]
    return {
        "advertisedRanges": ranges,
        "exitPolicy": {"ranges": ranges, "protocols": protocols} if offer.is_exit else None,
    }


def refusal_rows(session: Session) -> list[dict[str, Any]]:
    """What the other end, an exit, said last about packets it did not pass on; newest last."""
    return [
        {
            "at": when // 1000,
            "reason": reason_word(refused.reason),
            "text": reason_sentence(refused.reason),
            "destination": str(ip_address(refused.destination)),
            "service": str(
                Service(refused.protocol, refused.port if refused.protocol in PORTED else ANY_PORT)
            ),
            "times": refused.times,
        }
        for when, refused in session.refusals
    ]
