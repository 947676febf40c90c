"""The configuration: what a text means, and a place and a sentence for everything wrong."""

from __future__ import annotations

import contextlib
from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.addresses import Endpoint, parse_ipv4
from lokinet_node.base.errors import OperatorError
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


def problems(text: str, role: Role = Role.CLIENT, around: Surroundings = AROUND) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config([Source("0.ini", text)], role, around)
    return str(caught.value).splitlines()


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


def test_a_file_of_tokens_has_to_be_there() -> None:
    around = Surroundings("/etc/node", "/var", lambda path: path in ("/var", "/var/there"))
    text = "[network]\nauth=file\nauth-file=there\nauth-file=gone\n"
    assert "0.ini:4: [network] auth-file=: /var/gone does not exist" in problems(
        text, around=around
    )


def test_where_tokens_are_looked_up() -> None:
    files = client("[network]\nauth=file\nauth-file=a\nauth-file=/b\nauth-file-type=hashes\n").auth
    assert (files.backend, files.is_hashed) == (Backend.FILE, True)
    assert files.files == ("/var/lib/lokinet/a", "/b")
    asked = client("[network]\nauth=http\nauth-http=http://127.0.0.1:80/x?y\n").auth
    assert (asked.backend, asked.service) == (Backend.HTTP, (Endpoint("127.0.0.1", 80), "/x?y"))
    bare = client("[network]\nauth=http\nauth-http=http://127.0.0.1:80\n").auth
    assert bare.service == (Endpoint("127.0.0.1", 80), "/")


BAD_CLIENT = [
    ("[network]\nip6-range=2001:db8::\n", 2, "is not 96 bits of fc00::/7"),
    ("[network]\nip6-range=fd00::1\n", 2, "is not 96 bits of fc00::/7"),
    ("[network]\nip6-range=10.0.0.0\n", 2, "is not an IPv6 address"),
    ("[network]\nauto-routing=maybe\n", 2, "'maybe' is not one of"),
    ("[network]\nhosp=4\n", 2, "unknown key 'hosp' in [network], did you mean 'hops'?"),
    ("[newtork]\nhops=4\n", 1, "unknown section [newtork], did you mean 'network'?"),
    ("[dns]\n\n[newtork]\n", 3, "unknown section [newtork], did you mean 'network'?"),
    ("[Dns]\n[network]\n", 1, "unknown section [Dns], did you mean 'dns'?"),
    ("[network]\nwhatever\n", 2, "neither"),
    ("[network]\nhops=9\n", 2, "9 is not between 1 and 8"),
    ("[network]\nhops=four\n", 2, "'four' is not a whole number"),
    ("[network]\nhops=\u0664\n", 2, "not a whole number"),
    ("[network]\nhops=4\nhops=4\n", 3, "duplicate value, the first is at 0.ini:2"),
    ("[network]\nreachable=True\n", 2, "is not one of 1 true on yes 0"),
    ("[network]\npaths=2\n", 2, "not between 3 and 8"),
    ("[network]\nkeyfile=\n", 2, "empty"),
    ("[network]\ntype=tap\n", 2, "'tap' is not one of tun, null"),
    ("[network]\nifname=this-is-far-too-long\n", 2, "longer than 15"),
    ("[network]\nifname=a b\n", 2, "not a name"),
    ("[network]\nifaddr=10.0.0.1\n", 2, "not an IPv4 range"),
    ("[network]\nifaddr=10.0.0.0/16\n", 2, "leaves no address"),
    ("[network]\nifaddr=10.0.0.1/31\n", 2, "leaves no address"),
    ("[network]\nmapaddr=web.loki:10.0.0.4\n", 2, "52"),
    (f"[network]\nmapaddr={FIRST}.loki\n", 2, "is not <52>.loki:IP"),
    (
        f"[network]\nmapaddr={FIRST}.loki:10.0.0.4\nmapaddr={SECOND_ID}.loki:10.0.0.4\n",
        3,
        "already",
    ),
    (f"[network]\nifaddr=10.0.0.1/16\nmapaddr={FIRST}.loki:10.1.0.4\n", 3, "not free inside"),
    (f"[network]\nifaddr=10.0.0.1/16\nmapaddr={FIRST}.loki:10.0.0.1\n", 3, "not free inside"),
    (f"[network]\nstrict-connect={FIRST}.snode\n", 2, "two routers or more"),
    (
        f"[network]\nblacklist-snode={FIRST}.snode\nblacklist-snode={FIRST.upper()}.snode\n",
        3,
        "duplicate router",
    ),
    (f"[network]\nblacklist-snode={FIRST}.loki\n", 2, ".snode"),
    ("[network]\nprofiling=0\n", 2, "not supported yet"),
    ("[network]\nauth=everybody\n", 2, "not one of none, whitelist, file, http"),
    ("[network]\nauth=file\n", 2, "lets nobody in: say auth-file="),
    ("[network]\nauth=file\nauth-file=a\nauth-file-type=md5\n", 4, "not one of plain"),
    ("[network]\nauth=http\nauth-http=https://10.0.0.1:5/x\n", 3, "not http://IP:PORT/PATH"),
    ("[network]\nauth=http\nauth-http=http://allow.example:5/x\n", 3, "not an IPv4 address"),
    ("[network]\nauth=http\nauth-http=http://0.0.0.0:5/x\n", 3, "nobody answers at"),
    ("[network]\nauth=http\nauth-http=http://10.0.0.1/x\n", 3, "not ip:port"),
    ("[network]\nauth=http\nauth-http=http://10.0.0.1:5/a b\n", 3, "no path"),
    ("[network]\nauth=http\nauth-http=http://10.0.0.1:5\nauth-file=x\n", 4, "auth=file"),
    ("[network]\nauth=lmq\n", 2, "auth=http asks a program of yours instead"),
    ("[network]\nauth-lmq=tcp://127.0.0.1:5\n", 2, "auth=http stands in its place"),
    ("[network]\nauth=whitelist\n", 2, "lets nobody in"),
    ("[network]\nauth-static=sesame\n", 2, "decides nothing"),
    (f"[network]\nauth-whitelist={FIRST}.loki\n", 2, "decides nothing"),
    ("[network]\nauth=whitelist\nauth-whitelist=web.loki\n", 3, "52"),
    (f"[network]\nauth=whitelist\nauth-static={'x' * 129}\n", 3, "1 to 128 bytes"),
    ("[network]\nsrv=_x._tcp 1 1\n", 2, "_service._proto PRIORITY WEIGHT PORT"),
    ("[network]\nsrv=_x._tcp 1 1 1 example.com\n", 2, "under .loki or .snode"),
    ("[network]\nsrv=_x._tcp 1 1 1\nsrv=_x._tcp 1 1 1\n", 3, "duplicate record"),
    (
        "[network]\n" + "".join(f"srv=_x._tcp 1 1 {port}\n" for port in range(17)),
        18,
        "at most 16 services",
    ),
    ("[network]\npath-alignment-timeout=0\n", 2, "positive"),
    ("[network]\npath-alignment-timeout=nan\n", 2, "positive"),
    ("[paths]\nunique-range-size=3\n", 2, "neither 0"),
    ("[paths]\nunique-range-size=33\n", 2, "not between"),
    ("[dns]\nbind=10.0.0.1:53\n", 2, "not a loopback"),
    ("[dns]\nupstream=dns.example\n", 2, "not an IPv4 address"),
    ("[dns]\nupsteam=192.0.2.1\n", 2, "did you mean 'upstream'"),
    ("[bind]\neth0=1090\n", 2, "interface names are not supported"),
    ("[api]\nbind=tcp://127.0.0.1:1190\n", 2, "only ipc://PATH"),
    (f"[api]\nbind=ipc:///{'a' * 107}\n", 2, "too long"),
    ("[logging]\nlevel=loud\n", 2, "not one of trace"),
    ("[logging]\ntype=system\n", 2, "not one of print, file"),
    ("[logging]\nformat=xml\n", 2, "not one of text, json"),
    ("[router]\nnetid=ninebytes\n", 2, "longer than 8"),
    ("[router]\nmin-connections=3\n", 2, "not between 4"),
    ("[router]\nmin-connections=7\n", 2, "larger than max-connections"),
    ("[router]\npublic-address=1.2.3.4\n", 2, "gone"),
    ("[router]\nblock-bogons=0\n", 2, "netid= of a private network, not 'lokinet'"),
    ("[router]\nnetid=gamma\nblock-bogons=0\n", 3, "not 'gamma'"),
    ("[router]\nnetid=\nblock-bogons=0\n", 3, "not ''"),
    ("[paths]\nunique-range-size=0\n", 2, "a test parameter"),
    ("[private-network]\nlink-rekey=60\n", 2, "a test parameter"),
    (PRIVATE + "block-bogons=0\n[bind]\noutbound=9.9.9.9:1\n", 3, "routable address 9.9.9.9:1"),
    (PRIVATE + "[private-network]\nlink-rekey=200\n", 4, "link-rekey must be shorter"),
    (PRIVATE + "[private-network]\nlink-rekey=0\n", 4, "positive"),
]

BAD_ROUTER = [
    (PRIVATE + "[lokid]\nenabled=0\n", 0, "a router needs inbound=IP:PORT"),
    (ROUTER.replace("enabled=0", ""), 0, "a router without a chain says enabled=0"),
    (ROUTER.replace("enabled=0", "enabled=1"), 0, "a router without a chain says enabled=0"),
    (ROUTER.replace("enabled=0", "rpc=ipc:///x.sock"), 5, "not http://IP:PORT"),
    (ROUTER.replace("enabled=0", "rpc=http://oxend:1"), 5, "not an IPv4 address"),
    (ROUTER.replace("enabled=0", "rpc=http://10.0.0.9"), 5, "not ip:port"),
    (ROUTER.replace("enabled=0", "rpc=http://10.0.0.9:0"), 5, "nobody answers"),
    (ROUTER.replace("enabled=0", "rpc=http://0.0.0.0:80"), 5, "nobody answers"),
    (ROUTER.replace("enabled=0", "enabled=0\nrcp=http://10.0.0.9:1"), 6, "did you mean 'rpc'"),
    (ROUTER.replace("enabled=0", "enabled=0\njsonrpc=x"), 6, "use rpc"),
    (ROUTER.replace("10.0.0.2", "0.0.0.0"), 7, "wildcard"),
    (ROUTER.replace("10.0.0.2:1090", ":1090"), 7, "not ip:port"),
    (ROUTER.replace(":1090", ":0"), 7, "fixed port"),
    (ROUTER.replace("block-bogons=0", "block-bogons=1"), 7, "10.0.0.2 is private"),
    (ROUTER + "public-ip=9.9.9.9\n", 3, "routable address 9.9.9.9:1090"),
    (ROUTER + "[router]\nnickname=caf\u00e9\n", 9, "printable ASCII"),
    (ROUTER + "inbound=10.0.0.3\n", 8, "duplicate value"),
    (
        ROUTER.replace("block-bogons=0", "block-bogons=0\npublic-ip=10.0.0.2"),
        4,
        "[bind] public-ip=",
    ),
    (
        "[lokid]\nenabled=0\n[bind]\ninbound=127.0.0.1:1\npublic-ip=9.9.9.9\n",
        4,
        "loopback address is for private networks",
    ),
    (ROUTER + f"[network]\nstrict-connect={FIRST}.snode\n", 9, "not for routers"),
]


@pytest.mark.parametrize(("text", "line", "words"), BAD_CLIENT)
def test_a_bad_client_line_is_named_and_explained(text: str, line: int, words: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"0.ini:{line}: ")
    assert words in found[0]


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_router_asks_the_chain_it_is_told_of(slash: str) -> None:
    told = ROUTER.replace("enabled=0", f"rpc=http://10.0.0.9:22023{slash}")
    assert router(told).chain == ("10.0.0.9", 22023)
    assert router(told.replace("[lokid]", "[lokid]\nenabled=0")).chain is None
    assert router(ROUTER).chain is None


@pytest.mark.parametrize(("text", "line", "words"), BAD_ROUTER)
def test_a_bad_router_line_is_named_and_explained(text: str, line: int, words: str) -> None:
    found = problems(text, Role.ROUTER)
    assert len(found) == 1
    assert found[0].startswith(f"0.ini:{line}: " if line else "0.ini: ")
    assert words in found[0]


def test_an_empty_lokid_section_makes_a_router_too() -> None:
    with pytest.raises(ConfigError, match="a router needs inbound"):
        parse_config([Source("0.ini", "[lokid]\n")], None, AROUND)


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


def test_all_problems_are_shown_at_once() -> None:
    found = problems("[network]\nhops=9\nhosp=1\n[dns]\nbind=10.0.0.1\nnonsense\n")
    assert [line.split(": ")[0] for line in found] == ["0.ini:2", "0.ini:3", "0.ini:5", "0.ini:6"]


def test_missing_directories_and_files_are_named_with_their_line() -> None:
    nowhere = Surroundings("/etc/node", "/var/lib/lokinet", lambda _: False)
    found = problems("[router]\ndata-dir=/nope\n[bootstrap]\nadd-node=x\n", around=nowhere)
    assert found[0].startswith("0.ini:2: [router] data-dir=: /nope does not exist")
    assert found[1].startswith("0.ini:4: [bootstrap] add-node=: /nope/x does not exist")
    assert len(problems("[bootstrap]\nseed-node=1\n", around=nowhere)) == 1


def test_a_node_without_contacts_must_be_a_seed() -> None:
    bare = Surroundings("/etc/node", "/var/lib/lokinet", lambda path: path == "/var/lib/lokinet")
    assert "a seed-node=1 can start" in problems("", around=bare)[0]
    assert parse_config([Source("a", "[bootstrap]\nseed-node=1\n")], Role.CLIENT, bare).seed_node


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


@given(
    st.lists(
        st.sampled_from(["[network]", "[bind]", "[dns]", "[private-network]", "[lokid]", "[paths]"])
        | st.builds(
            "{}={}".format,
            st.sampled_from(["hops", "inbound", "bind", "mapaddr", "ifaddr", "link-rekey", "rpc"]),
            st.text(max_size=12),
        )
        | st.text(max_size=20)
    ),
    st.sampled_from(list(Role)),
)
def test_any_text_is_a_configuration_or_a_list_of_problems(lines: list[str], role: Role) -> None:
    with contextlib.suppress(OperatorError):
        parse_config([Source("0.ini", "\n".join(lines))], role, AROUND)
