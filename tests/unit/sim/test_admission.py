"""Whole networks with a service that does not let everybody in."""

from __future__ import annotations

from collections.abc import Iterable

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.units import SECOND
from lokinet_node.exits.auth import Doorman, TokenCheck, Verdict
from lokinet_node.exits.backend import Backend
from lokinet_node.exits.quota import Ledger
from lokinet_node.exits.share import Quota, Quotas
from lokinet_node.node.status_auth import gate_status, session_auth
from lokinet_node.node.traffic import Drop
from lokinet_node.session.admission import Plea
from lokinet_node.session.auth_messages import AuthCode
from lokinet_node.session.effects import Authorised
from lokinet_node.session.messages import CloseReason
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.packets import udp
from lokinet_node.wire.ip import ICMP, UDP
from tests.unit.sim.networks import ROUGH, SHORT

PROHIBITED = b"\3\x0d"


def guarded(
    world: World,
    *,
    whitelist: Iterable[LokiAddress] = (),
    tokens: Iterable[str] = (),
    backend: Backend = Backend.NONE,
) -> tuple[ClientMachine, ClientMachine]:
    """A service that asks, and a client that has not called yet."""
    web, alice = world.client("web"), world.client("alice")
    keep(web, whitelist=whitelist, tokens=tokens, backend=backend)
    world.settle()
    return web, alice


def keep(
    web: ClientMachine,
    *,
    whitelist: Iterable[LokiAddress] = (),
    tokens: Iterable[str] = (),
    backend: Backend = Backend.NONE,
) -> None:
    web.role.gate.keep(
        Doorman(
            whitelist=whitelist,
            tokens=tokens,
            backend=backend,
            entropy=lambda size: b"k" * size,
        )
    )


def authorised(client: ClientMachine) -> list[tuple[AuthCode, str]]:
    effects = client.node.take_effects()
    return [(one.code, one.reason) for one in effects if isinstance(one, Authorised)]


def ask(world: World, client: ClientMachine, service: ClientMachine, token: str) -> None:
    """Ask to be let in; what comes of it is an effect of the client."""
    now = world.network.now
    client.role.sessions.authorise(service.role.address, token, now)
    client.role.tick(now)
    world.network.poke(client.address)


def authorise(
    world: World, client: ClientMachine, service: ClientMachine, token: str
) -> tuple[AuthCode, str]:
    """Ask, and wait for the answer."""
    client.node.take_effects()
    ask(world, client, service, token)
    answers: list[tuple[AuthCode, str]] = []

    def is_answered() -> bool:
        answers.extend(authorised(client))
        return bool(answers)

    world.wait(is_answered, 40, "an answer to the token")
    assert len(answers) == 1
    return answers[0]


def send(client: ClientMachine, service: ClientMachine, payload: bytes) -> None:
    client.send(udp(client.own, client.map(service.remote), payload))


def payloads(machine: ClientMachine) -> list[bytes]:
    return [packet.payload for packet in machine.inbox if packet.protocol == UDP]


def prohibitions(machine: ClientMachine) -> int:
    return sum(
        packet.protocol == ICMP and packet.content[:2] == PROHIBITED for packet in machine.inbox
    )


def unwelcome(machine: ClientMachine) -> int:
    return machine.traffic.drops[Drop.NOT_WELCOME]


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


def metered(world: World, quotas: Quotas, *tokens: str) -> tuple[ClientMachine, ClientMachine]:
    """A service that counts, open to all unless tokens are wanted; and a client."""
    web, alice = world.client("web"), world.client("alice")
    web.role.gate.keep(
        Doorman(
            tokens=tokens,
            is_open=not tokens,
            ledger=Ledger(quotas, bytes),
            entropy=bytes,
        )
    )
    world.settle()
    return web, alice


def test_a_share_of_bytes_that_is_used_up_ends_the_leave_with_its_reason() -> None:
    world = World(seed=71)
    web, alice = metered(world, Quotas(Quota(size=20_000)))
    world.connect(alice, web)
    for _ in range(10):
        send(alice, web, bytes(1000))
    world.run(2)
    assert len(payloads(web)) == 10
    send(web, alice, bytes(1000))
    world.wait(lambda: len(payloads(alice)) == 1, 5)
    for _ in range(10):
        send(alice, web, bytes(1000))
        world.run(0.1)
    assert 8 <= len(payloads(web)) - 10 <= 9, "both directions count"
    reason = "your quota of 20000 bytes is used up"
    assert authorised(alice) == [(AuthCode.LIMITED, reason)]
    before = prohibitions(alice)
    send(alice, web, b"more")
    assert prohibitions(alice) == before + 1
    send(web, alice, b"from the kernel of the service")
    world.run(1)
    assert len(payloads(alice)) == 1
    assert authorise(world, alice, web, "") == (AuthCode.LIMITED, reason)
    status = gate_status(web.role.gate)
    (row,) = status["clients"]
    assert (row["remote"], row["state"], row["reason"]) == (str(alice.remote), "limited", reason)
    assert session_auth(alice.role.sessions.by_remote[web.role.address]) == {
        "ours": "refused",
        "reason": reason,
        "theirs": "open",
    }


def hang_up(world: World, client: ClientMachine, service: ClientMachine) -> None:
    """The caller ends the session, and both ends know."""
    mine, theirs = client.role.sessions.by_remote, service.role.sessions.by_remote
    mine[service.role.address].close(CloseReason.ASKED, world.network.now)
    client.role.tick(world.network.now)
    world.network.poke(client.address)
    world.wait(lambda: client.role.address not in theirs, 10)
    assert service.role.address not in mine


def test_a_caller_that_is_dialled_back_is_metered_on() -> None:
    world = World(seed=75)
    web, alice = metered(world, Quotas(Quota(size=4_000)), "sesame")
    assert authorise(world, alice, web, "sesame") == (AuthCode.OKAY, "")
    send(alice, web, bytes(1000))
    world.wait(lambda: len(payloads(web)) == 1, 5)
    hang_up(world, alice, web)
    send(web, alice, b"the kernel says it again")
    world.wait(lambda: payloads(alice) == [b"the kernel says it again"], 20)
    for _ in range(10):
        send(alice, web, bytes(1000))
        world.run(0.1)
    assert 2 <= len(payloads(web)) - 1 <= 3
    hang_up(world, alice, web)
    before = prohibitions(web)
    send(web, alice, b"and again")
    world.wait(lambda: prohibitions(web) == before + 1, 5, "nobody is dialled for that")
    world.run(5)
    assert len(payloads(alice)) == 1
    assert alice.role.address not in web.role.sessions.by_remote


def test_who_lost_leave_is_not_dialled_back() -> None:
    world = World(seed=76)
    web, alice = guarded(world, tokens=["sesame"])
    assert authorise(world, alice, web, "sesame") == (AuthCode.OKAY, "")
    send(alice, web, b"hello")
    world.wait(lambda: payloads(web) == [b"hello"], 5)
    assert authorise(world, alice, web, "wrong") == (AuthCode.REJECT, "access not permitted")
    send(web, alice, b"late answer")
    world.run(1)
    hang_up(world, alice, web)
    send(web, alice, b"and again")
    world.wait(lambda: bool(prohibitions(web)), 5)
    assert payloads(alice) == []


def test_another_token_brings_another_share() -> None:
    world = World(seed=72)
    web, alice = metered(world, Quotas(token=Quota(size=2_000)), "one", "two")
    assert authorise(world, alice, web, "one") == (AuthCode.OKAY, "")
    for _ in range(2):
        send(alice, web, bytes(1000))
    limited = (AuthCode.LIMITED, "the token's quota of 2000 bytes is used up")
    world.wait(lambda: authorised(alice) == [limited], 5)
    assert authorise(world, alice, web, "one") == limited
    assert authorise(world, alice, web, "two") == (AuthCode.OKAY, "")
    send(alice, web, b"goes on")
    world.wait(lambda: b"goes on" in payloads(web), 5)
    world.run(1)
    rows = gate_status(web.role.gate)["tokens"]
    assert [row["state"] for row in rows] == ["limited", "connected"]
    assert all(len(row["token"]) == 4 for row in rows)


def test_connected_time_ends_by_itself() -> None:
    world = World(seed=73)
    web, alice = metered(world, Quotas(Quota(time=30 * SECOND)))
    world.connect(alice, web)
    world.run(20)
    assert authorised(alice) == []
    limited = (AuthCode.LIMITED, "your quota of 30 seconds is used up")
    took = world.wait(lambda: authorised(alice) == [limited], 15)
    assert 8 * SECOND < took < 13 * SECOND


def test_a_rate_slows_down_and_does_not_end() -> None:
    world = World(seed=74)
    web, alice = metered(world, Quotas(Quota(rate=20_000)))
    world.connect(alice, web)
    for _ in range(100):
        send(alice, web, bytes(972))
    world.run(1)
    assert 18 <= len(payloads(web)) <= 40, "a second's worth, and what came back meanwhile"
    assert web.traffic.drops[Drop.NOT_WELCOME] == 100 - len(payloads(web))
    before = len(payloads(web))
    for _ in range(50):
        send(alice, web, bytes(972))
        world.run(0.1)
    assert len(payloads(web)) == before + 50, "half the rate passes"
    assert authorised(alice) == []
