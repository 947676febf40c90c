"""Addresses: published base32z vectors, and every way a name can be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.ids import LokiAddress, RouterID, short
from lokinet_node.base.names import (
    decode_base32z,
    encode_base32z,
    format_loki,
    format_snode,
    is_localhost,
    parse_loki,
    parse_snode,
)

# Zero, all ones and a count: recomputed by hand from the alphabet; then two addresses that
# Lokinet's own ONS tests publish (blocks.loki and jason.loki).
VECTORS = [
    (bytes(32), "y" * 52),
    (b"\xff" * 32, "9" * 51 + "o"),
    (bytes(range(32)), "yyyoryarywdyqnyjbefoadeqbhebnrounoktcfaadrpbs8y7daxo"),
]
PUBLISHED = [
    "kcpyawm9se7trdbzncimdi5t7st4p5mh9i1mg7gkpuubi4k4ku1y",
    "azfoj73snr9f3neh5c6sf7rtbaeabyxhr1m4un5aydsmsrxo964o",
]


@pytest.mark.parametrize(("data", "text"), VECTORS)
def test_vectors_hold_in_both_directions(data: bytes, text: str) -> None:
    assert encode_base32z(data) == text
    assert decode_base32z(text) == data
    assert decode_base32z(text.upper()) == data


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_addresses_survive_a_round_trip(text: str) -> None:
    assert format_loki(parse_loki(text + ".loki").address) == text + ".loki"
    assert format_snode(parse_snode(text + ".snode")) == text + ".snode"


@given(st.binary(max_size=80))
def test_any_bytes_survive_a_round_trip(data: bytes) -> None:
    assert decode_base32z(encode_base32z(data)) == data


@given(st.text(max_size=60))
def test_any_text_decodes_to_its_only_spelling_or_is_refused(text: str) -> None:
    try:
        data = decode_base32z(text)
    except NameSyntaxError:
        return
    assert encode_base32z(data) == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".loki",
        "loki",
        "y" * 51 + ".loki",
        "y" * 53 + ".loki",
        "y" * 51 + "b.loki",
        "y" * 51 + "2.loki",
        "l" * 52 + ".loki",
        "y" * 52 + ".loki.",
        "y" * 52 + ".snode",
        "y" * 52 + "loki",
        "." + "y" * 52 + ".loki",
        "a.." + "y" * 52 + ".loki",
        ".a." + "y" * 52 + ".loki",
        "\u212a" + "y" * 51 + ".loki",
    ],
)
def test_malformed_loki_names_are_refused(text: str) -> None:
    with pytest.raises(NameSyntaxError):
        parse_loki(text)


@pytest.mark.parametrize("text", ["y" * 52 + ".loki", "www." + "y" * 52 + ".snode", "y.snode", ""])
def test_malformed_snode_names_are_refused(text: str) -> None:
    with pytest.raises(NameSyntaxError):
        parse_snode(text)


def test_subdomains_are_kept_and_do_not_change_the_address() -> None:
    plain = parse_loki("y" * 52 + ".loki")
    named = parse_loki("Mail.X." + "Y" * 52 + ".LOKI")
    assert named.subdomain == "mail.x"
    assert str(named) == "mail.x." + "y" * 52 + ".loki"
    assert named == plain
    assert hash(named) == hash(plain)


def test_localhost_covers_what_is_under_it_and_nothing_else() -> None:
    assert is_localhost("localhost.loki")
    assert is_localhost("a.b.localhost.loki")
    assert not is_localhost("notlocalhost.loki")


def test_short_form_is_the_first_eight_characters() -> None:
    assert short(RouterID(bytes(range(32)))) == "yyyoryar"
    assert short(LokiAddress(b"\xff" * 32)) == "99999999"
