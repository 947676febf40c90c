"""The table of docs/dns.md: which questions are in it, and how answers are written down.

Two tests fill it: one from the room dns/ with facts made up (tests/unit/dns), one from a real
node that is asked with dig and kdig (tests/integration/network). Both must find what the page says.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "dns.md"
BEGIN, END = "<!-- table {}: made by tests -->", "<!-- end -->"

TYPES = ["A", "AAAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "TXT", "ANY"]
SHORT = ["A", "AAAA", "MX", "HTTPS", "ANY"]
SERVICE = ["SRV", "A", "AAAA"]

CLIENT_ROWS: list[tuple[str, list[str]]] = [
    ("<web>.loki", TYPES),
    ("<WEB>.LOKI", ["A", "AAAA"]),
    ("www.<web>.loki", SHORT),
    ("_http._tcp.<web>.loki", SERVICE),
    ("_gone._tcp.<web>.loki", ["SRV"]),
    ("_none._tcp.<web>.loki", ["SRV"]),
    ("<nobody>.loki", [*SHORT, "TXT"]),
    ("_http._tcp.<nobody>.loki", ["SRV"]),
    ("not_a_name.loki", ["A", "AAAA", "MX"]),
    ("<router>.snode", TYPES),
    ("<nobody>.snode", ["A", "AAAA", "TXT"]),
    ("www.<router>.snode", ["A"]),
    ("random.snode", TYPES),
    ("localhost.loki", TYPES),
    ("any.localhost.loki", SHORT),
    ("_http._tcp.localhost.loki", ["SRV"]),
    ("netid.localhost.loki", ["A", "TXT", "AAAA"]),
    ("exit.localhost.loki", ["A", "CNAME", "TXT", "AAAA"]),
    ("loki", ["A", "NS", "SOA"]),
    ("snode", ["NS"]),
    ("<own ip>.in-addr.arpa", ["PTR", "A"]),
    ("<web ip>.in-addr.arpa", ["PTR"]),
    ("<free ip>.in-addr.arpa", ["PTR"]),
    ("use-application-dns.net", ["A", "AAAA"]),
    ("example.com", ["A", "AAAA"]),
]
BOUGHT_ROWS: list[tuple[str, list[str]]] = [
    ("web.loki", TYPES),
    ("Web.LOKI", ["A"]),
    ("www.web.loki", SHORT),
    ("_http._tcp.web.loki", ["SRV"]),
    ("free.loki", [*SHORT, "TXT"]),
    ("_http._tcp.free.loki", ["SRV"]),
]
ROUTER_ROWS: list[tuple[str, list[str]]] = [
    ("localhost.loki", ["A", "AAAA", "CNAME"]),
    ("<own>.snode", ["A", "AAAA", "TXT"]),
    ("<router>.snode", ["A", "AAAA", "TXT"]),
    ("<web>.loki", ["A", "AAAA"]),
    ("web.loki", ["A"]),
    ("<own ip>.in-addr.arpa", ["PTR"]),
    ("<free ip>.in-addr.arpa", ["PTR"]),
]
SERVICES = ("_http._tcp 1 2 80", "_http._tcp 5 0 8080 other.loki", "_gone._tcp 0 0 0 .")
"""What web publishes."""
OWN_SERVICES = ("_http._tcp 1 2 80",)
"""What the asked client publishes."""


@dataclass(frozen=True)
class Told:
    """One answer: code, `NAME TYPE DATA` of each record, and the zone of a SOA in authority."""

    code: str
    records: tuple[str, ...]
    soa: str = ""

    def shown(self) -> str:
        """Code and records as the page has them."""
        soa = f"SOA of `{self.soa}`" if self.soa else "no SOA"
        return "<br>".join(f"`{one}`" for one in self.records) or soa


def filled(name: str, known: Mapping[str, str]) -> str:
    """A name of the table with its placeholders filled in."""
    for placeholder, text in known.items():
        name = name.replace(f"<{placeholder.upper()}>", text.upper())
        name = name.replace(f"<{placeholder}>", text)
    return name


def blanked(text: str, known: Mapping[str, str]) -> str:
    """An answer with what differs from run to run taken out."""
    for placeholder, found in known.items():
        text = text.replace(found.upper(), f"<{placeholder.upper()}>")
        text = text.replace(found, f"<{placeholder}>")
    text = re.sub(r"\b172\.16\.\d+\.\d+\b", "<ip>", text)
    text = re.sub(
        r"ai_addr=[\d.:]+; ai_pk=[0-9a-f]{64}; updated=\d+; ", "ai_addr=…; ai_pk=…; ", text
    )
    text = re.sub(r"onion_pk=[0-9a-f]{64}; router_version=[\d.]+;", "onion_pk=…; …", text)
    return re.sub(r"\b[a-z0-9]{52}\.snode", "<some router>.snode", text)


def table(rows: list[tuple[str, list[str]]], answers: Mapping[tuple[str, str], Told]) -> str:
    """The page's table: types with the same answer share a line."""
    lines = ["| name | types | code | answers, or the authority section |", "|---|---|---|---|"]
    for name, types in rows:
        found: dict[Told, list[str]] = {}
        for qtype in types:
            found.setdefault(answers[name, qtype], []).append(qtype)
        for told, shared in found.items():
            lines.append(f"| `{name}` | {' '.join(shared)} | {told.code} | {told.shown()} |")
    return "\n".join(lines)


def on_page(which: str) -> str:
    """The table of that name as the page has it."""
    _, _, rest = PAGE.read_text().partition(BEGIN.format(which) + "\n")
    return rest.partition("\n" + END)[0]


def put_on_page(which: str, text: str) -> None:
    """Write a table anew."""
    page = PAGE.read_text()
    head, begin, rest = page.partition(BEGIN.format(which) + "\n")
    assert begin, f"{PAGE} has no place for the table {which}"
    tail = rest[rest.index(END) :]
    PAGE.write_text(f"{head}{begin}{text}\n{tail}")
