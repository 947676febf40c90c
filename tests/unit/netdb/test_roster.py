"""Who is a router: what a chain says, and what that does to a contact book."""

from __future__ import annotations

import pytest

from lokinet_node.base.errors import WireError
from lokinet_node.base.units import HOUR
from lokinet_node.netdb import book as book_room
from lokinet_node.netdb.book import ContactBook
from lokinet_node.netdb.roster import Roster
from tests.unit.netdb.routers import NOW, book_of, contact, router


def closed(*active: int, decommissioned: tuple[int, ...] = ()) -> ContactBook:
    book = book_of([contact(number) for number in range(1, 6)])
    book.roster.close()
    book.roster.update(map(router, active), map(router, decommissioned))  # type: ignore[arg-type]
    return book


def test_without_a_chain_everybody_counts_and_with_one_nobody_before_it_spoke() -> None:
    roster = Roster()
    assert roster.is_active(router(1))
    assert roster.is_registered(router(1))
    roster.close()
    assert not roster.is_active(router(1))
    assert not roster.is_registered(router(1))


def test_a_list_says_who_is_active_and_who_is_only_registered() -> None:
    roster = Roster()
    roster.close()
    assert roster.update([router(1)], [router(2)])
    assert (roster.is_active(router(1)), roster.is_registered(router(1))) == (True, True)
    assert (roster.is_active(router(2)), roster.is_registered(router(2))) == (False, True)
    assert (roster.is_active(router(3)), roster.is_registered(router(3))) == (False, False)
    assert not roster.update([router(1)], [router(2)]), "no news"
    assert roster.update([router(1), router(2)], [])


def test_an_empty_list_is_no_news() -> None:
    roster = Roster()
    roster.close()
    roster.update([router(1)], [])
    assert not roster.update([], [])
    assert roster.is_active(router(1))


def test_only_active_routers_are_hops_holders_and_told_of() -> None:
    book = closed(1, 2, decommissioned=(3,))
    active = {router(1), router(2)}
    assert {one.router for one in book.fresh(NOW)} == active
    assert {one.router for one in book.for_links(NOW)} == active
    assert {one.router for one in book.closest(bytes(32), 5, NOW)} == active
    assert len(book.records(NOW)) == 2
    assert book.get_fresh(router(3), NOW) is None
    assert book.get_fresh(router(1), NOW) is not None


def test_contacts_of_others_stay_and_count_once_their_routers_are_registered() -> None:
    book = closed(1)
    assert len(book) == 5
    book.expire(NOW)
    book.roster.update([router(1), router(4)], [])
    assert book.get_fresh(router(4), NOW) == contact(4)
    book.expire(NOW + 3 * HOUR)
    assert len(book) == 0


def test_strangers_make_room_for_routers_and_never_the_other_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(book_room, "MOST_CONTACTS", 5)
    book = closed(1, 2, 3, 4, 6, 7)
    with pytest.raises(WireError, match="full"):
        book.add(contact(8), NOW)
    assert book.add(contact(6), NOW)
    assert book.get(router(5)) is None, "the stranger went"
    with pytest.raises(WireError, match="full"):
        book.add(contact(7), NOW)
    assert len(book) == 5
