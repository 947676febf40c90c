"""What the resolver asks of a running node: its zone, and facts that take the network to find out.

Rules: a question that comes before the node has a path waits for the first one, and is looked into
the moment there is one; all of it takes at most the configured time. A search that was made and
found nobody is None, and the resolver says NXDOMAIN; one that could not be made is a LokinetError,
and the resolver says SERVFAIL. The node answers by effects; `take` hands them to who waits.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Final, TypeVar

from lokinet_node.base.errors import LokinetError
from lokinet_node.base.ids import LokiAddress, RouterID
from lokinet_node.base.units import MILLISECOND, SECOND
from lokinet_node.node.client import ClientRole
from lokinet_node.node.names import NameResolved
from lokinet_node.node.questions import IntrosetSeen, Resolved
from lokinet_node.ons.verdict import Failed, Found, NameAnswer
from lokinet_node.path.owned import PathReady
from lokinet_node.session.addresses import Remote

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from lokinet_node.base.addresses import Range
    from lokinet_node.base.srv import SrvRecord
    from lokinet_node.base.units import Micros
    from lokinet_node.node.config import Config
    from lokinet_node.node.node import Node
    from lokinet_node.node.router import RouterRole
    from lokinet_node.wire.contact import Contact

Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value")

CONTACT_PAUSES: Final = (150 * MILLISECOND, 350 * MILLISECOND, SECOND)
"""How long a router nobody has told of is waited for, after asking whom our peers know."""


class Naming:
    """One node's zone, and its searches."""

    def __init__(
        self,
        config: Config,
        node: Node,
        role: RouterRole | ClientRole,
        tun: Range | None,
        clock: Callable[[], Micros],
    ) -> None:
        """`tun` is the address and range of the tun."""
        self._config = config
        self._node = node
        self._role = role
        self._tun = tun
        self._clock = clock
        self._timeout_s = config.network.resolve_timeout / SECOND
        self._addresses: dict[Remote, asyncio.Future[Resolved]] = {}
        self._names: dict[str, asyncio.Future[NameAnswer]] = {}
        self._introsets: dict[LokiAddress, asyncio.Future[IntrosetSeen]] = {}
        self._first_path: asyncio.Event = asyncio.Event()
        self.after: Callable[[], object] = lambda: None
        """To be called when a search made the node act."""

    def take(self, effect: object) -> None:
        """What the node noted: perhaps what somebody waits for."""
        match effect:
            case Resolved(remote):
                _settle(self._addresses, remote, effect)
            case NameResolved(name, answer):
                _settle(self._names, name, answer)
            case IntrosetSeen(address):
                _settle(self._introsets, address, effect)
            case PathReady():
                self._first_path.set()
            case _:
                pass

    # --- what can be said at once (dns.answer.Zone)

    def own_key(self) -> bytes:
        """The 32 bytes of its `.loki` address, or on a router of its `.snode` address."""
        return self._role.address if isinstance(self._role, ClientRole) else self._role.router

    def is_router(self) -> bool:
        """Whether it is a router: those open no ways to others."""
        return not isinstance(self._role, ClientRole)

    def own_ip(self) -> int | None:
        """The tun address; None without a tun."""
        return self._tun.address if self._tun is not None else None

    def own_services(self) -> tuple[SrvRecord, ...]:
        """SRV records of the own address."""
        return self._config.network.services

    def tun_range(self) -> Range | None:
        """The range whose reverse names are ours; None without a tun."""
        return self._tun

    def tun_prefix6(self) -> bytes | None:
        """The 12 bytes before a tun address in IPv6; None without IPv6."""
        traffic = self._node.traffic
        door = None if traffic is None else traffic.door
        return None if door is None or door.six is None else door.six.prefix

    def exits(self) -> list[tuple[str, str]]:
        """What is mapped to exits: range and the exit's name."""
        if not isinstance(self._role, ClientRole):
            return []
        rows = self._role.exits.use.map_.rows()
        return [(str(range_), str(exit_)) for range_, exit_ in rows if exit_ is not None]

    def name_at(self, ip: int) -> str | None:
        """The name a tun address is mapped to, the own one included."""
        own = Remote(self.is_router(), self.own_key())
        if ip == self.own_ip():
            return str(own)
        traffic = self._node.traffic
        if traffic is None or self.is_router():
            return None  # a router's visitors have no names
        remote = traffic.addresses.by_ip.get(ip.to_bytes(4, "big"))
        return None if remote is None else str(remote)

    def netid(self) -> str:
        """The network's name."""
        return self._config.netid

    # --- what takes a search (drivers.dns_resolver.Asker)

    async def address(self, kind: str, key: bytes) -> int | None:
        """The tun address of a `loki` or `snode`; None: there is no such remote."""
        role, remote = self._client(), Remote(kind == "snode", key)
        if role.traffic is None:
            raise LokinetError("this node has no tun")
        if remote == Remote(False, role.address):
            return self.own_ip()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._address(role, remote)
        except TimeoutError:
            if self._was_begun(role, remote):
                return None
            raise

    async def name(self, name: str) -> LokiAddress | None:
        """Whose a bought name is; None: nobody's."""
        role = self._client()
        async with asyncio.timeout(self._timeout_s):
            await self._path(role)
            answer = role.resolve_name(name, self._clock())
            if answer is None:
                answer = await self._soon(self._names, name)
        if isinstance(answer, Failed):
            raise LokinetError(str(answer))
        return answer.address if isinstance(answer, Found) else None

    async def services(self, address: LokiAddress) -> tuple[SrvRecord, ...] | None:
        """What an address publishes; None: it publishes nothing."""
        role = self._client()
        async with asyncio.timeout(self._timeout_s):
            await self._path(role)
            role.look_up(address, self._clock())
            seen = await self._soon(self._introsets, address)
        if seen.introset is None and not seen.is_missing:
            raise LokinetError(seen.reason)
        return None if seen.introset is None else seen.introset.services

    async def contact(self, router: RouterID) -> str | None:
        """A router's contact in Lokinet's words; None: there is no such router."""
        async with asyncio.timeout(self._timeout_s):
            if isinstance(self._role, ClientRole):
                await self._path(self._role)
            contact = await self._contact(router)
        return None if contact is None else contact_text(contact)

    async def random_router(self) -> RouterID | None:
        """Some router of the network that is not known to be dead."""
        if isinstance(self._role, ClientRole):
            async with asyncio.timeout(self._timeout_s):
                await self._path(self._role)
        network, now = self._node.network, self._clock()
        out = network.outages.out(now)
        known = [one.router for one in network.book.fresh(now) if one.router not in out]
        return secrets.choice(known) if known else None

    # --- searching

    def _client(self) -> ClientRole:
        if not isinstance(self._role, ClientRole):
            raise LokinetError("a router opens no ways to others")
        return self._role

    async def _address(self, role: ClientRole, remote: Remote) -> int | None:
        while True:
            await self._path(role)
            if remote.is_router and await self._contact(RouterID(remote.key)) is None:
                return None
            ip4 = role.resolve(remote, self._clock())
            if ip4 is None:
                found = await self._soon(self._addresses, remote)
                ip4 = found.ip4
                if ip4 is None and found.is_missing:
                    return None
                if ip4 is None and role.keeper.ready():
                    raise LokinetError(found.reason)
            if ip4 is not None:
                return int.from_bytes(ip4, "big")
            # All paths were lost on the way: what was asked is asked again over the next one.

    def _was_begun(self, role: ClientRole, remote: Remote) -> bool:
        """Whether the time was spent on reaching a remote that is known to exist."""
        if remote.is_router:
            return bool(role.keeper.ready())
        session = role.sessions.by_remote.get(LokiAddress(remote.key))
        return (
            session is not None and session.dial is not None and session.dial.introset is not None
        )

    async def _path(self, role: ClientRole) -> None:
        """Wait until there is a way to ask anything."""
        while not role.keeper.ready():
            self._first_path.clear()
            await self._first_path.wait()

    async def _contact(self, router: RouterID) -> Contact | None:
        """The fresh contact of a router; the peers are asked before it is said to be unknown."""
        network = self._node.network
        for pause in CONTACT_PAUSES:
            contact = network.book.get_fresh(router, self._clock())
            if contact is not None:
                return contact
            network.ask_soon(self._clock())
            self.after()
            await asyncio.sleep(pause / SECOND)
        return network.book.get_fresh(router, self._clock())

    async def _soon(self, waiting: dict[Key, asyncio.Future[Value]], key: Key) -> Value:
        """The effect about `key`, together with everybody else who waits for it."""
        future = waiting.get(key)
        if future is None:
            future = waiting[key] = asyncio.get_running_loop().create_future()
        self.after()
        return await asyncio.shield(future)


def contact_text(contact: Contact) -> str:
    """A contact as Lokinet's TXT records have it."""
    ip, port = contact.address
    version = ".".join(map(str, contact.version))
    return (
        f"ai_addr={ip}:{port}; ai_pk={contact.link_key.hex()}; updated={contact.issued // 1000}; "
        f"onion_pk={contact.onion_key.hex()}; router_version={version};"
    )


def _settle(waiting: dict[Key, asyncio.Future[Value]], key: Key, value: Value) -> None:
    future = waiting.pop(key, None)
    if future is not None and not future.done():
        future.set_result(value)
