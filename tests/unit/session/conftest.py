"""What tests of sessions use: proof that no (key, counter) pair seals twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lokinet_node.crypto.seal import Seal
from lokinet_node.session import streams


class WatchedSeal(Seal):
    """Remembers every nonce it seals with, of all keys of the process."""

    __slots__ = ("_key", "_sealed")
    used: set[tuple[bytes, bytes]] = set()  # noqa: RUF012 - cleared by the fixture

    def __init__(self, key: bytes) -> None:
        super().__init__(key)
        self._key = key
        into = self.encrypt_into

        def encrypt_into(nonce: bytes, data: object, ad: object, buffer: object) -> int:
            self.remember(nonce)
            return into(nonce, data, ad, buffer)  # type: ignore[arg-type]

        self.encrypt_into = encrypt_into  # type: ignore[assignment]

    def seal(self, counter: int, plaintext: bytes | memoryview) -> bytes:
        self.remember(self.nonce(counter))
        return super().seal(counter, plaintext)

    def remember(self, nonce: bytes) -> None:
        pair = (self._key, nonce)
        assert pair not in self.used, "a key and counter met twice"
        self.used.add(pair)


@pytest.fixture
def sealed_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[tuple[bytes, bytes]]]:
    """All (key, nonce) pairs sealed in this test; a repeated one fails it."""
    WatchedSeal.used = set()
    monkeypatch.setattr(streams, "Seal", WatchedSeal)
    yield WatchedSeal.used
    WatchedSeal.used = set()
