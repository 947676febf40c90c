"""HTTP at the chain's door: what is let in, its bounds, and that nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokinet_node.base.errors import OperatorError
from lokinet_node.chain.door import MAX_BODY, MAX_HEAD, Door
from lokinet_node.chain.listeners import may_ask, parse_listener


def door() -> Door:
    return Door(lambda body: b"<" + body + b">")


def post(body: bytes = b"{}", path: bytes = b"/json_rpc", **headers: bytes) -> bytes:
    given_headers = {b"host": b"127.0.0.1:22023", b"content-length": b"%d" % len(body)}
    for name, value in headers.items():
        given_headers[name.encode().replace(b"_", b"-")] = value
    lines = b"".join(b"%s: %s\r\n" % pair for pair in given_headers.items())
    return b"POST %s HTTP/1.1\r\n%s\r\n%s" % (path, lines, body)


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_call_is_answered_and_the_connection_stays() -> None:
    here = door()
    for body in (b"one", b"two"):
        answer = here.receive(post(body))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\n<" + body + b">")
    assert here.is_open


@given(st.lists(st.integers(1, 200)))
def test_calls_may_come_in_any_pieces(cuts: list[int]) -> None:
    here, out = door(), b""
    left = post(b"one") + post(b"two", connection=b"close")
    for cut in cuts:
        if here.is_open and left:
            out += here.receive(left[:cut])
            left = left[cut:]
    if here.is_open:
        out += here.receive(left)
    assert out.count(b"HTTP/1.1 200 ") == 2
    assert b"<one>" in out
    assert out.endswith(b"<two>")
    assert not here.is_open


def test_a_chunked_body_is_taken() -> None:
    request = (
        b"POST /json_rpc HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
        b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"
    )
    assert door().receive(request).endswith(b"<abc>")


def test_who_asks_before_sending_is_told_to_go_on() -> None:
    request = post(b"body", expect=b"100-continue")
    here = door()
    assert status(here.receive(request[:-4])) == 100
    assert here.receive(b"body").endswith(b"<body>")


def test_the_other_end_may_just_leave() -> None:
    here = door()
    assert here.receive(b"") == b""
    assert not here.is_open


def test_a_connection_that_ends_in_the_middle_is_closed() -> None:
    here = door()
    here.receive(post(b"body")[:-2])
    here.receive(b"")
    assert not here.is_open


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (post(path=b"/"), 404),
        (post(path=b"/json_rpc/x"), 404),
        (b"GET /json_rpc HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n", 405),
        (post(origin=b"http://example.org"), 403),
        (post(origin=b"null"), 403),
        (post(host=b"example.org"), 403),
        (post(host=b"chain.example.org:22023"), 403),
        (b"POST /json_rpc HTTP/1.1\r\ncontent-length: 0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\n\n" * 9, 400),
        (b"nonsense\r\n\r\n", 400),
        (b"A" * (MAX_HEAD + 1), 431),
        (post(b"x" * (MAX_BODY + 1)), 413),
        (post(content_length=b"-1"), 400),
        (post(content_length=b"5, 6"), 400),
        (post(transfer_encoding=b"gzip"), 501),
    ],
)
def test_what_is_no_call_is_told_so(request_: bytes, expected: int) -> None:
    here = door()
    answer = here.receive(request_)
    assert status(answer) == expected
    assert b"<" not in answer
    if expected not in (403, 404, 405):
        assert not here.is_open


def test_a_body_is_bounded_however_it_comes() -> None:
    here = door()
    head = b"POST /json_rpc HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
    out = here.receive(head)
    chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
    sent = 0
    while here.is_open:
        out += here.receive(chunk)
        sent += 4096
        assert sent <= MAX_BODY + 4096
    assert status(out) == 413


@given(st.binary(max_size=300))
def test_any_bytes_are_no_crash(data: bytes) -> None:
    here = door()
    here.receive(data)
    if here.is_open:
        here.receive(b"")


@pytest.mark.parametrize(
    "where", ["127.0.0.1:0", "10.77.0.2:22023", "192.168.1.1:1", "169.254.3.3:5"]
)
def test_private_addresses_are_listened_on(where: str) -> None:
    assert str(parse_listener(where)) == where


def test_a_path_is_listened_on() -> None:
    assert str(parse_listener("unix:/run/x.sock")) == "unix:/run/x.sock"


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("0.0.0.0:22023", "every address"),
        ("0.1.2.3:22023", "loopback or a private"),
        ("8.8.8.8:22023", "loopback or a private"),
        ("224.0.0.1:22023", "loopback or a private"),
        ("255.255.255.255:22023", "loopback or a private"),
        (":22023", "neither"),
        ("localhost:22023", "neither"),
        ("127.0.0.1", "neither"),
        ("127.0.0.1:70000", "neither"),
        ("[::]:22023", "neither"),
        ("unix:admin.sock", "absolute"),
        ("unix:/" + "x" * 107, "longer than 107"),
    ],
)
def test_other_places_are_refused(where: str, reason: str) -> None:
    with pytest.raises(OperatorError, match=reason):
        parse_listener(where)


@pytest.mark.parametrize("host", [b"", b"localhost", b"127.0.0.1", b"10.77.0.2:22023"])
def test_an_address_may_be_asked_for(host: bytes) -> None:
    assert may_ask(host, None)
