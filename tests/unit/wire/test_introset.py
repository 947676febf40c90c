"""Introsets and introductions come back from their bytes; other bytes are only WireError."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import BlindedKey, Handle, LokiAddress, RouterID
from lokinet_node.base.srv import SrvRecord, parse_srv
from lokinet_node.wire.introset import (
    MAX_SEALED_SIZE,
    MAX_SERVICES,
    MAX_SERVICES_SIZE,
    PLAINTEXT_SIZES,
    Introduction,
    Introset,
    SealedIntroset,
    decode_introductions,
    decode_introset,
    decode_sealed_introset,
    decode_services,
    encode_authenticated,
    encode_extras,
    encode_introductions,
    encode_introset,
    encode_sealed_body,
    encode_services,
)
from lokinet_node.wire.offer import (
    MAX_OFFER_SIZE,
    MAX_PORTS,
    MAX_RANGES,
    Offer,
    decode_offer,
    encode_offer,
)

keys = st.binary(min_size=32, max_size=32)
introductions = st.lists(
    st.builds(
        Introduction,
        router=keys.map(RouterID),
        handle=st.integers(2, 2**64 - 1).map(Handle),
        expires_s=st.integers(0, 2**32 - 1),
    ),
    max_size=12,
).map(tuple)
numbers = st.integers(0, 0xFFFF)
services = st.lists(
    st.builds(
        SrvRecord,
        service=st.sampled_from(["_a._b", "_xmpp-client._tcp.www", "_" + "x" * 62 + "._udp"]),
        priority=numbers,
        weight=numbers,
        port=numbers,
        target=st.sampled_from(["", ".", "web.loki", "y" * 52 + ".snode"]),
    ),
    max_size=12,
).map(tuple)
ranges = st.builds(
    lambda first, prefix: (first >> (128 - prefix) << (128 - prefix), prefix),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)
offers = st.builds(Offer, is_exit=st.just(False), needs_auth=st.booleans()) | st.builds(
    Offer,
    is_exit=st.just(True),
    needs_auth=st.booleans(),
    ranges=st.lists(ranges, max_size=MAX_RANGES).map(tuple),
    services=st.lists(st.tuples(st.integers(0, 255), numbers), max_size=MAX_PORTS).map(tuple),
)
introsets = st.builds(
    Introset,
    address=keys.map(LokiAddress),
    kem_key=st.binary(min_size=1184, max_size=1184),
    gate_key=st.binary(min_size=16, max_size=16),
    introductions=introductions,
    services=services,
    offer=offers,
)
ONE = Introduction(RouterID(b"r" * 32), Handle(2), 3)
INTROSET = Introset(LokiAddress(b"a" * 32), b"k" * 1184, b"g" * 16, (ONE,))
WITH_SERVICE = replace(INTROSET, services=(parse_srv("_http._tcp 5 6 7"),))
NONCE = b"n" * 24
SIGNATURE = b"s" * 64


def seal(ciphertext: bytes) -> bytes:
    authenticated = encode_authenticated(b"b" * 32, 5, 6)
    return encode_sealed_body(authenticated, NONCE, ciphertext) + SIGNATURE


@given(introductions, st.binary(max_size=9), st.binary(max_size=9))
def test_introductions_come_back_from_between_other_bytes(
    given_ones: tuple[Introduction, ...], before: bytes, after: bytes
) -> None:
    encoded = encode_introductions(given_ones)
    data = before + encoded + after
    expected = (given_ones, len(before) + len(encoded))
    assert decode_introductions(data, len(before)) == expected
    assert decode_introductions(memoryview(data), len(before)) == expected


@given(introsets)
def test_every_introset_comes_back_from_its_bytes(introset: Introset) -> None:
    assert decode_introset(encode_introset(introset)) == introset


@given(st.binary(min_size=16, max_size=4096 - 135))
def test_every_sealed_introset_comes_back_from_its_bytes(ciphertext: bytes) -> None:
    raw = seal(ciphertext)
    sealed = decode_sealed_introset(memoryview(raw))
    assert sealed == SealedIntroset(BlindedKey(b"b" * 32), 5, 6, NONCE, ciphertext, SIGNATURE, raw)
    assert sealed.authenticated == raw[:45]
    assert sealed.expires == 6_000_005


def test_the_bytes_are_where_the_specification_puts_them() -> None:
    packed = b"r" * 32 + b"\0" * 7 + b"\2" + b"\0\0\0\3"
    assert encode_introductions([ONE]) == b"\1" + packed
    head = b"\3" + b"a" * 32 + b"k" * 1184 + b"g" * 16 + b"\1" + packed
    assert encode_introset(INTROSET) == (head + b"\0").ljust(2048, b"\0")
    service = b"\x0a_http._tcp" + b"\0\5\0\6\0\7" + b"\0"
    assert encode_introset(WITH_SERVICE) == (head + b"\1" + service).ljust(2048, b"\0")
    exit_ = Offer(True, True, ((0xFFFF << 32, 96),), ((6, 443), (1, 0)))
    offer = b"\3\1\x60" + bytes(10) + b"\xff\xff\0\0\0\0" + b"\2\6\1\xbb\1\0\0"
    with_exit = replace(WITH_SERVICE, offer=exit_)
    assert encode_introset(with_exit) == (head + b"\1" + service + offer).ljust(2048, b"\0")
    assert seal(b"c" * 300) == (
        b"\1" + b"b" * 32 + b"\0" * 7 + b"\5" + b"\0\0\0\6" + NONCE + b"\1\x2c" + b"c" * 300
        + SIGNATURE
    )  # fmt: skip


@given(st.binary(max_size=2000))
def test_random_bytes_are_only_ever_a_wire_error(data: bytes) -> None:
    decoders = (decode_introset, decode_sealed_introset, decode_introductions)
    some = (lambda some: decode_services(some, 0), lambda some: decode_offer(some, 0))
    for decode in (*decoders, *some):
        for candidate in (data, b"\1" + data, b"\3" + data):
            try:
                decode(candidate)
            except WireError:
                continue


@given(st.integers(1200, 1400) | st.integers(0, 2047), st.integers(1, 255))
def test_a_changed_byte_is_seen_or_changes_the_introset(at: int, change: int) -> None:
    mutated = bytearray(encode_introset(WITH_SERVICE))
    mutated[at] ^= change
    try:
        introset = decode_introset(bytes(mutated))
    except WireError:
        return
    assert introset != WITH_SERVICE
    assert encode_introset(introset) == mutated


@given(st.integers(0, 435), st.integers(1, 255))
def test_a_changed_byte_is_seen_or_changes_the_sealed_introset(at: int, change: int) -> None:
    mutated = bytearray(seal(b"c" * 301))
    mutated[at] ^= change
    try:
        sealed = decode_sealed_introset(bytes(mutated))
    except WireError:
        return
    assert replace(sealed, raw=b"") != replace(decode_sealed_introset(seal(b"c" * 301)), raw=b"")


@pytest.mark.parametrize("cut", [1, 44, 1277, 2047])
def test_a_cut_or_lengthened_introset_is_refused(cut: int) -> None:
    raw = encode_introset(INTROSET)
    for data in (raw[:-cut], raw + bytes(cut)):
        with pytest.raises(WireError):
            decode_introset(data)


@pytest.mark.parametrize("size", [15, MAX_SEALED_SIZE - 135 + 1])
def test_a_sealed_introset_of_a_bad_size_is_refused(size: int) -> None:
    with pytest.raises(WireError):
        decode_sealed_introset(seal(bytes(size)))


@pytest.mark.parametrize("handle", [0, 1])
def test_a_reserved_handle_is_nobody_s_introduction(handle: int) -> None:
    data = encode_introductions([replace(ONE, handle=Handle(handle))])
    with pytest.raises(WireError):
        decode_introductions(data)


def test_thirteen_introductions_are_refused_at_both_ends() -> None:
    with pytest.raises(LocalProtocolError):
        encode_introductions([ONE] * 13)
    with pytest.raises(WireError):
        decode_introductions(b"\x0d" + encode_introductions([ONE])[1:] * 13)


@given(introsets)
def test_introsets_have_two_sizes_whatever_is_in_them(introset: Introset) -> None:
    size = len(encode_introset(introset))
    assert size in PLAINTEXT_SIZES
    if not introset.services and len(encode_offer(introset.offer)) < 285:
        assert size == PLAINTEXT_SIZES[0]


def test_an_offer_of_other_bytes_is_refused() -> None:
    good = encode_offer(Offer(True, False, ((1 << 127, 1),), ((6, 80),)))
    assert decode_offer(good, 0) == (Offer(True, False, ((1 << 127, 1),), ((6, 80),)), len(good))
    bad = [b"", b"\4", b"\1", *(good[:cut] for cut in range(1, len(good)))]
    bad += [b"\1\x11" + bytes(17 * 17) + b"\0", b"\1\0\x21" + bytes(33 * 3)]
    bad += [b"\1\1\x81" + bytes(16) + b"\0", b"\1\1\0" + b"\x80" + bytes(15) + b"\0"]
    for data in bad:
        with pytest.raises(WireError):
            decode_offer(data, 0)


def test_an_offer_has_a_limit_of_its_own_and_one_with_the_services() -> None:
    with pytest.raises(LocalProtocolError):
        encode_offer(Offer(True, ranges=((0, 0),) * (MAX_RANGES + 1)))
    with pytest.raises(LocalProtocolError):
        encode_offer(Offer(True, services=((6, 1),) * (MAX_PORTS + 1)))
    most = Offer(True, True, ((0, 0),) * MAX_RANGES, ((6, 1),) * MAX_PORTS)
    assert len(encode_offer(most)) == MAX_OFFER_SIZE
    longest = (SrvRecord("_a._b" + ".c" * 40, 1, 2, 3, "x." * 13 + "loki"),) * MAX_SERVICES
    assert encode_extras((), most)
    with pytest.raises(LocalProtocolError):
        encode_extras(longest, most)


def test_the_largest_introset_fits() -> None:
    longest = SrvRecord("_a._b" + ".c" * 40, 1, 2, 3, "x." * 13 + "loki")
    services_ = (longest,) * MAX_SERVICES
    assert len(encode_services(services_)) <= MAX_SERVICES_SIZE
    introset = replace(INTROSET, introductions=(ONE,) * 12, services=services_)
    plaintext = encode_introset(introset)
    assert decode_introset(plaintext) == introset
    assert len(seal(plaintext + bytes(16))) <= MAX_SEALED_SIZE


@pytest.mark.parametrize(
    "services_",
    [
        (SrvRecord("_a._b", 1, 2, 3),) * 17,
        (SrvRecord("_a._b" + ".c" * 60, 1, 2, 3, "x." * 40 + "loki"),) * 10,
        (SrvRecord("_a._b", 1, 2, 3),) * 300,
    ],
)
def test_too_many_services_are_refused_at_both_ends(services_: tuple[SrvRecord, ...]) -> None:
    with pytest.raises(LocalProtocolError):
        encode_services(services_)
    one = encode_services(services_[:1])[1:]
    with pytest.raises(WireError):
        decode_services(bytes((min(len(services_), 255),)) + one * len(services_), 0)


@pytest.mark.parametrize(
    "service",
    [
        SrvRecord("http._tcp", 1, 2, 3),
        SrvRecord("_http._TCP", 1, 2, 3),
        SrvRecord("_http._tcp", 1, 2, 3, "example.com"),
        SrvRecord("_http._tcp", 1, 2, 3, "web.loki."),
    ],
)
def test_a_service_no_ini_file_can_make_is_refused(service: SrvRecord) -> None:
    with pytest.raises(WireError):
        decode_services(encode_services([service]), 0)


def test_keys_of_a_wrong_size_are_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        encode_introset(replace(INTROSET, kem_key=b""))
    with pytest.raises(LocalProtocolError):
        encode_introset(replace(INTROSET, gate_key=b""))


def test_handles_and_keys_are_not_shown() -> None:
    assert "4660" not in repr(replace(ONE, handle=Handle(4660)))
    assert "gggg" not in repr(INTROSET)
