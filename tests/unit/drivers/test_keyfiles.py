"""Key files: Lokinet's bytes, kept for ever, and refused rather than repaired."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lokinet_node.base.errors import OperatorError
from lokinet_node.crypto.keys import ed25519_keypair, x25519_from_secret
from lokinet_node.drivers.keyfiles import read_contacts, router_keys, service_key

SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
"""The first key of RFC 8032, 7.1."""


def counting(size: int) -> bytes:
    counting.calls += 1  # type: ignore[attr-defined]
    return hashlib.sha256(b"%d" % counting.calls).digest()[:size]  # type: ignore[attr-defined]


counting.calls = 0  # type: ignore[attr-defined]


def test_a_service_key_file_has_lokinets_bytes(tmp_path: Path) -> None:
    path = tmp_path / "key"
    pair = service_key(str(path), lambda size: SEED[:size])
    assert pair.public == PUBLIC
    assert path.read_bytes() == b"d1:s64:" + SEED + PUBLIC + b"1:vi0ee"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_service_key_is_the_same_at_every_start(tmp_path: Path) -> None:
    path = str(tmp_path / "key")
    assert service_key(path, counting) == service_key(path, counting)


def test_a_service_key_file_may_lack_its_version(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"d1:s64:" + SEED + PUBLIC + b"e")
    assert service_key(str(tmp_path / "key"), counting).public == PUBLIC


def paths(directory: Path) -> tuple[str, str, str]:
    return (
        str(directory / "identity.key"),
        str(directory / "transport.key"),
        str(directory / "encryption.key"),
    )


def test_router_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first = router_keys(*paths(tmp_path), counting)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert router_keys(*paths(tmp_path), counting) == first
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == written
    assert written["identity.key"] == b"64:" + first.identity.secret
    assert written["transport.key"] == b"64:" + first.link.secret + first.link.public
    assert first.onion_key_id == int.from_bytes(first.onion.public[:4], "big")
    assert first.identity.secret.hex() not in repr(first)


def test_raw_router_key_files_are_read_too(tmp_path: Path) -> None:
    identity, transport, encryption = paths(tmp_path)
    link = x25519_from_secret(bytes(range(32)))
    Path(identity).write_bytes(SEED + PUBLIC)
    Path(transport).write_bytes(link.secret + link.public)
    keys = router_keys(identity, transport, encryption, counting)
    assert keys.identity == ed25519_keypair(SEED)
    assert keys.link == link


DAMAGED = [
    b"",
    b"d1:s64:" + SEED + PUBLIC + b"1:vi0e",
    b"d1:s64:" + PUBLIC + SEED + b"1:vi0ee",
    b"d1:s64:" + SEED + PUBLIC + b"1:vi1ee",
    b"d1:s32:" + SEED + b"1:vi0ee",
    b"d1:vi0ee",
    b"64:" + SEED + PUBLIC,
    bytes(5000),
]


@pytest.mark.parametrize("data", DAMAGED)
def test_a_damaged_service_key_is_named_and_left_alone(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(data)
    with pytest.raises(OperatorError) as caught:
        service_key(str(path), counting)
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == data


@pytest.mark.parametrize("name", ["identity.key", "transport.key", "encryption.key"])
@pytest.mark.parametrize("data", [b"", b"63:" + SEED + PUBLIC[1:], PUBLIC + SEED, b"i1e"])
def test_a_damaged_router_key_says_how_to_go_on(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(OperatorError, match="restore it from a copy, or move it away") as caught:
        router_keys(*paths(tmp_path), counting)
    assert str(tmp_path / name) in str(caught.value)
    assert (tmp_path / name).read_bytes() == data


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80))
def test_any_bytes_are_a_key_or_an_operator_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(OperatorError):
        service_key(str(tmp_path / "key"), counting)


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x05abc", b"d1:a"])
def test_a_damaged_bootstrap_file_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "boot").write_bytes(data)
    with pytest.raises(OperatorError) as caught:
        read_contacts(str(tmp_path / "boot"))
    assert str(caught.value).startswith(f"{tmp_path / 'boot'}: ")
