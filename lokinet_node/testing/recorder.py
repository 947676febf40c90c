"""Records every key and counter that encrypts at its creator, and every repeat (docs/wire.md, 10).

    with recorded() as recorder:
        ...                          run networks
    assert recorder.repeats == []

Recorded are, under the key itself, so that two writers of one key meet here:
- seals: links, path control, broken and session streams (AES-GCM), handshakes (Noise), introsets
  and cookies (XChaCha20): the nonce;
- layers of cells that an owner or a last hop made: the cell's counter, for each hop's keystream;
- relays passing cells on: the counter, once in each direction of a path;
- slots of builds and replies: their keys serve one message.

Nothing in the node knows of this: what it uses is wrapped for as long as the block lasts, so the
networks have to be made inside of it.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from lokinet_node.burst import CELL
from lokinet_node.crypto import noise, seal
from lokinet_node.crypto.layers import Layer
from lokinet_node.link import macs
from lokinet_node.path import onion, owned, transit
from lokinet_node.path.lanes import EndLane, OwnerLane, TransitLane
from lokinet_node.session import introset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Recorder:
    """What was used so far."""

    def __init__(self) -> None:
        self.repeats: list[str] = []
        """Kind, key (8 digits) and number of every repetition, and keys that serve two kinds."""
        self.uses: Counter[str] = Counter()
        """Numbers used, by kind: a run that used none proves nothing."""
        self._seen: dict[tuple[str, bytes], set[int | bytes]] = {}
        self._kind_of: dict[bytes, str] = {}
        self._making: str | None = None
        """What is being made now; None: whatever is XORed is peeled or checked."""

    def use(self, kind: str, key: bytes, numbers: Sequence[int | bytes]) -> None:
        """These numbers encrypt under this key."""
        self.uses[kind] += len(numbers)
        seen = self._seen.setdefault((kind, key), set())
        again = [number for number in numbers if number in seen]
        self.repeats += [f"{kind}: key {key.hex()[:8]}, number {number!r}" for number in again]
        seen.update(numbers)
        # A relay's key is its owner's layer key: that is what layers are.
        if kind != "relay" and self._kind_of.setdefault(key, kind) != kind:
            self.repeats.append(f"{kind}: key {key.hex()[:8]} is a {self._kind_of[key]} key too")

    def while_making(self, kind: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        """What is XORed during a call of this function is of that kind."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            before, self._making = self._making, kind
            try:
                return plain(*arguments, **named)
            finally:
                self._making = before

        return wrapped

    def use_if_making(self, key: bytes, numbers: Sequence[int | bytes]) -> None:
        """The same, if something is being made."""
        if self._making is not None:
            self.use(self._making, key, numbers)


def _recording(recorder: Recorder, kind: str, made: Callable[[bytes], Any]) -> type[Any]:
    """A cipher class that tells of every nonce it encrypts with."""

    class Recording:
        def __init__(self, key: bytes) -> None:
            self._key = key
            self._cipher = made(key)
            self.decrypt = self._cipher.decrypt
            self.decrypt_into = getattr(self._cipher, "decrypt_into", None)

        def encrypt(self, nonce: bytes, *rest: Any) -> bytes:
            recorder.use(kind, self._key, (nonce,))
            sealed: bytes = self._cipher.encrypt(nonce, *rest)
            return sealed

        def encrypt_into(self, nonce: bytes, *rest: Any) -> int:
            recorder.use(kind, self._key, (nonce,))
            size: int = self._cipher.encrypt_into(nonce, *rest)
            return size

    return Recording


@contextmanager
def recorded() -> Iterator[Recorder]:
    """Record everything that networks made in this block encrypt."""
    recorder = Recorder()
    making = recorder.while_making
    wraps: list[tuple[object, str, Callable[[Any], object]]] = [
        (seal, "AESGCM", partial(_recording, recorder, "seal")),
        (noise, "ChaCha20Poly1305", partial(_recording, recorder, "noise")),
        (introset, "seal_xchacha", partial(_recorded_xchacha, recorder)),
        (macs, "seal_xchacha", partial(_recorded_xchacha, recorder)),
        (Layer, "xor_run", partial(_recorded_layer, recorder)),
        (OwnerLane, "wrap", partial(making, "layer")),
        (EndLane, "wrap", partial(making, "layer")),
        (TransitLane, "relay", partial(making, "relay")),
        (onion, "xor_stream", partial(_recorded_slots, recorder)),
        (onion, "stream", partial(_recorded_slots, recorder)),
        (owned, "build_slots", partial(making, "slots")),
        (transit, "answer", partial(making, "slots")),
    ]
    with ExitStack() as stack:
        for where, name, wrap in wraps:
            stack.enter_context(patch.object(where, name, wrap(getattr(where, name))))
        yield recorder


def _recorded_layer(
    recorder: Recorder, plain: Callable[[Layer, memoryview, int], None]
) -> Callable[[Layer, memoryview, int], None]:
    def xor_run(layer: Layer, run: memoryview, counter: int) -> None:
        recorder.use_if_making(layer._key, range(counter, counter + len(run) // CELL))
        plain(layer, run, counter)

    return xor_run


def _recorded_slots(recorder: Recorder, plain: Callable[..., bytes]) -> Callable[..., bytes]:
    def stream_of(key: bytes, what: bytes | int) -> bytes:
        recorder.use_if_making(key, (0,))
        return plain(key, what)

    return stream_of


def _recorded_xchacha(recorder: Recorder, plain: Callable[..., bytes]) -> Callable[..., bytes]:
    def sealed(key: bytes, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        recorder.use("xchacha", key, (nonce,))
        return plain(key, nonce, plaintext, associated)

    return sealed
