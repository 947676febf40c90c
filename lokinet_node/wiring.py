"""A configured node with its drivers: what `run` drives.

Nothing here knows the protocol: it opens files, sockets and the tun, answers the control socket
and the resolver, and hands effects of the node to whoever they are for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from lokinet_node.base.errors import OperatorError, WireError
from lokinet_node.base.ground import Ground
from lokinet_node.base.units import MINUTE, SECOND
from lokinet_node.crypto.keys import ed25519_keypair
from lokinet_node.drivers.control import ControlSocket
from lokinet_node.drivers.dns_resolver import Resolver
from lokinet_node.drivers.dns_socket import DnsServer
from lokinet_node.drivers.dns_upstream import Forwarder
from lokinet_node.drivers.files import read_file, write_file
from lokinet_node.drivers.keyfiles import read_contacts, router_keys, service_key
from lokinet_node.drivers.tun import FORWARDED_SEGMENTS, MOST_SEGMENTS, Tun
from lokinet_node.exiting import Exiting
from lokinet_node.link.links import Drop as LinkDrop
from lokinet_node.listing import Listing
from lokinet_node.methods import Methods
from lokinet_node.naming import Naming
from lokinet_node.netdb.choose import Rules
from lokinet_node.node.client import ClientRole
from lokinet_node.node.config import Role
from lokinet_node.node.config_exit import offer_of
from lokinet_node.node.journal import log_effect
from lokinet_node.node.make import (
    ClientSettings,
    RouterSettings,
    attach_tun,
    make_client,
    make_router,
)
from lokinet_node.node.router import ContactSigned, RouterKeys, RouterRole
from lokinet_node.session.addresses import Remote
from lokinet_node.wire.contact import pad_netid
from lokinet_node.wire.link import VERSION as WIRE_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.admitting import Admitting
    from lokinet_node.base.entropy import Entropy
    from lokinet_node.base.units import Micros
    from lokinet_node.drivers.log import Log
    from lokinet_node.link.link import Address
    from lokinet_node.node.config import Config
    from lokinet_node.node.node import Node
    from lokinet_node.node.traffic import Traffic
    from lokinet_node.providing import Providing
    from lokinet_node.routing import Routing
    from lokinet_node.wire.contact import Contact

Made = TypeVar("Made")
VERSION_PAUSE = MINUTE
"""Between two lines that say that somebody speaks another version."""
GUARDS_FILE = "guards.json"
GUARDS_LIMIT = 1 << 16


class Wiring:
    """One node, its tun, its control socket and its resolver."""

    def __init__(
        self,
        config: Config,
        transmit: Callable[[Address, memoryview], None],
        entropy: Entropy,
        clock: Callable[[], Micros],
        log: Log,
        routing: Routing,
        underlay: str,
    ) -> None:
        """Reads key and contact files; OperatorError for what is wrong with them.

        `underlay` is the address that `transmit` sends from.
        """
        self._config = config
        self.routing = routing
        self._clock = clock
        self._log = log
        self._ground = Ground(
            pad_netid(config.netid.encode()), config.timing, entropy, config.block_bogons
        )
        self.tun: Tun | None = None
        self._providing: Providing | None = None
        self.node: Node
        self.role: RouterRole | ClientRole
        make = self._make_router if config.role is Role.ROUTER else self._make_client
        self.node, self.role = make(transmit)
        routing.use_links(self.node.network.links.by_key.values())
        if config.network.has_tun:
            segments = MOST_SEGMENTS if config.exit is None else FORWARDED_SEGMENTS
            ip6_range = config.network.routing.ip6_range if config.role is Role.CLIENT else None
            self.tun = Tun(config.network.ifname, config.network.ifaddr, segments, ip6_range)
            routing.use_tun(self.tun)
            traffic = attach_tun(
                self.node,
                self.role,
                self.tun.address,
                self.tun.write,
                join_udp=self.tun.segments_udp,
                prefix6=None if self.tun.address6 is None else self.tun.address6.packed[:12],
            )
            for address, ip in config.network.mapaddr:
                traffic.addresses.pin(ip.to_bytes(4, "big"), Remote(False, address))
            self._providing = self._provide(self.tun, traffic, underlay)
        if isinstance(self.role, ClientRole):
            exits = config.network.exits
            self.role.exits.start(exits.mappings, exits.tokens, clock())
        own = self.tun.address if self.tun is not None else None
        self._naming = Naming(config, self.node, self.role, own, clock)
        patience = config.network.resolve_timeout
        self._exiting = Exiting(self.role, self._naming, clock, patience, lambda: routing.problem)
        self._methods = Methods(config, self.node, self.role, clock, log)
        upstream = config.dns.upstream
        self._resolver = Resolver(
            self._naming,
            self._naming,
            Forwarder(upstream, lambda: routing.inside(own), routing.device_towards)
            if upstream
            else None,
            config.network.resolve_timeout + SECOND,
            log,
        )
        self._listing: Listing | None = None
        if config.chain is not None and isinstance(self.role, RouterRole):
            self._listing = Listing(config.chain, self.node, self.role, clock, log)
        self._admitting = self._guard()
        self._other_versions = 0
        self._versions_told = -VERSION_PAUSE
        self._control: ControlSocket | None = None
        self._dns: DnsServer | None = None

    # --- the node itself

    def _bootstrap(self) -> list[Contact]:
        return [c for path in self._config.bootstrap_files for c in read_contacts(path)]

    def _make_router(
        self, transmit: Callable[[Address, memoryview], None]
    ) -> tuple[Node, RouterRole]:
        config = self._config
        files, public = config.key_files, config.public
        if public is None:
            raise OperatorError(f"{config.path}: a router needs [bind] inbound=IP:PORT")
        keys = router_keys(files.identity, files.transport, files.encryption, self._ground.entropy)
        settings = RouterSettings(
            keys=RouterKeys(keys.identity, keys.onion_key_id, keys.onion),
            link=keys.link,
            public=(public.ip, public.port),
            name=config.nickname,
            min_links=config.min_connections,
            bootstrap=self._bootstrap(),
            signed=_stored_contact(files.contact),
        )
        return self._made(lambda: make_router(settings, self._ground, transmit, self._clock()))

    def _make_client(
        self, transmit: Callable[[Address, memoryview], None]
    ) -> tuple[Node, ClientRole]:
        config = self._config
        network, entropy = config.network, self._ground.entropy
        if network.keyfile is not None:
            identity = service_key(network.keyfile, entropy)
        else:
            identity = ed25519_keypair(entropy(32))
        settings = ClientSettings(
            identity=identity,
            rules=Rules(
                hops=network.hops,
                unique_range=config.unique_range_size,
                blacklist=frozenset(network.blacklist),
            ),
            paths=network.paths,
            reachable=network.reachable,
            services=network.services,
            offer=offer_of(config.exit, needs_auth=config.auth.is_guarded),
            bootstrap=self._bootstrap(),
            strict=frozenset(network.strict_connect),
            guards=_stored_guards(f"{config.data_dir}/{GUARDS_FILE}"),
        )
        return self._made(lambda: make_client(settings, self._ground, transmit, self._clock()))

    def _made(self, make: Callable[[], Made]) -> Made:
        """What was read from files may turn out bad only now."""
        try:
            return make()
        except WireError as error:
            names = ", ".join(self._config.bootstrap_files) or GUARDS_FILE
            raise OperatorError(f"{names}: {error}; make it anew") from error

    def _provide(self, tun: Tun, traffic: Traffic, underlay: str) -> Providing | None:
        """Make an exit of the node, if it is to be one."""
        config, door = self._config, traffic.door
        if config.exit is None or door is None:
            return None
        from lokinet_node.providing import Providing  # here: only exits pay for it

        providing = Providing(config.exit, tun.address, traffic.addresses, underlay, tun.address6)
        door.provider = providing.provider
        return providing

    def _guard(self) -> Admitting | None:
        config = self._config
        is_needed = config.auth.is_guarded or bool(config.quotas)
        if not is_needed or not isinstance(self.role, ClientRole):
            return None
        from lokinet_node.admitting import Admitting  # here: only services pay for it

        entropy = self._ground.entropy
        return Admitting(config, self.role, entropy, self._clock, self._log)

    # --- serving

    async def serve(self, after: Callable[[], object], stop: Callable[[], None]) -> None:
        """Open control socket and resolver.

        `after` is to be called when they made the node act, `stop` when somebody wants it to end.
        """
        self._naming.after = after
        if self._listing is not None:
            self._listing.after = after
            self._listing.start()
        if self._admitting is not None:
            self._admitting.after = after
            self._admitting.start()
        config = self._config
        self.routing.serve()
        if self._providing is not None:
            self._providing.serve()
        self.handle_effects()
        if config.api.path is not None:
            self._control = ControlSocket(
                config.api.path,
                self._methods.handlers(self.tun, self._naming, self._resolver, stop)
                | self._exiting.handlers(),
                self._log,
                self._methods.subscriptions(),
            )
            await self._control.open()
        if config.dns.bind:
            self._dns = DnsServer(self._resolver)
            await self._dns.open(config.dns.bind)

    async def stop(self) -> None:
        """Close what `serve` opened."""
        if self._listing is not None:
            await self._listing.close()
        if self._admitting is not None:
            await self._admitting.close()
        if self._dns is not None:
            await self._dns.close()
        await self._resolver.close()
        if self._control is not None:
            await self._control.close()

    def close(self) -> None:
        """Close the tun, and what `serve` opened of the kernel."""
        if self._providing is not None:
            self._providing.close()
        if self.tun is not None:
            self.tun.close()

    def handle_effects(self) -> bool:
        """Write, answer and log what the node noted; whether there was anything."""
        if self._providing is not None:
            self._providing.look(self._clock())
        effects = self.node.take_effects()
        for effect in effects:
            if isinstance(effect, ContactSigned):
                write_file(self._config.key_files.contact, _record(effect.raw))
            self._naming.take(effect)
            if self._admitting is not None:
                self._admitting.take(effect)
            self._exiting.take(effect)
            self.routing.take(effect)
            log_effect(self._log, effect)
        if self.node.network.links.drops[LinkDrop.VERSION] > self._other_versions:
            self._tell_version()
        if isinstance(self.role, ClientRole) and self.role.guards.changed:
            self.role.guards.changed = False
            write_file(f"{self._config.data_dir}/{GUARDS_FILE}", self.role.guards.dump())
        return bool(effects)

    def _tell_version(self) -> None:
        """Somebody speaks another version: that looks like silence from where they are."""
        self._other_versions = self.node.network.links.drops[LinkDrop.VERSION]
        now = self._clock()
        if now >= self._versions_told + VERSION_PAUSE:
            self._versions_told = now
            self._log.warn(
                "link.version",
                ours=WIRE_VERSION,
                handshakes=self._other_versions,
                hint="a peer speaks another version of the wire; run the same release everywhere",
            )


def _stored_contact(path: str) -> Contact | None:
    """The contact of an earlier run; one that cannot be read is simply made anew."""
    try:
        return read_contacts(path)[0]
    except (OperatorError, IndexError):
        return None


def _stored_guards(path: str) -> bytes | None:
    try:
        return read_file(path, GUARDS_LIMIT)
    except OperatorError:
        return None


def _record(raw: bytes) -> bytes:
    return len(raw).to_bytes(2, "big") + raw
