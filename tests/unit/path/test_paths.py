"""Paths from build to end, over relays joined in memory; the slow onion is the oracle."""

from __future__ import annotations

import pytest

from lokinet_node.burst import BODY, CELL, CELL_HEADS, Cells
from lokinet_node.crypto.layers import stream
from lokinet_node.path.owned import PathFailed, PathLost, PathReady, State
from lokinet_node.path.pump import Drop
from tests.unit.path.chain import Chain

HOPS = ("r1", "r2", "r3", "r4")


@pytest.fixture
def chain() -> Chain:
    return Chain("alice", "web", "eve", *HOPS, "s1", "s2", "s3")


def bodies(handle: int, count: int, mark: int = 0) -> list[bytes]:
    return [
        handle.to_bytes(8, "big") + bytes([mark, number]) * ((BODY - 8) // 2)
        for number in range(count)
    ]


def send(chain: Chain, name: str, path, rows: list[bytes]) -> None:  # type: ignore[no-untyped-def]
    cells = Cells()
    for row, body in enumerate(rows):
        cells.bodies[row][:] = body
    assert path.lane.wrap(cells, 0, len(rows))
    chain[name].send_cells(path.link, cells, 0, len(rows), chain.now)
    chain.settle()


@pytest.mark.parametrize("count", range(1, 9))
def test_a_path_of_any_length_becomes_ready(count: int) -> None:
    chain = Chain("alice", *(f"h{n}" for n in range(count)))
    path = chain.path("alice", *(f"h{n}" for n in range(count)))
    assert path.state is State.READY
    assert [type(event) for event in chain["alice"].own.take_events()] == [PathReady]


def test_data_moves_from_path_to_path_by_handle(chain: Chain) -> None:
    there = chain.path("alice", *HOPS)
    here = chain.path("web", "s1", "s2", "s3", "r4")
    rows = bodies(here.handle, 40)
    send(chain, "alice", there, rows)
    assert chain["web"].data == [(here, body) for body in rows]
    back = bodies(there.handle, 3, mark=9)
    send(chain, "web", here, back)
    assert chain["alice"].data == [(there, body) for body in back]


def test_three_senders_on_one_handle_never_share_a_counter(chain: Chain) -> None:
    here = chain.path("web", "s1", "s2", "s3", "r4")
    senders = [
        ("alice", chain.path("alice", *HOPS)),
        ("eve", chain.path("eve", "r2", "r1", "s1", "r4")),
        ("alice", chain.path("alice", "r3", "s2", "r1", "r4")),
    ]
    for number, (name, path) in enumerate(senders):
        send(chain, name, path, bodies(here.handle, 20, mark=number))
    assert len(chain["web"].data) == 60
    to_web = [data for _, target, data in chain.sent if target == "web"]
    seen = [
        CELL_HEADS[1].unpack(d[at : at + CELL]) for d in to_web for at in range(0, len(d), CELL)
    ]
    assert len(set(seen)) == len(seen)


def test_relay_equals_the_slow_onion(chain: Chain) -> None:
    path = chain.path("alice", *HOPS)
    chain.sent.clear()
    body = bodies(1, 1, mark=7)[0]
    first = path.lane.next_counter
    send(chain, "alice", path, [body])
    _, _, wire = chain.sent[0]
    counter, left = first, wire
    for key, offset in zip(path.keys, path.pending.forward_offsets, strict=True):
        # The obvious way: a whole keystream from block 0 is out of reach, so seek by blocks.
        left = slow_layer(key.forward_layer, counter, left)
        counter = (counter + offset) % 2**48
    assert left[16:] == body
    assert chain["r4"].traffic == [body]


def slow_layer(key: bytes, counter: int, cell: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES256
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    encryptor = Cipher(AES256(key), ECB()).encryptor()
    blocks = b"".join((84 * counter + n).to_bytes(16, "big") for n in range(84))
    keystream = encryptor.update(blocks)
    return bytes(a ^ b for a, b in zip(cell, keystream, strict=True))


def test_the_oracle_agrees_with_the_cipher_at_block_zero() -> None:
    assert slow_layer(bytes(32), 0, bytes(CELL)) == stream(bytes(32), CELL)


def test_a_replayed_burst_is_dropped_and_counted(chain: Chain) -> None:
    path = chain.path("alice", *HOPS)
    chain.sent.clear()
    send(chain, "alice", path, bodies(1, 5))
    _, _, data = chain.sent[0]
    r1 = chain["r1"]
    r1.cells(r1.sides["alice"], data)
    chain.settle()
    assert r1.pump.drops[Drop.REPLAYED] == 5
    assert len(chain["r4"].traffic) == 5


def test_a_burst_half_seen_before_delivers_the_other_half(chain: Chain) -> None:
    path = chain.path("alice", *HOPS)
    chain.sent.clear()
    send(chain, "alice", path, bodies(1, 6))
    held = chain.sent[0][2]
    r1 = chain["r1"]
    # Rows 3-5 again, then the next three: a run that overlaps the window.
    cells = Cells()
    for row, body in enumerate(bodies(1, 3, mark=5)):
        cells.bodies[row][:] = body
    path.lane.wrap(cells, 0, 3)
    r1.cells(r1.sides["alice"], held[3 * CELL :] + bytes(cells.span(0, 3)))
    chain.settle()
    assert r1.pump.drops[Drop.REPLAYED] == 3
    assert len(chain["r4"].traffic) == 9


def test_counters_above_48_bits_and_unknown_ids_are_dropped(chain: Chain) -> None:
    path = chain.path("alice", *HOPS)
    r1 = chain["r1"]
    big = CELL_HEADS[1].pack(path.path_id, 1 << 48).ljust(CELL, b"\0")
    unknown = CELL_HEADS[1].pack(5, 1).ljust(CELL, b"\0")
    huge = CELL_HEADS[1].pack(path.path_id, (1 << 64) - 1).ljust(CELL, b"\0")
    r1.cells(r1.sides["alice"], big + unknown + huge)
    assert r1.pump.drops[Drop.BAD_COUNTER] == 2
    assert r1.pump.drops[Drop.UNKNOWN_PATH] == 1


def test_no_cell_leaves_with_the_header_it_came_with(chain: Chain) -> None:
    chain.path("alice", *HOPS)
    heads = [CELL_HEADS[1].unpack(data) for _, _, data in chain.sent]
    assert len(set(heads)) == len(heads)


@pytest.mark.parametrize("position", range(4))
def test_a_dead_link_breaks_the_path_and_blames_both_its_ends(chain: Chain, position: int) -> None:
    path = chain.path("alice", *HOPS)
    alice = chain["alice"]
    alice.own.take_events()
    names = ("alice", *HOPS)
    chain.cut(names[position], names[position + 1])
    (event,) = alice.own.take_events()
    assert isinstance(event, PathLost)
    blamed = {chain.names[router] for router in event.suspects}
    assert blamed == set(names[max(1, position) : position + 2])
    assert path.state is State.DEAD
    assert all(not machine.transit.hops for machine in chain.machines.values())


def test_a_closed_path_is_forgotten_everywhere_and_its_handle_unknown(chain: Chain) -> None:
    there = chain.path("alice", *HOPS)
    here = chain.path("web", "s1", "s2", "s3", "r4")
    chain["web"].own.close(here, chain.now)
    chain.settle()
    assert not chain["s2"].transit.hops
    send(chain, "alice", there, bodies(here.handle, 2))
    assert chain["r4"].unknown == [here.handle]


def test_a_handle_belongs_to_the_first_who_registers_it(chain: Chain) -> None:
    here = chain.path("web", "s1", "s2", "s3", "r4")
    eve = chain["eve"]
    eve.own._random_id = lambda: here.handle  # type: ignore[method-assign]
    stolen = eve.own.build([chain[hop].contact for hop in HOPS], chain.now)
    chain.settle()
    assert stolen is not None
    assert stolen.state is State.DEAD
    assert isinstance(eve.own.take_events()[0], PathFailed)


def test_an_unreachable_hop_fails_the_build_and_is_suspected(chain: Chain) -> None:
    del chain.names[chain["r3"].router]
    path = chain.path("alice", *HOPS)
    (event,) = chain["alice"].own.take_events()
    assert isinstance(event, PathFailed)
    assert event.suspects == (chain["r2"].router, chain["r3"].router)
    assert path.state is State.DEAD


def test_a_tampered_control_cell_closes_the_path(chain: Chain) -> None:
    path = chain.path("alice", *HOPS)
    chain["alice"].own.take_events()
    cells = Cells()
    cells.bodies[0][:] = bytes(8) + b"x" * (BODY - 8)
    path.lane.wrap(cells, 0, 1)
    chain["alice"].send_cells(path.link, cells, 0, 1, chain.now)
    chain.settle()
    (event,) = chain["alice"].own.take_events()
    assert isinstance(event, PathLost)
    assert not chain["r4"].transit.hops


def test_paths_expire_at_the_owner_and_at_every_relay(chain: Chain) -> None:
    path = chain.path("alice", *HOPS)
    chain["alice"].own.take_events()
    chain.now = path.expires + 1
    chain["alice"].own.tick(chain.now)
    for machine in chain.machines.values():
        machine.transit.tick(chain.now)
    assert isinstance(chain["alice"].own.take_events()[0], PathLost)
    assert all(not machine.transit.hops for machine in chain.machines.values())


def test_a_silent_path_is_probed_and_given_up(chain: Chain) -> None:
    path = chain.path("alice", *HOPS)
    alice = chain["alice"]
    alice.own.take_events()
    alice.send_cells = lambda *_: None  # type: ignore[method-assign]
    while path.state is State.READY:
        due = alice.own.deadline()
        assert due is not None
        assert due > chain.now
        chain.now = due
        alice.own.tick(chain.now)
    (event,) = alice.own.take_events()
    assert isinstance(event, PathLost)
    assert event.reason == "no answer to probes"
    assert chain.now < path.started + 30_000_000
