"""Rendered files: read back by the node's own parser, and unaware applications."""

from __future__ import annotations

from pathlib import Path

from lokinet_node.node.config import Config, Role, Source, Surroundings, parse_config
from orchestrator.content import Certificate, Film, NoiseFile
from orchestrator.directories import Places
from orchestrator.fingerprints import changes, process_fingerprint
from orchestrator.load import find_topology, load, parse
from orchestrator.ops import Desired, NodeSpec
from orchestrator.render import render

ONE_SERVICE = """
name: n
hops: 1
nodes:
  r: {role: router, count: 1}
  w: {role: service, app: %s}
"""
PLACES = Places("net", Path("/state/net"), Path("/run/net"))


def rendered(text: str, one_id: bool = False) -> dict[str, NodeSpec]:
    desired = render(parse(text.encode(), "x"), PLACES, "/usr/bin/python3", one_id)
    return {node.name: node for node in desired.nodes}


def read_back(node: NodeSpec) -> Config:
    """Through the node's own reader, as the node itself would."""
    source = Source(f"{node.directory}/lokinet.ini", node.files["lokinet.ini"])
    around = Surroundings(
        node.directory, "/var/lib/lokinet", lambda path: not path.endswith("/bootstrap.signed")
    )
    return parse_config([source], None, around)


def default() -> Desired:
    return render(load(find_topology("default")), PLACES, "/usr/bin/python3")


def lokinet_nodes() -> list[NodeSpec]:
    """Those with an ini file: all but the chain."""
    return [node for node in default().nodes if node.role != "chain"]


def test_every_ini_of_the_default_network_is_one_the_node_accepts() -> None:
    for node in lokinet_nodes():
        config = read_back(node)
        assert (config.role is Role.ROUTER) == (node.role == "router")
        assert config.netid == "testnet"
        assert config.data_dir == node.directory
        assert config.api.path == node.control


def test_the_first_router_is_the_seed_everybody_else_starts_from() -> None:
    nodes = {node.name: read_back(node) for node in lokinet_nodes()}
    assert nodes["router-1"].seed_node
    others = [config for name, config in nodes.items() if name != "router-1"]
    assert {config.bootstrap_files for config in others} == {
        ("/state/net/nodes/router-1/self.signed",)
    }


def test_a_lone_seed_knows_one_router_to_come_back_to_after_a_restart() -> None:
    """It keeps no list of its own, and those who keep one may have no use for it just then."""
    nodes = {node.name: read_back(node) for node in lokinet_nodes()}
    assert nodes["router-1"].bootstrap_files == ("/state/net/nodes/router-2/self.signed",)
    alone = rendered("name: n\nhops: 1\nnodes:\n  r: {role: router}\n")
    assert read_back(alone["r"]).bootstrap_files == ()


def test_several_seeds_know_each_other() -> None:
    nodes = rendered("name: n\nseeds: 2\nnodes:\n  r: {role: router, count: 4}\n")
    assert read_back(nodes["r-2"]).bootstrap_files == ("/state/net/nodes/r-1/self.signed",)
    assert read_back(nodes["r-1"]).bootstrap_files == ("/state/net/nodes/r-2/self.signed",)
    assert len(read_back(nodes["r-3"]).bootstrap_files) == 2


def test_options_of_a_group_reach_its_nodes_only() -> None:
    nodes = rendered(
        "name: n\nhops: 3\nprivate-network: {path-lifetime: 30 min}\nnodes:\n"
        "  r: {role: router, count: 4, tun: true}\n"
        "  a: {role: client, hops: 2, paths: 3, ifname: lok0, ifaddr: 10.9.0.1/16}\n"
        "  b: {role: client, log: debug, private-network: {path-lifetime: 25 min}}\n"
    )
    a, b = read_back(nodes["a"]), read_back(nodes["b"])
    assert (a.network.hops, a.network.paths, a.network.ifname) == (2, 3, "lok0")
    assert b.network.hops == 3
    assert "path-lifetime=1800\n" in nodes["a"].files["lokinet.ini"]
    assert "path-lifetime=1500\n" in nodes["b"].files["lokinet.ini"]
    assert "level=debug" in nodes["b"].files["lokinet.ini"]
    assert "type=tun" in nodes["r-1"].files["lokinet.ini"]


def test_logs_and_services_are_as_the_topology_says() -> None:
    nodes = rendered(
        "name: n\nhops: 1\nlog-format: json\nnodes:\n  r: {role: router}\n"
        "  w: {role: service, srv: [_http._tcp 1 2 80, _x._udp 0 0 0 .]}\n"
        "  a: {role: client, log-format: text}\n"
    )
    assert [read_back(nodes[name]).log.form for name in "rwa"] == ["json", "json", "text"]
    services = read_back(nodes["w"]).network.services
    assert [(one.service, one.port, one.target) for one in services] == [
        ("_http._tcp", 80, ""),
        ("_x._udp", 0, "."),
    ]
    assert read_back(default().nodes[0]).log.form == "text"


def test_only_services_have_a_key_file_and_are_reachable() -> None:
    nodes = {node.name: node for node in lokinet_nodes()}
    assert nodes["web"].key is not None
    assert nodes["web"].key.path == "/state/net/nodes/web/service.key"
    assert read_back(nodes["web"]).network.reachable
    assert nodes["alice"].key is None
    assert not read_back(nodes["alice"]).network.reachable


def test_nginx_knows_nothing_of_lokinet() -> None:
    web = next(node for node in lokinet_nodes() if node.name == "web")
    nginx = web.processes[1]
    told = " ".join(nginx.argv) + web.files["nginx/nginx.conf"]
    assert "loki" not in told.lower()
    assert "127.3.2.1" not in told
    assert "user www-data;" in web.files["nginx/nginx.conf"]


def test_where_one_id_is_mapped_nginx_stays_root() -> None:
    config = rendered(ONE_SERVICE % "nginx", one_id=True)["w"].files["nginx/nginx.conf"]
    assert config.startswith("user root;\n")


def test_murmurd_knows_nothing_of_lokinet_and_keeps_its_certificate_where_it_may_write() -> None:
    node = rendered(ONE_SERVICE % "{kind: mumble, port: 7000}")["w"]
    process = node.processes[1]
    config = node.files["mumble/mumble-server.ini"]
    assert "loki" not in (" ".join(process.argv) + config).lower()
    assert process.argv[0] == "murmurd"
    assert (process.port, process.fetch) == (7000, None)
    assert "port=7000\n" in config
    assert "database=/run/testnet/mumble/data/" in config
    assert process.writes == ("mumble/data",)
    assert "mumble/data/.keep" in node.files
    assert node.shared == (("mumble", "mumble"),)


def test_where_one_id_is_mapped_murmurd_stays_root() -> None:
    assert "uname" not in rendered(ONE_SERVICE % "mumble")["w"].files["mumble/mumble-server.ini"]
    alone = rendered(ONE_SERVICE % "mumble", one_id=True)["w"]
    assert "uname=root\n" in alone.files["mumble/mumble-server.ini"]


def test_an_application_may_be_any_command() -> None:
    nodes = rendered(
        "name: n\nhops: 1\nnodes:\n  r: {role: router, count: 1}\n"
        "  echo: {role: service, app: {kind: command, run: [socat, -v, x], port: 7}}\n"
    )
    process = nodes["echo"].processes[1]
    assert (process.argv, process.port, process.fetch) == (("socat", "-v", "x"), 7, None)


def test_a_page_of_the_topology_replaces_the_stock_page_and_names_are_escaped() -> None:
    page = rendered(ONE_SERVICE % "{kind: nginx, page: hello}")["w"].files["nginx/www/index.html"]
    assert page == "hello"
    assert "It works: w" in rendered(ONE_SERVICE % "nginx")["w"].files["nginx/www/index.html"]


def program(node: NodeSpec) -> str:
    return process_fingerprint(node, node.processes[0])


def test_fingerprints_change_with_what_they_are_of_and_only_then() -> None:
    text = "name: n\nhops: {}\nnodes:\n  r: {{role: router, count: 4}}\n  a: {{role: client}}\n"
    three, again, four = (rendered(text.format(hops)) for hops in (3, 3, 4))
    assert program(three["a"]) == program(again["a"]) != program(four["a"])
    assert changes(program(three["a"]), program(four["a"])) == "lokinet.ini changed"
    assert program(three["r-1"]) == program(four["r-1"])
    assert three["a"].fingerprint == four["a"].fingerprint


def test_what_an_nginx_serves_besides_its_page_is_made_before_it_starts() -> None:
    app = "{kind: nginx, tls: 443, file: 2 MB, video: 3s, websocket: true, rate: 800 kbit/s}"
    spec = rendered(
        f"{ONE_SERVICE % app}  c: {{role: chain}}\nnames: {{web.loki: w, x.loki: w}}\n"
    )["w"]
    node, websocket, nginx = spec.processes
    assert (websocket.name, node.content, websocket.content) == ("websocket", (), ())
    assert nginx.content == (
        Certificate(
            "nginx/tls",
            "nginx/www/certificate.pem",
            ("web.loki", "x.loki"),
            f"{spec.directory}/service.key",
        ),
        NoiseFile("nginx/www/file.bin", 2_000_000),
        Film("nginx/www/video", 3),
    )
    config = spec.files["nginx/nginx.conf"]
    assert "listen 443 ssl http2;" in config
    assert "limit_rate 100000;" in config
    assert websocket.argv[-1] in config
    assert spec.files["nginx/websocket_echo"].startswith('"""A WebSocket echo')
    plain = rendered(ONE_SERVICE % "nginx")["w"]
    assert not {"ssl", "limit_rate", "/echo"} & set(plain.files["nginx/nginx.conf"].split())
    assert [process.name for process in plain.processes] == ["lokinet", "nginx"]


def test_other_content_is_a_reason_to_start_nginx_anew() -> None:
    def of(size: str) -> str:
        node = rendered(ONE_SERVICE % f"{{kind: nginx, file: {size}}}")["w"]
        return process_fingerprint(node, node.processes[1])

    assert changes(of("1 MB"), of("1000 kB")) == ""
    assert changes(of("1 MB"), of("2 MB")) == "content changed"
