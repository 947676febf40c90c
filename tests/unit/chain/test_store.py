"""The chain's file is only added to, belongs to one process, and is found again as it was."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest

from lokinet_node.base.errors import OperatorError
from lokinet_node.chain.database import Database, DiskFull, StoreFailed
from lokinet_node.chain.store import Store
from lokinet_node.chain.terms import NetworkType
from tests.unit.chain.people import ALICE, NOW_S, Chain, open_chain, sealed


def test_a_chain_is_found_again_as_it_was(tmp_path: Path) -> None:
    first = open_chain(tmp_path)
    first.buy("web.loki", type="lokinet_10y")
    first.mine(3)
    first.ask("register_service_node", pubkey_ed25519=ALICE.public.hex())
    questions = ("get_info", "ons_list", "get_service_nodes", "ons_history")
    told = [first.ask(question) for question in questions]
    first.store.close()
    second = open_chain(tmp_path)
    assert [second.ask(question) for question in questions] == told
    second.store.close()


def test_the_open_block_goes_on_after_a_restart(tmp_path: Path) -> None:
    first = open_chain(tmp_path)
    txid = first.buy("web.loki")["txid"]
    first.store.close()
    second = open_chain(tmp_path)
    assert second.buy("mail.loki")["update_height"] == 1
    second.mine(1)
    assert second.ask("get_last_block_header")["block_header"]["num_txes"] == 2
    assert second.record("web.loki")["txid"] == txid
    second.store.close()


@pytest.mark.parametrize("table", ["settings", "blocks", "transactions", "names", "nodes"])
def test_no_row_can_be_changed_or_removed(tmp_path: Path, table: str) -> None:
    chain = open_chain(tmp_path)
    chain.buy("web.loki")
    chain.ask("register_service_node", pubkey_ed25519=ALICE.public.hex())
    chain.store.close()
    connection = sqlite3.connect(tmp_path / "chain.sqlite")
    column = connection.execute(f"SELECT name FROM pragma_table_info('{table}')").fetchone()[0]
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = {column}"):
        with pytest.raises(sqlite3.IntegrityError, match="only added to"):
            connection.execute(statement)
    connection.close()


def test_a_refused_wish_leaves_no_transaction(chain: Chain) -> None:
    chain.buy("web.loki")
    before = chain.store.transactions()
    chain.error("ons_renew_mapping", name="web.loki", prev_txid="00" * 32)
    assert chain.store.transactions() == before
    chain.mine(1)
    assert chain.ask("get_last_block_header")["block_header"]["num_txes"] == 1


def test_the_file_is_private(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        open_chain(tmp_path).store.close()
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "chain.sqlite").stat().st_mode) == 0o600


def test_two_processes_cannot_have_one_chain(tmp_path: Path) -> None:
    chain = open_chain(tmp_path)
    with pytest.raises(OperatorError, match="another lokinet-oxend has it open"):
        open_chain(tmp_path)
    chain.store.close()


def test_the_kind_of_network_cannot_change(tmp_path: Path) -> None:
    open_chain(tmp_path).store.close()
    with pytest.raises(OperatorError, match="a chain of type fakechain, not testnet"):
        open_chain(tmp_path, NetworkType.TESTNET)


def test_what_is_no_chain_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    path.write_bytes(b"a letter to a friend, much longer than a page" * 200)
    with pytest.raises(OperatorError, match="not usable as a chain"):
        open_chain(tmp_path)
    assert path.read_bytes().startswith(b"a letter")
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE diary (day)")
    other.close()
    with pytest.raises(OperatorError, match="not a file of lokinet-oxend"):
        open_chain(tmp_path)


def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be opened: No such file"):
        Store(str(tmp_path / "missing" / "chain.sqlite"), NetworkType.FAKECHAIN, NOW_S)


def test_a_file_whose_making_was_interrupted_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    assert path.stat().st_size
    open_chain(tmp_path).store.close()
    Database(str(tmp_path / "tables-only.sqlite")).close()
    Store(str(tmp_path / "tables-only.sqlite"), NetworkType.FAKECHAIN, NOW_S).close()


# --- trouble with the disk -----------------------------------------------------------------------


def limit(chain: Chain, pages: int) -> None:
    """Let the file have so many pages: SQLite then says what it says of a full disk."""
    chain.store._database._connection.execute(f"PRAGMA max_page_count={pages}")


def attempt(chain: Chain, name: str) -> dict[str, Any]:
    """The answer to a purchase, good or bad."""
    params = {"name": name, "owner": ALICE.public.hex(), "encrypted_value": sealed(name)}
    return chain.raw(json.dumps({"id": 1, "method": "ons_buy_mapping", "params": params}).encode())


def test_a_full_disk_is_said_and_undone_and_can_pass(chain: Chain) -> None:
    bought = [chain.buy(f"name-{number}.loki")["txid"] for number in range(3)]
    limit(chain, 1)
    while (answer := attempt(chain, f"name-{len(bought)}.loki")).get("result"):
        bought.append(answer["result"]["txid"])
        assert len(bought) < 200
    assert answer["error"]["code"] == -5
    assert re.fullmatch(r"the disk is full \(.*\): nothing was written", answer["error"]["message"])
    rows = chain.ask("ons_history")["entries"]
    assert [row["txid"] for row in rows] == bought
    limit(chain, 1 << 20)
    bought.append(chain.buy("later.loki")["txid"])
    assert chain.store.transactions() == len(bought)
    chain.mine(1)


def close_blocks(chain: Chain, count: int) -> None:
    for _ in range(count):
        chain.service.close_block()


def test_a_block_that_finds_no_room_is_not_closed(chain: Chain) -> None:
    limit(chain, 1)
    with pytest.raises(DiskFull):
        close_blocks(chain, 1000)
    height = chain.store.height
    assert chain.ask("get_block_count")["count"] == height
    limit(chain, 1 << 20)
    chain.service.close_block()
    assert chain.store.height == height + 1


def test_after_a_failed_write_nothing_is_answered_any_more(chain: Chain) -> None:
    chain.store._database._connection.execute("DROP TABLE names")
    code, message = chain.raw_error("ons_list")
    assert code == -5
    assert "no such table" in message
    assert isinstance(chain.service.failure, StoreFailed)
    assert chain.raw_error("get_info") == (-5, "the chain is going down")
