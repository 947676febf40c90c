"""Which routers a path goes through.

Always: different routers, in different IPv4 networks of `unique_range` bits; no blacklisted one,
not the node itself, none that is out (outages.py) or excluded; so the first hop is the last only
of a path of one hop. Blame (profile.py) lowers a router's probability in every place, and so does
being on other paths of ours: the death of one router must not end all of them.

1. The last hop is the one asked for, else any, preferably none of those to avoid.
2. The first hop is one of the stored four (guards.py), or a pinned one. If the end of one path
   could leave all others with the same first hop, it is another than the most used, unless that
   other was much blamed just now.
3. The second hop, if it is not the last, is one of the second hops of guards.py.
4. The hops between are any.

When that cannot be had, as in networks of a few routers, rules are given up in this order, and
nothing else is ever given up: last hops to avoid are not avoided; the second hop is any; the
first hop is any (pinned ones stay); routers that are out for three seconds may be tried.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lokinet_node.base.addresses import parse_ipv4
from lokinet_node.base.constants import DEFAULT_HOPS
from lokinet_node.base.ids import short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lokinet_node.base.ids import RouterID
    from lokinet_node.base.units import Micros
    from lokinet_node.netdb.book import ContactBook
    from lokinet_node.netdb.chance import Chooser
    from lokinet_node.netdb.guards import Guards
    from lokinet_node.netdb.outages import Outages
    from lokinet_node.netdb.profile import Profile
    from lokinet_node.wire.contact import Contact

UNTRUSTWORTHY: Final = 3.0
"""Ours: blame at which a first hop is no longer preferred for the sake of having two.

Without it a router that refuses every build would be asked again and again.
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the configuration says about paths; pinned first hops are given to Guards."""

    hops: int = DEFAULT_HOPS
    unique_range: int = 32
    """Hops share no IPv4 network of this prefix length; 0: they may."""
    blacklist: frozenset[RouterID] = frozenset()
    own: RouterID | None = None
    """This node's own id, if it is a router."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One path that is wanted."""

    pivot: RouterID | None = None
    """The last hop; None: any."""
    exclude: frozenset[RouterID] = frozenset()
    """Not on this path. Not for routers that others reported: those belong into the profile."""
    avoid_pivots: frozenset[RouterID] = frozenset()
    """Rather not as last hop: those of the paths there are."""
    first_hops: tuple[RouterID, ...] = ()
    """First hops of the paths that are ready or being built, one entry a path."""
    in_use: tuple[RouterID, ...] = ()
    """All hops of these paths, one entry for each time one is used."""


@dataclass(frozen=True, slots=True)
class NoChoice:
    """There is no such path now; the reason is a sentence for the status page."""

    reason: str


class HopChooser:
    """Chooses the hops of paths from what the node knows about routers."""

    def __init__(
        self,
        book: ContactBook,
        rules: Rules,
        *,
        guards: Guards,
        profile: Profile,
        outages: Outages,
        chooser: Chooser,
    ) -> None:
        """All of these are shared with whoever else needs them."""
        self._book = book
        self._rules = rules
        self._guards = guards
        self._profile = profile
        self._outages = outages
        self._chooser = chooser

    def choose_hops(self, wish: Wish, now: Micros) -> list[Contact] | NoChoice:
        """Hops of one path, first to last."""
        usable = self._usable(now)
        choice = self._choose(usable, wish, now)
        if isinstance(choice, NoChoice):
            with_retries = self._usable(now, retry=True)
            if len(with_retries) > len(usable):
                second_choice = self._choose(with_retries, wish, now)
                if not isinstance(second_choice, NoChoice):
                    return second_choice
        return choice

    def link_targets(self, now: Micros) -> list[Contact]:
        """Routers a node that builds paths keeps links to: its first hops.

        As long as too few routers are known for a path: the pinned ones and the bootstrap, from
        which it learns of others.
        """
        for retry in (False, True):
            usable = self._usable(now, retry=retry)
            if len(usable) >= self._rules.hops:
                first_hops = self._guards.firsts(usable, now)
                if first_hops:
                    return first_hops
            contacts = [
                contact
                for contact in self._book.for_links(now)
                if self._is_allowed(contact.router, now, retry=retry)
            ]
            if contacts:
                return contacts
        return []

    def _is_allowed(self, router: RouterID, now: Micros, *, retry: bool) -> bool:
        if router == self._rules.own or router in self._rules.blacklist:
            return False
        if retry:
            return self._outages.may_retry(router, now)
        return not self._outages.is_out(router, now)

    def _usable(self, now: Micros, *, retry: bool = False) -> dict[RouterID, Contact]:
        return {
            contact.router: contact
            for contact in self._book.fresh(now)
            if self._is_allowed(contact.router, now, retry=retry)
        }

    def _choose(
        self, usable: dict[RouterID, Contact], wish: Wish, now: Micros
    ) -> list[Contact] | NoChoice:
        hops = self._rules.hops
        allowed = [contact for router, contact in usable.items() if router not in wish.exclude]
        if len(allowed) < hops:
            return NoChoice(f"{len(allowed)} usable routers, a path has {hops} hops")
        if wish.pivot is not None and all(wish.pivot != contact.router for contact in allowed):
            return NoChoice(f"the last hop {short(wish.pivot)} is not usable")
        stored = [c for c in self._guards.firsts(usable, now) if c.router not in wish.exclude]
        if self._guards.pinned and not stored:
            return NoChoice("none of the pinned first hops is usable")
        if hops == 1:
            return self._choose_one(usable, stored, wish, now)
        fit = _Fit(hops, self._rules.unique_range, self._drawn(allowed, wish, now))
        if fit.networks >= hops:
            for firsts, seconds, pivots in self._attempts(usable, stored, allowed, wish, now):
                found = fit.find(firsts, seconds, pivots)
                if found is not None:
                    return found
        return NoChoice(self._why_not(len(allowed), wish))

    def _choose_one(
        self, usable: dict[RouterID, Contact], stored: list[Contact], wish: Wish, now: Micros
    ) -> list[Contact] | NoChoice:
        """A path of one hop: its pivot, or a first hop."""
        if wish.pivot is None:
            return self._first_order(stored, wish, now)[:1]
        if self._guards.pinned and wish.pivot not in self._guards.pinned:
            return NoChoice(f"the only hop {short(wish.pivot)} is not a pinned first hop")
        return [usable[wish.pivot]]

    def _attempts(
        self,
        usable: dict[RouterID, Contact],
        stored: list[Contact],
        allowed: list[Contact],
        wish: Wish,
        now: Micros,
    ) -> Iterator[tuple[list[Contact], list[Contact], list[Contact]]]:
        """First hops, second hops and last hops to combine, each in order of preference."""
        if wish.pivot is None:
            drawn = self._drawn(allowed, wish, now)
            pivots = [contact for contact in drawn if contact.router not in wish.avoid_pivots]
            avoided = [contact for contact in drawn if contact.router in wish.avoid_pivots]
        else:
            pivots, avoided = [usable[wish.pivot]], []
        firsts = self._first_order(stored, wish, now)
        seconds: list[Contact] = []
        if self._rules.hops > 2:
            kept = self._guards.seconds(usable, now)
            seconds = self._drawn([c for c in kept if c.router not in wish.exclude], wish, now)
        yield firsts, seconds, pivots
        yield firsts, seconds, avoided
        anyone = self._drawn(allowed, wish, now)
        yield firsts, anyone, pivots + avoided
        if not self._guards.pinned:
            yield self._first_order(allowed, wish, now), seconds + anyone, pivots + avoided

    def _first_order(self, contacts: list[Contact], wish: Wish, now: Micros) -> list[Contact]:
        """First hops in random order; if one is used too much, the others before it."""
        drawn = self._drawn(contacts, wish, now)
        uses = Counter(wish.first_hops)
        most = max(uses.values(), default=0)
        if uses.total() - most < 2:
            drawn.sort(
                key=lambda contact: (
                    most in (0, uses[contact.router])
                    or self._profile.of(contact.router, now) > UNTRUSTWORTHY
                )
            )
        return drawn

    def _drawn(self, contacts: Sequence[Contact], wish: Wish, now: Micros) -> list[Contact]:
        """In random order, those likely early that are little blamed and little used."""
        uses = Counter(wish.in_use)
        weight = self._profile.weight
        return self._chooser.order(
            contacts, lambda c: max(1, weight(c.router, now) // (1 + uses[c.router]) ** 2)
        )

    def _why_not(self, count: int, wish: Wish) -> str:
        hops = self._rules.hops
        first = "a pinned first hop" if self._guards.pinned else "another first hop"
        ends = f" from {first} to {short(wish.pivot)}" if wish.pivot is not None else ""
        apart = (
            f" in different /{self._rules.unique_range} networks"
            if self._rules.unique_range
            else ""
        )
        return f"{count} usable routers make no path of {hops} hops{apart}{ends}"


class _Fit:
    """Puts hops together so that no two share a network."""

    def __init__(self, hops: int, unique_range: int, between: list[Contact]) -> None:
        """`between` is every router that may be used, in order of preference for the middle."""
        self._hops = hops
        self._between = between
        self._network: dict[RouterID, int | RouterID] = {
            contact.router: parse_ipv4(contact.ip) >> 32 - unique_range
            if unique_range
            else contact.router
            for contact in between
        }
        self._distinct = frozenset(self._network.values())

    @property
    def networks(self) -> int:
        """How many hops could be used together at most."""
        return len(self._distinct)

    def find(
        self, firsts: Sequence[Contact], seconds: Sequence[Contact], pivots: Sequence[Contact]
    ) -> list[Contact] | None:
        """The first combination that fits, last hops varied slowest."""
        network = self._network
        for pivot in pivots:
            for first in firsts:
                if network[first.router] == network[pivot.router]:
                    continue
                if self._hops == 2:
                    return [first, pivot]
                for second in seconds:
                    found = self._complete(first, second, pivot)
                    if found is not None:
                        return found
        return None

    def _complete(self, first: Contact, second: Contact, pivot: Contact) -> list[Contact] | None:
        taken = {self._network[contact.router] for contact in (first, second, pivot)}
        # Every network has a candidate, so counting networks tells whether there is an answer.
        if len(taken) < 3 or len(self._distinct - taken) < self._hops - 3:
            return None
        middle: list[Contact] = []
        for contact in self._between:
            if len(middle) == self._hops - 3:
                break
            network = self._network[contact.router]
            if network not in taken:
                taken.add(network)
                middle.append(contact)
        return [first, second, *middle, pivot]
