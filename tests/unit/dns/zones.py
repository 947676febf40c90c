"""A zone with everything known, and questions to ask it."""

from __future__ import annotations

import dnslib

from lokinet_node.base.addresses import Range, parse_ipv4, parse_range
from lokinet_node.base.ids import RouterID
from lokinet_node.dns.message import Query, decode_query

OWN = "y" * 52 + ".loki"
REMOTE = "kcpyawm9se7trdbzncimdi5t7st4p5mh9i1mg7gkpuubi4k4ku1y"
ROUTER = RouterID(b"\xff" * 32)
ROUTER_NAME = "9" * 51 + "o.snode"


class KnownZone:
    """A client at 172.16.0.1/16 that knows one remote and one router."""

    ip: int | None = parse_ipv4("172.16.0.1")
    router: RouterID | None = ROUTER
    has_tun = True

    def own_name(self) -> str:
        return OWN

    def own_ip(self) -> int | None:
        return self.ip

    def tun_range(self) -> Range | None:
        return parse_range("172.16.0.1/16") if self.has_tun else None

    def name_at(self, ip: int) -> str | None:
        known = {"172.16.0.1": OWN, "172.16.0.2": REMOTE + ".loki", "172.16.0.3": ROUTER_NAME}
        return {parse_ipv4(text): name for text, name in known.items()}.get(ip)

    def random_router(self) -> RouterID | None:
        return self.router

    def netid(self) -> str:
        return "mynet"


def question(name: str, qtype: str | int = "A", qclass: int = 1) -> Query:
    number = dnslib.QTYPE.reverse[qtype] if isinstance(qtype, str) else qtype
    record = dnslib.DNSRecord(q=dnslib.DNSQuestion(name, number, qclass))
    return decode_query(record.pack())
