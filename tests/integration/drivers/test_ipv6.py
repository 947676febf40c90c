"""IPv6 through an exit with kernels as judges: a user's, the exit's, and a server's behind it."""

from __future__ import annotations

import errno
import hashlib
import os
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from ipaddress import IPv6Address, ip_network
from pathlib import Path

import pytest

from lokinet_node.base.addresses import parse_range
from lokinet_node.drivers import tun as tun_driver
from lokinet_node.drivers.exit_routes import ExitRoutes
from lokinet_node.drivers.routes import used_ranges6
from lokinet_node.drivers.tun import Tun
from lokinet_node.exits.refusals import Refusal
from lokinet_node.exits.routes import Route
from lokinet_node.session.split import TUN_READ
from tests.exit_pair import CONSUMER, CONSUMER_TUN, GUEST, NOW, PROVIDER_TUN, Pair
from tests.integration.drivers.namespaces import Namespace, two_namespaces

SERVER, DENIED = "2001:db8::80", "2001:db8:bad::1"
ALICE, AT_EXIT = "fd00::a00:1", "fd00::ac10:2"
IP6_RANGE = IPv6Address("fd00::")
MEGABYTE = 1 << 20
WAIT_S = 10.0
TRIES = 10


class Exit(threading.Thread):
    """Carries packets between the tuns until closed."""

    def __init__(self, user: Tun, exit_: Tun) -> None:
        super().__init__(daemon=True)
        self.pair = Pair(user.write, exit_.write)
        assert self.pair.provider.addresses.assign(CONSUMER) == GUEST
        self.failure: Exception | None = None
        self._ends = ((user, self.pair.consumer), (exit_, self.pair.provider))
        self._wake, self._end = os.pipe()
        self.start()

    def run(self) -> None:
        buffer = bytearray(TUN_READ)
        poll = select.poll()
        for tun, _ in self._ends:
            poll.register(tun, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        try:
            while self._wake not in {descriptor for descriptor, _ in poll.poll()}:
                for tun, traffic in self._ends:
                    while size := tun.read_into(buffer):
                        traffic.packet(buffer, size, NOW)
                    traffic.flush(NOW)
        except Exception as error:
            self.failure = error

    def close(self) -> None:
        os.close(self._end)
        self.join(WAIT_S)
        assert not self.is_alive()
        os.close(self._wake)
        if self.failure:
            raise self.failure


@pytest.fixture
def world() -> Iterator[tuple[Namespace, Namespace, Namespace, Exit]]:
    with ExitStack() as stack:
        user, exit_ = stack.enter_context(two_namespaces())
        server = stack.enter_context(closing(Namespace()))
        exit_.run(f"ip link add v0 type veth peer name v0 netns {server.pid}")
        for namespace, address in ((exit_, "2001:db8::1"), (server, SERVER)):
            namespace.run(f"ip address add {address}/64 dev v0 nodad")
            namespace.run("ip link set v0 up")
        server.run(f"ip address add {DENIED}/128 dev v0 nodad")
        server.run("ip route add fd00::/16 via 2001:db8::1")
        with exit_.entered():
            Path("/proc/sys/net/ipv6/conf/all/forwarding").write_text("1")
            outside = stack.enter_context(
                closing(Tun("loki0", parse_range(PROVIDER_TUN), ip6_range=IP6_RANGE))
            )
        with user.entered():
            inside = stack.enter_context(
                closing(Tun("loki0", parse_range(CONSUMER_TUN), ip6_range=IP6_RANGE))
            )
            routes = stack.enter_context(closing(ExitRoutes(_unexpected, has_guard=True)))
            routes.use_tun("loki0", carries_ipv6=True)
            routes.map([ip_network("::/0")])
        yield user, exit_, server, stack.enter_context(closing(Exit(inside, outside)))


def opened(namespace: Namespace, kind: socket.SocketKind, bind: str | None = None) -> socket.socket:
    with namespace.entered():
        sock = socket.socket(socket.AF_INET6, kind)
    sock.settimeout(WAIT_S)
    if bind:
        sock.bind((bind, 0))
    return sock


def test_a_download_and_an_upload_arrive_whole(
    world: tuple[Namespace, Namespace, Namespace, Exit],
) -> None:
    user, _, server, _ = world
    data = os.urandom(8 * MEGABYTE + 777)
    with opened(server, socket.SOCK_STREAM, SERVER) as listener:
        listener.listen()
        with opened(user, socket.SOCK_STREAM) as client:
            client.connect(listener.getsockname()[:2])
            accepted, peer = listener.accept()
            accepted.settimeout(WAIT_S)
            assert (peer[0], client.getsockname()[0]) == (AT_EXIT, ALICE)
            with accepted:
                for source, target in ((accepted, client), (client, accepted)):
                    sender = threading.Thread(target=send_all, args=(source, data))
                    sender.start()
                    assert digest_all(target) == hashlib.sha256(data).hexdigest()
                    sender.join(WAIT_S)


def send_all(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def digest_all(sock: socket.socket) -> str:
    digest = hashlib.sha256()
    while data := sock.recv(MEGABYTE):
        digest.update(data)
    return digest.hexdigest()


@pytest.mark.parametrize("size", [0, 1, 1232, 1233, 5000, 65_000])
def test_datagrams_are_echoed_also_in_fragments(
    world: tuple[Namespace, Namespace, Namespace, Exit], size: int
) -> None:
    user, _, server, _ = world
    # routers cut no IPv6: what comes back would be lost until the server has heard of the tun's MTU
    server.run("ip route change fd00::/16 via 2001:db8::1 mtu 1280")
    payload = os.urandom(size)
    with (
        opened(server, socket.SOCK_DGRAM, SERVER) as echo,
        opened(user, socket.SOCK_DGRAM) as client,
    ):
        data, peer = sent(client, echo.getsockname()[:2], echo, payload)
        assert (data, peer[0]) == (payload, AT_EXIT)
        assert sent(echo, peer, client, data)[0] == payload


def sent(
    sender: socket.socket, address: tuple[str, int], receiver: socket.socket, payload: bytes
) -> tuple[bytes, tuple[str, int]]:
    """What arrived; a new link may lose the first datagrams, so what is lost is sent again."""
    receiver.settimeout(WAIT_S / TRIES)
    for _ in range(TRIES):
        sender.sendto(payload, address)
        try:
            data, peer = receiver.recvfrom(MEGABYTE)
        except TimeoutError:
            continue
        return data, peer[:2]
    pytest.fail(f"{TRIES} datagrams of {len(payload)} bytes were lost")


def test_joined_datagrams_arrive_one_by_one(
    world: tuple[Namespace, Namespace, Namespace, Exit],
) -> None:
    user, _, server, carried = world
    payload = os.urandom(40 * 1200 + 7)
    with (
        opened(server, socket.SOCK_DGRAM, SERVER) as plain,
        opened(user, socket.SOCK_DGRAM) as client,
    ):
        client.setsockopt(socket.IPPROTO_UDP, 103, 1200)  # UDP_SEGMENT
        client.sendto(payload, plain.getsockname()[:2])
        datagrams = [plain.recv(MEGABYTE) for _ in range(41)]
    assert b"".join(datagrams) == payload
    assert 41 in carried.pair.there.records, "this kernel joins no datagrams (needs Linux 6.2)"


def test_ping_and_its_errors_come_back(
    world: tuple[Namespace, Namespace, Namespace, Exit],
) -> None:
    user, _, _, _ = world
    assert " 0% packet loss" in user.run(f"ping -n -c 2 -i 0.01 -s 1232 {SERVER}").stdout
    with opened(user, socket.SOCK_DGRAM) as client:
        # the exit is the first router: it says in its own name that the way is too long
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 1)
        client.setsockopt(socket.IPPROTO_IPV6, 25, 1)  # IPV6_RECVERR
        client.connect((SERVER, 9))
        client.send(b"how far?")
        with pytest.raises(OSError, match="No route to host"):
            client.recv(1)
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 64)
        client.send(b"anybody?")
        with pytest.raises(ConnectionRefusedError):
            client.recv(1)


def test_what_is_refused_fails_at_once(
    world: tuple[Namespace, Namespace, Namespace, Exit],
) -> None:
    user, _, _, carried = world
    for address, port in ((DENIED, 80), (SERVER, 25), ("2606:4700::1", 80)):
        with opened(user, socket.SOCK_STREAM) as client, pytest.raises(PermissionError):
            client.connect((address, port))
    # a kernel that is kept waiting asks again: how often does not matter
    reasons = {reason for reason, times in carried.pair.exit.refused.items() if times}
    assert reasons == {Refusal.DENIED_RANGE, Refusal.DENIED_PORT, Refusal.RANGE}


def test_a_tun_has_nothing_to_discover(
    world: tuple[Namespace, Namespace, Namespace, Exit],
) -> None:
    user, _, _, carried = world
    shown = user.run("ip -6 address show loki0").stdout
    assert "inet6 fd00::a00:1/112 scope global" in shown
    assert "fe80" not in shown
    assert "tentative" not in shown
    with user.entered():
        assert f"{ALICE}/112" in map(str, used_ranges6())
    drops = carried.pair.drops()
    assert set(drops) <= {"consumer ipv6-local", "provider ipv6-local"}


@pytest.mark.parametrize("fails", ["no address", "no setting"])
def test_a_tun_without_ipv6_says_so(fails: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        if fails == "no setting":
            return False
        raise OSError(errno.EACCES, "as a kernel says that has none")

    name = "_prepare_ipv6" if fails == "no setting" else "add_address6"
    monkeypatch.setattr(tun_driver, name, refuse)
    with ExitStack() as stack:
        alone = stack.enter_context(closing(Namespace()))
        stack.enter_context(alone.entered())
        tun = stack.enter_context(closing(Tun("loki0", ip6_range=IP6_RANGE)))
        assert tun.address6 is None
        assert "inet6" not in alone.run("ip address show loki0").stdout
        assert "172.16.0.1/16" in alone.run("ip address show loki0").stdout


def _unexpected(verb: str, route: Route, error: OSError) -> None:
    raise AssertionError(f"{verb} {route}: {error}")
