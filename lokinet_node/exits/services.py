"""Protocols and ports as people write them: `tcp/443`, `udp/domain`, `icmp`, `0x2f`.

The names are a few of IANA's, kept here: whether a machine has /etc/services must not decide what
a configuration means. Everything else has a number.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lokinet_node.base.errors import NameSyntaxError

ANY_PORT: Final = -1

PROTOCOLS: Final = {
    "icmp": 1,
    "igmp": 2,
    "ipip": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "sctp": 132,
    "udplite": 136,
}
PORTED: Final = frozenset({6, 17, 33, 132, 136})
"""Protocols whose header begins with source and destination port."""

SERVICES: Final = {
    "ftp": 21,
    "ssh": 22,
    "telnet": 23,
    "smtp": 25,
    "domain": 53,
    "http": 80,
    "kerberos": 88,
    "pop3": 110,
    "ntp": 123,
    "imap": 143,
    "snmp": 161,
    "https": 443,
    "submissions": 465,
    "submission": 587,
    "domain-s": 853,
    "imaps": 993,
    "pop3s": 995,
    "socks": 1080,
    "openvpn": 1194,
    "xmpp-client": 5222,
    "xmpp-server": 5269,
    "ircd": 6667,
    "ircs-u": 6697,
    "git": 9418,
}


class Service(NamedTuple):
    """A protocol, and one port of it or ANY_PORT."""

    protocol: int
    port: int = ANY_PORT

    def __str__(self) -> str:
        """As it is written."""
        name = next((word for word, one in PROTOCOLS.items() if one == self.protocol), None)
        text = name or f"{self.protocol:#04x}"
        return text if self.port == ANY_PORT else f"{text}/{self.port}"


def parse_service(text: str) -> Service:
    """`protocol[/port]`; NameSyntaxError says what is wrong with it."""
    name, slash, port = text.partition("/")
    protocol = _protocol(name)
    if not slash:
        return Service(protocol)
    if protocol not in PORTED:
        raise NameSyntaxError(f"{text!r}: {name} has no ports")
    return Service(protocol, _port(port))


def _protocol(text: str) -> int:
    if text in PROTOCOLS:
        return PROTOCOLS[text]
    try:
        number = int(text, 16) if text.startswith("0x") else -1
    except ValueError:
        number = -1
    if not 0 <= number <= 0xFF:
        names = " ".join(PROTOCOLS)
        raise NameSyntaxError(f"{text!r} is neither one of {names} nor a number such as 0x2f")
    return number


def _port(text: str) -> int:
    if text in SERVICES:
        return SERVICES[text]
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 0xFFFF):
        raise NameSyntaxError(f"{text!r} is no port: say its number")
    return int(text)
