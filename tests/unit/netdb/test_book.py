"""The contact book believes what is signed, keeps what is newest and finds what is nearest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import WireError
from lokinet_node.base.ids import LinkKey
from lokinet_node.base.units import HOUR, MINUTE
from lokinet_node.netdb.book import MOST_CONTACTS, ContactBook
from tests.unit.netdb.routers import LIFETIME, NETID, NOW, book_of, contact, forged, router

KEY = LinkKey(b"\x07" * 32)


def test_contact_is_found_by_router_and_by_link_key() -> None:
    book = book_of([contact(1), contact(2)])
    assert len(book) == 2
    assert book.get(router(1)) == contact(1)
    assert book.get(router(3)) is None
    assert book.by_link_key(contact(2).link_key) == contact(2)
    assert book.by_link_key(KEY) is None
    assert router(2) in book


def test_newer_contact_wins_and_older_or_equal_is_no_news() -> None:
    book = book_of([contact(1)])
    newer = contact(1, issued=NOW + 1, link_key=KEY)
    assert not book.add(contact(1), NOW)
    assert book.add(newer, NOW)
    assert not book.add(contact(1), NOW)
    assert book.get(router(1)) == newer
    assert book.by_link_key(KEY) == newer
    assert book.by_link_key(contact(1).link_key) is None


@pytest.mark.parametrize(
    "bad",
    [
        forged(contact(1)),
        contact(1, netid=b"other"),
        contact(1, issued=NOW - 3 * HOUR),
        contact(1, issued=NOW + HOUR),
    ],
    ids=["forged", "other network", "expired", "from the future"],
)
def test_contact_that_is_not_to_be_believed_is_a_wire_error(bad: object) -> None:
    book = book_of([])
    with pytest.raises(WireError):
        book.add(bad, NOW)  # type: ignore[arg-type]
    assert len(book) == 0


def test_private_addresses_are_refused_where_bogons_are() -> None:
    book = ContactBook(netid=NETID, contact_lifetime=LIFETIME, block_bogons=True)
    with pytest.raises(WireError, match="public internet"):
        book.add(contact(1, ip="10.0.0.1"), NOW)
    assert book.add(contact(1, ip="5.0.0.1"), NOW)


def test_claim_to_the_link_key_of_another_does_not_take_it_over() -> None:
    honest = contact(1, link_key=KEY)
    book = book_of([honest, contact(2, link_key=KEY)])
    assert book.by_link_key(KEY) == honest
    assert book.get(router(2)) is not None
    book.add(contact(1, issued=NOW + 1), NOW)
    assert book.by_link_key(KEY) == contact(2, link_key=KEY)


def test_contact_is_fresh_until_it_expires() -> None:
    book = book_of([contact(1), contact(2, issued=NOW - HOUR)])
    assert [c.router for c in book.fresh(NOW)] == [router(1), router(2)]
    assert book.deadline() == NOW + HOUR
    assert [c.router for c in book.fresh(NOW + HOUR)] == [router(1)]
    assert book.get_fresh(router(2), NOW + HOUR) is None
    assert book.get_fresh(router(1), NOW + HOUR) == contact(1)
    assert book.expire(NOW + HOUR) == [router(2)]
    assert book.get(router(2)) is None
    assert book.by_link_key(contact(2).link_key) is None
    assert book.records(NOW + HOUR) == [contact(1).raw]


def test_contact_counts_no_longer_than_the_network_lets_it() -> None:
    book = book_of([contact(1, lifetime_s=(1 << 32) - 1)])
    assert book.fresh(NOW + LIFETIME - 1)
    assert book.fresh(NOW + LIFETIME) == []


def test_expired_bootstrap_contact_is_for_links_only() -> None:
    old = contact(1, issued=NOW - 24 * HOUR)
    book = book_of([contact(2)])
    assert book.add_bootstrap(old, NOW)
    assert book.expire(NOW) == []
    assert book.for_links(NOW) == [contact(2), old]
    assert book.fresh(NOW) == [contact(2)]
    assert book.records(NOW) == [contact(2).raw]
    assert [c.router for c in book.closest(bytes(32), 8, NOW)] == [router(2)]
    assert book.by_link_key(old.link_key) == old
    assert book.get(router(1)) == old
    with pytest.raises(WireError):
        book.add_bootstrap(forged(contact(3)), NOW)


def test_bootstrap_router_stays_one_whichever_contact_came_first() -> None:
    book = book_of([contact(1)])
    book.add_bootstrap(contact(1, issued=NOW - 1), NOW)
    assert book.expire(NOW + 24 * HOUR) == []
    assert book.for_links(NOW + 24 * HOUR) == [contact(1)]
    assert book.deadline() is None


@given(st.binary(min_size=32, max_size=32), st.integers(0, 14), st.sets(st.integers(1, 12)))
def test_closest_are_those_with_the_least_xor_distance(
    key: bytes, count: int, excluded: set[int]
) -> None:
    book = book_of(contact(index) for index in range(1, 13))
    exclude = {router(index) for index in excluded}
    by_hand = sorted(
        (router(index) for index in range(1, 13) if index not in excluded),
        key=lambda r: bytes(a ^ b for a, b in zip(r, key, strict=True)),
    )
    assert [c.router for c in book.closest(key, count, NOW, exclude)] == by_hand[:count]


def test_bad_record_spoils_no_other() -> None:
    book = book_of([contact(1)])
    records = [contact(1).raw, b"junk", contact(2).raw, forged(contact(3)).raw, b""]
    learned = book.learn(records, NOW)
    assert learned.news == (contact(2),)
    assert learned.known == (contact(1),)
    assert learned.refused == 3


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_hostile_records_are_only_refused(records: list[bytes]) -> None:
    assert book_of([]).learn(records, NOW).refused == len(records)


def test_full_book_renews_what_it_has_and_takes_nothing_new() -> None:
    book = book_of([contact(1)])
    for index in range(2, MOST_CONTACTS + 1):
        # Filled without checking 4000 signatures.
        book._contacts[router(index)] = contact(1)
    with pytest.raises(WireError, match="full"):
        book.add(contact(9999), NOW)
    assert book.add(contact(1, issued=NOW + 1), NOW)
    assert book.add_bootstrap(contact(9999, issued=NOW - MINUTE), NOW)
