"""Compose files: what containers may do, who shares a namespace; nothing secret is in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.errors import UsageError
from orchestrator.load import find_topology, load, parse
from orchestrator.render_compose import KEYS, NAMES, compose_data, compose_text
from orchestrator.topology import Topology, members

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "compose").glob("*.yaml"))
MIXED = """\
name: mixed
hops: 2
seeds: 2
nodes:
  plain: {role: router, count: 3}
  tunned: {role: router, tun: true}
  web: {role: service, app: {kind: nginx, port: 8080, page: "costs $5 or ${HOME}\\n"}}
  bare: {role: service}
  echo: {role: service, app: {kind: command, run: [socat, "TCP-LISTEN:7,fork", "EXEC:echo $HI"]}}
  talk: {role: service, app: {kind: command, run: [murmurd], image: "IMAGE/voip:local"}}
  else: {role: service, app: {kind: command, run: [serve], image: example/app}}
  alice: {role: client}
  oxen: {role: chain}
names:
  web.loki: web
  mine.loki: {to: bare, owner: me, backup-owner: heir, years: 2}
""".replace("IMAGE", "localhost/lokinet-testnet")


def topology(text: str = MIXED) -> Topology:
    return parse(text.encode(), "mixed.yaml")


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    return compose_data(topology(), "..")


def environment_put_in(text: str) -> str:
    """As compose reads a value: what is not `$$` is a variable, and none of ours is."""
    assert re.search(r"\$", text.replace("$$", "")) is None
    return text.replace("$$", "$")


def mounts(service: dict[str, Any]) -> dict[str, str]:
    return {mount["source"]: mount["target"] for mount in service.get("volumes", [])}


# --- the files in compose/


def test_the_files_in_compose_are_what_render_writes_now() -> None:
    assert [file.stem for file in FILES] == ["default", "minimal"]
    for file in FILES:
        now = compose_text(load(find_topology(file.stem)), "..")
        assert file.read_text() == now, "make docs writes them anew"
    assert (ROOT / "compose/resolv.conf").read_text() == "nameserver 127.3.2.1\n"


def validate(*files: Path) -> subprocess.CompletedProcess[str]:
    program = str(Path(sys.executable).parent / "check-jsonschema")
    return subprocess.run(
        [program, "--builtin-schema", "vendor.compose-spec", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_files_follow_the_published_schema_of_compose(tmp_path: Path) -> None:
    """The schema is compose-spec's own; check-jsonschema brings it along."""
    (tmp_path / "mixed.yaml").write_text(compose_text(topology(), ".."))
    done = validate(*FILES, tmp_path / "mixed.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(FILES[0].read_text().replace("read_only: true", "read_only: [true]"))
    assert validate(wrong).returncode == 1


def test_the_text_says_what_the_values_are(data: dict[str, Any]) -> None:
    text = compose_text(topology(), "..")
    assert json.loads(environment_put_in(json.dumps(yaml.safe_load(text)))) == data


def test_a_file_holds_no_secret_and_nothing_of_the_machine_it_was_made_on() -> None:
    text = compose_text(topology(), "..")
    assert text == compose_text(topology(), "..")
    assert re.search(r"[0-9a-f]{64}|[a-z0-9]{52}|BEGIN|sha256:", text) is None
    assert str(ROOT) not in text
    assert str(Path.home()) not in text.replace("/root ", "")


# --- rights


def test_containers_have_no_right_but_the_tun_where_one_is_made(data: dict[str, Any]) -> None:
    tuns = {"tunned", "web", "bare", "echo", "talk", "else", "alice"}
    for name, service in data["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert not {"privileged", "pid", "ipc", "userns_mode", "ports"} & service.keys()
        assert "docker.sock" not in str(service)
        if name == KEYS:
            assert service["cap_add"] == ["CHOWN", "DAC_OVERRIDE"]
            assert service["network_mode"] == "none"
        elif name in tuns:
            assert service["cap_add"] == ["NET_ADMIN"]
            assert service["devices"] == ["/dev/net/tun:/dev/net/tun"]
        else:
            assert not {"cap_add", "devices"} & service.keys()
    users = {name: service.get("user") for name, service in data["services"].items()}
    assert users["plain-1"] == users["oxen"] == users[NAMES] == "1090:1090"
    assert users["tunned"] == users["alice"] == "0:0"
    assert users["web.nginx"] == "33:33"
    assert users["echo.command"] is None  # whom the image names


def test_the_network_has_no_way_out_and_nobodys_address_is_the_gateways(
    data: dict[str, Any],
) -> None:
    assert list(data["networks"]) == ["underlay"]
    network = data["networks"]["underlay"]
    assert network["internal"] is True
    (config,) = network["ipam"]["config"]
    assert config["subnet"] == topology().underlay
    addresses = {node.address for node in members(topology())}
    assert config["gateway"] not in addresses
    assert ip_address(config["gateway"]) in ip_network(config["subnet"])
    given = [
        service["networks"]["underlay"]["ipv4_address"]
        for service in data["services"].values()
        if "networks" in service
    ]
    assert sorted(given) == sorted(addresses)


def test_names_of_our_own_have_a_dot_and_nodes_have_none(data: dict[str, Any]) -> None:
    nodes = {node.name for node in members(topology())}
    assert {name for name in data["services"] if "." not in name} == nodes
    assert {name for name in data["volumes"] if "." not in name} == nodes


# --- who shares, who reads what


def test_where_programs_share_a_node_its_tools_own_the_namespace(data: dict[str, Any]) -> None:
    services = data["services"]
    for node, application in (("web", "web.nginx"), ("echo", "echo.command"), ("alice", "")):
        owner = services[f"{node}.tools"]
        assert owner["hostname"] == node
        assert owner["networks"]["underlay"]["ipv4_address"]
        for name in filter(None, (node, application)):
            assert services[name]["network_mode"] == f"service:{node}.tools"
            assert not {"networks", "dns", "hostname", "sysctls"} & services[name].keys()
    assert "bare.tools" not in services
    assert services["bare"]["hostname"] == "bare"


def test_everybody_who_asks_for_names_asks_the_node(data: dict[str, Any]) -> None:
    resolver = {"type": "bind", "source": "./resolv.conf", "target": "/etc/resolv.conf"}
    for name, service in data["services"].items():
        if name not in (KEYS, NAMES, "oxen"):
            assert {**resolver, "read_only": True} in service["volumes"], name
            assert service.get("dns", ["127.3.2.1"]) == ["127.3.2.1"]


def test_a_node_sees_its_own_keys_and_what_is_public_of_others(data: dict[str, Any]) -> None:
    services = data["services"]
    assert mounts(services["plain-1"]) == {
        "plain-1": "/lokinet/nodes/plain-1",
        "plain-2.contact": "/lokinet/nodes/plain-2",
        "./resolv.conf": "/etc/resolv.conf",
    }
    for node in members(topology()):
        for source in mounts(services[node.name]):
            assert source in (node.name, "./resolv.conf") or source.endswith(".contact")
    assert mounts(services["web.nginx"]) == {
        "web.nginx": "/run/testnet/nginx",
        "./resolv.conf": "/etc/resolv.conf",
    }


def test_the_job_fills_every_volume_that_is_read_from(data: dict[str, Any]) -> None:
    services = data["services"]
    job = services[KEYS]
    spec = json.loads(job["command"][0])
    assert set(mounts(job)) == set(data["volumes"])
    assert set(spec["owners"]) == {
        target for source, target in mounts(job).items() if not source.endswith(".contact")
    }
    files = dict(zip(job["command"][1::2], job["command"][2::2], strict=True))
    contacts = set()
    for node in members(topology()):
        if node.group.role == "chain":
            continue
        *_, config = services[node.name]["entrypoint"]
        assert mounts(job)[node.name] == mounts(services[node.name])[node.name]
        contacts |= set(re.findall(r"^add-node=.*/nodes/(.*)/self.signed", files[config], re.M))
    assert set(spec["contacts"]) == contacts == {"plain-1", "plain-2"}
    page = files["/lokinet/shared/web/nginx/www/index.html"]
    assert page == "costs $5 or ${HOME}\n"
    assert "listen 8080;" in files["/lokinet/shared/web/nginx/nginx.conf"]


def test_routers_wait_for_the_chain_to_list_them(data: dict[str, Any]) -> None:
    services = data["services"]
    done = {"condition": "service_completed_successfully"}
    assert services["plain-1"]["depends_on"] == {KEYS: done, NAMES: done}
    assert services["alice"]["depends_on"] == services["oxen"]["depends_on"] == {KEYS: done}
    job = services[NAMES]
    assert job["depends_on"] == {KEYS: done, "oxen": {"condition": "service_started"}}
    assert job["network_mode"] == "service:oxen"
    spec = json.loads(job["command"][0])
    assert spec["routers"] == ["plain-1", "plain-2", "plain-3", "tunned"]
    assert spec["names"][1] == {
        "name": "mine.loki",
        "to": "bare",
        "owner": "me",
        "backup_owner": "heir",
        "type": "lokinet_2y",
    }
    assert spec["admin"] in services["oxen"]["entrypoint"]
    assert mounts(job)[NAMES] == mounts(services[KEYS])[NAMES]


def test_without_a_chain_nobody_waits_for_one() -> None:
    data = compose_data(load(find_topology("minimal")), "..")
    assert NAMES not in data["services"]
    assert NAMES not in data["volumes"]
    assert set(data["services"]["router-1"]["depends_on"]) == {KEYS}


def test_our_images_say_how_they_are_built_and_others_do_not(data: dict[str, Any]) -> None:
    services = data["services"]
    found = {name: (service["image"], service.get("build")) for name, service in services.items()}
    ours = "localhost/lokinet-testnet/{}:local".format
    assert found["plain-1"] == (ours("node"), {"context": ".."})
    assert found["web.nginx"] == (ours("web"), {"context": "../images/web"})
    assert found["alice.tools"] == (ours("tools"), {"context": "../images/tools"})
    assert found["talk.command"] == (ours("voip"), {"context": "../images/voip"})
    assert found["else.command"] == ("example/app", None)
    for _, build in found.values():
        assert build is None or (ROOT / "compose" / build["context"] / "Dockerfile").is_file()


def test_what_is_made_on_a_machine_is_in_no_compose_file() -> None:
    text = MIXED.replace("kind: nginx, port: 8080", "kind: nginx, file: 1 MB")
    with pytest.raises(UsageError, match="web: a compose file cannot have tls, file and video"):
        compose_data(topology(text), "..")


def test_a_websocket_is_answered_by_a_program_in_nginxs_folder() -> None:
    data = compose_data(topology(MIXED.replace("port: 8080", "websocket: true")), "..")
    echo, nginx = (data["services"][f"web.{name}"] for name in ("websocket", "nginx"))
    assert mounts(echo)["web.nginx"] == mounts(nginx)["web.nginx"] == "/run/testnet/nginx"
    assert echo["network_mode"] == nginx["network_mode"]
