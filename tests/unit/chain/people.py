"""People with keys, and a chain in memory's stead: what the tests of the chain share."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lokinet_node.base.units import SECOND
from lokinet_node.chain.rules import update_digest
from lokinet_node.chain.service import Service
from lokinet_node.chain.store import Store
from lokinet_node.chain.terms import NetworkType
from lokinet_node.crypto.keys import KeyPair, ed25519_keypair, ed25519_sign
from lokinet_node.crypto.ons import encrypt_value, name_hash

NOW_S = 1_700_000_000


def person(name: str) -> KeyPair:
    """Somebody's Ed25519 key; the same each time."""
    return ed25519_keypair(hashlib.sha256(name.encode()).digest())


ALICE, BOB, CAROL, MALLORY = map(person, ("alice", "bob", "carol", "mallory"))


def sealed(name: str, who: KeyPair = ALICE) -> str:
    """A value of a name, in hex: the address of somebody."""
    return encrypt_value(name, who.public, os.urandom).hex()


@dataclass
class Chain:
    """A chain's methods as a caller meets them."""

    store: Store
    service: Service
    now_s: int = NOW_S
    may_write: bool = True
    """Whether calls come over the admin listener."""

    def raw(self, body: bytes) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.service.answer(body, may_write=self.may_write))
        return answer

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """The result of a call, which must be a good one."""
        call = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = self.raw(json.dumps(call).encode())
        assert answer["id"] == 7
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def error(self, method: str, **params: object) -> tuple[int, str]:
        """(code, message) of a call that must fail, and must leave the chain as it was."""
        before = self.store.transactions(), self.store.height
        call = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        answer = self.raw(json.dumps(call).encode())
        assert "result" not in answer, answer
        assert (self.store.transactions(), self.store.height) == before
        return answer["error"]["code"], answer["error"]["message"]

    def raw_error(self, method: str) -> tuple[int, str]:
        """(code, message) of a call that must fail, whatever became of the chain."""
        error = self.raw(json.dumps({"id": 7, "method": method}).encode())["error"]
        return error["code"], error["message"]

    def buy(self, name: str, owner: KeyPair = ALICE, **more: object) -> dict[str, Any]:
        more.setdefault("encrypted_value", sealed(name))
        return self.ask("ons_buy_mapping", name=name, owner=owner.public.hex(), **more)

    def record(self, name: str) -> dict[str, Any]:
        """The newest record of a name, expired or not."""
        asked = [{"name_hash": name_hash(name).hex(), "types": [2]}]
        entries = self.ask("ons_names_to_owners", entries=asked, include_expired=True)["entries"]
        assert len(entries) == 1
        entry: dict[str, Any] = entries[0]
        return entry

    def resolves(self, name: str) -> bool:
        return bool(self.ask("ons_resolve", type=2, name_hash=name_hash(name).hex()))

    def mine(self, count: int) -> None:
        self.ask("generate_blocks", amount_of_blocks=count)


def update(
    name: str,
    signer: KeyPair,
    previous: str,
    *,
    value: str | None = None,
    owner: KeyPair | None = None,
    backup: KeyPair | None = None,
) -> dict[str, object]:
    """Parameters of a signed update."""
    digest = update_digest(
        bytes.fromhex(value) if value else None,
        owner.public if owner else None,
        backup.public if backup else None,
        bytes.fromhex(previous),
    )
    fields = {
        "encrypted_value": value,
        "owner": owner.public.hex() if owner else None,
        "backup_owner": backup.public.hex() if backup else None,
    }
    given = {key: text for key, text in fields.items() if text is not None}
    signature = ed25519_sign(signer.secret, digest).hex()
    return {"name": name, "prev_txid": previous, "signature": signature, **given}


def open_chain(directory: Path, network: NetworkType = NetworkType.FAKECHAIN) -> Chain:
    """A chain in a directory, opened again if there is one; its clock can be moved."""
    store = Store(str(directory / "chain.sqlite"), network, NOW_S)
    chain = Chain(store, Service(store, lambda: chain.now_s * SECOND))
    return chain
