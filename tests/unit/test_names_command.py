"""`python -m lokinet_node.names`: what an owner does before asking the chain."""

from __future__ import annotations

import io
import json
import stat
import sys
from pathlib import Path

import pytest

from lokinet_node.base.ids import LokiAddress
from lokinet_node.base.names import format_loki
from lokinet_node.chain.rules import update_digest
from lokinet_node.crypto.keys import ed25519_verify
from lokinet_node.crypto.ons import decrypt_value, name_hash
from lokinet_node.names import main

ADDRESS = format_loki(LokiAddress(bytes(range(32))))
PREVIOUS = "ab" * 32


class Command:
    """The command with its standard input and outputs."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def run(self, text: str) -> tuple[int, str, str]:
        stream = io.TextIOWrapper(io.BytesIO(text.encode()))
        self._monkeypatch.setattr(sys, "stdin", stream)
        code = main()
        out, err = self._capsys.readouterr()
        return code, out, err

    def make(self, **request: str) -> dict[str, str]:
        code, out, err = self.run(json.dumps([request]))
        assert (code, err) == (0, "")
        (result,) = json.loads(out)
        assert isinstance(result, dict)
        return result


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)


def test_an_owners_key_is_made_once_and_private(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    first = command.make(kind="key", file=str(path))
    assert command.make(kind="key", file=str(path)) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_name_is_hashed(command: Command) -> None:
    assert command.make(kind="hash", name="Web.loki") == {"name_hash": name_hash("web.loki").hex()}


def test_what_is_sealed_opens(command: Command) -> None:
    sealed = command.make(kind="seal", name="Web.loki", address=ADDRESS)["encrypted_value"]
    assert decrypt_value("web.loki", bytes.fromhex(sealed)) == bytes(range(32))
    opened = command.make(kind="open", name="web.LOKI", encrypted_value=sealed)
    assert opened == {"address": ADDRESS}


def test_a_signature_is_the_keys_over_what_changes(command: Command, tmp_path: Path) -> None:
    path = str(tmp_path / "owner.key")
    owner = bytes.fromhex(command.make(kind="key", file=path)["owner"])
    value, heir = "01" * 72, "02" * 32
    told = command.make(
        kind="sign", key_file=path, prev_txid=PREVIOUS, encrypted_value=value, backup_owner=heir
    )
    digest = update_digest(bytes.fromhex(value), None, bytes.fromhex(heir), bytes.fromhex(PREVIOUS))
    assert ed25519_verify(owner, digest, bytes.fromhex(told["signature"]))
    assert str(tmp_path) not in json.dumps(told)


def test_many_requests_are_answered_in_order(command: Command) -> None:
    requests = [{"kind": "hash", "name": f"name-{number}.loki"} for number in range(20)]
    code, out, _ = command.run(json.dumps(requests))
    assert code == 0
    assert [result["name_hash"] for result in json.loads(out)] == [
        name_hash(request["name"]).hex() for request in requests
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{}", "not a JSON list"),
        ("[5]", "request 0 is not an object of strings"),
        ('[{"kind": 5}]', "request 0 is not an object of strings"),
        ("[{}]", "kind '' is none of"),
        ('[{"kind": "burn"}]', "kind 'burn' is none of key, hash, open, seal, sign"),
        ('[{"kind": "hash"}]', "hash: name is missing"),
        ('[{"kind": "hash", "name": "a.loki", "nmae": "b"}]', "hash: unknown key 'nmae'"),
        ('[{"kind": "hash", "name": "a.b.loki"}]', "no subdomain"),
        ('[{"kind": "seal", "name": "a.loki", "address": "x.loki"}]', "52 characters"),
        ('[{"kind": "open", "name": "a.loki", "encrypted_value": "x"}]', "is not hex"),
        ('[{"kind": "open", "name": "a.loki", "encrypted_value": "00"}]', "144 hex digits"),
        (json.dumps([{"kind": "open", "name": "a.loki", "encrypted_value": "00" * 72}]), "tag"),
    ],
)
def test_what_is_no_request_ends_with_1_and_a_reason(
    command: Command, text: str, reason: str
) -> None:
    code, out, err = command.run(text)
    assert (code, out) == (1, "")
    assert err.startswith("lokinet names: ")
    assert reason in err


def test_a_name_does_not_stand_for_a_subdomain(command: Command) -> None:
    request = {"kind": "seal", "name": "a.loki", "address": "www." + ADDRESS}
    code, _, err = command.run(json.dumps([request]))
    assert code == 1
    assert "without a subdomain" in err


def test_signing_makes_no_key(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "owner.key"
    request = {"kind": "sign", "key_file": str(path), "prev_txid": PREVIOUS}
    code, _, err = command.run(json.dumps([request]))
    assert code == 1
    assert "no such key file" in err
    assert not path.exists()
