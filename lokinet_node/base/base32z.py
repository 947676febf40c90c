"""base32z, the alphabet of every Lokinet address.

Bits are taken most significant first in groups of five; the last group is padded with zero
bits. 32 bytes make 52 characters, the last of which carries one bit: always `y` or `o`.
Encoding is lower case; decoding takes either case.
"""

from __future__ import annotations

from lokinet_node.base.errors import NameSyntaxError

ALPHABET = "ybndrfg8ejkmcpqxot1uwisza345h769"
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)} | {
    letter.upper(): value for value, letter in enumerate(ALPHABET)
}


def encode_base32z(data: bytes) -> str:
    """Text of ceil(8 n / 5) characters for n bytes."""
    length = (len(data) * 8 + 4) // 5
    bits = int.from_bytes(data, "big") << (length * 5 - len(data) * 8)
    return "".join(ALPHABET[(bits >> shift) & 31] for shift in range(length * 5 - 5, -1, -5))


def decode_base32z(text: str) -> bytes:
    """The bytes behind a text; NameSyntaxError for any text that encode_base32z cannot make.

    Upper case is taken too, so that one value has one lower-case spelling and no other.
    """
    bits = 0
    for letter in text:
        value = _VALUES.get(letter)
        if value is None:
            raise NameSyntaxError(f"{letter!r} is not a base32z character")
        bits = bits << 5 | value
    size, spare = divmod(len(text) * 5, 8)
    if spare >= 5:
        raise NameSyntaxError(f"no value has {len(text)} base32z characters")
    if bits & ((1 << spare) - 1):
        raise NameSyntaxError("the last base32z character carries bits beyond the value")
    return (bits >> spare).to_bytes(size, "big")
