"""Verbs of tests of services that do not let everybody in."""

from __future__ import annotations

from collections.abc import Iterable

from lokinet_node.base.ids import LokiAddress
from lokinet_node.exits.auth import Doorman
from lokinet_node.exits.backend import Backend
from lokinet_node.node.traffic import Drop
from lokinet_node.session.auth_messages import AuthCode
from lokinet_node.session.effects import Authorised
from lokinet_node.testing.builders import ClientMachine, World
from lokinet_node.testing.packets import udp
from lokinet_node.wire.ip import ICMP, UDP

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
