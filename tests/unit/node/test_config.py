"""The configuration: what a text means."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest

from lokinet_node.base.addresses import Endpoint, parse_ipv4
from lokinet_node.base.srv import SrvRecord
from lokinet_node.base.timing import Timing
from lokinet_node.base.units import SECOND
from lokinet_node.exits.backend import Backend
from lokinet_node.node.config import (
    Config,
    ConfigError,
    Role,
    Source,
    Surroundings,
    parse_config,
)
from lokinet_node.node.config_routing import RoutingConfig
from lokinet_node.node.config_template import new_ini

AROUND = Surroundings("/etc/node", "/var/lib/lokinet", lambda _: True)
FIRST, SECOND_ID = "y" * 52, "y" * 51 + "o"
PRIVATE = "[router]\nnetid=mynet\n"
ROUTER = PRIVATE + "block-bogons=0\n[lokid]\nenabled=0\n[bind]\ninbound=10.0.0.2:1090\n"


def client(text: str = "", *more: str) -> Config:
    sources = [Source(f"{number}.ini", part) for number, part in enumerate((text, *more))]
    return parse_config(sources, Role.CLIENT, AROUND)


def router(text: str = ROUTER) -> Config:
    return parse_config([Source("0.ini", text)], Role.ROUTER, AROUND)


def test_an_empty_file_is_a_client_with_lokinets_defaults() -> None:
    config = client()
    assert (config.role, config.data_dir, config.netid) == (
        Role.CLIENT,
        "/var/lib/lokinet",
        "lokinet",
    )
    assert (config.min_connections, config.max_connections) == (4, 6)
    assert (config.network.hops, config.network.paths, config.unique_range_size) == (4, 6, 32)
    assert config.network.reachable
    assert config.network.keyfile is None
    assert config.dns.bind == (Endpoint("127.3.2.1", 53),)
    assert config.dns.upstream == ()
    assert config.api.path == "/var/lib/lokinet/rpc.sock"
    assert config.bootstrap_files == ("/var/lib/lokinet/bootstrap.signed",)
    assert (config.log.level, config.log.file) == ("info", None)
    assert (config.inbound, config.outbound, config.public) == (None, None, None)
    assert config.timing == Timing()
    assert config.warnings == ()


def test_a_router_reads_its_own_defaults() -> None:
    config = router()
    assert (config.min_connections, config.max_connections) == (6, 60)
    assert config.inbound == config.public == Endpoint("10.0.0.2", 1090)
    assert config.key_files.identity == "/var/lib/lokinet/identity.key"
    assert config.key_files.contact == "/var/lib/lokinet/self.signed"
    assert config.dns.bind == ()
    assert config.log.level == "warn"


def test_every_client_key_reaches_its_value() -> None:
    config = client(
        "[router]\nnetid=mynet\ndata-dir=state\nmin-connections=5\nmax-connections=9\n"
        "[network]\ntype=null\nkeyfile=me.key\nreachable=no\nhops=3\npaths=8\nifname=loki0\n"
        f"ifaddr=10.7.0.1/24\nmapaddr={FIRST}.loki:10.7.0.9\nmapaddr={SECOND_ID}.loki:10.7.0.8\n"
        f"strict-connect={FIRST}.snode\nstrict-connect={SECOND_ID}.snode\n"
        f"blacklist-snode={'o' + FIRST[1:]}.snode\npath-alignment-timeout=2.5\n"
        "[paths]\nunique-range-size=24\n"
        "[dns]\nbind=127.0.0.9\nbind=127.0.0.8:0\nupstream=192.0.2.1\nupstream=192.0.2.2:5353\n"
        "[bind]\noutbound=:7000\n[api]\nbind=ipc://here.sock\n"
        "[bootstrap]\nadd-node=a.signed\nadd-node=/b.signed\n[connect]\nold=c.signed\n"
        "[logging]\ntype=file\nlevel=debug\nfile=node.log\n"
    )
    assert config.data_dir == "/etc/node/state"
    assert (config.min_connections, config.max_connections) == (5, 9)
    network = config.network
    assert not network.has_tun
    assert not network.reachable
    assert network.keyfile == "/etc/node/state/me.key"
    assert (network.hops, network.paths, network.ifname) == (3, 8, "loki0")
    assert str(network.ifaddr) == "10.7.0.1/24"
    assert network.mapaddr == (
        (bytes(32), parse_ipv4("10.7.0.9")),
        (bytes(31) + b"\x01", parse_ipv4("10.7.0.8")),
    )
    assert network.strict_connect == (bytes(32), bytes(31) + b"\x01")
    assert network.blacklist == (b"\x80" + bytes(31),)
    assert network.resolve_timeout == 2_500_000
    assert config.unique_range_size == 24
    assert config.dns.bind == (Endpoint("127.0.0.9", 53), Endpoint("127.0.0.8", 0))
    assert config.dns.upstream == (Endpoint("192.0.2.1", 53), Endpoint("192.0.2.2", 5353))
    assert config.outbound == Endpoint("0.0.0.0", 7000)
    assert config.api.path == "/etc/node/state/here.sock"
    assert config.bootstrap_files == (
        "/etc/node/state/a.signed",
        "/b.signed",
        "/etc/node/state/c.signed",
    )
    assert (config.log.level, config.log.file) == ("debug", "/etc/node/state/node.log")


def test_lines_of_the_log_may_be_json() -> None:
    assert client().log.form == "text"
    assert client("[logging]\nformat=json\n").log.form == "json"


def test_srv_records_keep_their_order() -> None:
    config = client("[network]\nsrv=_b._tcp 1 2 3\nsrv=_A._udp 4 5 6 web.loki\n")
    assert config.network.services == (
        SrvRecord("_b._tcp", 1, 2, 3),
        SrvRecord("_a._udp", 4, 5, 6, "web.loki"),
    )


def test_every_router_key_reaches_its_value() -> None:
    config = router(
        "[router]\nnetid=mynet\nblock-bogons=off\nnickname=fast one\ncontact-file=rc\n"
        "ident-privkey=i\ntransport-privkey=t\nencryption-privkey=/abs/e\n"
        "[lokid]\nenabled=false\n[bind]\ninbound=10.0.0.2\npublic-ip=10.9.9.9\npublic-port=7\n"
        "[bootstrap]\nseed-node=1\n[api]\nenabled=0\n[dns]\nbind=127.0.0.1\n"
    )
    assert config.nickname == "fast one"
    assert config.key_files.contact == "/var/lib/lokinet/rc"
    assert config.key_files.encryption == "/abs/e"
    assert (config.inbound, config.public) == (
        Endpoint("10.0.0.2", 1090),
        Endpoint("10.9.9.9", 7),
    )
    assert config.seed_node
    assert config.api.path is None
    assert config.dns.bind == (Endpoint("127.0.0.1", 53),)


def test_private_network_durations_are_seconds_with_fractions() -> None:
    config = client(PRIVATE + "[private-network]\npath-lifetime=60\npath-rotate-before=7.5\n")
    assert config.timing.path_lifetime == 60 * SECOND
    assert config.timing.path_rotate_before == 7_500_000
    assert config.timing.introset_lifetime == Timing().introset_lifetime


def test_conf_d_files_add_and_never_override() -> None:
    assert client("[network]\nhops=3\n", "[network]\npaths=4\n").network.paths == 4
    with pytest.raises(ConfigError, match=r"1\.ini:2: .*hops=: duplicate value.*0\.ini:2"):
        client("[network]\nhops=3\n", "[network]\nhops=3\n")


def test_overrides_take_the_place_of_what_other_files_say() -> None:
    main = Source("/n/a.ini", "[network]\nhops=2\npaths=4\n[dns]\nupstream=192.0.2.1\n")
    beside = Source("/n/conf.d/10-more.ini", "[dns]\nupstream=192.0.2.2\n[logging]\nlevel=warn\n")
    over = Source(
        "/n/conf.d/overrides.ini",
        "[network]\nhops=3\n[dns]\nupstream=192.0.2.3\nupstream=192.0.2.4\n",
    )
    config = parse_config([main, beside, over], Role.CLIENT, AROUND)
    assert (config.network.hops, config.network.paths, config.log.level) == (3, 4, "warn")
    assert [one.ip for one in config.dns.upstream] == ["192.0.2.3", "192.0.2.4"]


def test_old_bind_keys_are_still_understood() -> None:
    assert client("[bind]\n*=7000\n").outbound == Endpoint("0.0.0.0", 7000)
    config = router(PRIVATE + "block-bogons=0\n[lokid]\nenabled=0\n[bind]\n10.0.0.2=1091\n")
    assert config.inbound == Endpoint("10.0.0.2", 1091)


@pytest.mark.parametrize(
    ("role", "text", "named"),
    [
        (Role.ROUTER, ROUTER + "[network]\nreachable=1\n", "reachable"),
        (Role.ROUTER, ROUTER + "[network]\nexit=1\n", "exit"),
        (Role.CLIENT, "[bind]\ninbound=10.0.0.2:1\n", "inbound"),
        (Role.CLIENT, "[lokid]\nrpc=ipc:///x\n", "rpc"),
        (Role.CLIENT, "[router]\nworker-threads=4\n", "worker-threads"),
        (Role.CLIENT, "[router]\nnet-threads=4\n", "net-threads"),
        (Role.CLIENT, "[system]\nuser=x\n", "system"),
    ],
)
def test_keys_without_meaning_here_warn_and_are_ignored(role: Role, text: str, named: str) -> None:
    warnings = parse_config([Source("0.ini", text)], role, AROUND).warnings
    assert len(warnings) == 1
    assert named in warnings[0].message
    assert warnings[0].place.line == text.count("\n")


@pytest.mark.parametrize(
    "line",
    ["exit=0", "auth=none", "profiling=1", "save-profiles=0"],
)
def test_unsupported_features_may_be_switched_off(line: str) -> None:
    assert client(f"[network]\n{line}\n").warnings == ()


def test_routes_and_ipv6_follow_exits_unless_that_is_switched_off() -> None:
    assert client().network.routing == RoutingConfig(True, True, IPv6Address("fd00::"))
    text = "[network]\nauto-routing=off\nblackhole-routes=0\nip6-range=\n"
    assert client(text).network.routing == RoutingConfig(False, False, None)
    text = "[network]\nip6-range=fd12:3456::/96\n"
    assert client(text).network.routing.ip6_range == IPv6Address("fd12:3456::")


def test_where_tokens_are_looked_up() -> None:
    files = client("[network]\nauth=file\nauth-file=a\nauth-file=/b\nauth-file-type=hashes\n").auth
    assert (files.backend, files.is_hashed) == (Backend.FILE, True)
    assert files.files == ("/var/lib/lokinet/a", "/b")
    asked = client("[network]\nauth=http\nauth-http=http://127.0.0.1:80/x?y\n").auth
    assert (asked.backend, asked.service) == (Backend.HTTP, (Endpoint("127.0.0.1", 80), "/x?y"))
    bare = client("[network]\nauth=http\nauth-http=http://127.0.0.1:80\n").auth
    assert bare.service == (Endpoint("127.0.0.1", 80), "/")


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_router_asks_the_chain_it_is_told_of(slash: str) -> None:
    told = ROUTER.replace("enabled=0", f"rpc=http://10.0.0.9:22023{slash}")
    assert router(told).chain == ("10.0.0.9", 22023)
    assert router(told.replace("[lokid]", "[lokid]\nenabled=0")).chain is None
    assert router(ROUTER).chain is None


def test_a_lokid_section_makes_a_router_unless_the_role_is_said() -> None:
    assert parse_config([Source("0.ini", ROUTER)], None, AROUND).role is Role.ROUTER
    assert parse_config([Source("0.ini", "")], None, AROUND).role is Role.CLIENT


@pytest.mark.parametrize(
    ("text", "weakened"),
    [
        (PRIVATE, False),
        (PRIVATE + "block-bogons=0\n", True),
        (PRIVATE + "[paths]\nunique-range-size=0\n", True),
        (PRIVATE + "[private-network]\nlink-rekey=9\n", True),
    ],
)
def test_test_parameters_are_known_as_such(text: str, weakened: bool) -> None:
    assert client(text).has_test_parameters is weakened


def test_a_private_network_may_weaken_what_a_public_one_may_not() -> None:
    config = router(ROUTER + "[paths]\nunique-range-size=0\n[private-network]\nlink-rekey=9\n")
    assert (config.block_bogons, config.unique_range_size) == (False, 0)


@pytest.mark.parametrize("role", list(Role))
def test_a_generated_file_shows_the_defaults_and_is_accepted(role: Role) -> None:
    text = new_ini(role, "/var/lib/lokinet")
    if role is Role.ROUTER:
        text = text.replace("#inbound=", "inbound=9.9.9.9:1090")
    fresh = parse_config([Source("0.ini", text)], role, AROUND)
    uncommented = "\n".join(
        line[1:] if line.startswith("#") and line[1] != " " and not line.endswith("=") else line
        for line in text.splitlines()
    ).replace("netid=lokinet", "netid=mynet")
    if role is Role.ROUTER:
        uncommented = uncommented.replace("9.9.9.9", "198.51.100.7").replace(
            "block-bogons=1", "block-bogons=0"
        )
    written = parse_config([Source("0.ini", uncommented)], role, AROUND)
    assert written.timing == fresh.timing == Timing()
    assert written.network == fresh.network
    assert written.unique_range_size == fresh.unique_range_size
    assert written.key_files == fresh.key_files
    assert written.api == fresh.api
    assert "#worker-threads" not in text
