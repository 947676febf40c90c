"""Who may send in a session: rows that are blanked, answers that count, questions that repeat."""

from __future__ import annotations

import pytest

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import SECOND, Micros
from lokinet_node.session.admission import (
    CALLED,
    QUESTION_BURST,
    Admission,
    Grant,
    Plea,
)
from lokinet_node.session.auth_messages import Auth, AuthCode, AuthResult
from lokinet_node.session.effects import AdmissionAsked, Authorised
from lokinet_node.session.messages import STATUS_NEEDS_AUTH, STATUS_OK, CloseReason
from lokinet_node.session.plaintexts import (
    PLAINTEXT,
    TYPE_EXIT4,
    TYPE_MESSAGE,
    TYPE_NOTHING,
    TYPE_PACKET,
    Plaintexts,
)
from tests.unit.session.shuttle import World, joined, session_of

pytestmark = pytest.mark.usefixtures("sealed_once")

HEADER = bytes(12)
THERE, BACK = HEADER + bytes(4) + b"\xcb\0\x71\7", HEADER + b"\xcb\0\x71\7" + bytes(4)
"""IPv4 headers of packets to the internet, and from it."""


class Nobody:
    """A doorkeeper that lets in whom it was told to."""

    def __init__(self, grant: Grant | None = None, called: Grant | None = CALLED) -> None:
        self.grant = grant
        self.called = called

    def greet(self, remote: LokiAddress, now: Micros) -> Grant | None:
        return self.grant

    def recall(self, remote: LokiAddress, now: Micros) -> Grant | None:
        return self.called


class Counter:
    """A meter that lets so many pass."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.taken: list[tuple[int, int]] = []

    def take(self, count: int, size: int, now: Micros) -> int:
        self.taken.append((count, size))
        passed = min(count, self.left)
        self.left -= passed
        return passed


def guarded(grant: Grant | None = None, called: Grant | None = CALLED) -> tuple[World, Admission]:
    """A session as the called end has it, whose door was closed before the caller asked."""
    world, caller, service = joined()
    service.sessions.keep_door(Nobody(grant, called))
    admission = session_of(service, caller).admission
    admission.is_welcome = False
    service.sessions.take_effects()
    return world, admission


def rows(*contents: tuple[int, bytes]) -> Plaintexts:
    plain = Plaintexts()
    for row, (kind, content) in enumerate(contents):
        plain.put(row, kind, content)
    return plain


def kinds(plain: Plaintexts, count: int) -> list[int]:
    return list(plain.view[: count * PLAINTEXT : PLAINTEXT])


MIXED = ((TYPE_PACKET, b"x"), (TYPE_MESSAGE, b"\5\0"), (TYPE_EXIT4, THERE), (TYPE_NOTHING, b""))


def test_of_a_stranger_only_messages_remain() -> None:
    world, admission = guarded()
    plain = rows(*MIXED)
    assert admission.screen(plain, 0, 4, world.now) == 3
    assert kinds(plain, 4) == [TYPE_NOTHING, TYPE_MESSAGE, TYPE_NOTHING, TYPE_NOTHING]


def test_rows_before_the_first_are_somebody_elses() -> None:
    world, admission = guarded()
    plain = rows(*MIXED)
    admission.screen(plain, 2, 2, world.now)
    assert kinds(plain, 4) == [TYPE_PACKET, TYPE_MESSAGE, TYPE_NOTHING, TYPE_NOTHING]


def test_whom_we_called_may_answer_and_bring_the_internet_to_us_but_not_us_to_it() -> None:
    world, admission = guarded()
    admission.called(world.now)
    assert admission.is_welcome
    assert not admission.is_open
    plain = rows(*MIXED, (TYPE_EXIT4, BACK))
    assert admission.screen(plain, 0, 5, world.now) == 1
    assert kinds(plain, 5) == [TYPE_PACKET, TYPE_MESSAGE, TYPE_NOTHING, TYPE_NOTHING, TYPE_EXIT4]


def test_who_is_metered_is_cut_off_after_what_passes_both_ways() -> None:
    meter = Counter(3)
    world, admission = guarded(Grant(meter))
    assert admission.knocked(world.now) == STATUS_OK
    plain = rows(*[(TYPE_PACKET, bytes(300))] * 2)
    assert admission.pass_out(plain, 2, world.now) == 2
    assert meter.taken == [(2, 600)]
    assert admission.screen(plain, 0, 2, world.now) == 1
    assert kinds(plain, 2) == [TYPE_PACKET, TYPE_NOTHING]


def test_who_lost_leave_gets_nothing_and_is_not_let_in_by_our_calling() -> None:
    meter = Counter(100)
    world, admission = guarded(Grant(meter), called=None)
    admission.knocked(world.now)
    admission.decided(AuthResult(0, AuthCode.LIMITED, "used up"), None, world.now)
    admission.called(world.now)
    plain = rows((TYPE_PACKET, b"x"))
    assert admission.pass_out(plain, 1, world.now) == 0
    assert admission.screen(plain, 0, 1, world.now) == 1
    assert meter.taken == []


def test_a_former_caller_that_we_call_back_is_metered_as_before() -> None:
    meter = Counter(1)
    world, admission = guarded(called=Grant(meter))
    admission.called(world.now)
    plain = rows((TYPE_PACKET, b"x"), (TYPE_PACKET, b"y"))
    assert admission.screen(plain, 0, 2, world.now) == 1
    assert admission.pass_out(plain, 1, world.now) == 0
    assert meter.taken == [(2, 2), (1, 1)]


def test_a_former_caller_without_leave_gets_nothing_by_being_called_back() -> None:
    world, admission = guarded(called=None)
    admission.called(world.now)
    plain = rows((TYPE_PACKET, b"x"))
    assert not admission.is_welcome
    assert admission.pass_out(plain, 1, world.now) == 0
    assert admission.screen(plain, 0, 1, world.now) == 1


def test_to_send_to_a_stranger_is_to_call_it() -> None:
    world, admission = guarded()
    assert admission.pass_out(rows((TYPE_PACKET, b"x")), 1, world.now) == 1
    assert admission.is_welcome
    assert not admission.is_customer


def test_questions_are_metered_before_anything_is_done_about_them() -> None:
    world, admission = guarded()
    refusal = AuthCode.REJECT
    for number in range(1, 3 * QUESTION_BURST):
        admission.asked(Auth(number, ""), world.now)
        admission.decided(AuthResult(number, refusal, "no"), None, world.now)
    assert len(asked(admission)) == QUESTION_BURST
    admission.asked(Auth(99, ""), world.now + SECOND)
    assert [one.number for one in asked(admission)] == [99]


def asked(admission: Admission) -> list[AdmissionAsked]:
    effects = [one for one in admission._home.effects if isinstance(one, AdmissionAsked)]
    admission._home.effects.clear()
    return effects


def test_one_question_is_pending_and_an_answer_to_another_is_nobodys() -> None:
    world, admission = guarded()
    assert admission.knocked(world.now) == STATUS_NEEDS_AUTH
    admission.asked(Auth(7, "one"), world.now)
    admission.asked(Auth(7, "one"), world.now)
    admission.asked(Auth(8, "two"), world.now)
    assert [one.number for one in asked(admission)] == [7]
    admission.decided(AuthResult(8, AuthCode.OKAY), Grant(), world.now)
    assert not admission.is_welcome, "that question was never taken"
    admission.decided(AuthResult(7, AuthCode.REJECT, "no"), None, world.now)
    admission.asked(Auth(7, "one"), world.now)
    assert asked(admission) == [], "it is answered as before"
    admission.asked(Auth(8, "two"), world.now)
    assert [one.number for one in asked(admission)] == [8]
    admission.decided(AuthResult(8, AuthCode.OKAY), Grant(), world.now)
    assert admission.is_welcome
    assert admission.is_granted


def test_a_question_without_an_answer_ends_by_itself() -> None:
    world, caller, service = joined()
    service.is_alive = False
    caller.sessions.authorise(service.address, "sesame", world.now)
    caller.settle()
    admission = session_of(caller, service).admission
    assert not admission.may_send
    assert not caller.send(service, b"held back")
    world.run(40 * SECOND)
    found = [one for one in caller.effects if isinstance(one, Authorised)]
    assert [(one.code, one.remote) for one in found] == [(AuthCode.FAILED, service.address)]
    assert admission.plea is Plea.REFUSED


def test_a_session_that_ends_answers_who_waits_for_leave() -> None:
    world, caller, service = joined()
    service.sessions.keep_door(Nobody())
    caller.sessions.authorise(service.address, "sesame", world.now)
    caller.settle()
    session_of(caller, service).close(CloseReason.ASKED, world.now)
    caller.settle()
    found = [one for one in caller.effects if isinstance(one, Authorised)]
    assert [one.code for one in found] == [AuthCode.FAILED]
