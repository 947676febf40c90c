"""Files of tokens: what a line is, and which one a token is found in."""

from __future__ import annotations

import pytest

from lokinet_node.drivers.crypt3 import FAILED, crypt
from lokinet_node.exits.token_file import find_hash, find_token, lines

# Made with `openssl passwd -1|-5|-6 -salt abcdefgh 'open sesame'`.
HASHES = {
    "md5": "$1$abcdefgh$9qMkHazuSy1Q8myEum7yb/",
    "sha256": "$5$abcdefgh$FWXdh6oXOJQkX7oAcP02d0Gnxjct6ra8Fwv29U9RIN2",
    "sha512": "$6$abcdefgh$CkjGkP7IIgZVUCNlt.Vi53LOYJLXZ5KzdpzEYCj01XGruA1hxZYJqccTU2zz68oJwAGsd1i"
    "Pty5F7dHIatUTy/",
}


def test_lines_are_trimmed_and_have_comments() -> None:
    text = "# all\n\n  sesame  # alice\nopen sesame;bob\r\n ; nothing\n#x\n\u00e9t\u00e9\n"
    assert lines(text) == ["sesame", "open sesame", "\u00e9t\u00e9"]


def test_a_token_is_a_whole_line() -> None:
    entries = lines("one\ntwo words\n\u00e9t\u00e9\n")
    assert find_token(entries, "two words") == "two words"
    assert find_token(entries, "\u00e9t\u00e9") == "\u00e9t\u00e9"
    for wrong in ("two", "ones", "", "one\n", "ONE"):
        assert find_token(entries, wrong) is None


@pytest.mark.parametrize("method", HASHES)
def test_a_hash_of_the_system_is_found_by_its_token_only(method: str) -> None:
    entries = ["unknown-method", HASHES[method], HASHES["md5"]]
    assert find_hash(entries[:2], "open sesame", crypt) == HASHES[method]
    assert find_hash(entries, "open sesam", crypt) is None
    assert find_hash(entries, HASHES[method], crypt) is None, "the hash itself is no token"


def test_what_crypt_cannot_do_matches_nothing() -> None:
    assert crypt("x", "$99$whatever") in (FAILED, "*1")
    assert find_hash([FAILED, "*1", "$99$whatever", "*"], "x", crypt) is None
