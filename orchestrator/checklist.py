"""What `tests:` of a topology may say: one model for each kind of check, and what they refer to.

Only the words; how a check is made is in `checks/`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator

from orchestrator.checklist_media import BrowserCheck, HlsCheck, VoipMumbleCheck, VoipSipCheck
from orchestrator.complaints import Location, Problem, did_you_mean
from orchestrator.models import HostName, Name, Port, Rate, Seconds, Strict

__all__ = [
    "AnyCheck",
    "DnsCheck",
    "ExitCheck",
    "Expectation",
    "HttpCheck",
    "LeakCheck",
    "OnsCheck",
    "PingCheck",
    "ThroughputCheck",
    "UdpEchoCheck",
    "expectation_problems",
]

RecordType = Literal["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"]
ResponseCode = Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED"]


class HttpCheck(Strict):
    """A page comes, asked for with the machine's own curl."""

    from_: Name
    """The node that asks."""
    to: HostName
    """A node, or any name: `web`, `web.loki`."""
    port: Port | None = None
    """Where it is asked; without it where the node's application answers, or 80."""
    path: Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")] = "/"
    """Of the page."""
    status: Annotated[int, Field(ge=100, le=599)] = 200
    """The answer's code."""
    contains: str | None = None
    """A text that must be in the page."""
    over: Literal["http", "https", "http2"] = "http"
    """How it is asked: `https` is HTTP/1.1 over TLS, `http2` is HTTP/2 over TLS, both at port 443.
    Trusted is the certificate at `/certificate.pem`, as a `.loki` address says who answers."""
    sha256: Annotated[str | None, Field(pattern=r"^[0-9a-f]{64}$", examples=["e3b0c4…"])] = None
    """Of the page's bytes, in hex; for what is large, as its bytes stay in the node."""
    at_most: Annotated[Seconds | None, Field(examples=["5s"])] = None
    """How long it may take; without it 10 s, or 2 min where `sha256` is given."""

    @model_validator(mode="after")
    def _one_look(self) -> HttpCheck:
        if self.sha256 and self.contains:
            raise ValueError("a page is either looked into (contains) or digested (sha256)")
        return self


class DnsCheck(Strict):
    """A name is answered as expected by the node's resolver."""

    from_: Name
    """The node that asks."""
    name: HostName
    """What is asked for: a name, or a node (its address as a name)."""
    type: RecordType = "A"
    """Of the record."""
    rcode: ResponseCode = "NOERROR"
    """The answer's code."""
    answer: str | None = None
    """A text that one of the records must have; without it any, and none for `rcode` other than
    NOERROR."""
    empty: bool = False
    """There must be no record of that type: NODATA."""


class PingCheck(Strict):
    """Echo requests are answered."""

    from_: Name
    """The node that asks."""
    to: HostName
    """A node, or any name."""
    count: Annotated[int, Field(ge=1, le=100)] = 3
    """How many requests, five a second."""
    lost: Annotated[int, Field(ge=0, le=100)] = 0
    """How many may go unanswered."""
    at_most: Annotated[Seconds | None, Field(examples=["200ms"])] = None
    """The longest average round trip."""


class UdpEchoCheck(Strict):
    """Datagrams come back unchanged, from an echo that the check itself opens at the far end."""

    from_: Name
    """The node that sends."""
    to: HostName
    """The node that answers; with `port` any name where an echo answers."""
    port: Port | None = None
    """Of an echo that is there already."""
    count: Annotated[int, Field(ge=1, le=1000)] = 10
    """How many datagrams."""
    size: Annotated[int, Field(ge=8, le=60_000)] = 200
    """Bytes of each."""
    lost: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many may be lost."""


class ThroughputCheck(Strict):
    """One TCP connection carries that much; the check itself opens both of its ends."""

    from_: Name
    """The node that connects and sends."""
    to: Name
    """The node that receives."""
    at_least: Annotated[Rate, Field(examples=["10 Mbit/s"])]
    """Payload that arrives."""
    for_: Seconds = 2.0
    """How long is measured."""
    reverse: bool = False
    """`to` sends over the connection instead."""


class OnsCheck(Strict):
    """A bought name leads to a node, as a client sees it."""

    from_: Name
    """The node that asks."""
    name: HostName
    """The name that was bought: `web.loki`."""
    to: Name
    """The node whose address it must be."""


class ExitCheck(Strict):
    """A page comes from a server of the clearnet, which sees an exit and not who asked."""

    from_: Name
    """The client that asks."""
    to: Name
    """The server: an nginx, as its log is read."""
    through: Annotated[Name | None, Field(examples=["exit"])] = None
    """The exit that must be seen; without it any."""


class LeakCheck(Strict):
    """Whatever a client asks for, its link to the routers carries link datagrams and nothing else.

    A page and a name are asked for; whether they come does not matter.
    """

    from_: Name
    """The client that asks."""
    to: Name
    """The server of the clearnet that it asks for a page, and whose name it asks for."""
    for_: Seconds = 3.0
    """How long is waited for the page."""


AnyCheck = (
    HttpCheck
    | DnsCheck
    | PingCheck
    | UdpEchoCheck
    | ThroughputCheck
    | OnsCheck
    | ExitCheck
    | LeakCheck
    | HlsCheck
    | VoipMumbleCheck
    | BrowserCheck
    | VoipSipCheck
)
KINDS = (
    "http",
    "dns",
    "ping",
    "udp-echo",
    "throughput",
    "ons",
    "exit",
    "leak",
    "hls",
    "voip-mumble",
    "browser",
    "voip-sip",
)
"""As written; a field of `Expectation` each."""


class Expectation(Strict):
    """One check: exactly one of the kinds, a name if wanted, and how long it may take to hold."""

    name: str | None = None
    """What it is called; without it its kind and ends."""
    eventually: Annotated[Seconds | None, Field(examples=["20s"])] = None
    """Tried again for that long until it holds; without it once."""
    http: HttpCheck | None = None
    """A page comes."""
    dns: DnsCheck | None = None
    """A name is answered as expected."""
    ping: PingCheck | None = None
    """Echo requests are answered."""
    udp_echo: UdpEchoCheck | None = None
    """Datagrams come back unchanged."""
    throughput: ThroughputCheck | None = None
    """One TCP connection carries that much."""
    ons: OnsCheck | None = None
    """A bought name leads to a node."""
    exit: ExitCheck | None = None
    """A server of the clearnet sees an exit."""
    leak: LeakCheck | None = None
    """Only link datagrams leave a client."""
    hls: HlsCheck | None = None
    """A film plays."""
    voip_mumble: VoipMumbleCheck | None = None
    """People talk over a Mumble server."""
    browser: BrowserCheck | None = None
    """A page comes in a browser."""
    voip_sip: VoipSipCheck | None = None
    """A phone calls another, and both are heard."""

    @model_validator(mode="after")
    def _one_kind(self) -> Expectation:
        written = [kind for kind, check in self._kinds() if check is not None]
        if len(written) != 1:
            found = " and ".join(written) if written else "none"
            raise ValueError(f"a test has exactly one of {', '.join(KINDS)}; this has {found}")
        return self

    def _kinds(self) -> list[tuple[str, AnyCheck | None]]:
        return [(kind, getattr(self, kind.replace("-", "_"))) for kind in KINDS]

    @property
    def kind(self) -> str:
        """As written: `http`, `udp-echo`."""
        return next(kind for kind, check in self._kinds() if check is not None)

    @property
    def check(self) -> AnyCheck:
        """What must hold."""
        return next(check for _, check in self._kinds() if check is not None)

    @property
    def title(self) -> str:
        """Its name, or `http alice → web`."""
        if self.name is not None:
            return self.name
        match self.check:
            case DnsCheck(from_=node, type=kind, name=name):
                return f"dns {node}: {kind} {name}"
            case OnsCheck(from_=node, name=name, to=to):
                return f"ons {node}: {name} is {to}"
            case VoipMumbleCheck(from_=node, others=others, client=client):
                by = ", stock clients" if client == "stock" else ""
                return f"voip-mumble {node} → {', '.join(others)}{by}"
            case check:
                return f"{self.kind} {check.from_} → {check.to}"


def expectation_problems(
    tests: Sequence[Expectation], tuns: Mapping[str, bool], servers: Collection[str] = ()
) -> Iterator[Problem]:
    """References to nodes that are not there, or that cannot do what is asked of them.

    Args:
        tests: of a topology.
        tuns: whether a node has a tun, by its name.
        servers: nodes of the clearnet, which have no tun and are asked at their own address.
    """
    for number, test in enumerate(tests):
        where: Location = ("tests", number, test.kind)
        check = test.check
        yield from _node((*where, "from"), check.from_, tuns, servers)
        match check:
            case DnsCheck(name=name):
                yield from _host((*where, "name"), name, tuns, servers)
            case OnsCheck(to=to) | VoipSipCheck(to=to):
                yield from _node((*where, "to"), to, tuns, servers)
            case ExitCheck() | LeakCheck():
                yield from _server((*where, "to"), check.to, servers)
                if isinstance(check, ExitCheck) and check.through is not None:
                    yield from _node((*where, "through"), check.through, tuns)
            case VoipMumbleCheck(others=others, server=server):
                for other in others:
                    yield from _node((*where, "to"), other, tuns, servers)
                yield from _host((*where, "server"), server, tuns, servers)
            case _:
                yield from _far_end(where, check, tuns, servers)


def _far_end(
    where: Location,
    check: HttpCheck | PingCheck | UdpEchoCheck | ThroughputCheck | HlsCheck | BrowserCheck,
    tuns: Mapping[str, bool],
    servers: Collection[str],
) -> Iterator[Problem]:
    if "." not in check.to:
        if check.to not in servers:
            yield from _node((*where, "to"), check.to, tuns)
    elif isinstance(check, UdpEchoCheck) and check.port is None:
        text = f"{check.to!r} is no node: say at which port of it an echo answers"
        yield Problem((*where, "to"), text)


def _host(
    location: Location, name: str, tuns: Mapping[str, bool], servers: Collection[str]
) -> Iterator[Problem]:
    """A name with a dot is anybody's, another is a node's."""
    if "." not in name:
        yield from _node(location, name, tuns, servers)


def _server(location: Location, name: str, servers: Collection[str]) -> Iterator[Problem]:
    if name not in servers:
        hint = did_you_mean(name, servers) or ": it has to be one of role server"
        yield Problem(location, f"no server {name!r}{hint}")


def _node(
    location: Location, name: str, tuns: Mapping[str, bool], servers: Collection[str] = ()
) -> Iterator[Problem]:
    if name not in tuns:
        hint = did_you_mean(name, tuns) or f": there are {', '.join(tuns)}"
        yield Problem(location, f"no node {name!r}{hint}")
    elif name in servers:
        yield Problem(location, f"{name} is a server of the clearnet: it knows nothing of Lokinet")
    elif not tuns[name]:
        yield Problem(location, f"{name} has no tun device: write `tun: true` in its group")
