"""SRV records as the ini file has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import NameSyntaxError
from lokinet_node.base.srv import SrvRecord, check_srv, parse_srv

LONG = "y" * 52 + ".loki"


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("_http._tcp 0 0 80", SrvRecord("_http._tcp", 0, 0, 80)),
        ("_http._tcp 1 2 65535 .", SrvRecord("_http._tcp", 1, 2, 65535, ".")),
        ("_HTTP._Tcp 1 2 3 Web.Loki", SrvRecord("_http._tcp", 1, 2, 3, "web.loki")),
        (f"_x-y._udp.www 1 2 3 a.{LONG}", SrvRecord("_x-y._udp.www", 1, 2, 3, f"a.{LONG}")),
        ("_x._tcp 1 2 3 random.snode", SrvRecord("_x._tcp", 1, 2, 3, "random.snode")),
    ],
)
def test_a_record_is_read_in_lower_case(text: str, record: SrvRecord) -> None:
    assert parse_srv(text) == record


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "single spaces"),
        ("_http._tcp 1 2", "single spaces"),
        ("_http._tcp  1 2 3", "single spaces"),
        ("_http._tcp 1 2 3 web.loki x", "single spaces"),
        ("_http._tcp 1 2 3 ", "single spaces"),
        ("_http._tcp 1 2 65536", "65536"),
        ("_http._tcp -1 2 3", "-1"),
        ("_http._tcp 1 2 ³", "³"),
        ("_http._tcp 1 2 000080", "000080"),
        ("http._tcp 1 2 3", "_service._proto"),
        ("_http 1 2 3", "_service._proto"),
        ("_http._tcp. 1 2 3", "_service._proto"),
        ("_http._tcp" + ".x" * 60 + " 1 2 3", "128 bytes"),
        ("_http._tcp 1 2 3 web.loki.", "without a dot"),
        ("_http._tcp 1 2 3 example.com", "under .loki or .snode"),
        ("_http._tcp 1 2 3 loki", "under .loki or .snode"),
        ("_http._tcp 1 2 3 .loki", "under .loki or .snode"),
        ("_http._tcp 1 2 3 " + "x." * 99 + "loki", "200 bytes"),
    ],
)
def test_anything_else_says_what_is_wrong(text: str, complaint: str) -> None:
    with pytest.raises(NameSyntaxError, match=complaint):
        parse_srv(text)


@given(st.text(max_size=40))
def test_any_text_is_a_record_or_a_syntax_error(text: str) -> None:
    for candidate in (text, f"_http._tcp 1 2 3 {text}", f"{text} 1 2 3"):
        try:
            check_srv(parse_srv(candidate))
        except NameSyntaxError:
            continue
