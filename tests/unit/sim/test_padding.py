"""Reused rows are wiped: nobody finds in his padding what was said to somebody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lokinet_node.session.plaintexts import PLAINTEXT, PLAINTEXT_HEAD, Plaintexts
from lokinet_node.session.streams import ReceiveStream
from lokinet_node.testing.builders import World
from lokinet_node.testing.packets import echo, udp
from lokinet_node.wire.channel import FRAME_HEADER, Frame, decode_frame
from tests.unit.sim.networks import pair

CANARY = b"\xa5"
LONG = CANARY * 1200


@pytest.fixture
def padding(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The padding of every record and control frame that anybody opens."""
    found: list[bytes] = []
    open_records = ReceiveStream.open

    def opened(self: ReceiveStream, *rest: Any) -> int:
        plain, at = rest[-2:]
        assert isinstance(plain, Plaintexts)
        count = open_records(self, *rest)
        for row in range(at, at + count):
            record = bytes(plain.view[row * PLAINTEXT : (row + 1) * PLAINTEXT])
            _, length = PLAINTEXT_HEAD.unpack_from(record)
            found.append(record[PLAINTEXT_HEAD.size + length :])
        return count

    def decoded(frame: bytes | memoryview) -> Frame:
        value = decode_frame(frame)
        found.append(bytes(frame[FRAME_HEADER + len(value.payload) :]))
        return value

    monkeypatch.setattr(ReceiveStream, "open", opened)
    monkeypatch.setattr("lokinet_node.flow.channel.decode_frame", decoded)
    return found


def say(world: World, packets: list[Callable[[], bytes]]) -> None:
    alice = world.clients["alice"]
    for packet in packets:
        alice.send(packet())
        world.run(0.02)


def test_padding_is_zero_whatever_was_in_the_row_before(padding: list[bytes]) -> None:
    world = World(seed=1)
    web, alice = pair(world)
    bob = world.client("bob")
    world.settle()
    world.connect(alice, bob)
    router = world.connect_router(alice, world.routers[4])
    for _ in range(3):
        say(
            world,
            [
                lambda: udp(alice.own, alice.map(web.remote), LONG),
                lambda: udp(alice.own, alice.map(bob.remote), b"short"),
                lambda: echo(alice.own, router, b"short"),
                lambda: echo(alice.own, alice.map(bob.remote), b"?"),
                lambda: echo(alice.own, router, LONG),
                lambda: udp(alice.own, alice.map(web.remote), b""),
            ],
        )
    assert len(bob.inbox) == 6
    assert len(padding) > 200
    assert sum(map(len, padding)) > 100_000
    assert [rest for rest in padding if rest.strip(b"\0")] == []


def test_the_padding_test_sees_a_row_that_was_not_wiped(
    padding: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Plaintexts.put

    def put_only(self: Plaintexts, row: int, kind: int, content: bytes) -> None:
        before = bytes(self.rows[row])
        put(self, row, kind, content)
        end = PLAINTEXT_HEAD.size + len(content)
        self.rows[row][end:] = before[end:]

    monkeypatch.setattr(Plaintexts, "put", put_only)
    world = World(seed=1)
    web, alice = pair(world)
    say(world, [lambda: echo(alice.own, alice.map(web.remote), LONG)])
    say(world, [lambda: echo(alice.own, alice.map(web.remote), b"?")])
    assert any(CANARY in rest for rest in padding)
