"""How a session is doing: whether it needs fresh keys, another introset, or an end. Pure policy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from lokinet_node.base.units import MINUTE, SECOND, Micros
from lokinet_node.session.streams import MOST_RECORDS, WORN

if TYPE_CHECKING:
    from lokinet_node.base.timing import Timing
    from lokinet_node.session.epochs import Epoch

STRANDED: Final[Micros] = 2 * SECOND
"""Without any route for this long: what is known of the remote must be stale."""
UNREACHABLE: Final[Micros] = MINUTE
OTHERS_TURN: Final = 4
"""The end that did not start the keys renews them a quarter later, in case the other cannot."""


class Verdict(Enum):
    """What is to be done."""

    FINE = auto()
    IDLE = auto()
    UNREACHABLE = auto()
    USED_UP = auto()
    RESCUE = auto()
    """Dial as if nothing were known: introset, handshake."""
    RENEW = auto()
    """Dial for fresh keys; the present ones work."""


@dataclass(frozen=True, slots=True)
class Condition:
    """The facts."""

    epoch: Epoch | None
    """The one that sends."""
    is_own_epoch: bool
    sealed: int
    """Records sealed with the current key."""
    is_exhausted: bool
    """No stream is left for the present route."""
    last_used: Micros
    stranded_since: Micros | None
    silent_since: Micros | None
    is_silent: bool
    """A whole route did not answer: the remote may have forgotten us."""
    has_introductions: bool


def judge(condition: Condition, timing: Timing, now: Micros) -> Verdict:
    """The worst that applies."""
    trouble = [condition.stranded_since, condition.silent_since]
    troubled_for = max((now - since for since in trouble if since is not None), default=0)
    if now - condition.last_used >= timing.session_idle:
        return Verdict.IDLE
    if troubled_for >= UNREACHABLE:
        return Verdict.UNREACHABLE
    if condition.sealed >= MOST_RECORDS:
        return Verdict.USED_UP
    if condition.is_exhausted:
        return Verdict.RENEW
    if _needs_rescue(condition, now):
        return Verdict.RESCUE
    return Verdict.RENEW if _wants_new_keys(condition, timing, now) else Verdict.FINE


def _needs_rescue(condition: Condition, now: Micros) -> bool:
    stranded = condition.stranded_since
    if stranded is not None:
        return now - stranded >= (STRANDED if condition.has_introductions else 0)
    return condition.is_silent


def _wants_new_keys(condition: Condition, timing: Timing, now: Micros) -> bool:
    epoch = condition.epoch
    if epoch is None or epoch.confirmed is None:
        return False
    age, limit = timing.session_rekey, WORN
    if not condition.is_own_epoch:
        age, limit = age + age // OTHERS_TURN, limit + limit // OTHERS_TURN
    is_old = now - epoch.confirmed >= age and now - condition.last_used < age
    return is_old or epoch.is_worn(limit)
