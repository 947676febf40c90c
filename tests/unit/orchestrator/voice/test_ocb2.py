"""OCB2-AES128 against the draft's vectors, and the box that counts."""

import pytest

from orchestrator.voice.mumble.ocb2 import HEAD_BYTES, Aes, Box, Refused, seal, unseal

KEY = bytes(range(16))
AES = Aes(KEY)
ONE, OTHER = b"\xff" * 16, bytes(15) + b"\x07"


def boxes() -> tuple[Box, Box]:
    return Box(KEY, ONE, OTHER), Box(KEY, OTHER, ONE)


def test_the_vectors_of_draft_krovetz_ocb_00() -> None:
    assert seal(AES, KEY, b"") == (b"", bytes.fromhex("bf3108130773ad5ec70ec69e7875a7b0"))
    sealed, tag = seal(AES, KEY, bytes(range(40)))
    assert sealed == bytes.fromhex(
        "f75d6bc8b4dc8d66b836a2b08b32a6369f1cd3c5228d79fd6c267f5f6aa7b231c7dfb9d59951ae9c"
    )
    assert tag == bytes.fromhex("9db0cdf880f73e3e10d4eb3217766688")


@pytest.mark.parametrize("length", range(130))
def test_what_was_sealed_is_opened(length: int) -> None:
    plain = bytes(range(7, 7 + length))
    sealed, tag = seal(AES, ONE, plain)
    assert len(sealed) == length
    assert unseal(AES, ONE, sealed) == (plain, tag)


def test_the_attack_on_ocb2_is_refused_on_both_sides() -> None:
    # eprint.iacr.org/2019/311: of a block that encodes the length of a whole one, sealed, and its
    # pad somebody without the key makes a datagram that others would take
    length, rest = 128, bytes(range(16))
    message = length.to_bytes(16, "big") + rest
    sealed, _ = seal(AES, ONE, message)
    assert unseal(AES, ONE, sealed)[0] == b"\x01" + message[1:]
    delta = AES.seal(int.from_bytes(ONE, "big"))
    delta = (delta << 1) & ((1 << 128) - 1) ^ (0x87 if delta >> 127 else 0)
    as_in_the_draft = AES.seal(length ^ delta) ^ delta
    with pytest.raises(Refused, match="known attack"):
        unseal(AES, ONE, (as_in_the_draft ^ length).to_bytes(16, "big"))


def test_datagrams_are_counted_as_they_come() -> None:
    one, other = boxes()
    datagrams = [one.sealed(bytes((number % 250 + 1,)) * 50) for number in range(300)]
    assert {len(datagram) for datagram in datagrams} == {50 + HEAD_BYTES}
    assert other.opened(datagrams[0]) == b"\1" * 50
    assert other.opened(datagrams[5]) == b"\6" * 50
    assert (other.good, other.late, other.lost) == (2, 0, 4)
    assert other.opened(datagrams[3]) == b"\4" * 50
    assert (other.good, other.late, other.lost) == (3, 1, 3)
    for datagram in datagrams[6:]:  # over the end of the counter's low byte
        other.opened(datagram)
    assert (other.good, other.late, other.lost) == (297, 1, 3)
    assert one.own_nonce != ONE


def test_a_datagram_is_taken_once_and_not_from_strangers() -> None:
    one, other = boxes()
    early, datagram = one.sealed(b"early"), one.sealed(b"words")
    other.opened(datagram)
    broken = [datagram, datagram[:3], datagram[:-1] + bytes((datagram[-1] ^ 1,))]
    broken.append(Box(bytes(16), ONE, OTHER).sealed(b"words"))
    for each in broken:
        with pytest.raises(Refused):
            other.opened(each)
    assert other.opened(early) == b"early"
    for _ in range(40):
        other.opened(one.sealed(b""))
    with pytest.raises(Refused, match="too late"):
        other.opened(early)


def test_an_end_that_lost_its_place_is_told() -> None:
    one, other = boxes()
    for _ in range(200):
        datagram = one.sealed(b"lost")
    with pytest.raises(Refused):
        other.opened(datagram)
    other.follow(one.own_nonce)
    assert other.opened(one.sealed(b"found")) == b"found"


def test_keys_have_their_length() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Box(KEY[:8], ONE, OTHER)
