"""Both ends of an exit in one process: who is let through, and that junk harms nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.burst import ROWS
from lokinet_node.exits.door import Door
from lokinet_node.session.addresses import Remote
from lokinet_node.session.exit_rows import ExitRun
from lokinet_node.session.merge import Merger
from lokinet_node.session.plaintexts import PLAINTEXT, TYPE_EXIT4, TYPE_PACKET, Plaintexts
from lokinet_node.session.refused import Refused
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.packets import delivered, echo, ipv4, udp
from lokinet_node.wire.ip import HOST_UNREACHABLE, ICMP, UDP

SITE = bytes((192, 0, 2, 7))
OWN, MAPPED = bytes((172, 16, 0, 1)), bytes((172, 16, 0, 9))
EXIT = Remote(False, b"e" * 32)


@dataclass
class OneExit:
    """A consumer that reaches everything through one exit."""

    remote: Remote
    sites: frozenset[bytes] = frozenset({SITE})

    def exit_for(self, destination: bytes) -> Remote | None:
        return self.remote if destination in self.sites else None

    def refusal(self, destination: bytes) -> int:
        return HOST_UNREACHABLE

    def accepts(self, remote: Remote, source: bytes) -> bool:
        return remote == self.remote and source in self.sites

    def may_report(self, source: bytes) -> bool:
        return source[0] not in (OWN[0], 127)


@dataclass
class OpenExit:
    """A provider that lets everything through but some destinations."""

    refused: frozenset[bytes] = frozenset()
    runs: list[ExitRun] = field(default_factory=list)

    def admits(
        self, remote: Remote, run: ExitRun, plain: Plaintexts, mapped: bytes, now: int
    ) -> bool:
        self.runs.append(run)
        return run.destination not in self.refused

    def take_hints(self) -> list[tuple[Remote, Refused]]:
        return []

    def take_answers(self) -> list[tuple[Remote, bytes]]:
        return []


def with_exit(seed: int) -> tuple[World, ClientMachine, ClientMachine]:
    """A client that uses an exit, and the exit; its tun answers for the whole internet."""
    world = World(seed=seed)
    alice, exit_ = world.client("alice"), world.client("exit")
    world.settle()
    assert alice.traffic.door is not None
    assert exit_.traffic.door is not None
    alice.traffic.door.consumer = OneExit(exit_.remote)
    exit_.traffic.door.provider = OpenExit()
    return world, alice, exit_


def test_a_packet_leaves_at_the_exit_and_its_answer_comes_back() -> None:
    world, alice, exit_ = with_exit(1)
    alice.send(echo(alice.own, SITE, b"hello"))
    world.wait(lambda: bool(alice.inbox), 15, "an answer")
    (out,) = exit_.inbox
    assert (out.source, out.target) == (exit_.map(alice.remote), SITE)
    (back,) = alice.inbox
    assert (back.source, back.target, back.payload) == (SITE, alice.own, b"hello")
    assert back.protocol == ICMP


def test_a_session_with_an_exit_also_carries_what_is_for_the_exit_itself() -> None:
    world, alice, exit_ = with_exit(2)
    inside = world.connect(alice, exit_)
    for target in (inside, SITE, inside):
        alice.send(echo(alice.own, target, b"x"))
    world.wait(lambda: len(alice.inbox) == 3, 5, "three answers")
    assert [one.target for one in exit_.inbox] == [exit_.own, SITE, exit_.own]
    assert [one.source for one in alice.inbox] == [inside, SITE, inside]


def test_only_the_exit_in_use_answers_for_the_internet() -> None:
    world, alice, _ = with_exit(3)
    mallory = world.client("mallory")
    world.settle()
    assert mallory.traffic.door is not None
    mallory.traffic.door.provider = OpenExit()
    mapped = world.connect(mallory, alice)
    mallory.answers_echo = False
    mallory.send(udp(SITE, mapped, b"spoofed"))
    door = alice.traffic.door
    assert door is not None
    world.wait(lambda: bool(door.drops["not-our-exit"]), 5, "it is dropped")
    assert not alice.inbox


def test_a_node_that_is_no_exit_lets_nothing_out() -> None:
    world, alice, exit_ = with_exit(4)
    door = exit_.traffic.door
    assert door is not None
    door.provider = None
    alice.send(echo(alice.own, SITE, b"hello"))
    world.wait(lambda: bool(door.drops["not-an-exit"]), 15, "it is dropped")
    assert not exit_.inbox


@pytest.mark.parametrize("refused", [0, 1, 2])
def test_neighbours_that_pass_are_merged_around_those_that_do_not(refused: int) -> None:
    sites = [bytes((192, 0, 2, number)) for number in (1, 1, 2, 2, 3)]
    plain = Plaintexts()
    for row, site in enumerate(sites):
        packet = udp(bytes(4), site, bytes((row,)))
        plain.put(row, TYPE_EXIT4, packet[:10] + bytes(2) + packet[12:])
    door = Door(OWN)
    provider = door.provider = OpenExit(frozenset({bytes((192, 0, 2, refused))}))
    writes: list[bytes] = []
    merger = Merger(join_udp=False)
    door.deliver(EXIT, MAPPED, plain, len(sites), merger, writes.append, 0)
    got = [delivered(write, 0) for write in writes]
    passed = [row for row, site in enumerate(sites) if site[3] != refused]
    assert [one.payload[0] for one in got] == passed
    assert [one.target for one in got] == [sites[row] for row in passed]
    assert {one.source for one in got} == {MAPPED}
    assert [run.rows for run in provider.runs] == [2, 2, 1]


@pytest.mark.parametrize(
    ("source", "passes"),
    [
        (bytes((198, 51, 100, 1)), True),
        (bytes(4), True),
        (bytes((127, 0, 0, 1)), False),
        (OWN, False),
        (MAPPED, False),
    ],
)
def test_an_error_never_comes_from_this_machine_or_its_remotes(source: bytes, passes: bool) -> None:
    quoted = udp(OWN, SITE, b"question")
    error = ipv4(source, bytes(4), ICMP, bytes((11, 0, 0, 0)) + bytes(4) + quoted[:28])
    plain = Plaintexts()
    plain.put(0, TYPE_EXIT4, error[:10] + bytes(2) + error[12:])
    door = Door(OWN)
    door.consumer = OneExit(EXIT)
    writes: list[bytes] = []
    door.deliver(EXIT, MAPPED, plain, 1, Merger(join_udp=False), writes.append, 0)
    assert len(writes) == door.drops["not-our-exit"] ^ 1 == int(passes)
    if passes:
        assert delivered(writes[0], 0).source == (source if any(source) else MAPPED)


@given(st.integers(0), st.booleans(), st.booleans())
def test_any_bytes_pass_only_as_packets_of_their_session(
    seed: int, uses_exits: bool, is_exit: bool
) -> None:
    """Junk in every row, with a plausible head in some: the peer chooses one address at most."""
    random = Random(seed)
    plain = Plaintexts()
    plain.buffer[:] = random.randbytes(len(plain.buffer))
    for row in range(ROWS):
        at = row * PLAINTEXT
        plain.buffer[at] = random.choice((0, TYPE_PACKET, 2, TYPE_EXIT4))
        if random.random() < 0.7:
            size = random.choice((20, 28, 40, 56, 60))
            plain.buffer[at + 1 : at + 3] = size.to_bytes(2, "big")
            plain.buffer[at + 3] = 0x45
            plain.buffer[at + 5 : at + 7] = size.to_bytes(2, "big")
            plain.buffer[at + 12] = random.choice((1, 6, UDP, 99))
            plain.buffer[at + 15 : at + 19] = random.choice((SITE, bytes(4)))
            plain.buffer[at + 19 : at + 23] = random.choice((SITE, bytes(4)))
            if random.random() < 0.5:
                plain.buffer[at + 9 : at + 11] = bytes(2)
                plain.buffer[at + 23] = random.choice((0, 3, 8, 11))
    door = Door(OWN)
    if uses_exits:
        door.consumer = OneExit(EXIT)
    if is_exit:
        door.provider = OpenExit()
    writes: list[bytes] = []
    door.deliver(EXIT, MAPPED, plain, ROWS, Merger(join_udp=True), writes.append, 0)
    allowed = set()
    for write in writes:
        packet = delivered(write, 0)
        allowed.add((packet.source, packet.target))
    out = {(MAPPED, target) for _, target in allowed if target != OWN}
    home = {(SITE, OWN), (MAPPED, OWN)}
    assert allowed <= (out if is_exit else set()) | (home if uses_exits else set())
