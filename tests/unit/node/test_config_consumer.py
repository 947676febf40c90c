"""Which exits a node uses, as an ini file says it."""

from __future__ import annotations

import pytest

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.names import parse_loki
from lokinet_node.exits.exit_range import EVERYTHING, parse_exit_range
from lokinet_node.node.config import ConfigError, Role, Source, Surroundings, parse_config
from lokinet_node.node.config_consumer import ConsumerConfig, parse_exit
from lokinet_node.session.addresses import remote_loki

KEY = "y" * 52 + ".loki"
ADDRESS = remote_loki(parse_loki(KEY).address)
AROUND = Surroundings("/etc/node", "/var/lib/lokinet", lambda _: True)


def exits(text: str) -> ConsumerConfig:
    source = Source("0.ini", f"[network]\n{text}")
    return parse_config([source], Role.CLIENT, AROUND).network.exits


def test_exits_ranges_and_tokens_in_the_order_of_the_file() -> None:
    text = f"exit-node={KEY}\nexit-node=WEB.exit.loki:203.0.113.7/24\nexit-node=null:10.0.0.0/8\n"
    text += f"exit-node={KEY}:2001:db8::/32\nexit-auth={KEY}:a:b c\nexit-auth=exit.loki:other\n"
    assert exits(text) == ConsumerConfig(
        mappings=(
            (ADDRESS, EVERYTHING),
            ("exit.loki", parse_exit_range("203.0.113.0/24")),
            (None, parse_exit_range("10.0.0.0/8")),
            (ADDRESS, parse_exit_range("2001:db8::/32")),
        ),
        tokens=((ADDRESS, "a:b c"), ("exit.loki", "other")),
    )
    assert "a:b c" not in repr(exits(text))
    assert exits("") == ConsumerConfig()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("exit-node=", "invalid exit address"),
        ("exit-node=exit", "invalid exit address"),
        ("exit-node=localhost.loki", "invalid exit address"),
        ("exit-node=exit_.loki", "invalid exit address"),
        ("type=null\nexit-node=exit.loki", "an exit needs a tun; this node has type=null"),
        (f"exit-node={'y' * 52}.snode", "exit via snode not supported"),
        (f"exit-node={KEY}:", "is not a range such as"),
        (f"exit-node={KEY}:203.0.113.0/33", "is not a range such as"),
        (f"exit-node={KEY}\nexit-node={KEY}:::/0", "duplicate exit"),
        (f"exit-auth={KEY}", "not ADDRESS:TOKEN"),
        (f"exit-auth={KEY}:", "a token has 1 to 128"),
        (f"exit-auth={KEY}:{'s3cret' * 30}", "a token has 1 to 128"),
        ("exit-auth=null:s3cret", "null needs no token"),
        (f"exit-auth={KEY}:s3cret\nexit-auth={KEY}:s3cret2", "has a token already"),
    ],
)
def test_what_is_wrong_is_said_without_the_token(line: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as raised:
        exits(line)
    (problem,) = raised.value.problems
    assert sentence in problem.message
    assert problem.place.line == 1 + line.count("\n") + 1
    assert "s3cret" not in str(raised.value)


def test_names_are_those_the_registry_knows() -> None:
    assert parse_exit("Sub.EXIT.Loki") == "exit.loki"
    assert parse_exit("null") is None
    assert parse_exit(f"sub.{KEY}") == ADDRESS
    for text in ("", ".loki", "exit.com", "ex\u00efit.loki"):
        with pytest.raises(NameSyntaxError):
            parse_exit(text)
