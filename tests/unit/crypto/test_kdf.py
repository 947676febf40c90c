"""Key derivation and hashes agree with their RFCs."""

import pytest

from lokinet_node.crypto.kdf import blake2b, blake2s, expand, hkdf

# RFC 5869, appendix A, cases 1-3: key material, salt, info, length, PRK, OKM.
RFC_5869 = [
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
        "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
        "cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("ikm", "salt", "info", "prk", "okm"), RFC_5869)
def test_hkdf_agrees_with_rfc_5869(
    ikm: bytes, salt: bytes, info: bytes, prk: str, okm: str
) -> None:
    size = len(okm) // 2
    assert expand(bytes.fromhex(prk), info, size).hex() == okm
    assert hkdf(salt, ikm, info, size).hex() == okm


def test_a_label_may_be_text() -> None:
    assert expand(bytes(32), "label", 44) == expand(bytes(32), b"label", 44)
    assert hkdf(b"", bytes(32), "label", 44) == hkdf(b"", bytes(32), b"label", 44)


def test_blake2_agrees_with_rfc_7693() -> None:
    assert blake2s(b"abc").hex() == (
        "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"
    )


def test_blake2b_agrees_with_a_published_value() -> None:
    """BLAKE2b-256 of "abc" as the BLAKE2 tools print it."""
    assert blake2b(b"abc").hex() == (
        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"
    )


def test_blake2s_takes_key_and_size() -> None:
    """First and last line of the keyed BLAKE2s reference vectors, key 00…1f."""
    key = bytes(range(32))
    assert blake2s(b"", key=key).hex() == (
        "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49"
    )
    assert len(blake2s(b"", key=key, size=16)) == 16
    assert blake2s(b"", key=key, size=16) != blake2s(b"", key=key)[:16]
    assert blake2s(memoryview(b"abc")) == blake2s(b"abc")
