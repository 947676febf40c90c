"""The onion of a path build: sealed by the owner, opened and answered hop by hop.

Eight slots of 160 bytes travel whatever the length of the path, and look the same at every hop:

1. a hop opens slot 0 with its onion key; the other seven are part of what Noise authenticates;
2. it shifts the slots left by one, appends 160 zeros and XORs all with the stream of its slot key;
3. the owner, who made all slot keys, works backwards from the last hop, and beforehand works out
   the tail that the appended zeros will have become (as in Sphinx);
4. the answers come back the same way: own slot in front, the last one dropped, all under a stream.
   Each answer holds a digest of what stood behind it, so the owner rebuilds the whole reply from
   the answers it could open and compares.

Layer keys come from Noise's Split, to which both sides gave a fresh ephemeral key: a record that
is replayed gives other keys. The slot key only hides slots and sets the counter offsets.
docs/wire.md, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from lokinet_node.base.constants import MAX_HOPS
from lokinet_node.base.errors import LocalProtocolError, LokinetError, WireError
from lokinet_node.base.ids import PathID, RouterID
from lokinet_node.burst import COUNTER_LIMIT
from lokinet_node.crypto.errors import CryptoError
from lokinet_node.crypto.kdf import blake2s, expand
from lokinet_node.crypto.layers import stream, xor_stream
from lokinet_node.crypto.noise import NK, Noise
from lokinet_node.wire.build import (
    COUNTER_SIZE,
    EPHEMERAL_SIZE,
    KEY_ID,
    REST_SIZE,
    SLOT,
    SLOT_COUNT,
    SLOT_KEY_SIZE,
    SLOTS_SIZE,
    BuildAnswer,
    BuildRecord,
    decode_answer,
    decode_record,
    encode_answer,
    encode_record,
)
from lokinet_node.wire.contact import pad_netid
from lokinet_node.wire.kinds import BuildStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lokinet_node.base.entropy import Entropy
    from lokinet_node.crypto.keys import KeyPair

# What the specification says.

WIRE_VERSION: Final = 1
PATH_CELLS: Final = 1 << 32
"""Cells a path may carry in one direction before its owner closes it."""

_PROLOGUE: Final = b"lokinet-testnet path"
_LAYER: Final = "lokinet-testnet path layer"
_CONTROL: Final = "lokinet-testnet path control"
_BROKEN: Final = "lokinet-testnet path broken"
_TRAFFIC: Final = "lokinet-testnet router traffic"
_OFFSETS: Final = "lokinet-testnet path offsets"
_BUILD_SLOTS: Final = "lokinet-testnet build slots"
_REPLY_SLOTS: Final = "lokinet-testnet reply slots"
_LAYER_KEY: Final = 32
_SEAL_KEY: Final = 44


class BuildFailed(LokinetError):
    """A hop answered that the path ends there, or cannot be built to at all."""

    def __init__(self, hop_index: int, status: BuildStatus) -> None:
        """`hop_index` counts from 0, the hop next to the owner."""
        super().__init__(f"hop {hop_index} answered {status.name.lower()}")
        self.hop_index = hop_index
        self.status = status


@dataclass(frozen=True, slots=True)
class HopChoice:
    """A router picked for a path, with the onion key of its contact."""

    router: RouterID
    onion_key_id: int
    onion_key: bytes


@dataclass(frozen=True, slots=True, repr=False)
class HopKeys:
    """What owner and hop share; forward is owner to hop. All but the layers: for Seal, 44 bytes."""

    forward_layer: bytes
    backward_layer: bytes
    control_forward: bytes
    control_backward: bytes
    broken: bytes
    traffic_forward: bytes
    traffic_backward: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A build as one hop sees it: what to do, where to send the rest, how to answer."""

    next_router: RouterID
    next_path_id: PathID = field(repr=False)
    expiry_s: int
    slot_key: bytes = field(repr=False)
    backward_start: int = field(repr=False)
    ephemeral: bytes
    """The owner's ephemeral key, 32 bytes: what a cache of seen records keeps."""
    is_last: bool
    forward_offset: int = field(repr=False)
    backward_offset: int = field(repr=False)
    next_slots: bytes = field(repr=False)
    """1280 bytes for the next hop."""
    noise: Noise = field(repr=False)


@dataclass(slots=True, eq=False)
class PendingBuild:
    """What the owner keeps until the reply; offsets and starts hold as soon as it succeeded."""

    forward_start: int = field(repr=False)
    """Counter of the first cell as hop 0 receives it."""
    backward_start: int = field(repr=False)
    """Counter the last hop gives to its first cell, as it XORs it."""
    forward_offsets: tuple[int, ...] = field(repr=False)
    """What hop i adds to the counter of a cell it passes on; nearest hop first."""
    backward_offsets: tuple[int, ...] = field(repr=False)
    _slot_keys: tuple[bytes, ...] = field(repr=False)
    _handshakes: tuple[Noise, ...] = field(repr=False)
    _is_read: bool = field(default=False, init=False)

    def read_reply(self, slots: bytes) -> list[HopKeys]:
        """Keys of all hops, nearest first; may be called once.

        Raises BuildFailed if a hop refused, WireError if the reply is not what the hops sent.
        """
        if self._is_read:
            raise LocalProtocolError("the reply to a path build is read once")
        self._is_read = True
        if len(slots) != SLOTS_SIZE:
            raise WireError(f"build slots of {len(slots)} bytes")
        keys = [expand(key, _REPLY_SLOTS, _LAYER_KEY) for key in self._slot_keys]
        sealed, answers = self._open_answers(slots, keys)
        if _rebuild_reply(sealed, answers, keys) != slots:
            raise WireError("build reply was changed on its way")
        if answers[-1].status is not BuildStatus.OK:
            raise BuildFailed(len(answers) - 1, answers[-1].status)
        return [_hop_keys(noise) for noise in self._handshakes]

    def _open_answers(
        self, slots: bytes, keys: list[bytes]
    ) -> tuple[list[bytes], list[BuildAnswer]]:
        """The answers, sealed and opened, up to the last hop or the first that refused."""
        sealed: list[bytes] = []
        answers: list[BuildAnswer] = []
        for noise, key in zip(self._handshakes, keys, strict=True):
            plain = xor_stream(key, slots)
            sealed.append(plain[:SLOT])
            try:
                answers.append(decode_answer(noise.read_message(sealed[-1])))
            except CryptoError as error:
                raise WireError(f"answer {len(answers)} of a build reply is not genuine") from error
            if answers[-1].status is not BuildStatus.OK:
                break
            # The slot that this hop dropped is unknown here, and not needed yet.
            slots = plain[SLOT:] + bytes(SLOT)
        return sealed, answers


def build_slots(
    hops: Sequence[HopChoice],
    path_ids: Sequence[int],
    expiry_s: int,
    netid: bytes,
    entropy: Entropy,
) -> tuple[PendingBuild, bytes]:
    """A build over 1-8 hops, nearest first: what to keep and the 1280 bytes for the first hop.

    `path_ids[i]` is the id on the link that leads to hop i. Raises BuildFailed if a hop's onion
    key is no key at all.
    """
    if not 1 <= len(hops) <= MAX_HOPS or len(path_ids) != len(hops):
        raise LocalProtocolError("a path has 1-8 hops and an id for the link to each")
    slot_keys = tuple(entropy(SLOT_KEY_SIZE) for _ in hops)
    offsets = tuple(map(_derive_offsets, slot_keys))
    forward, backward = tuple(zip(*offsets, strict=True))
    forward_start = choose_start(forward[:-1], entropy)
    backward_start = choose_start(backward[::-1], entropy)
    records = [
        BuildRecord(
            next_router=hops[i + 1].router if i + 1 < len(hops) else hops[i].router,
            next_path_id=PathID(path_ids[i + 1] if i + 1 < len(hops) else 0),
            expiry_s=expiry_s,
            slot_key=slot_keys[i],
            backward_start=0 if i + 1 < len(hops) else backward_start,
        )
        for i in range(len(hops))
    ]
    handshakes, slots = _wrap(hops, records, netid, entropy)
    pending = PendingBuild(
        forward_start, backward_start, forward, backward, slot_keys, tuple(handshakes)
    )
    return pending, slots


def choose_start(offsets: Sequence[int], entropy: Entropy) -> int:
    """A uniform 48-bit start from which no counter wraps within the cells of a path.

    `offsets` are added one after the other; the counters are the start and every sum.
    """
    sums = list(accumulate(offsets, initial=0))
    while True:  # one try in 2^16 is refused for each hop
        start = int.from_bytes(entropy(COUNTER_SIZE), "big")
        if all((start + total) % COUNTER_LIMIT <= COUNTER_LIMIT - PATH_CELLS for total in sums):
            return start


def open_slot(
    slots: bytes,
    router: RouterID,
    onion_keys: Mapping[int, KeyPair],
    netid: bytes,
    entropy: Entropy,
) -> Record:
    """The record in slot 0 of 1280 bytes, opened by the router it is for; WireError otherwise.

    `onion_keys` are the current key and the one before, by id. Costs one X25519.
    """
    if len(slots) != SLOTS_SIZE:
        raise WireError(f"build slots of {len(slots)} bytes")
    own, rest = slots[:SLOT], slots[SLOT:]
    (key_id,) = KEY_ID.unpack_from(own)
    if key_id not in onion_keys:
        raise WireError(f"build record for unknown onion key {key_id}")
    prologue = _prologue(netid, router, own[: KEY_ID.size], rest)
    noise = Noise.responder(NK, prologue, s=onion_keys[key_id], entropy=entropy)
    try:
        record = decode_record(noise.read_message(own[KEY_ID.size :]))
    except CryptoError as error:
        raise WireError("build record does not open") from error
    is_last = record.next_router == router
    if is_last != (record.next_path_id == 0):
        raise WireError("build record contradicts itself about being the last")
    forward_offset, backward_offset = _derive_offsets(record.slot_key)
    return Record(
        next_router=record.next_router,
        next_path_id=record.next_path_id,
        expiry_s=record.expiry_s,
        slot_key=record.slot_key,
        backward_start=record.backward_start,
        ephemeral=own[KEY_ID.size : KEY_ID.size + EPHEMERAL_SIZE],
        is_last=is_last,
        forward_offset=forward_offset,
        backward_offset=backward_offset,
        next_slots=xor_stream(
            expand(record.slot_key, _BUILD_SLOTS, _LAYER_KEY), rest + bytes(SLOT)
        ),
        noise=noise,
    )


def answer(record: Record, status: BuildStatus, inner_slots: bytes | None) -> tuple[bytes, HopKeys]:
    """The 1280 bytes for the hop before, and this hop's keys; may be called once for a record.

    `inner_slots` is the next hop's reply, None from the last hop and from one that cannot go on.
    Costs two X25519.
    """
    if inner_slots is not None and len(inner_slots) != SLOTS_SIZE:
        raise WireError(f"build slots of {len(inner_slots)} bytes")
    behind = bytes(REST_SIZE) if inner_slots is None else inner_slots[:REST_SIZE]
    own = record.noise.write_message(encode_answer(BuildAnswer(status, blake2s(behind))))
    key = expand(record.slot_key, _REPLY_SLOTS, _LAYER_KEY)
    return xor_stream(key, own + behind), _hop_keys(record.noise)


def _prologue(netid: bytes, router: RouterID, key_id: bytes, rest: bytes) -> bytes:
    return b"".join((_PROLOGUE, bytes((WIRE_VERSION,)), pad_netid(netid), router, key_id, rest))


def _derive_offsets(slot_key: bytes) -> tuple[int, int]:
    """(forward, backward) of 48 bits each."""
    both = expand(slot_key, _OFFSETS, 2 * COUNTER_SIZE)
    return int.from_bytes(both[:COUNTER_SIZE], "big"), int.from_bytes(both[COUNTER_SIZE:], "big")


def _hop_keys(noise: Noise) -> HopKeys:
    forward, backward = noise.split()
    return HopKeys(
        forward_layer=expand(forward, _LAYER, _LAYER_KEY),
        backward_layer=expand(backward, _LAYER, _LAYER_KEY),
        control_forward=expand(forward, _CONTROL, _SEAL_KEY),
        control_backward=expand(backward, _CONTROL, _SEAL_KEY),
        broken=expand(backward, _BROKEN, _SEAL_KEY),
        traffic_forward=expand(forward, _TRAFFIC, _SEAL_KEY),
        traffic_backward=expand(backward, _TRAFFIC, _SEAL_KEY),
    )


def _wrap(
    hops: Sequence[HopChoice], records: list[BuildRecord], netid: bytes, entropy: Entropy
) -> tuple[list[Noise], bytes]:
    """The handshakes, nearest first, and the slots for the first hop."""
    streams = [
        stream(expand(record.slot_key, _BUILD_SLOTS, _LAYER_KEY), SLOTS_SIZE) for record in records
    ]
    tail = b""
    for hop_stream in streams[:-1]:
        tail = _xor(tail + bytes(SLOT), hop_stream[SLOTS_SIZE - len(tail) - SLOT :])
    rest = entropy((SLOT_COUNT - len(hops)) * SLOT) + tail
    handshakes: list[Noise] = []
    slots = b""
    for i in reversed(range(len(hops))):
        if slots:
            inner = _xor(slots, streams[i])
            rest = inner[:REST_SIZE]
        hop = hops[i]
        key_id = KEY_ID.pack(hop.onion_key_id)
        prologue = _prologue(netid, hop.router, key_id, rest)
        noise = Noise.initiator(NK, prologue, rs=hop.onion_key, entropy=entropy)
        try:
            slots = key_id + noise.write_message(encode_record(records[i])) + rest
        except CryptoError as error:
            raise BuildFailed(i, BuildStatus.REFUSED) from error
        handshakes.insert(0, noise)
    return handshakes, slots


def _rebuild_reply(sealed: list[bytes], answers: list[BuildAnswer], keys: list[bytes]) -> bytes:
    """What the hops must have sent, from their answers alone; WireError if one vouches for else."""
    slots = bytes(SLOTS_SIZE)
    for own, said, key in zip(
        reversed(sealed), reversed(answers), reversed(keys[: len(answers)]), strict=True
    ):
        behind = slots[:REST_SIZE]
        if said.digest != blake2s(behind):
            raise WireError("build reply was changed between its hops")
        slots = xor_stream(key, own + behind)
    return slots


def _xor(left: bytes, right: bytes) -> bytes:
    """Bytes of equal length, combined."""
    value = int.from_bytes(left, "big") ^ int.from_bytes(right, "big")
    return value.to_bytes(len(left), "big")
