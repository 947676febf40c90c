"""How much callers may use: bytes, connected time, and a rate, per address and per token.

A session of a caller is on one account for its address and, if a token let it in, on one for the
token, which all who bring it share. Both directions count, as IPv4 bytes inside. What goes over
the rate is dropped, the last packets of a batch first; a share of bytes or time that is used up
ends the caller's leave, for good: accounts outlive sessions and, by `dump`, the process. Time
counts from when a tab is opened until it is left. Of both kinds of accounts so many are kept; one
more takes the place of whoever uses nothing now and came or went longest ago.

Tokens are known here by their keyed digests (exits/token_names.py).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.names import format_loki, parse_loki
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.exits.token_names import TokenNames

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.exits.share import Quota, Quotas

LEAST_BURST: Final = 16 << 10
"""Bytes at once at any rate: a dozen packets."""
LOOK_PAUSE: Final[Micros] = SECOND
"""Connected time is counted in steps of this."""
MOST_ACCOUNTS: Final = 4096
"""Addresses remembered."""
MOST_TOKENS: Final = 16_384
"""Tokens remembered; nobody but the operator can make more of them."""
STORED_LIMIT: Final = 16 << 20
"""Bytes of what `dump` gives: a row has at most 120."""


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
    users: int = 0
    """Tabs on it whose callers are here."""
    counted: Micros = 0
    """Until when its time is in `time`, while it has users."""
    _credit: float = field(init=False)
    _since: Micros = 0

    def __post_init__(self) -> None:
        self._credit = float(self._burst)

    @property
    def is_on(self) -> bool:
        """Somebody on it has a session."""
        return self.users > 0

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

    def pass_time(self, now: Micros) -> None:
        """Count the time since it was counted last; a process that slept served nobody."""
        if self.users and not self.spent():
            self.time += min(now - self.counted, 2 * LOOK_PAUSE)
        self.counted = now

    def spent(self) -> str:
        """What is used up, in words; empty while nothing is."""
        if self.quota.size and self.size >= self.quota.size:
            return f"{self.whose} quota of {self.quota.size} bytes is used up"
        if self.quota.time and self.time >= self.quota.time:
            return f"{self.whose} quota of {self.quota.time // SECOND} seconds is used up"
        return ""


class Tab:
    """The accounts of one caller: what its session is metered by."""

    __slots__ = ("_ledger", "accounts", "name")

    def __init__(self, accounts: tuple[Account, ...], name: str, ledger: Ledger) -> None:
        """One account, or two: the second is that of the token with this name."""
        self.accounts = accounts
        self.name = name
        self._ledger = ledger

    def take(self, count: int, size: int, now: Micros) -> int:
        """See session.admission.Meter. The batch that reaches the end of a share still passes."""
        if self.spent():
            return 0
        passed = count
        for account in self.accounts:
            passed = min(passed, account.passing(count, size, now))
        used = size * passed // count if count else 0
        self._ledger.is_dirty = True
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
        self.clients: OrderedDict[LokiAddress, Account] = OrderedDict()
        self.tokens: OrderedDict[str, Account] = OrderedDict()
        """By the token's name; both in the order of who came or went last."""
        self.is_due = False
        """Somebody's share was used up since the last `look`."""
        self.is_dirty = False
        """Something was used since whoever writes `dump` down set this to False."""
        self._names = TokenNames(entropy)
        self._tabs: dict[LokiAddress, Tab] = {}
        self._looked: Micros = 0
        if stored is not None:
            self._load(stored)

    def open(self, remote: LokiAddress, token: str, now: Micros) -> Tab:
        """The tab of a caller; `token` is what let it in, empty for none."""
        return self.resume(remote, self._names.name(token) if token else "", now)

    def resume(self, remote: LokiAddress, name: str, now: Micros) -> Tab:
        """The same by the token's name, as an earlier tab of the caller has it."""
        account = self.clients.get(remote)
        if account is None:
            _make_room(self.clients, MOST_ACCOUNTS)
            account = self.clients[remote] = Account(self.quotas.client, "your")
        accounts: tuple[Account, ...] = (account,)
        if name:
            shared = self.tokens.get(name)
            if shared is None:
                _make_room(self.tokens, MOST_TOKENS)
                shared = self.tokens[name] = Account(self.quotas.token, "the token's")
            accounts = (account, shared)
        tab = Tab(accounts, name, self)
        if not tab.spent():
            self._count(tab, 1, now)
            self.leave(remote, now)
            self._tabs[remote] = tab
            self._touch(remote, tab)
        return tab

    def leave(self, remote: LokiAddress, now: Micros) -> None:
        """Its leave is taken back, or it is gone: it uses nothing any more."""
        tab = self._tabs.pop(remote, None)
        if tab is not None:
            self._count(tab, -1, now)
            self._touch(remote, tab)

    def look(self, present: Container[LokiAddress], now: Micros) -> list[tuple[LokiAddress, str]]:
        """Count the time of those who are there; whose share is used up, and what of it."""
        self._looked = now
        self.is_due = False
        for account in {account for tab in self._tabs.values() for account in tab.accounts}:
            account.pass_time(now)
            self.is_dirty = True
        for remote in [remote for remote in self._tabs if remote not in present]:
            self.leave(remote, now)
        ended = [(remote, tab.spent()) for remote, tab in self._tabs.items() if tab.spent()]
        for remote, _ in ended:
            self.leave(remote, now)
        return ended

    def deadline(self) -> Micros | None:
        """When to `look` again; None while nobody is metered."""
        if self.is_due:
            return 0
        return self._looked + LOOK_PAUSE if self._tabs else None

    def shown(self, name: str) -> str:
        """A token as status shows it."""
        return self._names.shown(name)

    def _count(self, tab: Tab, users: int, now: Micros) -> None:
        for account in tab.accounts:
            account.pass_time(now)
            account.users += users
        self.is_dirty = True

    def _touch(self, remote: LokiAddress, tab: Tab) -> None:
        """The caller came or went: it is forgotten last."""
        if remote in self.clients:
            self.clients.move_to_end(remote)
        if tab.name in self.tokens:
            self.tokens.move_to_end(tab.name)

    def dump(self) -> bytes:
        """What is to outlive the process; no token, no rate.

        Takes its time with many accounts, so it may be called in a thread: it works on copies.
        """
        clients, tokens = self.clients.copy(), self.tokens.copy()
        state = {
            "key": self._names.key.hex(),
            "clients": _rows((format_loki(name), one) for name, one in clients.items()),
            "tokens": _rows(tokens.items()),
        }
        return json.dumps(state).encode()

    def _load(self, stored: bytes) -> None:
        try:
            state: Any = json.loads(stored)
            self._names.key = bytes.fromhex(state["key"])
            for name, (size, time) in list(state["clients"].items())[-MOST_ACCOUNTS:]:
                account = Account(self.quotas.client, "your", int(size), int(time))
                self.clients[parse_loki(name).address] = account
            for name, (size, time) in list(state["tokens"].items())[-MOST_TOKENS:]:
                self.tokens[name] = Account(self.quotas.token, "the token's", int(size), int(time))
        except (ValueError, TypeError, KeyError, AttributeError, NameSyntaxError) as error:
            raise NameSyntaxError(f"not what this node wrote: {error}") from error


_Name = TypeVar("_Name")


def _make_room(accounts: OrderedDict[_Name, Account], most: int) -> None:
    if len(accounts) >= most:
        idle = next((name for name, one in accounts.items() if not one.is_on), None)
        if idle is not None:
            del accounts[idle]


def _rows(accounts: Iterable[tuple[str, Account]]) -> dict[str, tuple[int, Micros]]:
    return {name: (one.size, one.time) for name, one in accounts if one.size or one.time}
