"""Whole networks with a service whose callers have a share, and no more than that."""

from __future__ import annotations

from lokinet_node.base.units import SECOND
from lokinet_node.exits.auth import Doorman
from lokinet_node.exits.quota import Ledger
from lokinet_node.exits.share import Quota, Quotas
from lokinet_node.node.status_auth import gate_status, session_auth
from lokinet_node.node.traffic import Drop
from lokinet_node.session.auth_messages import AuthCode
from lokinet_node.session.messages import CloseReason
from lokinet_node.testing.builders import ClientMachine, World
from tests.unit.sim.guarded import authorise, authorised, guarded, payloads, prohibitions, send


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
