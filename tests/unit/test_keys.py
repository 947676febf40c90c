"""The key command: what it makes, keeps, prints and refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lokinet_node import keys
from lokinet_node.base.names import parse_loki, parse_snode
from lokinet_node.base.units import HOUR, SECOND
from lokinet_node.drivers import clock
from lokinet_node.drivers.keyfiles import read_contacts
from lokinet_node.netdb.verify import verify_contact

ROUTER = ("--netid", "mynet", "--public-address", "10.0.0.2:1090")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert keys.main(arguments) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


def batch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data: bytes
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    code = keys.main(["batch"])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_router_gets_keys_and_a_contact_that_verifies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "router", str(tmp_path / "r"), *ROUTER)
    assert result["kind"] == "router"
    assert result["contact"] == str(tmp_path / "r" / "self.signed")
    (contact,) = read_contacts(result["contact"])
    verify_contact(contact, netid=b"mynet", now=clock.wall())
    assert contact.router == parse_snode(result["address"])
    assert (contact.ip, contact.port) == ("10.0.0.2", 1090)
    assert contact.onion_key_id == int.from_bytes(contact.onion_key[:4], "big")


def test_a_router_without_address_gets_no_contact(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "router", str(tmp_path))["contact"] is None
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["encryption.key", "identity.key", "transport.key"]


def test_a_second_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [("router", str(tmp_path), *ROUTER), ("service", str(tmp_path / "s.key"))]
    first = [run(capsys, *command) for command in commands]
    written = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert [run(capsys, *command) for command in commands] == first
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == written
    parse_loki(first[1]["address"])


@pytest.mark.parametrize(
    "changed",
    [
        ("--netid", "other", "--public-address", "10.0.0.2:1090"),
        ("--netid", "mynet", "--public-address", "10.0.0.3:1090"),
    ],
)
def test_a_contact_that_no_longer_describes_the_router_is_signed_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: tuple[str, ...]
) -> None:
    run(capsys, "router", str(tmp_path), *ROUTER)
    (before,) = read_contacts(str(tmp_path / "self.signed"))
    run(capsys, "router", str(tmp_path), *changed)
    (after,) = read_contacts(str(tmp_path / "self.signed"))
    assert after.router == before.router
    assert after.raw != before.raw


@pytest.mark.parametrize("old", [b"", b"junk", b"\0\x02ab"])
def test_a_damaged_contact_is_signed_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: bytes
) -> None:
    (tmp_path / "self.signed").write_bytes(old)
    run(capsys, "router", str(tmp_path), *ROUTER)
    assert len(read_contacts(str(tmp_path / "self.signed"))) == 1


def test_a_contact_past_half_of_its_life_is_signed_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.wall()
    found = []
    for age in (0, HOUR - SECOND, HOUR + SECOND):
        monkeypatch.setattr(clock, "wall", lambda age=age: start + age)
        run(capsys, "router", str(tmp_path), *ROUTER)
        found.append((tmp_path / "self.signed").read_bytes())
    assert found[0] == found[1] != found[2]


def test_a_batch_makes_a_whole_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [
        {"kind": "router", "dir": str(tmp_path / f"r{number}"), "netid": "mynet"}
        | {"public_address": f"10.0.0.{number}:1090"}
        for number in range(1, 4)
    ] + [{"kind": "service", "file": str(tmp_path / "s.key")}]
    code, out, err = batch(monkeypatch, capsys, json.dumps(requests).encode())
    assert (code, err) == (0, "")
    results = json.loads(out)
    assert [result["kind"] for result in results] == ["router"] * 3 + ["service"]
    assert len({result["address"] for result in results}) == 4


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"{}", "not a JSON list"),
        (b"[1]", "request 0: not an object"),
        (b'[{"kind": "exit"}]', "kind 'exit' is neither"),
        (b'[{"kind": "service"}]', "'file' is missing"),
        (b'[{"kind": "service", "file": 1}]', "must be a string"),
        (b'[{"kind": "service", "file": "x", "fiel": "y"}]', "unknown key 'fiel'"),
        (b'[{"kind": "router", "dir": "x", "netid": "ninebytes"}]', "longer than 8"),
        (b'[{"kind": "router", "dir": "x", "public_address": "h:1"}]', "not an IPv4"),
        (b'[{"kind": "router", "dir": "x", "public_address": "10.0.0.1:0"}]', "fixed port"),
    ],
)
def test_a_wrong_batch_is_refused_before_anything_is_made(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: bytes,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = batch(monkeypatch, capsys, data)
    assert (code, out) == (1, "")
    assert words in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_corrupt_key_ends_with_one_and_names_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "identity.key").write_bytes(b"junk")
    assert keys.main(["router", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert str(tmp_path / "identity.key") in err
    assert (tmp_path / "identity.key").read_bytes() == b"junk"


@pytest.mark.parametrize("arguments", [[], ["router"], ["service"], ["exit"], ["batch", "x"]])
def test_wrong_usage_ends_with_one(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        keys.main(arguments)
    assert caught.value.code == 1
