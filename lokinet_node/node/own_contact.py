"""Who a router says it is: its signed contact, its onion keys, and when both are renewed.

The onion key rotates; the one before is honoured for one more period. Each rotation signs a new
contact, and so does time. A stored contact that is still good is taken over at a restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lokinet_node import __version__
from lokinet_node.base.ids import LinkKey, RouterID
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.keys import x25519_keypair
from lokinet_node.netdb.verify import sign_contact
from lokinet_node.wire.contact import Contact, decode_contact

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.base.ground import Ground
    from lokinet_node.crypto.keys import KeyPair
    from lokinet_node.node.network import Network
    from lokinet_node.path.transit import Transit


@dataclass(frozen=True, slots=True)
class RouterKeys:
    """What a router is: identity (Ed25519, secret of 64 bytes) and its onion key with its id."""

    identity: KeyPair
    onion_key_id: int
    onion_key: KeyPair


@dataclass(frozen=True, slots=True)
class ContactSigned:
    """A new contact of ours: the file others start from is to hold it."""

    raw: bytes


class OwnContact:
    """A router's contact and the keys in it."""

    def __init__(
        self,
        keys: RouterKeys,
        public: tuple[str, int],
        name: str,
        ground: Ground,
        network: Network,
        transit: Transit,
        note: Callable[[object], None],
    ) -> None:
        """`transit` is given the onion keys that count, `note` takes ContactSigned."""
        self.router = RouterID(keys.identity.public)
        self._keys = keys
        self._public = public
        self._name = name
        self._netid = ground.netid
        self._timing = ground.timing
        self._entropy = ground.entropy
        self._network = network
        self._transit = transit
        self._note = note
        self._onion_since: Micros = 0
        self._sign_at: Micros = 0
        transit.onion_keys = {keys.onion_key_id: keys.onion_key}

    def start(self, signed: Contact | None, now: Micros) -> None:
        """Take over a stored contact that is still good, or sign a new one."""
        self._onion_since = now
        if (
            signed is not None
            and signed.issued + self._timing.contact_refresh > now
            and signed.onion_key == self._keys.onion_key.public
            and (signed.ip, signed.port) == self._public
        ):
            self._onion_since = signed.issued
            self._sign_at = signed.issued + self._timing.contact_refresh
            self._network.set_own(signed, now)
        else:
            # The stored onion key served its contact; a restarted router gets a new one.
            self._rotate(now)

    def _sign(self, now: Micros) -> None:
        keys = self._keys
        contact = Contact(
            netid=self._netid,
            router=self.router,
            link_key=LinkKey(self._network.links.static.public),
            onion_key_id=keys.onion_key_id,
            onion_key=keys.onion_key.public,
            ip=self._public[0],
            port=self._public[1],
            issued=now,
            lifetime_s=self._timing.contact_lifetime // SECOND,
            version=_version(),
            name=self._name,
        )
        raw = sign_contact(contact, keys.identity.secret)
        self._sign_at = now + self._timing.contact_refresh
        self._network.set_own(decode_contact(raw), now)
        self._note(ContactSigned(raw))

    def _rotate(self, now: Micros) -> None:
        """A new onion key; the one before is honoured for one more period."""
        old = self._keys
        onion_key = x25519_keypair(self._entropy)
        new_id = int.from_bytes(onion_key.public[:4], "big")
        self._keys = RouterKeys(old.identity, new_id, onion_key)
        self._transit.onion_keys = {old.onion_key_id: old.onion_key, new_id: onion_key}
        self._onion_since = now
        self._sign(now)

    def tick(self, now: Micros) -> None:
        """Rotate, sign."""
        if self._onion_since + self._timing.onion_key_rotation <= now:
            self._rotate(now)
        elif self._sign_at <= now:
            self._sign(now)

    def deadline(self) -> Micros:
        """When `tick` has something to do."""
        return min(self._sign_at, self._onion_since + self._timing.onion_key_rotation)


def _version() -> tuple[int, int, int]:
    major, minor, patch = (int(part) for part in __version__.split(".")[:3])
    return major, minor, patch
