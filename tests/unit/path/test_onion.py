"""A build opens hop by hop, tells each hop only its own part, and notices every changed byte."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lokinet_node.base.errors import LocalProtocolError, WireError
from lokinet_node.base.ids import PathID, RouterID
from lokinet_node.crypto.kdf import expand
from lokinet_node.crypto.keys import KeyPair, x25519_keypair
from lokinet_node.crypto.layers import xor_stream
from lokinet_node.crypto.noise import NK, Noise
from lokinet_node.path.onion import (
    BuildFailed,
    HopChoice,
    HopKeys,
    PendingBuild,
    Record,
    answer,
    build_slots,
    open_slot,
)
from lokinet_node.wire.build import SLOT, SLOTS_SIZE, BuildRecord, encode_record
from lokinet_node.wire.kinds import BuildStatus

NETID = b"testnet"
EXPIRY_S = 1_700_000_000


@dataclass(frozen=True)
class Router:
    id: RouterID
    key_id: int
    key: KeyPair

    @property
    def choice(self) -> HopChoice:
        return HopChoice(self.id, self.key_id, self.key.public)

    def open(self, slots: bytes, netid: bytes = NETID) -> Record:
        return open_slot(slots, self.id, {self.key_id: self.key}, netid, RANDOM.randbytes)


RANDOM = random.Random(5)
ROUTERS = [
    Router(RouterID(RANDOM.randbytes(32)), 100 + i, x25519_keypair(RANDOM.randbytes))
    for i in range(8)
]
PATH_IDS = [RANDOM.getrandbits(64) for _ in range(8)]
every_length = pytest.mark.parametrize("length", range(1, 9))


def build(length: int, seed: int = 1) -> tuple[PendingBuild, bytes]:
    choices = [router.choice for router in ROUTERS[:length]]
    entropy = random.Random(seed).randbytes
    return build_slots(choices, PATH_IDS[:length], EXPIRY_S, NETID, entropy)


def walk(slots: bytes, length: int) -> list[Record]:
    records = []
    for router in ROUTERS[:length]:
        records.append(router.open(slots))
        slots = records[-1].next_slots
    return records


def answer_all(
    records: Sequence[Record], status: BuildStatus = BuildStatus.OK
) -> tuple[list[bytes], list[HopKeys]]:
    """The reply as each hop sends it, and the hops' keys; the last of them answers `status`."""
    inner, keys = answer(records[-1], status, None)
    views, all_keys = [inner], [keys]
    for record in reversed(records[:-1]):
        inner, keys = answer(record, BuildStatus.OK, inner)
        views.insert(0, inner)
        all_keys.insert(0, keys)
    return views, all_keys


def fields(keys: HopKeys) -> list[bytes]:
    return [getattr(keys, name) for name in HopKeys.__slots__]


@every_length
def test_owner_and_hops_end_with_the_same_keys(length: int) -> None:
    pending, slots = build(length)
    views, keys = answer_all(walk(slots, length))
    read = pending.read_reply(views[0])
    assert read == keys
    secrets = [value for hop in read for value in fields(hop)]
    assert len(set(secrets)) == 7 * length


@every_length
def test_every_hop_reads_its_own_record(length: int) -> None:
    pending, slots = build(length)
    records = walk(slots, length)
    for i, record in enumerate(records[:-1]):
        assert record.next_router == ROUTERS[i + 1].id
        assert record.next_path_id == PATH_IDS[i + 1]
        assert not record.is_last
        assert record.backward_start == 0
    last = records[-1]
    assert (last.is_last, last.next_path_id) == (True, 0)
    assert last.next_router == ROUTERS[length - 1].id
    assert last.backward_start == pending.backward_start
    assert {record.expiry_s for record in records} == {EXPIRY_S}
    assert tuple(record.forward_offset for record in records) == pending.forward_offsets
    assert tuple(record.backward_offset for record in records) == pending.backward_offsets
    assert len({record.slot_key for record in records}) == length
    assert len({record.ephemeral for record in records}) == length


def test_no_hop_opens_another_hop_s_record() -> None:
    _, slots = build(4)
    records = walk(slots, 4)
    views = [slots, *(record.next_slots for record in records[:-1])]
    for i, view in enumerate(views):
        for router in ROUTERS[:4]:
            if router is not ROUTERS[i]:
                stranger = replace(router, key_id=ROUTERS[i].key_id)
                with pytest.raises(WireError, match="does not open"):
                    stranger.open(view)


@every_length
def test_slots_look_the_same_at_every_hop(length: int) -> None:
    """Same size, nothing left of what another hop saw, no zeros: nothing to count hops by."""
    _, slots = build(length)
    records = walk(slots, length)
    replies, _ = answer_all(records)
    seen: set[bytes] = set()
    for view in [slots, *(record.next_slots for record in records), *replies]:
        assert len(view) == SLOTS_SIZE
        blocks = {view[at : at + 8] for at in range(0, SLOTS_SIZE, 8)}
        assert len(blocks) == SLOTS_SIZE // 8
        assert not blocks & seen
        assert bytes(8) not in blocks
        seen |= blocks


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(0, SLOTS_SIZE - 1), st.integers(1, 255), st.data())
def test_a_changed_byte_stops_at_the_next_hop(
    length: int, at: int, change: int, data: st.DataObject
) -> None:
    _, slots = build(length)
    hop = data.draw(st.integers(0, length - 1))
    view = slots if hop == 0 else walk(slots, hop)[-1].next_slots
    mutated = bytearray(view)
    mutated[at] ^= change
    with pytest.raises(WireError):
        ROUTERS[hop].open(bytes(mutated))


def test_a_build_for_another_network_does_not_open() -> None:
    _, slots = build(1)
    with pytest.raises(WireError):
        ROUTERS[0].open(slots, b"other")


def test_the_onion_key_before_is_honoured_and_unknown_ones_are_not() -> None:
    _, slots = build(1)
    router = ROUTERS[0]
    keys = {9: ROUTERS[1].key, router.key_id: router.key}
    assert open_slot(slots, router.id, keys, NETID, RANDOM.randbytes).is_last
    with pytest.raises(WireError, match="unknown onion key"):
        open_slot(slots, router.id, {9: router.key}, NETID, RANDOM.randbytes)


def test_a_replayed_record_gives_other_keys() -> None:
    _, slots = build(1)
    first, second = ROUTERS[0].open(slots), ROUTERS[0].open(slots)
    assert first.ephemeral == second.ephemeral
    keys = [answer(record, BuildStatus.OK, None)[1] for record in (first, second)]
    assert not set(fields(keys[0])) & set(fields(keys[1]))


@pytest.mark.parametrize("status", [status for status in BuildStatus if status])
@every_length
def test_a_failure_at_any_hop_is_read_as_that_hop_s(length: int, status: BuildStatus) -> None:
    for failing in range(length):
        pending, slots = build(length)
        views, _ = answer_all(walk(slots, failing + 1), status)
        with pytest.raises(BuildFailed) as caught:
            pending.read_reply(views[0])
        assert (caught.value.hop_index, caught.value.status) == (failing, status)


def test_a_hop_that_claims_to_be_the_last_early_is_found_out() -> None:
    pending, slots = build(4)
    views, _ = answer_all(walk(slots, 2))
    with pytest.raises(WireError):
        pending.read_reply(views[0])


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(0, SLOTS_SIZE - 1), st.integers(1, 255), st.data())
def test_a_reply_changed_anywhere_is_a_wire_error(
    length: int, at: int, change: int, data: st.DataObject
) -> None:
    """Between any two hops, unless the change sits in the slot that the next hop drops."""
    pending, slots = build(length)
    records = walk(slots, length)
    changed_behind = data.draw(st.integers(0, length - 1))
    inner: bytes | None = None
    for i in reversed(range(length)):
        inner, _ = answer(records[i], BuildStatus.OK, inner)
        if i == changed_behind:
            mutated = bytearray(inner)
            mutated[at] ^= change
            inner = bytes(mutated)
    assert inner is not None
    if changed_behind > 0 and at >= SLOTS_SIZE - SLOT:
        assert len(pending.read_reply(inner)) == length
        return
    with pytest.raises(WireError):
        pending.read_reply(inner)


@given(st.binary(max_size=100) | st.binary(min_size=SLOTS_SIZE, max_size=SLOTS_SIZE))
@settings(max_examples=30)
def test_random_slots_are_only_ever_a_wire_error(slots: bytes) -> None:
    pending, _ = build(3)
    with pytest.raises(WireError):
        pending.read_reply(slots)
    keyed = ROUTERS[0].key_id.to_bytes(4, "big") + slots[4:]
    for view in (slots, keyed):
        with pytest.raises(WireError):
            ROUTERS[0].open(view)
    _, good = build(1)
    record = ROUTERS[0].open(good)
    if len(slots) != SLOTS_SIZE:
        with pytest.raises(WireError):
            answer(record, BuildStatus.OK, slots)


def craft(payload: bytes) -> bytes:
    """A build for the first router with any payload: what a hostile owner can send."""
    router = ROUTERS[0]
    rest = RANDOM.randbytes(SLOTS_SIZE - SLOT)
    key_id = router.key_id.to_bytes(4, "big")
    prologue = b"lokinet-testnet path\1testnet\0" + router.id + key_id + rest
    noise = Noise.initiator(NK, prologue, rs=router.key.public, entropy=RANDOM.randbytes)
    return key_id + noise.write_message(payload) + rest


RECORD = BuildRecord(ROUTERS[1].id, PathID(7), EXPIRY_S, bytes(32), 0)


def test_the_layout_is_the_specified_one() -> None:
    record = ROUTERS[0].open(craft(encode_record(RECORD)))
    assert (record.next_router, record.next_path_id) == (ROUTERS[1].id, 7)
    offsets = expand(bytes(32), "lokinet-testnet path offsets", 12)
    assert record.forward_offset == int.from_bytes(offsets[:6], "big")
    assert record.backward_offset == int.from_bytes(offsets[6:], "big")


@pytest.mark.parametrize(
    "record",
    [replace(RECORD, next_router=ROUTERS[0].id), replace(RECORD, next_path_id=PathID(0))],
    ids=["last, with a next path id", "not last, without one"],
)
def test_a_record_that_contradicts_itself_is_refused(record: BuildRecord) -> None:
    with pytest.raises(WireError, match="contradicts"):
        ROUTERS[0].open(craft(encode_record(record)))


@given(st.binary(min_size=108, max_size=108))
def test_any_sealed_payload_is_a_record_or_a_wire_error(payload: bytes) -> None:
    try:
        record = ROUTERS[0].open(craft(payload))
    except WireError:
        return
    assert len(record.next_slots) == SLOTS_SIZE


@given(st.binary(min_size=112, max_size=112))
@settings(max_examples=30)
def test_any_sealed_answer_is_only_ever_a_wire_error_or_a_failure(payload: bytes) -> None:
    for said in (payload, b"\1" + payload[1:33] + bytes(79)):
        pending, slots = build(1)
        record = ROUTERS[0].open(slots)
        own = record.noise.write_message(said) + bytes(SLOTS_SIZE - SLOT)
        key = expand(record.slot_key, "lokinet-testnet reply slots", 32)
        with pytest.raises(WireError):
            pending.read_reply(xor_stream(key, own))


def test_the_keys_are_derived_as_specified() -> None:
    _, slots = build(1)
    record = ROUTERS[0].open(slots)
    _, keys = answer(record, BuildStatus.OK, None)
    forward, backward = record.noise.split()
    assert keys == HopKeys(
        forward_layer=expand(forward, "lokinet-testnet path layer", 32),
        backward_layer=expand(backward, "lokinet-testnet path layer", 32),
        control_forward=expand(forward, "lokinet-testnet path control", 44),
        control_backward=expand(backward, "lokinet-testnet path control", 44),
        broken=expand(backward, "lokinet-testnet path broken", 44),
        traffic_forward=expand(forward, "lokinet-testnet router traffic", 44),
        traffic_backward=expand(backward, "lokinet-testnet router traffic", 44),
    )


def test_a_reply_is_read_once() -> None:
    pending, slots = build(2)
    views, _ = answer_all(walk(slots, 2))
    pending.read_reply(views[0])
    with pytest.raises(LocalProtocolError):
        pending.read_reply(views[0])


def test_an_onion_key_that_is_none_blames_its_hop() -> None:
    choices = [ROUTERS[0].choice, HopChoice(ROUTERS[1].id, 1, bytes(32)), ROUTERS[2].choice]
    with pytest.raises(BuildFailed) as caught:
        build_slots(choices, PATH_IDS[:3], EXPIRY_S, NETID, RANDOM.randbytes)
    assert (caught.value.hop_index, caught.value.status) == (1, BuildStatus.REFUSED)


@pytest.mark.parametrize(("hops", "ids"), [(0, 0), (2, 1)])
def test_a_path_without_hops_or_ids_is_our_own_mistake(hops: int, ids: int) -> None:
    choices = [router.choice for router in ROUTERS[:hops]]
    with pytest.raises(LocalProtocolError):
        build_slots(choices, PATH_IDS[:ids], EXPIRY_S, NETID, RANDOM.randbytes)


def test_nine_hops_are_our_own_mistake() -> None:
    choices = [router.choice for router in [*ROUTERS, ROUTERS[0]]]
    with pytest.raises(LocalProtocolError):
        build_slots(choices, [*PATH_IDS, 1], EXPIRY_S, NETID, RANDOM.randbytes)


@pytest.mark.parametrize("length", [1, 4])
def test_secrets_are_not_shown(length: int) -> None:
    pending, slots = build(length)
    records = walk(slots, length)
    views, _ = answer_all(records)
    shown = repr(pending) + repr(records) + repr(pending.read_reply(views[0]))
    for record, path_id in zip(records, PATH_IDS, strict=False):
        assert repr(record.slot_key)[2:-1] not in shown
        assert str(record.forward_offset) not in shown
        assert str(path_id) not in shown
    assert "forward_layer=" not in shown
