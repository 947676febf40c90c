"""The configuration: a place and a sentence for everything wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import OperatorError
from lokinet_node.node.config import ConfigError, Role, Source, Surroundings, parse_config
from tests.unit.node.test_config import AROUND, FIRST, PRIVATE, ROUTER, SECOND_ID


def problems(text: str, role: Role = Role.CLIENT, around: Surroundings = AROUND) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config([Source("0.ini", text)], role, around)
    return str(caught.value).splitlines()


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


@pytest.mark.parametrize(("text", "line", "words"), BAD_ROUTER)
def test_a_bad_router_line_is_named_and_explained(text: str, line: int, words: str) -> None:
    found = problems(text, Role.ROUTER)
    assert len(found) == 1
    assert found[0].startswith(f"0.ini:{line}: " if line else "0.ini: ")
    assert words in found[0]


def test_all_problems_are_shown_at_once() -> None:
    found = problems("[network]\nhops=9\nhosp=1\n[dns]\nbind=10.0.0.1\nnonsense\n")
    assert [line.split(": ")[0] for line in found] == ["0.ini:2", "0.ini:3", "0.ini:5", "0.ini:6"]


def test_missing_directories_and_files_are_named_with_their_line() -> None:
    nowhere = Surroundings("/etc/node", "/var/lib/lokinet", lambda _: False)
    found = problems("[router]\ndata-dir=/nope\n[bootstrap]\nadd-node=x\n", around=nowhere)
    assert found[0].startswith("0.ini:2: [router] data-dir=: /nope does not exist")
    assert found[1].startswith("0.ini:4: [bootstrap] add-node=: /nope/x does not exist")
    assert len(problems("[bootstrap]\nseed-node=1\n", around=nowhere)) == 1


def test_a_file_of_tokens_has_to_be_there() -> None:
    around = Surroundings("/etc/node", "/var", lambda path: path in ("/var", "/var/there"))
    text = "[network]\nauth=file\nauth-file=there\nauth-file=gone\n"
    assert "0.ini:4: [network] auth-file=: /var/gone does not exist" in problems(
        text, around=around
    )


def test_an_empty_lokid_section_makes_a_router_too() -> None:
    with pytest.raises(ConfigError, match="a router needs inbound"):
        parse_config([Source("0.ini", "[lokid]\n")], None, AROUND)


def test_a_node_without_contacts_must_be_a_seed() -> None:
    bare = Surroundings("/etc/node", "/var/lib/lokinet", lambda path: path == "/var/lib/lokinet")
    assert "a seed-node=1 can start" in problems("", around=bare)[0]
    assert parse_config([Source("a", "[bootstrap]\nseed-node=1\n")], Role.CLIENT, bare).seed_node


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
