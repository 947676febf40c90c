"""How much callers may use: bytes, connected time, and a rate, per address and per token.

A session of a caller is on one account for its address and, if a token let it in, on one for the
token, which all who bring it share. Both directions count, as IPv4 bytes inside. What goes over
the rate is dropped, the last packets of a batch first; a share of bytes or time that is used up
ends the caller's leave, for good: accounts outlive sessions and, by `dump`, the process.

Tokens are known here by a keyed digest of 16 bytes; four of its hexadecimal digits are shown.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.names import format_loki, parse_loki
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.crypto.kdf import blake2s

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.exits.share import Quota, Quotas

LEAST_BURST: Final = 16 << 10
"""Bytes at once at any rate: a dozen packets."""
LOOK_PAUSE: Final[Micros] = SECOND
"""Connected time is counted in steps of this."""
MOST_ACCOUNTS: Final = 4096
"""Addresses remembered: those that use nothing now and were used longest ago are forgotten."""
_KEY_SIZE: Final = 32
_DIGEST_SIZE: Final = 16
_SHOWN: Final = 4


@dataclass(slots=True, eq=False)
class Account:
    """What was used of one quota, and by whom."""

    quota: Quota
    whose: str
    """`your` or `the token's`, for the reason that is told."""
    size: int = 0
    time: Micros = 0
    over_rate: int = 0
    """Packets dropped."""
    last: Micros = 0
    """When it was last looked at."""
    is_on: bool = False
    """Somebody on it has a session."""
    _credit: float = field(init=False)
    _since: Micros = 0

    def __post_init__(self) -> None:
        self._credit = float(self._burst)

    @property
    def _burst(self) -> int:
        return max(self.quota.rate, LEAST_BURST)

    def passing(self, count: int, size: int, now: Micros) -> int:
        """How many of `count` packets the rate lets pass."""
        rate = self.quota.rate
        if not rate:
            return count
        earned = (now - self._since) * rate / SECOND
        self._credit = min(float(self._burst), self._credit + earned)
        self._since = now
        return count if size <= self._credit else max(0, int(self._credit * count // size))

    def use(self, size: int) -> None:
        """So much passed."""
        self.size += size
        self._credit -= size

    def spent(self) -> str:
        """What is used up, in words; empty while nothing is."""
        if self.quota.size and self.size >= self.quota.size:
            return f"{self.whose} quota of {self.quota.size} bytes is used up"
        if self.quota.time and self.time >= self.quota.time:
            return f"{self.whose} quota of {self.quota.time // SECOND} seconds is used up"
        return ""


class Tab:
    """The accounts of one caller: what its session is metered by."""

    __slots__ = ("_ledger", "accounts")

    def __init__(self, accounts: tuple[Account, ...], ledger: Ledger) -> None:
        """One account, or two."""
        self.accounts = accounts
        self._ledger = ledger

    def take(self, count: int, size: int, now: Micros) -> int:
        """See session.admission.Meter. The batch that reaches the end of a share still passes."""
        if self.spent():
            return 0
        passed = count
        for account in self.accounts:
            passed = min(passed, account.passing(count, size, now))
        used = size * passed // count if count else 0
        for account in self.accounts:
            account.use(used)
            account.over_rate += count - passed
            if account.quota.size and account.size >= account.quota.size:
                self._ledger.is_due = True
        return passed

    def spent(self) -> str:
        """Why nothing passes; empty while something does."""
        return next((reason for account in self.accounts if (reason := account.spent())), "")


class Ledger:
    """All accounts of one service."""

    def __init__(self, quotas: Quotas, entropy: Entropy, stored: bytes | None = None) -> None:
        """`stored` is what `dump` gave in an earlier run; NameSyntaxError for anything else."""
        self.quotas = quotas
        self.clients: dict[LokiAddress, Account] = {}
        self.tokens: dict[str, Account] = {}
        """By the hexadecimal digest of the token."""
        self.is_due = False
        """Somebody's share was used up since the last `look`."""
        self._key = entropy(_KEY_SIZE)
        self._tabs: dict[LokiAddress, Tab] = {}
        self._looked: Micros = 0
        self._is_calm = True
        if stored is not None:
            self._load(stored)

    def open(self, remote: LokiAddress, token: str, now: Micros) -> Tab:
        """The tab of a caller; `token` is what let it in, empty for none."""
        account = self.clients.get(remote)
        if account is None:
            self._forget_oldest()
            account = self.clients[remote] = Account(self.quotas.client, "your", last=now)
        accounts: tuple[Account, ...] = (account,)
        if token:
            name = blake2s(token.encode(), key=self._key, size=_DIGEST_SIZE).hex()
            shared = self.tokens.get(name)
            if shared is None:
                shared = self.tokens[name] = Account(self.quotas.token, "the token's", last=now)
            accounts = (account, shared)
        tab = Tab(accounts, self)
        if not tab.spent():
            self._tabs[remote] = tab
        return tab

    def leave(self, remote: LokiAddress) -> None:
        """Its leave is taken back: it uses nothing any more."""
        self._tabs.pop(remote, None)

    def look(self, present: Container[LokiAddress], now: Micros) -> list[tuple[LokiAddress, str]]:
        """Count the time of those who are there; whose share is used up, and what of it."""
        step = min(now - self._looked, 2 * LOOK_PAUSE) if self._looked else 0
        self._looked = now
        self.is_due = False
        self._tabs = {remote: tab for remote, tab in self._tabs.items() if remote in present}
        for account in self._on_tabs():
            if account.is_on and not account.spent():
                account.time += step
            account.last = now
        ended = [(remote, tab.spent()) for remote, tab in self._tabs.items() if tab.spent()]
        for remote, _ in ended:
            del self._tabs[remote]
        on = self._on_tabs()
        for account in (*self.clients.values(), *self.tokens.values()):
            account.is_on = account in on
        self._is_calm = not on
        return ended

    def _on_tabs(self) -> set[Account]:
        return {account for tab in self._tabs.values() for account in tab.accounts}

    def deadline(self) -> Micros | None:
        """When to `look` again; None while nobody is metered."""
        if self.is_due:
            return 0
        return None if self._is_calm and not self._tabs else self._looked + LOOK_PAUSE

    def dump(self) -> bytes:
        """What is to outlive the process; no token, no rate."""
        state = {
            "key": self._key.hex(),
            "clients": dict(_rows((format_loki(a), one) for a, one in self.clients.items())),
            "tokens": dict(_rows(iter(self.tokens.items()))),
        }
        return json.dumps(state).encode()

    def _load(self, stored: bytes) -> None:
        try:
            state: Any = json.loads(stored)
            self._key = bytes.fromhex(state["key"])
            for name, (size, time) in state["clients"].items():
                account = Account(self.quotas.client, "your", int(size), int(time))
                self.clients[parse_loki(name).address] = account
            for name, (size, time) in state["tokens"].items():
                self.tokens[name] = Account(self.quotas.token, "the token's", int(size), int(time))
        except (ValueError, TypeError, KeyError, AttributeError, NameSyntaxError) as error:
            raise NameSyntaxError(f"not what this node wrote: {error}") from error

    def _forget_oldest(self) -> None:
        if len(self.clients) >= MOST_ACCOUNTS:
            idle = [(one.last, remote) for remote, one in self.clients.items() if not one.is_on]
            if idle:
                del self.clients[min(idle)[1]]


def shown(name: str) -> str:
    """A token as status shows it."""
    return name[:_SHOWN]


def _rows(accounts: Iterator[tuple[str, Account]]) -> Iterator[tuple[str, tuple[int, Micros]]]:
    return ((name, (one.size, one.time)) for name, one in accounts if one.size or one.time)
