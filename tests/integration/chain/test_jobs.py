"""The jobs of a network of containers that take root, or a real chain."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lokinet_node import names
from lokinet_node.jobs import main
from tests.integration.chain.oxend import Oxend, oxend

ROUTERS = ("router-1", "router-2")
ELSEWHERE = "kcpyawm9se7trdbzncimdi5t7st4p5mh9i1mg7gkpuubi4k4ku1y.loki"
ADMIN = ("--admin", "127.0.0.1:0")


def prepare(folder: Path, owners: dict[str, int]) -> None:
    keys = {
        name: {
            "kind": "router",
            "dir": f"{folder}/{name}",
            "netid": "jobs",
            "public_address": "10.77.0.1:1090",
        }
        for name in ROUTERS
    }
    (folder / "web").mkdir(exist_ok=True)
    service = {"web": {"kind": "service", "file": f"{folder}/web/service.key"}}
    spec = {
        "keys": keys | service,
        "contacts": {},
        "addresses": f"{folder}/names/addresses.json",
        "owners": owners,
    }
    assert main(["prepare", json.dumps(spec)]) == 0


def settle(folder: Path, chain: Oxend, names: Sequence[dict[str, str]]) -> int:
    spec = {
        "admin": chain.admin,
        "addresses": f"{folder}/names/addresses.json",
        "owners": f"{folder}/names",
        "routers": ROUTERS,
        "names": names,
    }
    return main(["settle", json.dumps(spec)])


def name(**changes: str) -> dict[str, str]:
    web = {"name": "web.loki", "to": "web", "owner": "owner", "type": "lokinet_1y"}
    return {**web, "backup_owner": "heir", **changes}


def record(chain: Oxend) -> dict[str, Any]:
    (asked,) = [names.make({"kind": "hash", "name": "web.loki"})]
    entries = [{"name_hash": asked["name_hash"], "types": [2]}]
    (found,) = chain.line.call("ons_names_to_owners", entries=entries)["entries"]
    assert isinstance(found, dict)
    return found


def target(chain: Oxend) -> str:
    value = str(record(chain)["encrypted_value"])
    return names.make({"kind": "open", "name": "web.loki", "encrypted_value": value})["address"]


def test_folders_are_given_away_with_all_that_is_in_them_but_not_where_links_lead(
    tmp_path: Path,
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("")
    (tmp_path / "web").mkdir()
    (tmp_path / "web/link").symlink_to(mine)
    prepare(tmp_path, {f"{tmp_path}/web": 1090})
    found = [path.lstat() for path in [tmp_path / "web", *(tmp_path / "web").iterdir()]]
    assert {(one.st_uid, one.st_gid) for one in found} == {(1090, 1090)}
    assert len(found) == 3
    assert mine.stat().st_uid == 0


def test_routers_are_registered_and_names_bought_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path, {})
    addresses = json.loads((tmp_path / "names/addresses.json").read_text())
    web = addresses["web"]["address"]
    with oxend(tmp_path / "chain", *ADMIN) as chain:
        capsys.readouterr()
        assert settle(tmp_path, chain, [name()]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "router-1 is registered",
            "router-2 is registered",
            f"web.loki is bought for {web}",
        ]
        states = chain.line.call("get_service_nodes")["service_node_states"]
        assert {state["pubkey_ed25519"] for state in states} == {
            addresses[router]["public"] for router in ROUTERS
        }
        assert all(state["active"] for state in states)
        assert target(chain) == web
        bought = record(chain)
        assert bought["backup_owner"] != bought["owner"]
        assert settle(tmp_path, chain, [name()]) == 0
        assert capsys.readouterr().out == f"web.loki stands for {web}\n"
        assert record(chain) == bought


def test_a_name_is_led_elsewhere_by_its_owner_and_by_nobody_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path, {})
    with oxend(tmp_path / "chain", *ADMIN) as chain:
        assert settle(tmp_path, chain, [name()]) == 0
        assert settle(tmp_path, chain, [name(to=ELSEWHERE)]) == 0
        assert f"web.loki now stands for {ELSEWHERE}" in capsys.readouterr().out
        assert target(chain) == ELSEWHERE
        assert settle(tmp_path, chain, [name(owner="stranger")]) == 1
        assert "stranger.key: no such key file" in capsys.readouterr().err
        assert target(chain) == ELSEWHERE
