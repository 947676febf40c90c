"""Proof that no key and counter ever meet twice, over every node of a test (docs/wire.md, 10).

It stands in for the classes that seal and layer. A seal records each nonce under its key; a layer
records each cell's number at the cell's creator: the owner's forward layers, the last hop's
backward one. Relays pass over the same numbers again, as they must, and are not recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lokinet_node.crypto.seal import Seal
from lokinet_node.path.lanes import MASK, EndLane, OwnerLane

if TYPE_CHECKING:
    from collections.abc import Callable

    from lokinet_node.burst import Cells
    from lokinet_node.crypto.layers import Layer


class Recorder:
    """What was used so far; a repeat is an AssertionError where it happens."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.sealed: set[tuple[bytes, int]] = set()
        self.layered: set[tuple[bytes, int]] = set()

    def seal(self, key: bytes, nonce: int) -> None:
        """One record, cell or frame was sealed."""
        assert (key, nonce) not in self.sealed, "a key and a counter met twice in a seal"
        self.sealed.add((key, nonce))

    def layer(self, layer: Layer, counter: int, count: int) -> None:
        """A run was given this layer by its creator."""
        key = layer._key
        for number in range(counter, counter + count):
            number &= MASK
            assert (key, number) not in self.layered, "a key and a counter met twice in a layer"
            self.layered.add((key, number))

    def install(self, replace: Callable[[object, str, Any], None]) -> None:
        """Stand in for the real ones; `replace` is monkeypatch.setattr."""
        recorder = self
        make, seal = Seal.__init__, Seal.seal
        wrap_owner, wrap_end = OwnerLane.wrap, EndLane.wrap

        def watched_init(self: Seal, key: bytes) -> None:
            make(self, key)
            into = self.encrypt_into

            def encrypt_into(nonce: bytes, data: Any, ad: Any, buffer: Any) -> int:
                recorder.seal(key, int.from_bytes(nonce, "big"))
                return into(nonce, data, ad, buffer)

            self.encrypt_into = encrypt_into  # type: ignore[assignment]
            _KEYS[id(self)] = key

        def watched_seal(self: Seal, counter: int, plaintext: bytes | memoryview) -> bytes:
            recorder.seal(_KEYS[id(self)], self.mask ^ counter)
            return seal(self, counter, plaintext)

        def watched_owner(self: OwnerLane, cells: Cells, first: int, count: int) -> bool:
            counter = self.next_counter
            done = wrap_owner(self, cells, first, count)
            if done:
                for layer, offset in self.forward:
                    recorder.layer(layer, counter + offset, count)
            return done

        def watched_end(self: EndLane, cells: Cells, first: int, count: int) -> int | None:
            counter = wrap_end(self, cells, first, count)
            if counter is not None:
                recorder.layer(self.back_layer, counter, count)
            return counter

        replace(Seal, "__init__", watched_init)
        replace(Seal, "seal", watched_seal)
        replace(OwnerLane, "wrap", watched_owner)
        replace(EndLane, "wrap", watched_end)


_KEYS: dict[int, bytes] = {}
"""Key of each live seal: its class has slots, and none for this."""
