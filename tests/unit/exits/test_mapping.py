"""Which exit a destination goes through, against an obvious twin that keeps no generations."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lokinet_node.exits.exit_range import EVERYTHING, parse_exit_range
from lokinet_node.exits.mapping import MOST_MAPPINGS, MOST_PINS, Exit, ExitMap
from lokinet_node.session.addresses import Remote

ONE, TWO, THREE = (Remote(False, bytes([number]) * 32) for number in (1, 2, 3))
NAMED = "exit.loki"
ALL = parse_exit_range("0.0.0.0/0")


def ip(text: str) -> bytes:
    return ip_address(text).packed


def addresses(count: int) -> list[bytes]:
    return [(0x08000000 + number).to_bytes(4, "big") for number in range(count)]


def new(seed: int = 1) -> ExitMap:
    return ExitMap(Random(seed).randbytes)


def test_destinations_are_spread_over_exits_and_each_stays_with_its_own() -> None:
    exits = new()
    exits.map(EVERYTHING, ONE)
    exits.map(ALL, TWO)
    first = {one: exits.exit_of(one) for one in addresses(400)}
    assert min(Counter(first.values()).values()) > 140, "both are used about equally"
    assert {one: exits.exit_of(one) for one in addresses(400)} == first
    exits.map(ALL, THREE)
    assert {one: exits.exit_of(one) for one in addresses(400)} == first, "no connection breaks"
    assert exits.pins() == Counter(first.values())


def test_only_the_exit_a_source_is_pinned_to_may_answer_for_it() -> None:
    exits = new()
    exits.map(EVERYTHING, ONE)
    exits.map(EVERYTHING, TWO)
    pinned = exits.exit_of(ip("192.0.2.1"))
    other = TWO if pinned == ONE else ONE
    assert pinned is not None
    assert exits.accepts(pinned, ip("192.0.2.1"))
    assert not exits.accepts(other, ip("192.0.2.1"))
    assert not exits.accepts(ONE, ip("192.0.2.2")), "nobody asked there"
    exits.unmap(EVERYTHING)
    assert not exits.accepts(pinned, ip("192.0.2.1"))


def test_an_unmapped_exit_loses_its_pins_and_others_keep_theirs() -> None:
    exits = new()
    exits.map(ALL, ONE)
    exits.map(EVERYTHING, TWO)
    first = {one: exits.exit_of(one) for one in addresses(100)}
    assert exits.unmap(ALL) == [ALL]
    for one in addresses(100):
        assert exits.exit_of(one) == TWO
        assert not exits.accepts(ONE, one)
    assert TWO in first.values()
    assert exits.unmap(EVERYTHING) == [EVERYTHING]
    assert len(exits) == 0
    assert exits.exit_of(ip("192.0.2.1")) is None
    assert exits.unmap(EVERYTHING) == []


def test_a_range_unmaps_those_that_lie_in_it() -> None:
    exits = new()
    for text in ("10.0.0.0/8", "10.1.0.0/16", "11.0.0.0/8", "::/0"):
        exits.map(parse_exit_range(text), ONE)
    assert [str(one) for one in exits.unmap(parse_exit_range("10.0.0.0/8"))] == [
        "10.0.0.0/8",
        "10.1.0.0/16",
    ]
    assert [str(one) for one in exits.ranges_of(ONE)] == ["11.0.0.0/8", "::/0"]


def test_swapped_exits_change_places_and_nothing_stays_with_the_old_one() -> None:
    exits = new()
    exits.map(ALL, ONE)
    exits.map(parse_exit_range("2001:db8::/32"), ONE)
    exits.map(ALL, TWO)
    first = {one: exits.exit_of(one) for one in addresses(100)}
    exits.down(ONE)
    assert len(exits.swap(ONE, THREE)) == 2
    for one, before in first.items():
        assert not exits.accepts(ONE, one)
        assert before == ONE or exits.exit_of(one) == TWO, "what was not with it stays"
    assert {exits.exit_of(one) for one in addresses(100)} == {TWO, THREE}
    assert exits.exits() == {TWO, THREE}
    assert exits.swap(ONE, TWO) == []


def test_a_name_gives_its_ranges_to_the_address_it_turns_out_to_be() -> None:
    exits = new()
    exits.map(ALL, NAMED)
    assert exits.exit_of(ip("192.0.2.1")) == NAMED
    assert exits.swap(NAMED, ONE) == [ALL]
    assert exits.exit_of(ip("192.0.2.1")) == ONE


def test_an_exit_that_is_down_is_left_where_there_is_another() -> None:
    exits = new()
    exits.map(ALL, ONE)
    exits.map(parse_exit_range("8.0.0.0/24"), TWO)
    shared, alone = addresses(200), ip("192.0.2.1")
    assert {exits.exit_of(one) for one in shared} == {ONE, TWO}
    assert exits.exit_of(alone) == ONE
    exits.down(ONE)
    assert {exits.exit_of(one) for one in shared} == {TWO}
    assert exits.exit_of(alone) == ONE, "no other leads there"
    exits.up(ONE)
    assert {exits.exit_of(one) for one in shared} == {TWO}, "they do not move twice"
    exits.down(TWO)
    assert {exits.exit_of(one) for one in shared} == {ONE}
    exits.down(ONE)
    assert exits.is_down(ONE)
    assert {exits.exit_of(one) for one in shared} == {ONE}, "nobody else is any better"


def test_null_cuts_holes_and_exits_can_be_mapped_inside_them() -> None:
    exits = new()
    exits.map(EVERYTHING, ONE)
    assert exits.exit_of(ip("10.1.1.1")) == ONE
    exits.map(parse_exit_range("10.0.0.0/8"), None)
    assert exits.exit_of(ip("10.1.1.1")) is None, "the pin is gone, too"
    assert not exits.accepts(ONE, ip("10.1.1.1"))
    exits.map(parse_exit_range("10.1.0.0/16"), TWO)
    assert exits.exit_of(ip("10.1.1.1")) == TWO
    assert exits.exit_of(ip("10.2.1.1")) is None
    exits.map(parse_exit_range("10.1.0.0/16"), None)
    assert exits.exit_of(ip("10.1.1.1")) is None, "of equal ones null wins"
    exits.unmap(parse_exit_range("10.0.0.0/8"))
    assert exits.exit_of(ip("10.1.1.1")) == ONE
    assert exits.exits() == {ONE}


@pytest.mark.parametrize(
    "place", ["127.0.0.1", "0.0.0.0", "224.0.0.251", "255.255.255.255", "169.254.9.9", "ff02::fb"]
)
def test_this_machine_its_links_and_groups_have_no_exit(place: str) -> None:
    exits = new()
    exits.map(EVERYTHING, ONE)
    exits.map(parse_exit_range(place), ONE)
    assert exits.exit_of(ip(place)) is None


def test_pins_are_bounded_and_those_in_use_survive() -> None:
    exits = new()
    exits.map(EVERYTHING, ONE)
    exits.map(EVERYTHING, TWO)
    used = {one: exits.exit_of(one) for one in addresses(100)}
    for number in range(5 * MOST_PINS):
        exits.exit_of((0x20000000 + number).to_bytes(4, "big"))
        if number % (MOST_PINS // 2) == 0:
            assert {one: exits.exit_of(one) for one in used} == used
    assert sum(exits.pins().values()) <= 2 * MOST_PINS


def test_a_change_costs_the_same_however_many_pins_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exits = new()
    exits.map(EVERYTHING, ONE)
    exits.map(ALL, TWO)
    places = addresses(1000)
    first = {one: exits.exit_of(one) for one in places}
    judged: list[bytes] = []
    plain = ExitMap.candidates

    def counted(self: ExitMap, destination: bytes) -> list[Exit]:
        judged.append(destination)
        return plain(self, destination)

    monkeypatch.setattr(ExitMap, "candidates", counted)
    exits.down(TWO)
    exits.map(parse_exit_range("10.0.0.0/8"), None)
    exits.swap(TWO, THREE)
    exits.unmap(parse_exit_range("10.0.0.0/8"))
    assert not judged
    assert [exits.accepts(ONE, one) for one in places] == [first[one] == ONE for one in places]
    assert not any(exits.accepts(TWO, one) for one in places)
    judged.clear()
    for one in places:
        exits.exit_of(one)
    moved = [one for one in places if first[one] == TWO]
    assert judged == moved, "the others were judged when they were looked at"


def test_a_destination_leaves_an_exit_that_is_down_when_another_comes() -> None:
    exits = new()
    exits.map(ALL, ONE)
    place = ip("192.0.2.1")
    assert exits.exit_of(place) == ONE
    exits.down(ONE)
    assert exits.exit_of(place) == ONE
    exits.map(ALL, TWO)
    assert exits.exit_of(place) == TWO
    assert not exits.accepts(ONE, place)


def test_mappings_are_bounded() -> None:
    exits = new()
    for number in range(MOST_MAPPINGS):
        assert exits.map(parse_exit_range(f"10.{number // 256}.{number % 256}.0/24"), ONE)
    assert not exits.map(EVERYTHING, ONE)
    assert exits.map(parse_exit_range("10.0.0.0/24"), ONE), "this one is there already"


TEXTS = ["0.0.0.0/0", "::/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "2001:db8::/32"]
PLACES = ["10.0.0.1", "10.1.0.1", "10.1.1.1", "192.0.2.1", "2001:db8::1", "2001:db9::1"]
RANGES = st.sampled_from(TEXTS)
EXITS = st.sampled_from([ONE, TWO, THREE, NAMED])


class Twin(RuleBasedStateMachine):
    """The rules of the module in their plainest form, beside the real thing."""

    def __init__(self) -> None:
        super().__init__()
        self.real = new(7)
        self.mapped: list[tuple[str, Exit | None]] = []
        self.out: set[Exit] = set()
        self.pins: dict[str, Exit] = {}

    def holds(self, text: str, place: str) -> bool:
        network, address = ip_network(text), ip_address(place)
        return text == "::/0" or (network.version == address.version and address in network)

    def size(self, text: str) -> int:
        network = ip_network(text)
        return network.prefixlen + (96 if network.version == 4 else 0)

    def wanted(self, place: str) -> set[Exit]:
        holding = [(text, one) for text, one in self.mapped if self.holds(text, place)]
        holes = [self.size(text) for text, one in holding if one is None]
        return {
            one
            for text, one in holding
            if one is not None and all(self.size(text) > hole for hole in holes)
        }

    def flush(self) -> None:
        for place, one in list(self.pins.items()):
            wanted = self.wanted(place)
            if one not in wanted or (one in self.out and wanted - self.out):
                del self.pins[place]
        self.out &= {one for _, one in self.mapped if one is not None}

    @rule(text=RANGES, one=EXITS)
    def map(self, text: str, one: Exit) -> None:
        self.real.map(parse_exit_range(text), one)
        if (text, one) not in self.mapped:
            self.mapped.append((text, one))
        self.flush()

    @rule(text=RANGES)
    def map_nothing(self, text: str) -> None:
        self.real.map(parse_exit_range(text), None)
        if (text, None) not in self.mapped:
            self.mapped.append((text, None))
        self.flush()

    @rule(text=RANGES)
    def unmap(self, text: str) -> None:
        inside = [
            other
            for other, _ in self.mapped
            if self.size(other) >= self.size(text)
            and self.holds(text, str(ip_network(other).network_address))
        ]
        gone = self.real.unmap(parse_exit_range(text))
        assert [str(one) for one in gone] == list(dict.fromkeys(inside))
        self.mapped = [(other, one) for other, one in self.mapped if other not in inside]
        self.flush()

    @rule(old=EXITS, new_one=EXITS)
    def swap(self, old: Exit, new_one: Exit) -> None:
        moved = self.real.swap(old, new_one)
        assert len(moved) == sum(one == old for _, one in self.mapped)
        self.mapped = list(
            dict.fromkeys((text, new_one if one == old else one) for text, one in self.mapped)
        )
        if old != new_one:
            self.flush()

    @rule(one=EXITS)
    def goes_down(self, one: Exit) -> None:
        self.real.down(one)
        self.out.add(one)
        self.flush()

    @rule(one=EXITS)
    def comes_up(self, one: Exit) -> None:
        self.real.up(one)
        self.out.discard(one)
        self.flush()

    @rule(place=st.sampled_from(PLACES))
    def send(self, place: str) -> None:
        chosen = self.real.exit_of(ip(place))
        wanted = self.wanted(place)
        if place in self.pins:
            assert chosen == self.pins[place]
        elif not wanted:
            assert chosen is None
        else:
            assert chosen in (wanted - self.out or wanted)
            assert chosen is not None
            self.pins[place] = chosen

    @invariant()
    def accepts_the_same(self) -> None:
        for place in PLACES:
            for one in (ONE, TWO, THREE, NAMED):
                assert self.real.accepts(one, ip(place)) == (self.pins.get(place) == one)

    @invariant()
    def shows_the_same(self) -> None:
        assert sorted(map(repr, self.real.rows())) == sorted(
            repr((parse_exit_range(text), one)) for text, one in self.mapped
        )
        assert self.real.pins() == Counter(self.pins.values())


TestTwin = Twin.TestCase
TestTwin.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
