"""No test of this room may seal twice under one key and nonce."""

from __future__ import annotations

import pytest

from lokinet_node.crypto.seal import Seal
from lokinet_node.link import keypair


@pytest.fixture(autouse=True)
def sealed_once(monkeypatch: pytest.MonkeyPatch) -> set[tuple[bytes, bytes]]:
    """Every (key, nonce) sealed with so far; a repeat fails the test."""
    used: set[tuple[bytes, bytes]] = set()

    class WatchedSeal(Seal):
        def __init__(self, key: bytes) -> None:
            super().__init__(key)
            encrypt_into = self.encrypt_into

            def watched(
                nonce: bytes, data: memoryview, associated: None, buffer: memoryview
            ) -> int:
                assert (key, nonce) not in used, "a key and nonce met twice"
                used.add((key, nonce))
                return encrypt_into(nonce, data, associated, buffer)

            self.encrypt_into = watched  # type: ignore[assignment]

    monkeypatch.setattr(keypair, "Seal", WatchedSeal)
    return used
