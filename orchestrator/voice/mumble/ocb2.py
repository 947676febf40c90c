"""OCB2 with AES-128, as Mumble seals its voice datagrams with it. Pure.

OCB 2.0 is draft-krovetz-ocb-00. It was broken in 2018 (eprint.iacr.org/2019/311), no library has
it, and Mumble's servers speak nothing else: it is here for that and must not be used for anything
new. docs/decisions/0013 has the story.

A datagram is the low byte of a counter, three bytes of the tag, then the sealed bytes. The counter
is the nonce: 16 bytes, little-endian; each side begins with one that the server chose.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

__all__ = ["HEAD_BYTES", "Aes", "Box", "Refused", "seal", "unseal"]

BLOCK = 16
WHOLE = (1 << 128) - 1
POLYNOMIAL = 0x87
"""Of the field with 2^128 elements."""
TAG_BYTES = 3
"""Of 16: so much is sent."""
HEAD_BYTES = 1 + TAG_BYTES
LATEST = 30
"""A datagram so far behind the newest is refused, as Mumble does."""


class Refused(Exception):
    """Not sealed by who has the key, forged by the known attack, or seen before."""


def _double(value: int) -> int:
    doubled = value << 1
    return doubled & WHOLE ^ POLYNOMIAL if doubled >> 128 else doubled


def _number(block: bytes) -> int:
    return int.from_bytes(block, "big")


def _bytes(number: int) -> bytes:
    return number.to_bytes(BLOCK, "big")


class Aes:
    """Single blocks as numbers."""

    def __init__(self, key: bytes) -> None:
        """Of 16 bytes."""
        # The blocks of OCB are run through AES one by one: this is its inner step, no mode.
        cipher = Cipher(algorithms.AES(key), modes.ECB())
        self._seal: CipherContext = cipher.encryptor()
        self._open: CipherContext = cipher.decryptor()

    def seal(self, block: int) -> int:
        """One way."""
        return _number(self._seal.update(_bytes(block)))

    def open(self, block: int) -> int:
        """And back."""
        return _number(self._open.update(_bytes(block)))


def seal(aes: Aes, nonce: bytes, plain: bytes) -> tuple[bytes, bytes]:
    """Sealed bytes, as many, and the tag of 16."""
    plain = _harmless(plain)
    delta, checksum = aes.seal(_number(nonce)), 0
    sealed = b""
    at = 0
    while len(plain) - at > BLOCK:
        delta = _double(delta)
        block = _number(plain[at : at + BLOCK])
        sealed += _bytes(aes.seal(block ^ delta) ^ delta)
        checksum ^= block
        at += BLOCK
    rest = plain[at:]
    delta = _double(delta)
    pad = aes.seal(len(rest) * 8 ^ delta)
    # The last block is filled up with the end of the pad, which xor turns to zeros.
    last = rest + _bytes(pad)[len(rest) :]
    sealed += _bytes(pad ^ _number(last))[: len(rest)]
    checksum ^= _number(last)
    return sealed, _tag(aes, delta, checksum)


def unseal(aes: Aes, nonce: bytes, sealed: bytes) -> tuple[bytes, bytes]:
    """What was sealed and the tag it must have had, of 16 bytes; raises Refused for a forgery."""
    delta, checksum = aes.seal(_number(nonce)), 0
    plain = b""
    at = 0
    while len(sealed) - at > BLOCK:
        delta = _double(delta)
        block = aes.open(_number(sealed[at : at + BLOCK]) ^ delta) ^ delta
        plain += _bytes(block)
        checksum ^= block
        at += BLOCK
    rest = sealed[at:]
    delta = _double(delta)
    last = aes.seal(len(rest) * 8 ^ delta) ^ _number(rest.ljust(BLOCK, b"\0"))
    if last >> 8 == delta >> 8:
        raise Refused("a last block that only the known attack makes")
    plain += _bytes(last)[: len(rest)]
    checksum ^= last
    return plain, _tag(aes, delta, checksum)


def _tag(aes: Aes, delta: int, checksum: int) -> bytes:
    return _bytes(aes.seal(delta ^ _double(delta) ^ checksum))


def _harmless(plain: bytes) -> bytes:
    """The same, but for the one kind of message from which forgeries can be made.

    That is a last whole block, before the final one, with nothing in it but its last byte: it gets
    one bit more, which costs a click in what is nearly silence. Mumble does the same.
    """
    at = (len(plain) - 1) // BLOCK * BLOCK - BLOCK
    if at < 0 or any(plain[at : at + BLOCK - 1]):
        return plain
    return plain[:at] + bytes((plain[at] ^ 1,)) + plain[at + 1 :]


class Box:
    """One end's key and counters, and how many datagrams were good, late and lost."""

    def __init__(self, key: bytes, own_nonce: bytes, their_nonce: bytes) -> None:
        """As the server's CryptSetup has them; raises ValueError for other lengths."""
        if not len(key) == len(own_nonce) == len(their_nonce) == BLOCK:
            raise ValueError("key and nonces have 16 bytes each")
        self._aes = Aes(key)
        self._sent = int.from_bytes(own_nonce, "little")
        self._newest = int.from_bytes(their_nonce, "little")
        self._seen: dict[int, int] = {}
        self.good = self.late = self.lost = 0

    @property
    def own_nonce(self) -> bytes:
        """Where this end's counter is: asked for by a server that lost it."""
        return self._sent.to_bytes(BLOCK, "little")

    def follow(self, their_nonce: bytes) -> None:
        """The other end told where its counter is."""
        self._newest = int.from_bytes(their_nonce, "little")
        self._seen.clear()

    def sealed(self, plain: bytes) -> bytes:
        """A datagram."""
        self._sent = (self._sent + 1) & WHOLE
        nonce = self._sent.to_bytes(BLOCK, "little")
        sealed, tag = seal(self._aes, nonce, plain)
        return nonce[:1] + tag[:TAG_BYTES] + sealed

    def opened(self, datagram: bytes) -> bytes:
        """What is in a datagram; raises Refused, and nothing changes."""
        if len(datagram) < HEAD_BYTES:
            raise Refused("shorter than its head")
        ahead = (datagram[0] - self._newest + 127) % 256 - 127
        counter = (self._newest + ahead) & WHOLE
        if ahead <= -LATEST or self._seen.get(datagram[0]) == counter or ahead == 0:
            raise Refused("too late, or seen before")
        nonce = counter.to_bytes(BLOCK, "little")
        plain, tag = unseal(self._aes, nonce, datagram[HEAD_BYTES:])
        if tag[:TAG_BYTES] != datagram[1:HEAD_BYTES]:
            raise Refused("the tag is another's")
        self._seen[datagram[0]] = counter
        self.good += 1
        if ahead > 0:
            self._newest = counter
            self.lost += ahead - 1
        else:
            self.late += 1
            self.lost -= 1
        return plain
