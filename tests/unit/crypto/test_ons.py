"""ONS records open as the published ones do; names are what the registry takes."""

from __future__ import annotations

import base64
import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.names import format_loki
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.ons import (
    VALUE_SIZE,
    decrypt_value,
    encrypt_value,
    name_hash,
    validate_name,
)

# Both records are Lokinet's own: blocks.loki as registered on its main chain, jason.loki from its
# test/service/test_llarp_service_name.cpp.
PUBLISHED = [
    (
        "blocks.loki",
        "b52c088ae51171a9e2e44cc98c10006547e2981d4cbe196525c948fa2fa48a11e8712eccd0ba20e4b93fb3989361df8a"
        "6e3e80c7927108612475a0eeddf472af6177c9776d6943ed",
        "kcpyawm9se7trdbzncimdi5t7st4p5mh9i1mg7gkpuubi4k4ku1y.loki",
    ),
    (
        "jason.loki",
        "0ba76cbfdb6dc8f950da57ae781912f31c8ad0c55dbf86b88cb0391f563261a9656571a817be4092969f8a78ee0fcee2"
        "60424acb4a1f4bbdd27348b71de006b6152dd04ed11bf3c4",
        "azfoj73snr9f3neh5c6sf7rtbaeabyxhr1m4un5aydsmsrxo964o.loki",
    ),
]


@pytest.mark.parametrize(("name", "value", "address"), PUBLISHED)
def test_published_records_open_to_their_addresses(name: str, value: str, address: str) -> None:
    opened = decrypt_value(name, bytes.fromhex(value))
    assert format_loki(LokiAddress(opened)) == address


def test_the_published_hash_is_the_hash_of_the_lower_case_name() -> None:
    published = base64.b64decode("IeynFEjyxigd0Lcmo5FWYaGp/uVXsa5grK8Jml0ai3o=")
    assert name_hash("blocks.loki") == name_hash("Blocks.LOKI") == published


@pytest.mark.parametrize(("name", "value", "address"), PUBLISHED)
def test_sealing_with_the_published_nonce_gives_the_published_record(
    name: str, value: str, address: str
) -> None:
    published = bytes.fromhex(value)
    opened = decrypt_value(name, published)
    assert encrypt_value(name, opened, lambda size: published[-size:]) == published


@given(st.binary(min_size=32, max_size=32))
def test_a_value_opens_under_its_own_name_only(address: bytes) -> None:
    value = encrypt_value("web.loki", address, os.urandom)
    assert len(value) == VALUE_SIZE == 72
    assert decrypt_value("WEB.loki", value) == address
    with pytest.raises(CryptoError):
        decrypt_value("wed.loki", value)


@given(st.binary(max_size=100))
def test_any_bytes_are_no_value(value: bytes) -> None:
    with pytest.raises(CryptoError):
        decrypt_value("web.loki", value)


def test_two_values_of_one_address_differ() -> None:
    address = bytes(32)
    assert encrypt_value("web.loki", address, os.urandom) != encrypt_value(
        "web.loki", address, os.urandom
    )


def test_an_address_of_another_size_is_refused() -> None:
    with pytest.raises(CryptoError):
        encrypt_value("web.loki", bytes(33), os.urandom)


TAKEN = [
    "a.loki",  # the shortest there is
    "420.loki",
    "memerionos.loki",
    "Web.LOKI",  # folded to lower case
    "a-b.loki",
    "a--b.loki",  # '--' in second place
    "abc--d.loki",  # '--' in fourth place
    "xn--animewasindeedamistake.loki",
    "a" * 32 + ".loki",
    "a" * 31 + "-" + "b" * 31 + ".loki",
    "localhosts.loki",
    "loki-loki.loki",
]

REFUSED = [
    ("web", "does not end in .loki"),
    ("", "does not end in .loki"),
    ("web.loki.", "does not end in .loki"),
    ("web.snode", "does not end in .loki"),
    ("webloki", "does not end in .loki"),
    (".loki", "nothing stands before"),
    ("localhost.loki", "reserved"),
    ("LocalHost.loki", "reserved"),
    ("loki.loki", "reserved"),
    ("snode.loki", "reserved"),
    ("www.foo.loki", "no subdomain"),
    ("the.goog.loki", "no subdomain"),
    ("foo.loki.loki", "no subdomain"),
    (".foo.loki", "begins and ends"),
    ("foo..loki", "begins and ends"),
    ("-loki.loki", "begins and ends"),
    ("2222222222a-.loki", "begins and ends"),
    ("-.loki", "begins and ends"),
    ("_dmarc.loki", "begins and ends"),
    ("foo_bar.loki", "letters"),
    ("foo bar.loki", "letters"),
    ("foo\nbar.loki", "letters"),
    ("bücher.loki", "letters"),
    ("ﬁ.loki", "begins and ends"),
    ("\u212aing.loki", "begins and ends"),  # the Kelvin sign, which str.lower() makes a k
    ("\udce9x.loki", "begins and ends"),  # what a command line makes of a byte that is no UTF-8
    ("bn--lolexdeeeeee.loki", "punycode"),
    ("xm--a.loki", "punycode"),
    ("x---a.loki", "punycode"),
    ("a" * 33 + ".loki", "at most 32"),
    ("y" * 52 + ".loki", "at most 32"),
    ("a" * 32 + "-" + "b" * 31 + ".loki", "at most 63"),
]


@pytest.mark.parametrize("name", TAKEN)
def test_the_registry_takes(name: str) -> None:
    validate_name(name)


@pytest.mark.parametrize(("name", "reason"), REFUSED)
def test_the_registry_refuses(name: str, reason: str) -> None:
    with pytest.raises(NameSyntaxError, match=reason):
        validate_name(name)


@given(st.text())
def test_any_text_is_a_name_or_a_name_syntax_error(text: str) -> None:
    for name in (text, text + ".loki"):
        name_hash(name)
        try:
            validate_name(name)
        except NameSyntaxError:
            continue
        label = name[:-5].lower()
        assert set(label) <= set(string.ascii_lowercase + string.digits + "-")
        assert 1 <= len(label) <= 63
