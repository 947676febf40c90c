"""A zone with everything known, and questions to ask it."""

from __future__ import annotations

import dnslib

from lokinet_node.base.addresses import Range, parse_ipv4, parse_range
from lokinet_node.base.ids import RouterID
from lokinet_node.base.names import parse_key
from lokinet_node.base.srv import SrvRecord, parse_srv
from lokinet_node.dns.message import Query, decode_query

OWN = "y" * 52 + ".loki"
REMOTE = "kcpyawm9se7trdbzncimdi5t7st4p5mh9i1mg7gkpuubi4k4ku1y"
ROUTER = RouterID(b"\xff" * 32)
ROUTER_NAME = "9" * 51 + "o.snode"


SERVICES = tuple(
    map(
        parse_srv,
        (
            "_http._tcp 5 6 80",
            "_http._tcp 1 2 8080 other.loki",
            "_http._tcp.www 3 4 81",
            "_imap._tcp 0 0 0 .",
        ),
    )
)


class KnownZone:
    """A client at 172.16.0.1/16 that knows one remote and one router."""

    ip: int | None = parse_ipv4("172.16.0.1")
    has_tun = True
    own = OWN
    mapped: list[tuple[str, str]] = []  # noqa: RUF012 (never changed)

    def own_key(self) -> bytes:
        return parse_key(self.own.partition(".")[0])

    def is_router(self) -> bool:
        return self.own.endswith(".snode")

    def own_services(self) -> tuple[SrvRecord, ...]:
        return SERVICES

    def own_ip(self) -> int | None:
        return self.ip

    def tun_range(self) -> Range | None:
        return parse_range("172.16.0.1/16") if self.has_tun else None

    def tun_prefix6(self) -> bytes | None:
        return bytes((0xFD, *bytes(11))) if self.has_tun else None

    def exits(self) -> list[tuple[str, str]]:
        return self.mapped

    def name_at(self, ip: int) -> str | None:
        known = {"172.16.0.1": OWN, "172.16.0.2": REMOTE + ".loki", "172.16.0.3": ROUTER_NAME}
        return {parse_ipv4(text): name for text, name in known.items()}.get(ip)

    def netid(self) -> str:
        return "mynet"


def question(name: str, qtype: str | int = "A", qclass: int = 1) -> Query:
    number = dnslib.QTYPE.reverse[qtype] if isinstance(qtype, str) else qtype
    record = dnslib.DNSRecord(q=dnslib.DNSQuestion(name, number, qclass))
    return decode_query(record.pack())
