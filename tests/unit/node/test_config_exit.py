"""The keys of an exit: what they mean, and a line and a sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokinet_node.base.addresses import parse_range
from lokinet_node.base.errors import OperatorError
from lokinet_node.base.units import SECOND
from lokinet_node.exits.share import Quota
from lokinet_node.node.config import ConfigError, Role, Source, Surroundings, parse_config
from lokinet_node.node.config_exit import ExitConfig, offer_of
from lokinet_node.providing import Providing
from lokinet_node.session.addresses import AddressMap
from lokinet_node.wire.offer import NO_OFFER

TUN = parse_range("172.20.0.1/16")
FULL = """[network]
exit=1
owned-range=192.0.2.0/24
traffic-whitelist=tcp
traffic-whitelist=udp/domain
[exit]
allow-range=0.0.0.0/0
deny-range=198.51.100.0/24
deny=tcp/smtp
country-file=countries.txt
allow-country=nl
deny-country=DE
"""


def read(
    text: str, role: Role = Role.CLIENT, directory: str = "/data", *, exists: bool = True
) -> ExitConfig | None:
    around = Surroundings("/etc/node", directory, lambda path: exists or path == directory)
    seed = "[bootstrap]\nseed-node=1\n"
    return parse_config([Source("0.ini", text + seed)], role, around).exit


def problems(text: str, *, exists: bool = True) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, exists=exists)
    return str(caught.value).splitlines()


def test_nobody_is_an_exit_unless_told() -> None:
    assert read("") is None
    assert read("[network]\nexit=0\n") is None
    assert read("[exit]\n") is None


def test_all_keys_of_an_exit() -> None:
    config = read(FULL)
    assert config is not None
    assert config.country_file == "/data/countries.txt"
    assert [str(one) for one in (*config.owned, *config.allowed, *config.denied)] == [
        "192.0.2.0/24",
        "0.0.0.0/0",
        "198.51.100.0/24",
    ]
    assert [str(one) for one in (*config.whitelist, *config.denied_services)] == [
        "tcp",
        "udp/53",
        "tcp/25",
    ]
    assert (config.allowed_countries, config.denied_countries) == (("NL",), ("DE",))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[network]\nexit=maybe\n", 2, "not one of"),
        ("[network]\nowned-range=10.0.0.0/8\n", 2, "without exit=1"),
        ("[network]\nexit=0\ntraffic-whitelist=tcp\n", 3, "without exit=1"),
        ("[exit]\ndeny=tcp/25\n", 2, "without exit=1"),
        ("[network]\nexit=1\ntype=null\n", 2, "needs a tun"),
        ("[network]\nexit=1\nreachable=0\n", 2, "must be reachable"),
        ("[network]\nexit=1\nowned-range=10.0.0.0/33\n", 3, "not a range"),
        ("[network]\nexit=1\ntraffic-whitelist=tpc\n", 3, "neither one of"),
        ("[network]\nexit=1\n[exit]\nallow-range=everything\n", 4, "not a range"),
        ("[network]\nexit=1\n[exit]\ndeny-range=fe80::1%lo\n", 4, "names a link"),
        ("[network]\nexit=1\n[exit]\ndeny=icmp/8\n", 4, "has no ports"),
        ("[network]\nexit=1\n[exit]\ndeny=tcp/1\ndeny=tcp/1\n", 5, "said twice"),
        ("[network]\nexit=1\n[exit]\ncountry-file=x\ndeny-country=NLD\n", 5, "two letters"),
        ("[network]\nexit=1\n[exit]\nallow-country=NL\n", 4, "needs country-file="),
        ("[network]\nexit=1\n[exit]\ncountry-file=\n", 4, "empty"),
        ("[network]\nexit=1\n[exit]\ndenyrange=1\n", 4, "did you mean 'deny-range'"),
    ],
)
def test_a_bad_line_is_named_and_explained(text: str, line: int, words: str) -> None:
    (found,) = problems(text)
    assert found.startswith(f"0.ini:{line}: ")
    assert words in found


def test_a_country_file_must_be_there() -> None:
    (found,) = problems(FULL, exists=False)
    assert found == "0.ini:10: [exit] country-file=: /data/countries.txt does not exist"


def test_a_country_file_is_read_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "countries.txt"
    file.write_text("203.0.113.0/24 NL\n198.51.100.0/24 DE\n")
    config = read(FULL, directory=str(tmp_path))
    assert config is not None
    rules = Providing(config, TUN, AddressMap(TUN), "10.5.0.7").provider.policy.rules
    assert rules.allowed_countries is not None
    assert [str(one) for one in rules.allowed_countries] == ["203.0.113.0/24"]
    assert [str(one) for one in rules.denied_countries] == ["198.51.100.0/24"]
    file.write_text("203.0.113.0/24 NL\noops\n")
    with pytest.raises(OperatorError, match=r"countries.txt:2: "):
        Providing(config, TUN, AddressMap(TUN), "10.5.0.7")


def test_an_introset_has_room_for_so_many_ranges() -> None:
    lines = [f"owned-range=9.0.{number}.0/24" for number in range(17)]
    (found,) = problems("[network]\nexit=1\n" + "\n".join(lines) + "\n")
    assert found.startswith("0.ini:2: ")
    assert "at most 16 ranges" in found


def test_an_introset_says_that_its_node_is_an_exit() -> None:
    config = read(FULL)
    offer = offer_of(config, needs_auth=True)
    assert (offer.is_exit, offer.needs_auth) == (True, True)
    assert offer.ranges == ((0xFFFF << 32 | 0xC0000200, 120),)
    assert offer.services == ((6, 0), (17, 53))
    assert offer_of(None, needs_auth=False) == NO_OFFER


def test_quotas_of_callers_and_tokens() -> None:
    around = Surroundings("/etc/node", "/data", lambda path: True)
    text = """[network]
exit=1
auth=whitelist
auth-static=sesame
[exit]
client-rate=500k
client-bytes=20G
client-time=3600
token-bytes=1000
token-time=0.5
[bootstrap]
seed-node=1
"""
    quotas = parse_config([Source("0.ini", text)], Role.CLIENT, around).quotas
    assert quotas.client == Quota(500_000, 20 * 10**9, 3600 * SECOND)
    assert quotas.token == Quota(0, 1000, SECOND // 2)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[exit]\nclient-bytes=5\n", 2, "without exit=1"),
        ("[network]\nexit=1\n[exit]\ntoken-bytes=5\n", 4, "no auth= here takes tokens"),
        ("[network]\nexit=1\n[exit]\nclient-rate=0\n", 4, "such as 5000, 20M or 1G"),
        ("[network]\nexit=1\n[exit]\nclient-bytes=1.5G\n", 4, "such as 5000, 20M or 1G"),
        ("[network]\nexit=1\n[exit]\nclient-bytes=5KiB\n", 4, "such as 5000, 20M or 1G"),
        ("[network]\nexit=1\n[exit]\nclient-time=-1\n", 4, "not a positive number of seconds"),
    ],
)
def test_a_bad_quota_is_named_and_explained(text: str, line: int, words: str) -> None:
    found = problems(text)
    assert len(found) == 1
    assert found[0].startswith(f"0.ini:{line}: ")
    assert words in found[0]


def test_an_exit_without_a_key_file_is_warned_about() -> None:
    around = Surroundings("/etc/node", "/data", lambda _: True)
    for more, warnings in (("", 1), ("keyfile=exit.key\n", 0)):
        source = Source("0.ini", "[network]\nexit=1\n" + more)
        assert len(parse_config([source], Role.CLIENT, around).warnings) == warnings
