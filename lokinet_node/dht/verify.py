"""What a router checks before it holds an introset, and a client before it opens one.

Both see an ordinary Ed25519 signature under the blinded key; that the key belongs to an address
only the client can tell. docs/wire.md, section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lokinet_node.base.errors import WireError
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import MINUTE, SECOND, Micros
from lokinet_node.crypto.keys import ed25519_verify, is_valid_ed25519_point
from lokinet_node.wire.introset import SIGNATURE_SIZE

if TYPE_CHECKING:
    from lokinet_node.wire.introset import SealedIntroset

CLOCK_TOLERANCE: Final[Micros] = 2 * MINUTE
"""How far a service's clock may be ahead of ours: as for handshakes."""
LONGEST_LIFETIME: Final[Micros] = Timing().introset_lifetime
"""No introset is held for longer than this; a network may set less, never more."""


def verify_sealed_introset(
    sealed: SealedIntroset, now: Micros, *, longest: Micros = LONGEST_LIFETIME
) -> None:
    """WireError unless key and signature are good and the introset is fresh at `now`."""
    if sealed.sequence > now + CLOCK_TOLERANCE:
        raise WireError("introset is from the future")
    if sealed.lifetime_s * SECOND > longest:
        raise WireError("introset lives longer than this network allows")
    if sealed.expires <= now:
        raise WireError("introset has expired")
    if not is_valid_ed25519_point(sealed.blinded_key):
        raise WireError("introset's blinded key is no point of the main subgroup")
    if not ed25519_verify(sealed.blinded_key, sealed.raw[:-SIGNATURE_SIZE], sealed.signature):
        raise WireError("introset's signature does not hold")
