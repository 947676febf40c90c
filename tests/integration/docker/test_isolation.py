"""Nothing leaves a network of containers: seen from within, and on everything it could leave by.

The engine runs in a machine of the test's own (a network namespace) that has an uplink to a "world"
with a name server in it, so that what leaks is seen and goes nowhere. Each look is worth something:
a container on an ordinary network of the same engine does the same things, and is seen.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import inet_aton
from typing import Any

import pytest

from tests.integration.docker.engine import ROOT, image
from tests.integration.docker.machine import Place, machine
from tests.integration.docker.watching import Watch
from tests.integration.drivers.namespaces import Namespace
from tests.integration.orchestrator.command import Testnet, new_testnet

pytestmark = pytest.mark.timeout(300)
"""The first test waits for an engine that gets its images: half a minute."""
TOPOLOGY = """
name: apart
hops: 2
nodes:
  router: {role: router, count: 2}
  visited: {role: router, tun: true}
  web: {role: service, app: nginx}
  alice: {role: client}
  chain: {role: chain}
"""
UPLINK = "uplink"
RESOLVER = "203.0.113.53"
"""The machine's, in the world."""
MACHINE = "198.51.100.2"
WORLD = ("203.0.113.7", "198.51.100.1", RESOLVER)
DOCKER0 = "172.17.0.1"
NET_ADMIN = f"{1 << 12:x}"
"""The bit of CAP_NET_ADMIN: linux/capability.h."""
HARMLESS = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts/ptmx", "console"}
"""Every container's."""
KERNELS_OWN = {"tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"}
WITH_TUN = {"visited.lokinet", "web.lokinet", "alice.lokinet"}
ALL = {
    *WITH_TUN,
    "router-1.lokinet",
    "router-2.lokinet",
    "web.nginx",
    "web.sandbox",
    "alice.tools",
    "router-1.tools",
    "chain.oxend",
}


@dataclass
class Apart:
    """The network, the machine it is on, and what was on each link of it."""

    testnet: Testnet
    place: Place
    watch: Watch

    def docker(self, *words: str, check: bool = True) -> str:
        done = self.place.run("docker", *words)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def containers(self) -> dict[str, dict[str, Any]]:
        """In full, by node and program."""
        numbers = self.docker("ps", "-q", "--filter=label=lokinet-testnet.network=apart").split()
        rows = json.loads(self.docker("inspect", *numbers))
        return {row["Name"].partition(".")[2]: row for row in rows}

    def inside(self, name: str, *argv: str) -> str:
        """Output of a program in a container, as who runs there, whatever became of it."""
        return self.docker("exec", self.containers()[name]["Id"], *argv, check=False)

    def gateway(self) -> str:
        (network,) = json.loads(self.docker("network", "inspect", self.network_name()))
        return str(network["IPAM"]["Config"][0]["Gateway"])

    def bridge(self) -> str:
        """Of the network."""
        number = self.docker("network", "ls", "-q", "--filter=name=apart-").strip()
        return f"br-{number}"

    def network_name(self) -> str:
        return self.docker("network", "ls", "--filter=name=apart-", "--format={{.Name}}").strip()

    def stranger(self, *argv: str) -> None:
        """The same in a container on an ordinary network; nobody waits for it."""
        self.docker("run", "--rm", "--detach", "--network=plain", image("tools"), *argv)


@pytest.fixture(scope="module")
def apart(images: str) -> Iterator[Apart]:
    world = Namespace()
    try:
        with machine() as place, Watch(place.network) as watch, new_testnet(ROOT) as net:
            give_uplink(place, world)
            start_engine(place)
            net.env |= {"TESTNET_BACKEND": "docker", "DOCKER_HOST": f"unix://{place.socket}"}
            there = ("nsenter", f"--net=/proc/{place.network.pid}/ns/net")
            up = net.run("up", net.configure(TOPOLOGY), prefix=there)
            assert up.returncode == 0, up.stderr
            for node in ("alice", "router-1"):
                assert net.run("exec", node, "--", "true", prefix=there).returncode == 0
            yield Apart(net, place, watch)
            assert net.run("down", prefix=there).returncode == 0
    finally:
        world.close()


def give_uplink(place: Place, world: Namespace) -> None:
    here = place.network
    for each in (here, world):  # so that all that is on a link is somebody's deed
        each.run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
    here.run(f"ip link add {UPLINK} type veth peer name v0 netns {world.pid}")
    here.run(f"ip address add {MACHINE}/24 dev {UPLINK}")
    here.run(f"ip link set {UPLINK} up")
    world.run("ip link set v0 up")
    for address in WORLD:
        world.run(f"ip address add {address}/24 dev v0")
    here.run(f"ip route add default via {WORLD[1]}")


def start_engine(place: Place) -> None:
    """Its resolver is the world's; it has the images of the engine that built them."""
    resolver = place.folder / "resolv.conf"
    resolver.write_text(f"nameserver {RESOLVER}\n")
    script = 'mount --bind "$0" /etc/resolv.conf && exec .ci/engine start'
    started = place.run("unshare", "-m", "sh", "-c", script, str(resolver))
    assert started.returncode == 0, started.stderr
    names = [image(name) for name in ("node", "web", "tools")]
    with subprocess.Popen(["docker", "save", *names], stdout=subprocess.PIPE) as saved:
        loaded = ["docker", "--host", f"unix://{place.socket}", "load", "-q"]
        subprocess.run(loaded, stdin=saved.stdout, check=True, capture_output=True)
    place.output("docker", "network", "create", "plain")


def test_every_kind_of_container_is_there(apart: Apart) -> None:
    assert set(apart.containers()) == ALL


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_container_has_no_way_out(name: str, apart: Apart) -> None:
    """No route, and no link, but to the network itself and through the node's own tun."""
    pid = apart.containers()[name]["State"]["Pid"]
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-json"]

    def asked(*words: str) -> list[dict[str, Any]]:
        said = subprocess.run([*inside, *words], capture_output=True, check=True)
        rows: list[dict[str, Any]] = json.loads(said.stdout or "[]")
        return rows

    has_tun = f"{name.partition('.')[0]}.lokinet" in WITH_TUN
    tun = {"lokitun0"} if has_tun else set()
    assert {link["ifname"] for link in asked("link")} == {"lo", "eth0", *tun}
    assert {route["dst"] for route in asked("route") if route["dev"] == "eth0"} == {"10.77.0.0/16"}
    assert {route["dev"] for route in asked("route")} == {"eth0", *tun}
    assert "default" not in {route["dst"] for route in asked("-6", "route")}
    assert [
        a for link in asked("-6", "addr", "show", "dev", "eth0") for a in link["addr_info"]
    ] == []


SEND = 'for each; do echo "$0" >/dev/udp/$each/9; done 2>&1'


def test_what_is_sent_outwards_is_on_no_link_of_the_machine(apart: Apart) -> None:
    """The one address with a way to it is the engine's gateway: nobody has it, so nobody is sent.

    The question who has it is seen on the network's own links alone.
    """
    targets, gateway = [*WORLD, MACHINE, DOCKER0], apart.gateway()
    for name in sorted(ALL):
        said = apart.inside(name, "bash", "-c", SEND, f"from-{name}", *targets, gateway)
        for target in targets:
            assert f"/dev/udp/{target}/9: Network is unreachable" in said, (name, said)
    apart.stranger("bash", "-c", SEND, "from-stranger", *targets)
    seen = apart.watch.until(b"from-stranger", UPLINK)
    sent = [frame for frame in seen if b"from-" in frame.data]
    assert len({frame.link for frame in sent}) > 1, "seen on its bridge as well"
    assert [frame for frame in sent if b"from-stranger" not in frame.data] == []
    asked = [frame for frame in seen if frame.is_arp and inet_aton(gateway) in frame.data]
    assert {frame.link for frame in asked if not frame.link.startswith("veth")} == {apart.bridge()}
    assert [frame for frame in asked if frame.is_answer] == []


def test_who_makes_a_way_to_the_machine_gets_no_further(apart: Apart) -> None:
    """With NET_ADMIN one may write routes, and the machine's end of the bridge has a MAC."""
    pid, gateway = apart.containers()["alice.lokinet"]["State"]["Pid"], apart.gateway()
    inside = ["nsenter", f"--net=/proc/{pid}/ns/net"]
    (bridge,) = json.loads(apart.place.output("ip", "-json", "link", "show", apart.bridge()))
    neighbour = [gateway, "lladdr", bridge["address"], "dev", "eth0"]
    targets = [*WORLD, MACHINE, DOCKER0]
    try:
        subprocess.run([*inside, "ip", "neighbour", "replace", *neighbour], check=True)
        subprocess.run([*inside, "ip", "route", "add", "default", "via", gateway], check=True)
        with apart.place.network.entered():
            machine_hears = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with machine_hears:
            machine_hears.bind(("", 9))
            machine_hears.settimeout(10)
            assert "unreachable" not in apart.inside(
                "alice.lokinet", "bash", "-c", SEND, "forced-alice", *targets
            )
            apart.stranger("bash", "-c", SEND, "forced-stranger", *targets)
            heard = machine_hears.recv(100)
    finally:
        subprocess.run([*inside, "ip", "route", "del", "default"], check=False)
        subprocess.run([*inside, "ip", "neighbour", "del", *neighbour], check=False)
    seen = apart.watch.until(b"forced-stranger", UPLINK)
    links = {frame.link for frame in seen if b"forced-alice" in frame.data}
    assert {link for link in links if not link.startswith("veth")} == {apart.bridge()}
    assert heard == b"forced-stranger\n"


def test_names_are_asked_of_nobody_outside(apart: Apart) -> None:
    for name in sorted(ALL):
        resolver = "127.0.0.1" if name.startswith("chain") else "127.3.2.1"
        assert apart.inside(name, "cat", "/etc/resolv.conf") == f"nameserver {resolver}\n"
        asked = f"system-{name.replace('.', '-')}.example.test"
        assert apart.inside(name, "getent", "ahosts", asked) == "", name
        if name.endswith((".tools", ".sandbox")):
            for server in ([], [f"@{resolver}"], ["@127.0.0.11"]):
                asked = f"dig-{name.replace('.', '-')}.example.test"
                said = apart.inside(name, "dig", "+time=2", "+tries=1", *server, asked)
                assert "ANSWER: 0" in said or "timed out" in said or "refused" in said, said
    apart.stranger("getent", "ahosts", "system-stranger.example.test")
    apart.stranger("dig", "+time=1", "+tries=1", "dig-stranger.example.test")
    apart.watch.until(b"system-stranger", UPLINK)
    seen = apart.watch.until(b"dig-stranger", UPLINK)
    questions = [frame.data for frame in seen if b"\7example\4test\0" in frame.data]
    assert [data for data in questions if b"-stranger" not in data] == []


@dataclass(frozen=True, slots=True)
class Process:
    """What the kernel says of one process."""

    folder: Path
    status: dict[str, str]

    def capabilities(self) -> set[str]:
        """Of every set that may ever come into effect."""
        return {self.status[name].lstrip("0") for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")}


def processes_of(container: dict[str, Any]) -> list[Process]:
    """All in the container's pid namespace."""
    namespace = os.readlink(f"/proc/{container['State']['Pid']}/ns/pid")
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(folder / "ns/pid") == namespace:
                lines = (folder / "status").read_text().splitlines()
                status = {
                    name: value.strip() for name, _, value in (x.partition(":") for x in lines)
                }
                found.append(Process(folder, status))
    return found


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_running_process_has_no_right_it_does_not_need(name: str, apart: Apart) -> None:
    processes = processes_of(apart.containers()[name])
    assert len(processes) >= (2 if name == "web.nginx" else 1)
    for process in processes:
        capabilities = process.capabilities() - {""}
        assert capabilities == ({NET_ADMIN} if name in WITH_TUN else set())
        users = set(process.status["Uid"].split())
        assert users == {"0"} if name in WITH_TUN else "0" not in users
        assert process.status["NoNewPrivs"] == "1"
        assert process.status["Seccomp"] == "2", "the engine's filter of system calls"


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_container_has_no_device_no_engine_and_nothing_to_write_on(
    name: str, apart: Apart
) -> None:
    node, _, program = name.partition(".")
    container = apart.containers()[name]
    root = Path(f"/proc/{container['State']['Pid']}/root")
    devices = {
        str(path.relative_to(root / "dev"))
        for path in (root / "dev").rglob("*")
        if not path.is_symlink() and (path.is_char_device() or path.is_block_device())
    }
    assert devices - HARMLESS == ({"net/tun"} if name in WITH_TUN else set())
    lines = Path(f"/proc/{container['State']['Pid']}/mountinfo").read_text().splitlines()
    mounts = {
        line.split()[4]: (line.split()[5].split(","), line.partition(" - ")[2]) for line in lines
    }
    assert "ro" in mounts["/"][0]
    for target, (options, kind) in mounts.items():
        assert not (root / target.lstrip("/")).is_socket(), target
        is_disk = kind.split()[0] not in KERNELS_OWN
        ours = (
            "/etc/resolv.conf",
            "/etc/hosts",
            "/etc/hostname",
            str(apart.testnet.root),
            "/run/testnet",
            "/run/application.log",
        )
        assert not is_disk or "ro" in options or target.startswith(ours), target
    script = "find / ( -path /proc -o -path /sys ) -prune -o -type s -print"
    there = ["nsenter", f"--target={container['State']['Pid']}", "--mount"]
    found = subprocess.run([*there, *script.split()], capture_output=True, text=True, check=True)
    control = {line for line in found.stdout.splitlines() if line.endswith(f"/{node}.sock")}
    assert set(found.stdout.splitlines()) == control
    assert len(control) == (program in ("lokinet", "oxend"))
