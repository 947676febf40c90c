"""Ready-made sealed introsets for the tests of dht/."""

from __future__ import annotations

import random
from functools import cache

from lokinet_node.base.ids import Handle, LokiAddress
from lokinet_node.base.units import HOUR, SECOND, Micros
from lokinet_node.crypto.blind import blind_public
from lokinet_node.session.introset import open_introset, seal_introset
from lokinet_node.wire.introset import Introduction, Introset, SealedIntroset
from tests.unit.netdb.routers import identity, router

PERIOD: Micros = 24 * HOUR
PERIOD_S = PERIOD // SECOND


def address(index: int) -> LokiAddress:
    return LokiAddress(identity(1000 + index).public)


@cache
def sealed(
    index: int, *, signed: Micros, lifetime_s: int = 1200, period: int | None = None
) -> bytes:
    """Raw introset of service number `index`, signed at an instant for its or a given period."""
    introset = Introset(
        address=address(index),
        kem_key=bytes(1184),
        gate_key=bytes(16),
        introductions=(Introduction(router(1), Handle(2), signed // SECOND + 600),),
    )
    number = signed // PERIOD if period is None else period
    secret = identity(1000 + index).secret
    entropy = random.Random(index).randbytes
    return seal_introset(introset, secret, number, PERIOD_S, signed, lifetime_s, entropy)


def blinded(index: int, period: int) -> bytes:
    return blind_public(address(index), period, PERIOD_S)


def opened(one: SealedIntroset, whose: LokiAddress, period: int, now: Micros) -> Introset:
    return open_introset(one, whose, period, PERIOD_S, now)
