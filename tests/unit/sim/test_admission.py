"""Whole networks with a service that does not let everybody in."""

from __future__ import annotations

from lokinet_node.exits.auth import TokenCheck, Verdict
from lokinet_node.exits.backend import Backend
from lokinet_node.session.admission import Plea
from lokinet_node.session.auth_messages import AuthCode
from lokinet_node.testing.builders import World
from tests.unit.sim.guarded import (
    ask,
    authorise,
    authorised,
    guarded,
    keep,
    payloads,
    prohibitions,
    send,
    unwelcome,
)
from tests.unit.sim.networks import ROUGH, SHORT


def test_a_stranger_is_told_so_and_nothing_of_it_is_delivered() -> None:
    world = World(seed=51)
    web, alice = guarded(world)
    send(alice, web, b"first")
    world.wait(lambda: prohibitions(alice) == 1, 20, "what waited is answered")
    assert authorised(alice) == [(AuthCode.REJECT, "access not permitted")]
    send(alice, web, b"second")
    assert prohibitions(alice) == 2, "the next one is answered at once"
    world.run(1)
    assert web.inbox == []
    assert alice.remote not in web.traffic.addresses.by_remote, "strangers get no address"


def test_names_of_a_service_that_refuses_still_resolve() -> None:
    world = World(seed=52)
    web, alice = guarded(world)
    assert world.connect(alice, web) == alice.map(web.remote)
    world.wait(lambda: bool(authorised(alice)), 10)
    assert alice.role.resolve(web.remote, world.network.now) == alice.map(web.remote)


def test_who_is_on_the_whitelist_needs_no_token() -> None:
    world = World(seed=53)
    web, alice = world.client("web"), world.client("alice")
    keep(web, whitelist=[alice.role.address])
    world.settle()
    world.connect(alice, web)
    send(alice, web, b"hello")
    world.wait(lambda: payloads(web) == [b"hello"], 5)
    assert authorised(alice) == [], "nobody had asked"
    send(web, alice, b"welcome")
    world.wait(lambda: payloads(alice) == [b"welcome"], 5)


def test_a_static_token_lets_in_and_another_does_not() -> None:
    world = World(seed=54)
    web, alice = guarded(world, tokens=["sesame", "other"])
    assert authorise(world, alice, web, "wrong") == (AuthCode.REJECT, "access not permitted")
    send(alice, web, b"early")
    assert authorise(world, alice, web, "sesame") == (AuthCode.OKAY, "")
    send(alice, web, b"hello")
    world.wait(lambda: payloads(web) == [b"hello"], 5)
    assert prohibitions(alice) == 1
    assert authorise(world, alice, web, "") == (AuthCode.REJECT, "a token is required")


def test_a_token_known_before_the_call_is_asked_with() -> None:
    world = World(seed=55)
    web, alice = guarded(world, tokens=["sesame"])
    ask(world, alice, web, "sesame")
    send(alice, web, b"hello")
    world.wait(lambda: payloads(web) == [b"hello"], 20)
    assert authorised(alice) == [(AuthCode.OKAY, "")]


def test_who_needs_no_leave_hears_that() -> None:
    world = World(seed=56)
    web, alice = world.client("web"), world.client("alice")
    world.settle()
    assert authorise(world, alice, web, "") == (AuthCode.OKAY, "")
    assert authorise(world, alice, web, "needless") == (AuthCode.OKAY, "")


def test_a_call_that_nobody_answers_ends_the_wait_for_leave() -> None:
    world = World(seed=57)
    web, alice = world.client("web"), world.client("alice")
    world.settle()
    web.kill()
    code, reason = authorise(world, alice, web, "sesame")
    assert (code, reason) == (AuthCode.FAILED, "no answer")


def test_a_refusal_is_asked_about_again_after_a_while() -> None:
    world = World(seed=58)
    web, alice = guarded(world, tokens=["sesame"])
    send(alice, web, b"too early")
    world.wait(lambda: prohibitions(alice) == 1, 20)
    keep(web, whitelist=[alice.role.address])
    send(alice, web, b"still refused")
    assert prohibitions(alice) == 2
    world.run(11)
    send(alice, web, b"now")
    world.wait(lambda: payloads(web) == [b"now"], 5)


def test_who_we_call_ourselves_may_answer() -> None:
    world = World(seed=59)
    web, alice = guarded(world)
    world.connect(web, alice)
    send(web, alice, b"question")
    world.wait(lambda: payloads(alice) == [b"question"], 5)
    send(alice, web, b"answer")
    world.wait(lambda: payloads(web) == [b"answer"], 5)


def test_packets_of_one_that_does_not_ask_are_dropped_and_it_is_told() -> None:
    world = World(seed=60)
    web, alice = guarded(world, tokens=["sesame"])
    world.connect(alice, web)
    world.wait(lambda: bool(authorised(alice)), 10)
    alice.role.sessions.by_remote[web.role.address].admission.plea = Plea.OPEN
    world.run(1.5)
    send(alice, web, b"unasked")
    world.wait(lambda: bool(unwelcome(web)), 5)
    assert web.inbox == []
    world.wait(lambda: authorised(alice) == [(AuthCode.REJECT, "a token is required")], 5)


def test_a_restarted_service_is_asked_again_without_being_told_to() -> None:
    world = World(seed=61)
    web, alice = guarded(world, tokens=["sesame"])
    assert authorise(world, alice, web, "sesame") == (AuthCode.OKAY, "")
    web.kill()
    world.run(1)
    web.start()
    web.inbox.clear()
    keep(web, tokens=["sesame"])

    def is_heard() -> bool:
        return b"again" in payloads(web)

    for _ in range(60):
        send(alice, web, b"again")
        world.run(1)
        if is_heard():
            break
    assert is_heard()


def test_the_driver_decides_about_tokens_of_a_backend_once() -> None:
    world = World(seed=62)
    web, alice = guarded(world, backend=Backend.HTTP)
    web.node.take_effects()
    ask(world, alice, web, "voucher")
    checks: list[TokenCheck] = []

    def is_asked() -> bool:
        checks.extend(one for one in web.node.take_effects() if isinstance(one, TokenCheck))
        return bool(checks)

    world.wait(is_asked, 20)
    world.run(8)  # alice repeats the question meanwhile
    assert not is_asked() or len(checks) == 1
    (check,) = checks
    assert (check.remote, check.token) == (alice.role.address, "voucher")
    verdict = Verdict(AuthCode.PAYME, "10 coins, please")
    web.role.token_checked(check, verdict, world.network.now)
    world.network.poke(web.address)
    world.wait(lambda: authorised(alice) == [(AuthCode.PAYME, "10 coins, please")], 5)


def test_leave_survives_loss_and_new_keys() -> None:
    world = World(seed=63, timing=SHORT, faults=ROUGH)
    web, alice = guarded(world, tokens=["sesame"])
    code, _ = authorise(world, alice, web, "sesame")
    assert code is AuthCode.OKAY
    for number in range(400):
        send(alice, web, bytes([number % 256]))
        world.run(0.1)
    assert len(payloads(web)) > 250
    assert authorised(alice) == []
