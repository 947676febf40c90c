"""What was acknowledged is there: after kill -9, on a full disk, by what the kernel was told."""

from __future__ import annotations

import contextlib
import random
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lokinet_node.chain.blocks import close_block, transaction_id
from lokinet_node.chain.rules import update_digest
from lokinet_node.crypto.keys import ed25519_keypair, ed25519_sign
from lokinet_node.crypto.ons import encrypt_value
from tests.integration.chain.oxend import Line, Oxend, Refused, oxend

OWNER = ed25519_keypair(b"o" * 32)
KILLS, WRITES_EACH = 50, 20
TERM = "lokinet_10y"  # nothing expires while we look


@dataclass
class Customer:
    """Buys, renews and updates names in turn, and remembers what was acknowledged."""

    chance: random.Random
    acknowledged: list[str] = field(default_factory=list)
    """Transactions in their order."""
    last_of: dict[str, str] = field(default_factory=dict)
    """Name → its last acknowledged transaction."""
    bought: int = 0

    def next_call(self) -> tuple[str, str, dict[str, Any]]:
        """(name, method, parameters)."""
        turn = len(self.acknowledged) % 3
        if turn == 0 or not self.last_of:
            self.bought += 1
            name = f"name-{self.bought}.loki"
            params = {"owner": OWNER.public.hex(), "encrypted_value": self._value(name)}
            return name, "ons_buy_mapping", {"name": name, "type": TERM, **params}
        name = self.chance.choice(sorted(self.last_of))
        previous = self.last_of[name]
        if turn == 1:
            return name, "ons_renew_mapping", {"name": name, "type": TERM, "prev_txid": previous}
        value = self._value(name)
        digest = update_digest(bytes.fromhex(value), None, None, bytes.fromhex(previous))
        signature = ed25519_sign(OWNER.secret, digest).hex()
        params = {"encrypted_value": value, "prev_txid": previous, "signature": signature}
        return name, "ons_update_mapping", {"name": name, **params}

    def write(self, line: Line) -> None:
        """One write that is acknowledged."""
        name, method, params = self.next_call()
        self.remember(name, line.call(method, **params)["txid"])

    def remember(self, name: str, txid: str) -> None:
        self.acknowledged.append(txid)
        self.last_of[name] = txid

    def _value(self, name: str) -> str:
        return encrypt_value(name, OWNER.public, self.chance.randbytes).hex()


def write_and_kill(customer: Customer, chain: Oxend) -> None:
    """Kill the chain some moment after one more write was sent: 0 to 6 ms, a write takes 1 to 5."""
    name, method, params = customer.next_call()
    chain.line.send_call(method, params)
    answered = chain.line.is_answered(customer.chance.uniform(0, 0.006))
    if answered:
        customer.remember(name, chain.line.result()["txid"])
    chain.kill()
    if not answered:
        customer.last_of.pop(name, None)  # nobody knows whether it has another transaction now


def history(chain: Oxend) -> list[dict[str, Any]]:
    """All that happened to names, page by page of whole blocks."""
    rows: list[dict[str, Any]] = []
    last = chain.line.call("get_info")["height"]
    for first in range(0, last + 1, 5):
        page = chain.line.call("ons_history", start_height=first, end_height=first + 4)
        assert len(page["entries"]) < 1000
        rows += page["entries"]
    return rows


def test_a_thousand_acknowledged_writes_outlive_fifty_kills(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    customer = Customer(random.Random(seed))
    height = 0
    for _ in range(KILLS):
        with oxend(tmp_path, "--block-time", "0.05") as chain:
            assert chain.height >= height, "heights never go back"
            if customer.acknowledged:
                told = chain.line.call("ons_history", start_height=max(0, height - 1))["entries"]
                assert customer.acknowledged[-1] in {row["txid"] for row in told}
            for _ in range(WRITES_EACH):
                customer.write(chain.line)
            height = chain.line.call("get_info")["height"]
            write_and_kill(customer, chain)
    assert len(customer.acknowledged) >= KILLS * WRITES_EACH
    with oxend(tmp_path, "--block-time", "0") as chain:
        assert chain.height >= height
        check_history(customer, history(chain))
        check_records(customer, chain)
        chain.process.terminate()
        assert chain.process.wait() == 0
    check_file(tmp_path / "chain.sqlite")


def check_history(customer: Customer, rows: list[dict[str, Any]]) -> None:
    """All acknowledged are there, in order; of the others at most one for each kill, and whole."""
    there = [row["txid"] for row in rows]
    assert len(set(there)) == len(there)
    acknowledged = set(customer.acknowledged)
    assert [txid for txid in there if txid in acknowledged] == customer.acknowledged
    assert len(there) - len(customer.acknowledged) <= KILLS
    heights = [row["height"] for row in rows]
    assert heights == sorted(heights)
    assert all(len(row["encrypted_value"]) == 144 and row["owner"] for row in rows)


def check_records(customer: Customer, chain: Oxend) -> None:
    """Each name's newest record is that of its last acknowledged transaction."""
    newest: dict[str, str] = {}
    after: dict[str, Any] = {}
    while True:
        page = chain.line.call("ons_list", limit=200, **after)
        newest |= {row["txid"]: row["name_hash"] for row in page["entries"]}
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert set(customer.last_of.values()) <= newest.keys()


def check_file(path: Path) -> None:
    """SQLite finds it whole; every block and transaction has the hash of what it holds."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    transactions = "SELECT txid, payload FROM transactions WHERE height = ? ORDER BY number"
    previous = bytes(32)
    blocks = connection.execute("SELECT * FROM blocks ORDER BY height").fetchall()
    for expected, (height, hash_, before, timestamp, count) in enumerate(blocks):
        rows = connection.execute(transactions, (height,)).fetchall()
        ids = [transaction_id(height, place, payload) for place, (_, payload) in enumerate(rows)]
        assert [txid for txid, _ in rows] == ids
        assert (height, before, count) == (expected, previous, len(ids))
        assert close_block(previous, height, timestamp, ids).hash == hash_
        previous = hash_
    (orphans,) = connection.execute(
        "SELECT count(*) FROM transactions WHERE number NOT IN "
        "(SELECT number FROM names UNION SELECT number FROM nodes)"
    ).fetchone()
    assert orphans == 0
    connection.close()


# --- what the kernel was told --------------------------------------------------------------------

CALLS = re.compile(r"^\d* *(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")


def test_every_write_is_synced_before_it_is_acknowledged(tmp_path: Path) -> None:
    assert shutil.which("strace"), "needs the Debian package strace"
    trace = tmp_path / "trace"
    watched = "trace=recvfrom,read,sendto,write,pwrite64,fsync,fdatasync"
    through = ["strace", "-f", "-y", "-s", "4096", "-o", str(trace), "-e", watched]
    customer = Customer(random.Random(1))
    with oxend(tmp_path / "data", "--block-time", "0", through=through) as chain:
        for _ in range(30):
            customer.write(chain.line)
        pid = int(trace.read_text().split(None, 1)[0])
        subprocess.run(["kill", str(pid)], check=True)
        assert chain.process.wait() == 0
    assert acknowledged_in(trace.read_text().splitlines()) == customer.acknowledged


def acknowledged_in(lines: list[str]) -> list[str]:
    """The transactions acknowledged, each after its bytes were written and then synced."""
    seen = []
    written = synced = False
    for line in lines:
        found = CALLS.match(line)
        if not found:
            continue
        call, arguments, result = found["call"], found["arguments"], int(found["result"])
        if call in ("recvfrom", "read") and "ons_" in arguments:
            written = synced = False
        elif call == "pwrite64" and "chain.sqlite-wal>" in arguments:
            written, synced = True, False
        elif call in ("fsync", "fdatasync") and "chain.sqlite-wal>" in arguments:
            assert result == 0
            synced = written
        elif call in ("sendto", "write") and (txid := re.search(r'txid\\": \\"(\w+)', arguments)):
            assert written, "acknowledged without being written"
            assert synced, "acknowledged before it was synced"
            seen.append(txid[1])
    return seen


# --- a full disk ---------------------------------------------------------------------------------


@dataclass
class SmallDisk:
    """A tmpfs that only processes of its mount namespace see."""

    path: Path
    pid: int

    @property
    def through(self) -> list[str]:
        """What starts a program among its mounts."""
        return ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", "--"]

    def resize(self, size: str) -> None:
        mount = ["mount", "-o", f"remount,size={size}", str(self.path)]
        subprocess.run([*self.through, *mount], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "disk"
    path.mkdir()
    script = 'mount -t tmpfs -o size=400k,mode=700 tmpfs "$0" && echo ready && exec cat'
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    yield SmallDisk(path, holder.pid)
    with contextlib.suppress(BrokenPipeError):
        holder.communicate()


def fill(customer: Customer, chain: Oxend) -> Refused:
    """Write until there is no more room; what was said then."""
    for _ in range(500):
        try:
            customer.write(chain.line)
        except Refused as refused:
            return refused
    raise AssertionError("the disk does not get full")


def test_a_full_disk_is_a_clear_error_and_loses_nothing(small_disk: SmallDisk) -> None:
    customer = Customer(random.Random(2))
    options = ("--block-time", "0", "--admin", "127.0.0.1:0")
    directory = small_disk.path / "data"
    with oxend(directory, *options, through=small_disk.through) as chain:
        code, message = fill(customer, chain).args
        assert code == -5
        assert message == f"the disk is full ({directory}/chain.sqlite): nothing was written"
        with pytest.raises(Refused, match="the disk is full"):
            chain.line.call("generate_blocks", amount_of_blocks=100)
        assert [row["txid"] for row in history(chain)] == customer.acknowledged
        chain.process.kill()
    with oxend(directory, *options, through=small_disk.through) as chain:
        assert [row["txid"] for row in history(chain)] == customer.acknowledged
        small_disk.resize("8m")
        for _ in range(30):
            customer.write(chain.line)
        chain.line.call("generate_blocks")
        assert [row["txid"] for row in history(chain)] == customer.acknowledged
